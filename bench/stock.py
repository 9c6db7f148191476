"""What one house has to sell, and to whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

from bench.house import House
from bench.measure import Asked, wishes
from bench.seed import DEPARTMENTS, Offer, Patient, add_hospital, add_offers, add_patients


class Stock:
    """A hospital with as many people as will be needed. `sold` numbers must be taken in the end."""

    def __init__(self, house: House, people: int) -> None:
        self.house = house
        self.sold = 0
        with house.database.write() as session:
            now = datetime.now(UTC)
            self._hospital = add_hospital(session, now=now)
            self._patients: Iterator[Patient] = iter(add_patients(session, house.vault, people, now=now))

    def people(self, count: int) -> list[Patient]:
        """Who has not booked yet."""
        return list(islice(self._patients, count))

    def offers(self, stage: str, *, schedules: int, numbers: int, departments: int = DEPARTMENTS) -> list[Offer]:
        """Half days of departments of their own."""
        with self.house.database.write() as session:
            return add_offers(
                session,
                self._hospital,
                stage,
                schedules=schedules,
                numbers=numbers,
                departments=departments,
                now=datetime.now(UTC),
            )

    def wishes(self, offers: Sequence[Offer], *, each: int | None = None, shares: int = 1) -> list[Asked]:
        """`each` numbers of every offer, or all of them, which are sold then; as many as make equal `shares`."""
        asked = wishes(self._patients, offers, each=each)
        asked = asked[: len(asked) - len(asked) % shares]
        self.sold += len(asked)
        return asked
