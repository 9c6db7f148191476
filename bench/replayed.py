"""`python -m bench.replayed [--appointments 100000]`: whether trying a policy slows down with what there is to replay.

Two houses, one with a thousand appointments of the past and one with as many as is said, are replayed under a policy
that has every rule look. Exit code as that of `python -m bench`.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from dataclasses import dataclass

from bench.figures import BenchFailed
from bench.history import History
from bench.house import House, opened
from bench.measure import book
from bench.outset import run_through
from bench.stock import Stock
from bench.table import Row, print_rows
from core.booking.policy import BookingPolicy
from core.booking.replay.simulate import Asked, Refused, simulate
from core.clock import DatabaseClock
from core.transactions import Transactions
from models.database import Timeouts

FEW, MANY = 1_000, 100_000
_DOCTORS = 20
_PATIENT = Timeouts(lock=60_000, statement=0, idle_in_transaction=0)
_TRIED = BookingPolicy(max_per_person_7_days=1, visit_kinds=("first",), max_per_phone_month=20)


@dataclass(frozen=True)
class Replayed:
    """`memory_kb` is the most that this process had by then."""

    appointments: int
    refused: int
    seconds: float
    memory_kb: int

    @property
    def each_ms(self) -> float:
        return self.seconds / self.appointments * 1000

    def __str__(self) -> str:
        figures = f"{self.seconds:.1f} s, {self.each_ms:.2f} ms each, at most {self.memory_kb >> 10} MB"
        return f"{self.appointments:,} replayed, {self.refused:,} refused: {figures}"


def main() -> bool:
    """Whether the rows hold. Raises: BenchFailed."""
    parser = argparse.ArgumentParser(prog="python -m bench.replayed", description=__doc__)
    parser.add_argument("--appointments", type=int, default=MANY, help=f"how many are stored (default: {MANY:,})")
    many: int = parser.parse_args().appointments
    with opened(timeouts=_PATIENT) as small:
        few = _replayed(small, FEW)
    print(few, flush=True)
    with opened(timeouts=_PATIENT) as large:
        much = _replayed(large, many)
    print(much, flush=True)
    beside = f"{many:,} replayed / of 1,000"
    return print_rows(
        [
            Row(f"an appointment of {beside}", much.each_ms / few.each_ms, 2.0, at_most=True),
            Row(f"memory with {beside}", much.memory_kb / few.memory_kb, 1.5, at_most=True),
        ]
    )


def _replayed(house: House, appointments: int) -> Replayed:
    """Raises: BenchFailed where not all of them were."""
    stock = Stock(house, 1)
    (template,) = stock.wishes(stock.offers("T", schedules=1, numbers=1))
    book(house, [template], pay="on_site")
    History(house, template.patient, [], stock.offers("H", schedules=_DOCTORS, numbers=1)).fill(
        appointments - 1, trusted=True, say=lambda _how_far: None
    )
    began = time.monotonic()
    transactions = Transactions(house.database, DatabaseClock(house.database))
    totals = simulate(transactions, Asked("BENCH", _TRIED), told=_hear)
    seconds = time.monotonic() - began
    if totals.replayed != appointments:
        raise BenchFailed(f"{totals.replayed} appointments were replayed, not {appointments}")
    return Replayed(appointments, totals.refused, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _hear(_one: Refused) -> None:
    """Nothing is kept of it."""


if __name__ == "__main__":
    sys.exit(run_through(main))
