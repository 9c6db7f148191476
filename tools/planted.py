"""`make planted`: each deliberate break in tests/faults/planted/ must turn the test that it names red.

A break is a patch against the checkout whose first lines say what it breaks and which test notices:

    Breaks: the limit is counted before the account is locked
    Test: tests/core/booking/test_limits.py::test_one_person_from_many_accounts

    diff --git a/core/… b/core/…

Each is applied to a copy; the test is first shown to be green there without it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLANTED = ROOT / "tests" / "faults" / "planted"
# A race that is only likely to be lost gets this many chances to be lost.
_TRIES = 3
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "data-local", "__pycache__", ".*_cache", "*.egg-info", ".hypothesis"
)
_PYTEST_GREEN, _PYTEST_RED = 0, 1


class Unusable(Exception):
    """The break itself is not fit: no test named, or it does not apply any more."""


@dataclass(frozen=True)
class Break:
    """One patch with what it says of itself."""

    path: Path
    breaks: str
    tests: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Break:
        """Raises: Unusable."""
        head = path.read_text().partition("\ndiff ")[0]
        breaks = re.findall(r"^Breaks: (.+)$", head, re.MULTILINE)
        tests = re.findall(r"^Test: (\S+)$", head, re.MULTILINE)
        if len(breaks) != 1 or not tests:
            raise Unusable("needs one line `Breaks: …` and at least one `Test: …`")
        return cls(path, breaks[0], tuple(tests))


def main() -> int:
    """The exit code: 0 where every break was noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only these patches, without .patch")
    names = parser.parse_args().names
    paths = [path for path in sorted(PLANTED.glob("*.patch")) if not names or path.stem in names]
    if not paths:
        print(f"no patch found in {PLANTED}")
        return 1
    faults = sum(not _is_noticed(path) for path in paths)
    print(f"{len(paths) - faults} of {len(paths)} breaks were noticed")
    return 1 if faults else 0


def _is_noticed(path: Path) -> bool:
    try:
        planted = Break.read(path)
        with tempfile.TemporaryDirectory(prefix="planted-") as folder:
            copy = Path(folder) / "copy"
            shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
            _require_green(copy, planted)
            _apply(copy, planted)
            noticed = any(_pytest(copy, planted) == _PYTEST_RED for _ in range(_TRIES))
    except Unusable as reason:
        print(f"BAD      {path.stem}: {reason}")
        return False
    print(f"{'noticed ' if noticed else 'MISSED  '} {path.stem}: {planted.breaks}", flush=True)
    return noticed


def _require_green(copy: Path, planted: Break) -> None:
    if _pytest(copy, planted) != _PYTEST_GREEN:
        raise Unusable(f"{', '.join(planted.tests)} is not green even without it")


def _apply(copy: Path, planted: Break) -> None:
    applied = subprocess.run(["git", "apply", str(planted.path)], cwd=copy, capture_output=True, text=True, check=False)
    if applied.returncode:
        raise Unusable(f"does not apply any more: {applied.stderr.strip()}")


def _pytest(copy: Path, planted: Break) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *planted.tests]
    ran = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    last = ran.stdout.strip().splitlines()[-1] if ran.stdout.strip() else ran.stderr.strip()
    if ran.returncode == _PYTEST_RED and " failed" not in last:
        raise Unusable(f"its test did not run: {last}")
    if ran.returncode not in (_PYTEST_GREEN, _PYTEST_RED):
        raise Unusable(f"its test cannot be run: {last}")
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
