"""What one run seeds, and what it measures in turn."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice

from bench.figures import Stretch
from bench.house import House
from bench.measure import (
    Asked,
    ask_for_health,
    ask_one_liner,
    be_refused,
    book,
    book_bare,
    look_again,
    look_at_schedules,
    wishes,
)
from bench.seed import Offer, Patient, add_hospital, add_offers, add_patients
from bench.web import Web

ROUNDS, FEWEST_ROUNDS, ENOUGH_SECONDS = 5, 3, 60.0
SCHEDULES = 1_000
PER_ROUND = 1_000
BARE_PER_ROUND = 2_000
WARM_UP = 500
HISTORY = 2_000
SOLD_OUT_NUMBERS = 20
ONLOOKERS = 200
LISTED = 100

_MOST = WARM_UP + HISTORY + ROUNDS * (2 * PER_ROUND + BARE_PER_ROUND) + SOLD_OUT_NUMBERS + ONLOOKERS


class Run:
    """One run: what was seeded, and what was measured so far."""

    def __init__(self, house: House, line: Web) -> None:
        self.house, self.line = house, line
        self.figures: dict[str, list[Stretch]] = defaultdict(list)
        self.sold = 0
        with house.database.write() as session:
            now = datetime.now(UTC)
            self.hospital = add_hospital(session, now=now)
            self.patients: Iterator[Patient] = iter(add_patients(session, house.vault, _MOST, now=now))
        each = ROUNDS * (PER_ROUND + BARE_PER_ROUND) // SCHEDULES
        self._many = self.offers("S", schedules=SCHEDULES, numbers=each)
        self._listed = self.offers("R", schedules=LISTED, numbers=1)

    def offers(self, stage: str, *, schedules: int, numbers: int) -> list[Offer]:
        with self.house.database.write() as session:
            return add_offers(
                session, self.hospital, stage, schedules=schedules, numbers=numbers, now=datetime.now(UTC)
            )

    def wishes(self, stage: str, *, schedules: int, numbers: int) -> list[Asked]:
        """As many as there are numbers: all of them are sold then."""
        return self._sell(wishes(self.patients, self.offers(stage, schedules=schedules, numbers=numbers)))

    def warm_up(self) -> None:
        """Some bookings of either kind, so that no table is empty and no process is cold when it counts."""
        book(self.house, self.wishes("W", schedules=100, numbers=WARM_UP // 100))
        book_bare(self.house, self.wishes("P", schedules=100, numbers=HISTORY // 100))
        self._full = self.wishes("F", schedules=1, numbers=SOLD_OUT_NUMBERS)
        book(self.house, self._full, pay="on_site")
        self._onlookers = list(islice(self.patients, ONLOOKERS))

    def rounds(self) -> None:
        """Each round measures all, in the other order than the one before. On a slow machine there are fewer."""
        began = time.monotonic()
        for at in range(ROUNDS):
            stages = self._stages(at)
            for kind in stages if at % 2 == 0 else reversed(stages):
                self.figures[kind].append(stages[kind]())
            if at + 1 >= FEWEST_ROUNDS and time.monotonic() - began > ENOUGH_SECONDS:
                break

    def _stages(self, at: int) -> dict[str, Callable[[], Stretch]]:
        house, full = self.house, self._full[0].offer
        hot = self.wishes(f"H{at}", schedules=1, numbers=PER_ROUND)
        return {
            "hot": lambda: book(house, hot),
            "bare": lambda: book_bare(house, self._of_many(BARE_PER_ROUND)),
            "spread": lambda: book(house, self._of_many(PER_ROUND)),
            "line": lambda: ask_one_liner(self.line),
            "sold_out": lambda: be_refused(house, self._onlookers, full),
            "schedules": lambda: look_at_schedules(house, self._listed),
            "not_modified": lambda: look_again(house, self._listed),
            "health": lambda: ask_for_health(house),
        }

    def _of_many(self, count: int) -> list[Asked]:
        """`count` numbers, as many of each of the many schedules."""
        return self._sell(wishes(self.patients, self._many, each=count // SCHEDULES))

    def _sell(self, asked: list[Asked]) -> list[Asked]:
        self.sold += len(asked)
        return asked
