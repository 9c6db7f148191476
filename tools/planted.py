"""`make planted`: each deliberate break in tests/faults/planted/ must turn each test that it names red.

A break is a patch against the checkout whose first lines say what it breaks and which test notices:

    Breaks: the limit is counted before the account is locked
    Test: tests/core/booking/test_limits.py::test_one_person_from_many_accounts

    diff --git a/core/… b/core/…

Each is applied to a copy of its own. All tests that are named are first shown to be green in a copy without any.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLANTED = ROOT / "tests" / "faults" / "planted"
# A race that is only likely to be lost gets this many chances to be lost.
_TRIES = 3
_AT_ONCE = 2
# Whatever lives a clinic in a property test: other lives in each of those chances, and more of them.
_LIVES = "40"
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
            raise Unusable(f"{path.name} needs one line `Breaks: …` and at least one `Test: …`")
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
    try:
        _require_green([Break.read(path) for path in paths])
    except Unusable as reason:
        print(f"BAD      {reason}")
        return 1
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        faults = sum(not noticed for noticed in pool.map(_is_noticed, paths))
    print(f"{len(paths) - faults} of {len(paths)} breaks were noticed")
    return 1 if faults else 0


def _is_noticed(path: Path) -> bool:
    try:
        planted = Break.read(path)
        with _copy() as copy:
            _apply(copy, planted)
            noticed = all(_turns_red(copy, test) for test in planted.tests)
    except Unusable as reason:
        print(f"BAD      {path.stem}: {reason}", flush=True)
        return False
    print(f"{'noticed ' if noticed else 'MISSED  '} {path.stem}: {planted.breaks}", flush=True)
    return noticed


def _turns_red(copy: Path, test: str) -> bool:
    """Raises: Unusable."""
    return any(_pytest(copy, [test]) == _PYTEST_RED for _ in range(_TRIES))


@contextmanager
def _copy() -> Iterator[Path]:
    """The checkout as it is now, to be broken."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
        yield copy


def _require_green(planted: Sequence[Break]) -> None:
    """Raises: Unusable."""
    tests = sorted({test for one in planted for test in one.tests})
    with _copy() as copy:
        if _pytest(copy, tests) != _PYTEST_GREEN:
            raise Unusable(f"not all of these are green even without any break: {', '.join(tests)}")


def _apply(copy: Path, planted: Break) -> None:
    applied = subprocess.run(["git", "apply", str(planted.path)], cwd=copy, capture_output=True, text=True, check=False)
    if applied.returncode:
        raise Unusable(f"does not apply any more: {applied.stderr.strip()}")


def _pytest(copy: Path, tests: Sequence[str]) -> int:
    """Raises: Unusable."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environ = {**os.environ, "LIVES": _LIVES}
    ran = subprocess.run(command, cwd=copy, env=environ, capture_output=True, text=True, check=False)
    last = ran.stdout.strip().splitlines()[-1] if ran.stdout.strip() else ran.stderr.strip()
    if ran.returncode == _PYTEST_RED and " failed" not in last:
        raise Unusable(f"its test did not run: {last}")
    if ran.returncode not in (_PYTEST_GREEN, _PYTEST_RED):
        raise Unusable(f"its test cannot be run: {last}")
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
