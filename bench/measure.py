"""The stretches of work that are measured, each over the same 16 connections."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from bench.figures import BenchFailed, Stretch, together
from bench.house import House
from bench.load import http_request
from bench.processes import Crew
from bench.seed import FEE_FEN, Offer, Patient
from models.base import new_id
from models.idempotency import IdempotencyKey

CONNECTIONS = 16
_WRITERS = 2
_SECONDS = 40.0


@dataclass(frozen=True)
class Asked:
    """One patient's wish for a number."""

    patient: Patient
    offer: Offer


def wishes(patients: Iterator[Patient], offers: Sequence[Offer]) -> list[Asked]:
    """As many as there are numbers, each by another patient, in no order."""
    places = [offer for offer in offers for _ in range(offer.numbers)]
    random.shuffle(places)
    return [Asked(next(patients), offer) for offer in places]


def book(house: House, asked: Sequence[Asked], *, pay: str = "online") -> Stretch:
    """Everybody books over HTTP. Raises: BenchFailed unless each of them gets a number."""
    stretch = _drive(house, [_booking(one, pay) for one in asked], len(asked))
    _require(stretch, {"201": len(asked)})
    return stretch


def book_bare(house: House, asked: Sequence[Asked]) -> Stretch:
    """The rows of the same bookings in bare SQL."""
    reply_bytes = _reply_bytes(house)
    rows = [_bare_row(one) for one in asked]
    jobs = [
        {
            "url": house.url,
            "connections": CONNECTIONS // _WRITERS,
            "bookings": rows[at::_WRITERS],
            "reply_bytes": reply_bytes,
        }
        for at in range(_WRITERS)
    ]
    stretch = together(Crew("bench.bare", jobs).work())
    if len(stretch.latencies) != len(asked):
        raise BenchFailed("bare SQL did not write every booking")
    return stretch


def be_refused(house: House, patients: Sequence[Patient], offer: Offer, *, times: int) -> Stretch:
    """Ask for a number where none is left. Raises: BenchFailed where anybody hears anything but that."""
    requests = [_booking(Asked(patient, offer), "online") for patient in patients]
    stretch = _drive(house, requests, times)
    _require(stretch, {"409 sold_out": times})
    return stretch


def look_at_schedules(house: House, offers: Sequence[Offer], *, times: int) -> Stretch:
    """The schedules of a department for a week."""
    days = sorted(offer.visit_date for offer in offers)
    first, last = days[0], min(days[-1], days[0] + timedelta(days=6))
    departments = sorted({offer.department_id for offer in offers})
    paths = [f"/api/v1/departments/{one}/schedules?from={first}&to={last}" for one in departments]
    stretch = _drive(house, [http_request("GET", path) for path in paths], times)
    _require(stretch, {"200": times})
    return stretch


def ask_for_health(house: House, *, times: int) -> Stretch:
    """Nothing but the web server, the frame and a constant answer."""
    stretch = _drive(house, [http_request("GET", "/healthz")], times)
    _require(stretch, {"200": times})
    return stretch


def _drive(house: House, requests: Sequence[str], times: int) -> Stretch:
    job = {
        "port": house.port, "connections": CONNECTIONS, "requests": requests, "times": times, "seconds": _SECONDS
    }  # fmt: skip
    (heard,) = Crew("bench.load", [job]).work()
    return Stretch(heard["seconds"], heard["latencies"], Counter(heard["answers"]))


def _require(stretch: Stretch, expected: dict[str, int]) -> None:
    if stretch.answers != expected:
        raise BenchFailed(f"unexpected answers: {dict(stretch.answers)} instead of {expected}")


def _booking(asked: Asked, pay: str) -> str:
    body = {
        "schedule_id": str(asked.offer.schedule_id),
        "dependent_id": str(asked.patient.dependent_id),
        "pay": pay,
        "expected_fee_fen": FEE_FEN,
    }
    headers = (("Authorization", f"Bearer {asked.patient.token}"), ("Idempotency-Key", str(new_id())))
    return http_request("POST", "/api/v1/appointments", headers=headers, body=json.dumps(body))


def _bare_row(asked: Asked) -> dict[str, Any]:
    offer, patient = asked.offer, asked.patient
    return {
        "account_id": str(patient.account_id),
        "dependent_id": str(patient.dependent_id),
        "person_id": str(patient.person_id),
        "schedule_id": str(offer.schedule_id),
        "department_id": str(offer.department_id),
        "hospital_id": str(offer.hospital_id),
        "visit_date": offer.visit_date.isoformat(),
        "cancel_before": offer.cancel_before.isoformat(),
        "terms": json.dumps(offer.terms),
        "fee_fen": FEE_FEN,
    }


def _reply_bytes(house: House) -> int:
    """How long a sealed reply is: bare SQL stores as much."""
    with house.database.read() as session:
        return int(session.scalar(select(func.avg(func.octet_length(IdempotencyKey.reply_sealed)))) or 0)
