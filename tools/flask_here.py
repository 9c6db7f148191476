"""An operator's command in the surroundings of `make run`: `python tools/flask_here.py invariants`.

Reads API_PORT, SANDBOX_PORT, DATABASE_URL and DATA_DIR as `make run` does, so that both mean the same run. With
STARTS_AT, an instant, it is that time for this command alone (`tools/another_time.py`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from places import CannotRun, Places

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    try:
        places = Places.from_environ(os.environ, root=ROOT)
        if not (places.data_dir / "platforms.json").exists():
            raise CannotRun(f"No `make run` has kept anything in {places.data_dir}: say its DATA_DIR here too.")
    except CannotRun as reason:
        sys.exit(str(reason))
    app = "tools/another_time.py" if os.environ.get("STARTS_AT") else "wsgi"
    os.chdir(ROOT)
    os.execve(sys.executable, [sys.executable, "-m", "flask", "--app", app, *sys.argv[1:]], places.environ(os.environ))


if __name__ == "__main__":
    main()
