"""A release: 5,000 people at once on 500 numbers of one department, and the same people asking on and on.

Each person looks at the department's list and asks for a number of one of its ten doctors.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from statistics import mean

from bench.figures import BenchFailed, Stretch
from bench.load import http_request
from bench.measure import Asked, booking, drive, paths_of
from bench.stock import Stock

PEOPLE, DOCTORS, NUMBERS_EACH = 5_000, 10, 50
NUMBERS = DOCTORS * NUMBERS_EACH
CONNECTIONS = 256
_MOST_SECONDS = 400.0
_GOT_ONE, _LOOKED = "201", "200"
_TOLD = {_GOT_ONE, _LOOKED, "409 sold_out", "409 numbers_in_flight", "503 overloaded"}
# Whoever asks again with the key may hear it on a machine that is far too busy, and asks once more.
_TOLD_LATER = _TOLD | {"503 outcome_unknown"}


@dataclass(frozen=True)
class Rush:
    """The rush itself, and an ordinary stretch of bookings before and after it."""

    stretch: Stretch
    beside: tuple[Stretch, Stretch]

    @property
    def last_number_after(self) -> float:
        """Seconds from the release to the last number."""
        return self.stretch.last[_GOT_ONE]

    @property
    def drag(self) -> float:
        """How many times as long the numbers took as ordinary bookings do."""
        return self.last_number_after / (NUMBERS / mean(one.per_second for one in self.beside))


class Crowd:
    """Everybody's requests, in no order."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        offers = stock.offers("Rush", schedules=DOCTORS, numbers=NUMBERS_EACH, departments=1)
        (path,) = paths_of(offers)
        asked = [Asked(one, offers[at % DOCTORS]) for at, one in enumerate(stock.people(PEOPLE))]
        random.shuffle(asked)
        look = http_request("GET", path)
        self.requests = [request for one in asked for request in (look, booking(one, "online"))]

    def rush(self) -> Stretch:
        """Each once. Raises: BenchFailed unless exactly as many got a number as there are."""
        stretch = drive(
            self._stock.house.web,
            self.requests,
            times=len(self.requests),
            connections=CONNECTIONS,
            ask_for=_MOST_SECONDS,
            seconds=_MOST_SECONDS,
        )
        self._stock.sold += NUMBERS
        if stretch.answers[_GOT_ONE] != NUMBERS or set(stretch.answers) - _TOLD:
            raise BenchFailed(f"unexpected answers of a rush: {dict(stretch.answers)}")
        return stretch

    def go_on(self, seconds: float) -> Stretch:
        """The same people ask again: who has a number hears so again, the others that there is none.

        Raises: BenchFailed where anybody hears something else."""
        stretch = drive(
            self._stock.house.web, self.requests, connections=CONNECTIONS, ask_for=seconds, seconds=seconds + 60
        )
        if set(stretch.answers) - _TOLD_LATER:
            raise BenchFailed(f"unexpected answers of a rush: {dict(stretch.answers)}")
        return stretch
