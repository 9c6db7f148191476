"""Made-up children, and what the tests about them do with one."""

from __future__ import annotations

from typing import Any

from people import resident_id
from ward import Ward, book
from wire import Phone, Reply

from core.clock import hospital_day

ANYBODY = {"min_identity_level": 0}


def child(ward: Ward, *, years: int = 10, order: int = 921, **more: Any) -> dict[str, Any]:
    today = hospital_day(ward.clock.now())
    number = resident_id(birth=today.replace(year=today.year - years, day=1), order=order)
    return {
        "name": "测试童", "id_type": "resident_id", "id_number": number, "phone": "13800000000", "relationship": "son",
    } | more  # fmt: skip


def newborn(ward: Ward, **more: Any) -> dict[str, Any]:
    born = str(hospital_day(ward.clock.now()))
    return {
        "name": "测试甲之女", "id_type": "guardian_bound", "birth_date": born, "sex": "female", "phone": "13800000000",
        "relationship": "daughter",
    } | more  # fmt: skip


def errors(reply: Reply) -> list[tuple[str, str]]:
    assert reply.status == 422, reply
    return [(error["pointer"], error["code"]) for error in reply.json["errors"]]


def booked(ward: Ward, phone: Phone, dependent_id: str) -> Reply:
    return book(phone, ward.schedule(terms=ANYBODY), dependent_id, "on_site")
