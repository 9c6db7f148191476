"""What one run seeds, and what it measures in turn."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from bench.checks import require_health, settle
from bench.figures import Stretch
from bench.house import House
from bench.measure import (
    CONNECTIONS,
    Asked,
    ask_for_health,
    ask_one_liner,
    be_refused,
    book,
    book_bare,
    look_again,
    look_at_schedules,
)
from bench.rush import PEOPLE, Crowd, Rush
from bench.seed import Offer
from bench.stock import Stock
from bench.web import Web

ROUNDS, FEWEST_ROUNDS, ENOUGH_SECONDS = 5, 3, 60.0
SCHEDULES = 1_000
PER_ROUND = 1_000
BARE_PER_ROUND = 2_000
SQLITE_PER_ROUND = 500
WARM_UP = 500
HISTORY = 2_000
_BESIDE_RUSH = 2 * PER_ROUND
_SOLD_OUT_NUMBERS = 20
_ONLOOKERS = 200
_LISTED = 100

_BESIDES = WARM_UP + HISTORY + _SOLD_OUT_NUMBERS + _ONLOOKERS + PEOPLE + _BESIDE_RUSH


class Run:
    """One run: what was seeded, and what was measured so far. There are `rounds`, on a slow machine fewer."""

    def __init__(self, house: House, line: Web, sqlite: House, *, rounds: int = ROUNDS) -> None:
        self._house, self._line, self._rounds = house, line, rounds
        self.figures: dict[str, list[Stretch]] = defaultdict(list)
        self._stock = Stock(house, _BESIDES + rounds * (2 * PER_ROUND + BARE_PER_ROUND))
        of_each = (rounds * (PER_ROUND + BARE_PER_ROUND) + _BESIDE_RUSH) // SCHEDULES
        self._many = self._stock.offers("S", schedules=SCHEDULES, numbers=of_each)
        self._listed = self._stock.offers("R", schedules=_LISTED, numbers=1)
        self._crowd = Crowd(self._stock)
        self._file = Stock(sqlite, WARM_UP + rounds * SQLITE_PER_ROUND)
        self._file_many = self._file.offers("S", schedules=SQLITE_PER_ROUND, numbers=rounds + 1)

    def warm_up(self) -> None:
        """Some bookings of either kind, so that no table is empty and no process is cold when it counts."""
        book(self._house, self._fresh("W", schedules=100, numbers=WARM_UP // 100))
        self._write_bare(self._stock.offers("P", schedules=100, numbers=HISTORY // 100))
        (self._full,) = self._stock.offers("F", schedules=1, numbers=_SOLD_OUT_NUMBERS)
        book(self._house, self._stock.wishes([self._full]), pay="on_site")
        self._onlookers = self._stock.people(_ONLOOKERS)
        book(self._file.house, self._file.wishes(self._file_many, each=WARM_UP // SQLITE_PER_ROUND))
        settle(self._house)
        settle(self._file.house)

    def rounds(self) -> None:
        """Each round measures all, in the other order than the one before."""
        began = time.monotonic()
        for at in range(self._rounds):
            stages = self._stages(at)
            for kind in stages if at % 2 == 0 else reversed(stages):
                self.figures[kind].append(stages[kind]())
            if at + 1 >= FEWEST_ROUNDS and time.monotonic() - began > ENOUGH_SECONDS:
                break

    def rush(self) -> Rush:
        """Between two ordinary stretches. Raises: BenchFailed."""
        before, stretch, after = self._book_many(), self._crowd.rush(), self._book_many()
        return Rush(stretch, (before, after))

    def rush_on(self, seconds: float) -> Stretch:
        """Raises: BenchFailed."""
        return self._crowd.go_on(seconds)

    def check(self) -> int:
        """How many numbers were sold, each once. Raises: BenchFailed."""
        for stock in (self._stock, self._file):
            require_health(stock.house, sold=stock.sold)
        return self._stock.sold + self._file.sold

    def _stages(self, at: int) -> dict[str, Callable[[], Stretch]]:
        house, hot = self._house, self._fresh(f"H{at}", schedules=1, numbers=PER_ROUND)
        return {
            "hot": lambda: book(house, hot),
            "bare": lambda: self._write_bare(self._many, each=BARE_PER_ROUND // SCHEDULES),
            "line": lambda: ask_one_liner(self._line),
            "spread": self._book_many,
            "sqlite": lambda: book(self._file.house, self._file.wishes(self._file_many, each=1)),
            "sold_out": lambda: be_refused(house, self._onlookers, self._full),
            "schedules": lambda: look_at_schedules(house, self._listed),
            "not_modified": lambda: look_again(house, self._listed),
            "health": lambda: ask_for_health(house),
        }

    def _book_many(self) -> Stretch:
        return book(self._house, self._stock.wishes(self._many, each=PER_ROUND // SCHEDULES))

    def _write_bare(self, offers: Sequence[Offer], *, each: int | None = None) -> Stretch:
        return book_bare(self._house, self._stock.wishes(offers, each=each, shares=CONNECTIONS))

    def _fresh(self, stage: str, *, schedules: int, numbers: int) -> list[Asked]:
        """Every number of new schedules."""
        return self._stock.wishes(self._stock.offers(stage, schedules=schedules, numbers=numbers))
