"""`python -m bench.profile`: what the web processes work on, seen by py-spy: ordinary bookings, then a rush.

py-spy is not among what the tests need: `pip install py-spy`, and where the system asks for it run this as root. It
samples a hundred times a second who holds the interpreter, in both processes. Waiting for PostgreSQL is in no sample.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.checks import settle
from bench.figures import BenchFailed, Stretch
from bench.house import House, opened
from bench.measure import book
from bench.outset import run_through
from bench.processes import end, spawn
from bench.rush import PEOPLE, Crowd
from bench.stacks import Profile
from bench.stock import Stock

_SCHEDULES, _WARM_UP, _BOOKINGS = 100, 500, 3_000
_LARGEST = 10
_ATTACH_SECONDS, _WRITE_SECONDS = 3.0, 60.0


def main() -> bool:
    """Always well, where it can be seen at all. Raises: BenchFailed."""
    spy = _spy()
    with opened() as house:
        stock = Stock(house, _WARM_UP + _BOOKINGS + PEOPLE)
        offers = stock.offers("S", schedules=_SCHEDULES, numbers=(_WARM_UP + _BOOKINGS) // _SCHEDULES)
        crowd = Crowd(stock)
        book(house, stock.wishes(offers, each=_WARM_UP // _SCHEDULES))
        settle(house)
        bookings = stock.wishes(offers, each=_BOOKINGS // _SCHEDULES)
        _show(f"{_BOOKINGS:,} bookings", spy, house, lambda: book(house, bookings))
        _show(f"a rush of {PEOPLE:,} people", spy, house, crowd.rush)
    return True


def _spy() -> str:
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is None:
        raise BenchFailed("py-spy is not here: pip install py-spy")
    return found


def _show(name: str, spy: str, house: House, work: Callable[[], Stretch]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(pid) for pid in house.web.workers()]
        with _watched(spy, files):
            stretch = work()
        profile = Profile.of(line for file in files for line in file.read_text().splitlines())
    print(f"\n{name}: {stretch.per_second:,.0f} answers a second while watched, {profile.samples:,} samples")
    for title, items in (
        ("by itself", profile.largest_own(_LARGEST)),
        ("by whose code it is", profile.largest_packages(_LARGEST)),
        ("ours, with what it calls", profile.largest_of_ours(_LARGEST)),
    ):
        print(f"\n  {title}")
        for item, share in items:
            print(f"  {share:>7.1%}  {item}")


@contextmanager
def _watched(spy: str, files: list[Path]) -> Iterator[None]:
    """Each file is named after the process that is watched. Raises: BenchFailed."""
    command = [spy, "record", "--gil", "--function", "--format", "raw", "--rate", "100"]
    watchers = [
        spawn([*command, "--pid", file.name, "--output", str(file)], output=subprocess.DEVNULL) for file in files
    ]
    try:
        time.sleep(_ATTACH_SECONDS)
        yield
        for watcher in watchers:
            watcher.send_signal(signal.SIGINT)
        for watcher in watchers:
            watcher.wait(_WRITE_SECONDS)
        if not all(file.exists() for file in files):
            raise BenchFailed("py-spy saw nothing: may it look at other processes here?")
    finally:
        for watcher in watchers:
            end(watcher)


if __name__ == "__main__":
    sys.exit(run_through(main))
