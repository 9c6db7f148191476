"""The stretches of work that are measured, each over the same number of connections."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any

from sqlalchemy import func, select

from bench.bare import write_bare
from bench.figures import BenchFailed, Stretch
from bench.house import House
from bench.load import http_request
from bench.processes import Crew
from bench.seed import FEE_FEN, Offer, Patient
from bench.web import Web
from models.base import new_id
from models.idempotency import IdempotencyKey

CONNECTIONS = 32
SOLD_OUT = ("409 sold_out",)
_ENDLESS = 10**9
_ASK_FOR = 2.0
_SECONDS = 120.0


@dataclass(frozen=True)
class Asked:
    """One patient's wish for a number."""

    patient: Patient
    offer: Offer


def wishes(patients: Iterator[Patient], offers: Sequence[Offer], *, each: int | None = None) -> list[Asked]:
    """`each` of every offer, or as many as there are numbers, each by another patient, in no order."""
    places = [offer for offer in offers for _ in range(each or offer.numbers)]
    random.shuffle(places)
    return [Asked(next(patients), offer) for offer in places]


def book(house: House, asked: Sequence[Asked], *, pay: str = "online") -> Stretch:
    """Everybody books over HTTP. Raises: BenchFailed unless each of them gets a number."""
    stretch = drive(house.web, [booking(one, pay) for one in asked], times=len(asked))
    if stretch.answers != {"201": len(asked)}:
        raise BenchFailed(f"unexpected answers: {dict(stretch.answers)} instead of {len(asked)} numbers")
    return stretch


def book_bare(house: House, asked: Sequence[Asked]) -> Stretch:
    """The rows of the same bookings in bare SQL. Raises: BenchFailed."""
    rows = [_bare_row(one) for one in asked]
    return write_bare(house.url, rows, connections=CONNECTIONS, reply_bytes=_reply_bytes(house))


def be_refused(house: House, patients: Sequence[Patient], offer: Offer) -> Stretch:
    """Ask for a number where none is left. Raises: BenchFailed where anybody hears anything but that."""
    requests = [booking(Asked(patient, offer), "online") for patient in patients]
    return _all(SOLD_OUT, drive(house.web, requests, ask_for=_ASK_FOR))


def look_at_schedules(house: House, offers: Sequence[Offer]) -> Stretch:
    """The schedules of a department for a week. Raises: BenchFailed."""
    requests = [http_request("GET", path) for path in paths_of(offers)]
    return _all(("200",), drive(house.web, requests, ask_for=_ASK_FOR))


def look_again(house: House, offers: Sequence[Offer]) -> Stretch:
    """The same by somebody who has the answer and asks whether it still holds. Raises: BenchFailed."""
    requests = [
        http_request("GET", path, headers=(("If-None-Match", _tag(house.web, path)),)) for path in paths_of(offers)
    ]
    return _all(("304",), drive(house.web, requests, ask_for=_ASK_FOR))


def ask_for_health(house: House) -> Stretch:
    """Nothing but the web server, the frame and a constant answer. Raises: BenchFailed."""
    return _all(("200",), drive(house.web, [http_request("GET", "/healthz")], ask_for=_ASK_FOR))


def ask_one_liner(web: Web) -> Stretch:
    """Nothing but the web server and Flask. Raises: BenchFailed."""
    return _all(("200",), drive(web, [http_request("GET", "/")], ask_for=_ASK_FOR))


def paths_of(offers: Sequence[Offer]) -> list[str]:
    """The public lists that show them."""
    days = sorted(offer.visit_date for offer in offers)
    first, last = days[0], min(days[-1], days[0] + timedelta(days=6))
    departments = sorted({offer.department_id for offer in offers})
    return [f"/api/v1/departments/{one}/schedules?from={first}&to={last}" for one in departments]


def drive(
    web: Web,
    requests: Sequence[str],
    *,
    times: int = _ENDLESS,
    ask_for: float = _SECONDS,
    connections: int = CONNECTIONS,
    seconds: float = _SECONDS,
) -> Stretch:
    """Send them over and over, `times` in all, for `ask_for` seconds; stop hearing after `seconds` in any case.

    Raises: BenchFailed."""
    job = {
        "port": web.port, "connections": connections, "requests": requests, "times": times, "ask_for": ask_for,
        "seconds": seconds,
    }  # fmt: skip
    (heard,) = Crew("bench.load", [job]).work()
    return Stretch(heard["seconds"], heard["latencies"], Counter(heard["answers"]), heard["last"])


def _all(expected: Collection[str], stretch: Stretch) -> Stretch:
    if not stretch.answers or set(stretch.answers) - set(expected):
        raise BenchFailed(f"unexpected answers: {dict(stretch.answers)} instead of {expected}")
    return stretch


def _tag(web: Web, path: str) -> str:
    connection = HTTPConnection("127.0.0.1", web.port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().headers["ETag"] or ""
    finally:
        connection.close()


def booking(asked: Asked, pay: str) -> str:
    """The whole text of one patient's request."""
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
