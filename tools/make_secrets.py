"""`make secrets`: whatever compose.yaml wants in secrets/ and is not there yet. What is there is never touched."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from miniapp_api.keys import write_keys  # noqa: E402 - found only once the root is on the path

READER = 10001
"""Who the containers run as (Dockerfile)."""


def main(folder: Path) -> int:
    """The exit code."""
    os.umask(0o077)
    folder.mkdir(exist_ok=True)
    made = [name for name, make in _MAKERS.items() if _make(folder, name, make)]
    print(f"{folder}: made {', '.join(made)}" if made else f"{folder}: everything is there")
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, READER, -1)
    else:
        print(f"The containers read these files as uid {READER}: sudo chown -R {READER} {folder}")
    return 0


def _make(folder: Path, name: str, make: Callable[[Path], None]) -> bool:
    path = folder / name
    if path.exists():
        return False
    make(path)
    path.chmod(0o600)
    return True


def _password(path: Path) -> None:
    path.write_text(secrets.token_urlsafe(24))


def _address(path: Path) -> None:
    password = (path.parent / "postgres").read_text().strip()
    path.write_text(f"postgresql://yuezhen:{password}@postgres/yuezhen")


def _no_platforms(path: Path) -> None:
    path.write_text("{}\n")


_MAKERS: dict[str, Callable[[Path], None]] = {
    "keys.json": write_keys,
    "platforms.json": _no_platforms,
    "postgres": _password,
    "database.url": _address,
}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "secrets"))
