"""Exchanging a number while something else happens to it, with real threads: each order ends right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from exchanging import later, money_kept
from harness import Patient, join, race
from hospital_acts import suspend
from sqlalchemy import select

from core.refusals import NotCancellable, NotReschedulable, ScheduleSuspended, SoldOut
from core.transactions import Overloaded
from models.appointment import OPEN, Appointment, AppointmentStatus, CancelReason, PayMode
from models.errors import DomainError
from models.schedule import SlotStatus

TIMES = range(3)


def insistently(call: Callable[[], Any]) -> Callable[[], Any]:
    """Too busy is no answer: ask again, as a client does."""

    def again() -> Any:
        for _ in range(50):
            try:
                return call()
            except Overloaded:
                continue
        raise AssertionError("overloaded for ever")

    return again


def run(*calls: Callable[[], Any]) -> list[Any]:
    """What each returned, or the refusal that it met."""
    results = race(*(insistently(call) for call in calls))
    for one in results:
        if isinstance(one, Exception) and not isinstance(one, DomainError):
            raise one
    return results


def standing(patient: Patient) -> list[Appointment]:
    query = select(Appointment).where(Appointment.person_id.is_not(None), Appointment.status.in_(OPEN))
    return patient.read(lambda session: list(session.scalars(query.order_by(Appointment.id))))


@pytest.mark.parametrize("_", TIMES)
def test_two_exchanges_of_one_number_at_once(patient: Patient, _: int) -> None:
    old = patient.paid()
    targets = [later(patient), later(patient, fee_fen=8000), later(patient, fee_fen=1000)]
    results = run(*(lambda to=to: patient.reschedule(old, to) for to in targets))  # type: ignore[misc]
    (new,) = [one for one in results if isinstance(one, UUID)]
    assert {type(one) for one in results if one is not new} == {NotReschedulable}
    patient.assert_sound()
    patient.work(after=timedelta(minutes=16))
    (stands,) = standing(patient)
    assert stands.id in {old, new}
    assert money_kept(patient) == stands.fee_fen
    patient.assert_sound()


@pytest.mark.parametrize("fee", [5000, 8000])
@pytest.mark.parametrize("_", TIMES)
def test_an_exchange_and_the_cancelling_of_the_old_number(patient: Patient, fee: int, _: int) -> None:
    old, to = patient.paid(), later(patient, fee_fen=fee)
    moved, cancelled = run(lambda: patient.reschedule(old, to), lambda: patient.cancel(old))
    if isinstance(moved, NotReschedulable):
        assert cancelled is None
    elif fee == 5000:  # swapped at once: there was nothing of the old one left to cancel
        assert isinstance(cancelled, NotCancellable)
        assert patient.appointment(moved).status is AppointmentStatus.BOOKED
    else:  # the new one waited, and ended with the old one
        assert (cancelled, patient.appointment(moved).cancel_reason) == (None, CancelReason.PATIENT)
    patient.work()
    stands = standing(patient)
    assert money_kept(patient) == sum(one.fee_fen for one in stands)
    patient.assert_sound()


@pytest.mark.parametrize("_", TIMES)
def test_the_payment_of_the_difference_and_the_cancelling_of_either(patient: Patient, _: int) -> None:
    old = patient.paid()
    new = patient.reschedule(old, later(patient, fee_fen=8000))
    assert patient.open_payment(new) is None
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    gone = (old, new)[_ % 2]
    run(patient.work, lambda: patient.cancel(gone))
    patient.work(after=timedelta(minutes=1))
    stands = standing(patient)
    assert money_kept(patient) == sum(one.fee_fen for one in stands)
    assert len(stands) <= 1
    patient.assert_sound()


@pytest.mark.parametrize("_", TIMES)
def test_the_payment_of_the_difference_and_the_end_of_its_hold(patient: Patient, _: int) -> None:
    """A payment found on the way wins."""
    old = patient.paid()
    new = patient.reschedule(old, later(patient, fee_fen=8000))
    assert patient.open_payment(new) is None
    patient.clock.advance(timedelta(minutes=15))
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    run(patient.work, patient.work)
    patient.work(after=timedelta(minutes=1))
    assert [one.id for one in standing(patient)] == [new]
    assert (money_kept(patient), patient.slot(old).status) == (8000, SlotStatus.FREE)
    patient.assert_sound()


@pytest.mark.parametrize("fee", [5000, 8000])
@pytest.mark.parametrize("whose", ["old", "new"])
def test_an_exchange_and_the_calling_off_of_either_clinic(patient: Patient, whose: str, fee: int) -> None:
    old, to = patient.paid(), later(patient, fee_fen=fee)
    called_off = patient.schedule_id if whose == "old" else to
    moved, done = run(lambda: patient.reschedule(old, to), lambda: suspend(patient, called_off))
    assert done.news
    assert isinstance(moved, UUID | ScheduleSuspended | SoldOut | NotReschedulable)
    patient.work(after=timedelta(minutes=16))
    stands = standing(patient)
    assert [one for one in stands if one.schedule_id == called_off] == []
    assert money_kept(patient) == sum(one.fee_fen for one in stands)
    assert len(stands) <= 1
    patient.assert_sound()


@pytest.mark.parametrize("_", TIMES)
def test_many_exchange_into_the_last_number(patient: Patient, _: int) -> None:
    """One has it; the others keep what they have."""
    crowd = [join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id) for _ in range(3)]
    olds = [one.book(PayMode.ON_SITE) for one in crowd]
    to = later(patient, numbers=1)
    results = run(*(lambda one=one, old=old: one.reschedule(old, to) for one, old in zip(crowd, olds, strict=True)))  # type: ignore[misc]
    assert sum(isinstance(one, UUID) for one in results) == 1
    assert len(standing(patient)) == 3
    patient.assert_sound()
