"""What breaks the promise that a receipt is ended before its money goes back, where a hospital wants it so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from models.appointment import Appointment
from models.base import new_id
from models.hospital import Hospital
from models.payment import Refund, RefundLine, RefundReason, RefundStatus
from models.policy import BookingPolicyRow, PolicyLevel
from models.receipt import Receipt
from plants import World, change, plant, quiet, read_row, table

NAME = "red_receipt_comes_first"
LONG_BEFORE = timedelta(days=9)


def _wants(session: Session, world: World, *, level: PolicyLevel, wants: bool = True, late: bool = False) -> None:
    hospital = read_row(session, Appointment, world.cancelled)["hospital_id"]
    hospitals = table(Hospital)
    code = session.execute(select(hospitals.c.code).where(hospitals.c.id == hospital)).scalar_one()
    row = {"level": level, "subject": "" if level is PolicyLevel.PLATFORM else code, "version": 1}
    said = {"document": {"red_receipt_before_refund": wants}, "updated_at": world.now - (not late) * LONG_BEFORE}
    session.execute(insert(table(BookingPolicyRow)).values(id=new_id(), **row, **said))


def _receipt(session: Session, world: World, *, of: UUID | None = None, **but: Any) -> UUID:
    """Of the cancelled one, whose money went back, unless of another."""
    appointment = read_row(session, Appointment, of or world.cancelled)
    receipt_id = but.pop("id", new_id())
    standard = {
        "id": receipt_id, "hospital_id": appointment["hospital_id"], "charge_id": appointment["charge_id"],
        "appointment_id": appointment["id"], "code": "11060126", "number": str(receipt_id)[-10:],
        "check_code_sealed": b"x", "amount_fen": 5000, "issued_on": world.now.date(),
        "kept_at": world.now - LONG_BEFORE,
    }  # fmt: skip
    session.execute(insert(table(Receipt)).values(**standard | but))
    return receipt_id


def _refunds(session: Session, world: World) -> list[UUID]:
    """The one that the platform closed, and the one in its place."""
    refunds, charge = table(Refund), read_row(session, Appointment, world.cancelled)["charge_id"]
    return list(session.scalars(select(refunds.c.id).where(refunds.c.charge_id == charge)))


@plant(NAME)
def _it_stands_and_the_hospital_wants_it_ended(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.HOSPITAL)
    _receipt(session, world)


@plant(NAME)
def _it_stands_and_the_platform_wants_it_ended(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.PLATFORM)
    _receipt(session, world)


@plant(NAME)
def _another_one_was_ended(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.HOSPITAL)
    _receipt(session, world)
    blue = _receipt(session, world, of=world.paid)
    _receipt(session, world, of=world.paid, amount_fen=-5000, reddens_id=blue)


@quiet(NAME)
def _it_was_ended(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.HOSPITAL)
    blue = _receipt(session, world)
    _receipt(session, world, amount_fen=-5000, reddens_id=blue)


@quiet(NAME)
def _nobody_wants_it(session: Session, world: World) -> None:
    _receipt(session, world)


@quiet(NAME)
def _the_hospital_does_not_want_what_the_platform_wants(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.PLATFORM)
    _wants(session, world, level=PolicyLevel.HOSPITAL, wants=False)
    _receipt(session, world)


@quiet(NAME)
def _it_is_wanted_only_since(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.HOSPITAL, late=True)
    _receipt(session, world)


@quiet(NAME)
def _it_came_after_the_money_was_due(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.HOSPITAL)
    _receipt(session, world, kept_at=world.now)


@quiet(NAME)
def _it_came_after_the_money_was_due_under_a_number_that_was_closed(session: Session, world: World) -> None:
    """And before there was the number in its place: it was issued anew, and says what it says with that knowledge."""
    _wants(session, world, level=PolicyLevel.HOSPITAL)
    _receipt(session, world)
    for refund in _refunds(session, world):
        if read_row(session, Refund, refund)["status"] is RefundStatus.CLOSED:
            change(session, Refund, refund, created_at=world.now - 2 * LONG_BEFORE)


@quiet(NAME)
def _it_is_of_what_was_not_given_back(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.HOSPITAL)
    _receipt(session, world, of=world.paid)


@quiet(NAME)
def _it_is_of_something_else_than_what_was_given_back(session: Session, world: World) -> None:
    """Of the closed one in whose place it went the lines are its own."""
    _wants(session, world, level=PolicyLevel.HOSPITAL)
    _receipt(session, world)
    lines = table(RefundLine)
    for refund in _refunds(session, world):
        if read_row(session, Refund, refund)["status"] is not RefundStatus.CLOSED:
            session.execute(delete(lines).where(lines.c.refund_id == refund))


@quiet(NAME)
def _a_department_of_the_same_code_wants_it(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.DEPARTMENT)
    _receipt(session, world)


@quiet(NAME)
def _it_still_waits(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.HOSPITAL)
    _receipt(session, world)
    for refund in _refunds(session, world):
        change(session, Refund, refund, status=RefundStatus.DUE, succeeded_at=None)


@quiet(NAME)
def _the_hospital_gave_it_back_itself(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.HOSPITAL)
    _receipt(session, world)
    for refund in _refunds(session, world):
        change(session, Refund, refund, by_hand=True)


@quiet(NAME)
def _it_came_too_late_to_be_sold(session: Session, world: World) -> None:
    _wants(session, world, level=PolicyLevel.HOSPITAL)
    _receipt(session, world)
    for refund in _refunds(session, world):
        change(session, Refund, refund, reason=RefundReason.LATE_PAYMENT)
