"""What one appointment knows by itself: its deadline, what it waits for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from models.appointment import Appointment, AppointmentStatus
from models.base import new_id
from models.states import Actor, Cause, CauseKind

DEADLINE = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)
CAUSE = Cause(Actor.SYSTEM, CauseKind.JOB, "test")


def appointment(status: AppointmentStatus, *, payment: bool = False, hospital: bool = False) -> Appointment:
    return Appointment(
        id=new_id(),
        status=status,
        moved=1,
        cancel_before=DEADLINE,
        awaiting_payment=payment,
        awaiting_hospital=hospital,
    )


@pytest.mark.parametrize(
    ("before", "may"),
    [(timedelta(milliseconds=1), True), (timedelta(0), False), (timedelta(milliseconds=-1), False)],
)
def test_the_instant_of_the_deadline_itself_is_too_late(before: timedelta, may: bool) -> None:
    booked = appointment(AppointmentStatus.BOOKED)
    assert booked.may_be_cancelled_by_patient(now=DEADLINE - before) is may


def test_an_unpaid_number_may_be_given_back_at_any_time() -> None:
    assert appointment(AppointmentStatus.PENDING).may_be_cancelled_by_patient(now=DEADLINE + timedelta(days=1))


@pytest.mark.parametrize("status", ["arrived", "fulfilled", "noshow", "cancelled"])
def test_what_has_begun_or_ended_is_not_cancelled_by_the_patient(status: str) -> None:
    assert not appointment(AppointmentStatus(status)).may_be_cancelled_by_patient(now=DEADLINE - timedelta(days=1))


def test_a_number_is_booked_once_nothing_is_awaited_any_more() -> None:
    both = appointment(AppointmentStatus.PENDING, payment=True, hospital=True)
    assert both.awaiting == ["payment", "hospital"]
    both.payment_arrived(Session(), at=DEADLINE, cause=CAUSE)
    assert (both.status, both.awaiting) == (AppointmentStatus.PENDING, ["hospital"])
    paid = appointment(AppointmentStatus.PENDING, payment=True)
    paid.payment_arrived(Session(), at=DEADLINE, cause=CAUSE)
    assert (paid.status, paid.awaiting) == (AppointmentStatus.BOOKED, [])
