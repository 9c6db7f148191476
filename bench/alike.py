"""`python -m bench.alike`: answers that must not differ in time, asked in turn on one connection (reliability.md N-4).

Pairs: adding a dependent whom nobody has named before, and one whom another account has; asking for what is another's,
and for what is nobody's. The bodies are compared too. Exit code 0 where every pair of medians lies within
`MOST_APART_MS`, 1 where one does not or an answer is not the one expected.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from statistics import median
from typing import Any
from uuid import UUID

from sqlalchemy import select

from bench.checks import settle
from bench.figures import BenchFailed
from bench.house import House, opened
from bench.outset import run_through
from bench.seed import Offer, Patient, add_hospital, add_offers, add_patients
from core.dependents.documents import check_character
from models.appointment import Appointment
from models.base import new_id

TRIES = 1_000
MOST_APART_MS = 2.0
ANOTHERS, NOBODYS = "another's", "nobody's"

Request = Callable[[UUID], tuple[str, str, Any]]
"""Method, path and body of a request about an id."""


@dataclass(frozen=True)
class Pair:
    """Milliseconds of each try of the one and of the other."""

    name: str
    known: Sequence[float]
    unknown: Sequence[float]

    @property
    def apart(self) -> float:
        return median(self.known) - median(self.unknown)

    @property
    def holds(self) -> bool:
        return abs(self.apart) < MOST_APART_MS


class Client:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, patient: Patient, method: str, path: str, body: Any = None) -> tuple[int, bytes, float]:
        """Status, body without what differs from request to request, and milliseconds."""
        headers = {"Authorization": f"Bearer {patient.token}", "Idempotency-Key": str(new_id())}
        sent = None if body is None else json.dumps(body)
        if sent is not None:
            headers["Content-Type"] = "application/json"
        began = time.perf_counter()
        self._connection.request(method, f"/api/v1{path}", sent, headers)
        answer = self._connection.getresponse()
        heard = answer.read()
        took = 1000 * (time.perf_counter() - began)
        return answer.status, _bare(heard), took

    def close(self) -> None:
        self._connection.close()


def _bare(heard: bytes) -> bytes:
    """Without ids, the number of the request and the digits of a document."""
    told = json.loads(heard) if heard else {}
    for name in ("id", "instance", "id_number_masked"):
        told.pop(name, None)
    return json.dumps(told, sort_keys=True).encode()


def numbers() -> Iterator[str]:
    """Resident IDs of men born on different days of one year, whom no authority has registered."""
    for order in range(1, 1000, 2):
        for day in range(365):
            head = f"320106{date(1970, 1, 1) + timedelta(days=day):%Y%m%d}{order:03d}"
            yield head + check_character(head)


def typed(number: str) -> dict[str, Any]:
    return {
        "name": "测试甲", "id_type": "resident_id", "id_number": number, "phone": "13800000000",
        "relationship": "other",
    }  # fmt: skip


def measure_adding(client: Client, patients: Iterator[Patient]) -> Pair:
    """Half of the numbers were added by other accounts before; each try is an account of its own."""
    fresh = numbers()
    known, unknown = [next(fresh) for _ in range(TRIES)], [next(fresh) for _ in range(TRIES)]
    for number in known:
        _expect(client.ask(next(patients), "POST", "/dependents", typed(number)), 201)
    taken: dict[str, list[float]] = {ANOTHERS: [], NOBODYS: []}
    for mine, new in zip(known, unknown, strict=True):
        shown = set()
        for kind, number in _in_any_order((ANOTHERS, mine), (NOBODYS, new)):
            _, body, took = _expect(client.ask(next(patients), "POST", "/dependents", typed(number)), 201)
            told = json.loads(body)
            shown.add(json.dumps({name: told[name] for name in told if name not in ("birth_date", "age")}))
            taken[kind].append(took)
        _one(shown, "POST /dependents")
    return Pair("POST /dependents", taken[ANOTHERS], taken[NOBODYS])


def measure_not_found(client: Client, asker: Patient, name: str, theirs: UUID, request: Request) -> Pair:
    taken: dict[str, list[float]] = {ANOTHERS: [], NOBODYS: []}
    for _ in range(TRIES):
        shown = set()
        for kind, wanted in _in_any_order((ANOTHERS, theirs), (NOBODYS, new_id())):
            _, body, took = _expect(client.ask(asker, *request(wanted)), 404)
            shown.add(body)
            taken[kind].append(took)
        _one(shown, name)
    return Pair(name, taken[ANOTHERS], taken[NOBODYS])


def asked_of(offer: Offer, victim: Patient, appointment: UUID) -> dict[str, tuple[UUID, Request]]:
    """What is asked for, by the name of the route: another's id, and the request about an id."""
    on_site = {"schedule_id": str(offer.schedule_id), "pay": "on_site"}
    return {
        "GET /dependents/{id}": (victim.dependent_id, lambda one: ("GET", f"/dependents/{one}", None)),
        "POST /appointments for {id}": (
            victim.dependent_id,
            lambda one: ("POST", "/appointments", on_site | {"dependent_id": str(one)}),
        ),
        "POST /appointments/{id}/cancellation": (
            appointment,
            lambda one: ("POST", f"/appointments/{one}/cancellation", {}),
        ),
    }


def measured(house: House) -> Iterator[Pair]:
    """Every pair, one after the other. Raises: BenchFailed."""
    now = datetime.now(UTC)
    with house.database.write() as session:
        hospital = add_hospital(session, now=now)
        patients = iter(add_patients(session, house.vault, 3 * TRIES + 2, now=now))
        (offer,) = add_offers(session, hospital, "A", schedules=1, numbers=10, now=now)
    settle(house)
    client = Client(house.port)
    victim, asker = next(patients), next(patients)
    wish = {"schedule_id": str(offer.schedule_id), "dependent_id": str(victim.dependent_id), "pay": "on_site"}
    _expect(client.ask(victim, "POST", "/appointments", wish), 201)
    appointment = _appointment_of(house, victim)
    for name, (theirs, request) in asked_of(offer, victim, appointment).items():
        yield measure_not_found(client, asker, name, theirs, request)
    yield measure_adding(client, patients)
    client.close()


def _appointment_of(house: House, victim: Patient) -> UUID:
    with house.database.read() as session:
        found = session.scalars(select(Appointment.id).where(Appointment.account_id == victim.account_id)).one()
        return UUID(str(found))


def _in_any_order(*both: tuple[str, Any]) -> list[tuple[str, Any]]:
    return random.sample(both, 2)


def _expect(answer: tuple[int, bytes, float], status: int) -> tuple[int, bytes, float]:
    if answer[0] != status:
        raise BenchFailed(f"{answer[0]} instead of {status}")
    return answer


def _one(shown: set[Any], name: str) -> None:
    if len(shown) != 1:
        raise BenchFailed(f"{name}: the bodies differ")


def main() -> bool:
    """Whether all pairs hold. Raises: BenchFailed."""
    print(f"{'medians of ' + format(TRIES, ',') + ' tries, ms':<42}{ANOTHERS:>12}{NOBODYS:>12}{'apart':>10}")
    well = True
    with opened() as house:
        for pair in measured(house):
            well &= pair.holds
            print(
                f"{pair.name:<42}{median(pair.known):>12.2f}{median(pair.unknown):>12.2f}{pair.apart:>+10.2f}"
                f"  {'ok' if pair.holds else 'TOO FAR APART'}",
                flush=True,
            )
    return well


if __name__ == "__main__":
    sys.exit(run_through(main))
