"""`python -m bench.stored [--appointments 10000000]`: whether bookings slow down with what is stored.

Two houses stand side by side, one with 10,000 appointments of the past and one with as many as is said (a million), and
take turns. Exit code as that of `python -m bench`.
"""

from __future__ import annotations

import argparse
import sys
import time

from sqlalchemy import text

from bench.bulk import require_shape, shape_of
from bench.checks import require_durable, require_promises, settle
from bench.figures import Figure, Stretch
from bench.history import History
from bench.house import House, opened
from bench.measure import Asked, book
from bench.outset import run_through
from bench.stock import Stock
from bench.table import Row, print_rows
from models.database import Timeouts

FEW, MANY = 10_000, 1_000_000
ROUNDS = 5
_SCHEDULES = 1_000
_WARM_UP = 500
_DOCTORS = 200
_BOOKERS = _WARM_UP + ROUNDS * _SCHEDULES
_PATIENT = Timeouts(lock=60_000, statement=0, idle_in_transaction=0)
_BEGAN = time.monotonic()


class Side:
    """One house, and what was booked in it."""

    def __init__(self, house: House, appointments: int, *, trusted: bool) -> None:
        self._house = house
        require_durable(house)
        self._stock = Stock(house, _BOOKERS + 1)
        (template,) = self._stock.wishes(self._stock.offers("T", schedules=1, numbers=1))
        book(house, [template], pay="on_site")
        bookers = self._stock.people(_BOOKERS)
        self._bookers = iter(bookers)
        history = History(house, template.patient, bookers, self._stock.offers("H", schedules=_DOCTORS, numbers=1))
        history.fill(appointments, trusted=trusted, say=_say)
        self._offers = self._stock.offers("S", schedules=_SCHEDULES, numbers=ROUNDS + 1)
        book(house, self._asked(_WARM_UP))
        settle(house)
        _say(f"{_megabytes(house):,} MB")
        self.stretches: list[Stretch] = []

    def measure(self) -> None:
        """A thousand bookings, one of each schedule. Raises: BenchFailed."""
        self.stretches.append(book(self._house, self._asked(_SCHEDULES)))

    def check(self) -> None:
        """Raises: BenchFailed where a promise is broken."""
        require_promises(self._house)

    def _asked(self, count: int) -> list[Asked]:
        return [Asked(next(self._bookers), offer) for offer in self._offers[:count]]


def main() -> bool:
    """Whether the row holds. Raises: BenchFailed."""
    many = _appointments()
    with opened(timeouts=_PATIENT) as small, opened(timeouts=_PATIENT) as large:
        _say(f"storing {many:,} appointments")
        much = Side(large, many, trusted=True)
        # The small one last: nobody here ends the holds of its warm-up, which run out while many are stored.
        _say(f"storing {FEW:,} appointments")
        few = Side(small, FEW, trusted=False)
        few.check()
        require_shape(large, shape_of(small))
        require_durable(large)
        _say("measuring")
        for at in range(ROUNDS):
            for side in (few, much) if at % 2 == 0 else (much, few):
                side.measure()
        few.check()
        _say("every promise holds")
    for name, side in ((f"{FEW:,} stored", few), (f"{many:,} stored", much)):
        one = Figure.of(side.stretches)
        print(f"{'bookings with ' + name:<42}{one.per_second:>12,.0f}{one.p50:>10.1f}{one.p99:>10.1f}")
    return print_rows([Row.of_stored(many, much.stretches, few.stretches)])


def _megabytes(house: House) -> int:
    with house.database.read() as session:
        size: int = session.scalars(text("SELECT pg_database_size(current_database())")).one()
    return size >> 20


def _appointments() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.stored", description=__doc__)
    parser.add_argument("--appointments", type=int, default=MANY, help=f"how many are stored (default: {MANY:,})")
    many: int = parser.parse_args().appointments
    return many


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(run_through(main))
