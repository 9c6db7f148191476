"""Bookings at a hospital with a system of its own, which the sandbox plays over the real wire."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from cases import Case
from crowd import Stranger
from sqlalchemy import update
from stage import Stage

from models.hospital import Hospital
from models.schedule import Schedule

LOST = ["drop_before", "drop_after", "error", "error_after", "garbled", "cut", "bad_signature", "other_nonce"]
"""How an answer does not come."""


def connect(stage: Stage, schedule_id: UUID) -> None:
    """Its hospital hands out its numbers itself from now on."""
    with stage.town.database.write() as session:
        hospital_id = session.get_one(Schedule, schedule_id).hospital_id
        session.execute(update(Hospital).where(Hospital.id == hospital_id).values(system="his"))


def connected(stage: Stage, **schedule: Any) -> UUID:
    """A schedule of two numbers of such a hospital."""
    schedule_id = stage.town.schedule(numbers=2, now=stage.clock.now(), **schedule)
    connect(stage, schedule_id)
    return schedule_id


def known(stage: Stage) -> Stranger:
    """Somebody who can pay."""
    stranger = stage.town.stranger()
    stage.control("POST", "/login-codes", {"provider": str(stranger.provider), "open_id": stranger.open_id})
    return stranger


def booked(stage: Stage, pay: str = "online", *, schedule_id: UUID | None = None) -> Case:
    schedule_id, stranger = schedule_id or connected(stage), known(stage)
    reply = stranger.phone.post("/appointments", stranger.wish(schedule_id, pay))
    assert (reply.status, reply.json["status"], reply.json["slot"]["sequence"]) == (201, "pending", None), reply
    return Case(stage, stranger, schedule_id, reply.json["id"])


def paid(stage: Stage, case: Case) -> None:
    assert case.open_payment().status == 201
    stage.deliver(case.pay())
    stage.work()


def book_of(stage: Stage, case: Case) -> list[tuple[str, int | None]]:
    """The hospital's claims on this case's number."""
    number = case.shown()["number"]
    items = stage.control("GET", "/hospital/claims")["items"]
    return [(one["status"], one["paid_fen"]) for one in items if one["claim"] == number]


def freed(stage: Stage, case: Case) -> bool:
    return stage.town.slot_statuses(case.schedule_id) == {"free": 2}


def stands(stage: Stage, pay: str = "online", *, schedule_id: UUID | None = None) -> Case:
    """Booked and paid, and the hospital has confirmed it."""
    case = booked(stage, pay, schedule_id=schedule_id)
    stage.work()
    if pay == "online":
        paid(stage, case)
    stage.work_until(case.is_booked, "booked")
    return case


def calls(stage: Stage) -> list[tuple[str, str]]:
    """What was asked and answered, of hospital and platform, with the number that it was about; in order."""
    return [(one["operation"], one["number"]) for one in stage.control("GET", "/calls?status=200")["items"]]
