"""Giving a number back: the deadline, what goes back on sale and when, and what is not ours to sell again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from harness import REQUEST, Patient, beside, join
from sqlalchemy import func, select, update

from core.jobs.queue import enqueue
from core.locks import lock_slot
from core.refusals import CancelDeadlinePassed, NotCancellable
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.errors import NotFound
from models.job import Job
from models.notice import Notice
from models.payment import PaymentStatus
from models.schedule import SlotStatus, WithheldReason

MILLISECOND = timedelta(milliseconds=1)


def notices(patient: Patient) -> list[str]:
    return patient.read(lambda session: list(session.scalars(select(Notice.kind).order_by(Notice.id))))


def slot_step(patient: Patient, appointment_id: UUID, verb: str, **how: Any) -> None:
    slot_id = patient.appointment(appointment_id).slot_id
    patient.write(
        lambda session, now: getattr(lock_slot(session, slot_id), verb)(session, at=now, cause=REQUEST, **how)
    )


def test_until_just_before_the_deadline(patient: Patient) -> None:
    appointment_id = patient.book(PayMode.ON_SITE)
    deadline = patient.appointment(appointment_id).cancel_before
    patient.clock.set(deadline)
    with pytest.raises(CancelDeadlinePassed) as refused:
        patient.cancel(appointment_id)
    assert refused.value.facts == {"cancel_before": deadline}
    patient.clock.set(deadline - MILLISECOND)
    patient.cancel(appointment_id)
    gone = patient.appointment(appointment_id)
    assert (gone.status, gone.cancel_reason) == (AppointmentStatus.CANCELLED, CancelReason.PATIENT)
    assert notices(patient) == ["appointment_booked", "appointment_cancelled"]
    patient.assert_sound()


def test_an_unpaid_number_may_go_after_the_deadline_too(patient: Patient) -> None:
    appointment_id = patient.book()
    patient.write(
        lambda session, now: session.execute(update(Appointment).values(cancel_before=now - timedelta(days=1)))
    )
    patient.cancel(appointment_id)
    patient.assert_sound()


def test_what_is_cancelled_is_not_cancelled_again(patient: Patient) -> None:
    appointment_id = patient.book()
    patient.cancel(appointment_id)
    with pytest.raises(NotCancellable) as refused:
        patient.cancel(appointment_id)
    assert refused.value.facts == {"status": "cancelled"}


def test_nobody_cancels_for_another_account(patient: Patient) -> None:
    appointment_id = patient.book()
    stranger = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    with pytest.raises(NotFound):
        stranger.cancel(appointment_id)


def test_a_number_goes_back_by_a_job_never_in_the_transaction_that_lets_it_go(patient: Patient) -> None:
    appointment_id = patient.book(PayMode.ON_SITE)
    patient.cancel(appointment_id)
    slot = patient.slot(appointment_id)
    assert (slot.status, slot.withheld_reason) == (SlotStatus.WITHHELD, WithheldReason.COOLING)
    patient.work()
    slot = patient.slot(appointment_id)
    assert (slot.status, slot.withheld_reason) == (SlotStatus.FREE, None)
    patient.assert_sound()


def test_a_freed_number_rests_as_long_as_its_terms_say(patient: Patient) -> None:
    resting = beside(patient, terms={"return_after_seconds": 120})
    appointment_id = patient.book(PayMode.ON_SITE, schedule_id=resting)
    patient.cancel(appointment_id)
    patient.work(after=timedelta(seconds=119))
    assert patient.slot(appointment_id).status is SlotStatus.WITHHELD
    patient.work(after=timedelta(seconds=1))
    assert patient.slot(appointment_id).status is SlotStatus.FREE


def test_a_number_that_was_freed_is_sold_again(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=1)
    first = patient.book(PayMode.ON_SITE)
    patient.cancel(first)
    patient.work()
    second = patient.book(PayMode.ON_SITE)
    assert patient.slot(first).id == patient.slot(second).id
    patient.assert_sound()


def test_a_number_suspended_meanwhile_is_not_ours_to_sell_again(patient: Patient) -> None:
    appointment_id = patient.book(PayMode.ON_SITE)
    slot_step(patient, appointment_id, "suspend")
    patient.cancel(appointment_id)
    patient.work()
    assert patient.slot(appointment_id).status is SlotStatus.SUSPENDED
    patient.assert_sound()


@pytest.mark.parametrize("why", [WithheldReason.WAITLIST, WithheldReason.CHANNEL, WithheldReason.CLOSING])
def test_only_a_number_that_rests_returns_by_itself(patient: Patient, why: WithheldReason) -> None:
    appointment_id = patient.book(PayMode.ON_SITE)
    patient.cancel(appointment_id)
    patient.work()
    slot_step(patient, appointment_id, "withhold", why=why)
    slot_id = str(patient.appointment(appointment_id).slot_id)
    patient.write(
        lambda session, now: enqueue(session, "return_slot", run_at=now, now=now, dedup=slot_id, slot_id=slot_id)
    )
    patient.work()
    assert patient.slot(appointment_id).withheld_reason is why


def test_a_number_somebody_holds_does_not_return(patient: Patient) -> None:
    appointment_id = patient.book(PayMode.ON_SITE)
    slot_id = str(patient.appointment(appointment_id).slot_id)
    patient.write(
        lambda session, now: enqueue(session, "return_slot", run_at=now, now=now, dedup=slot_id, slot_id=slot_id)
    )
    patient.work()
    assert patient.slot(appointment_id).status is SlotStatus.BOOKED


def test_a_hold_ends_at_its_very_instant_and_not_before(patient: Patient) -> None:
    appointment_id = patient.book()
    expires = patient.appointment(appointment_id).hold_expires_at
    assert expires is not None
    patient.clock.set(expires - MILLISECOND)
    patient.write(lambda session, now: session.execute(update(Job).values(run_at=now)))
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.PENDING
    patient.work(after=MILLISECOND)
    gone = patient.appointment(appointment_id)
    assert (gone.status, gone.cancel_reason) == (AppointmentStatus.CANCELLED, CancelReason.PAYMENT_TIMEOUT)
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    patient.assert_sound()


def test_the_end_of_a_hold_leaves_what_was_paid_or_cancelled_alone(patient: Patient) -> None:
    paid = patient.paid()
    patient.work(after=timedelta(minutes=16))
    assert patient.appointment(paid).status is AppointmentStatus.BOOKED
    assert [one.status for one in patient.payments()] == [PaymentStatus.SUCCEEDED]
    patient.assert_sound()


def test_a_slot_freed_in_closing_waits_for_the_close_of_each_prepay(patient: Patient) -> None:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.cancel(appointment_id)
    slot = patient.slot(appointment_id)
    assert (slot.status, slot.withheld_reason) == (SlotStatus.WITHHELD, WithheldReason.CLOSING)
    patient.work()
    assert ("close_payment", patient.payments()[0].out_trade_no) in patient.gateway.calls
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    patient.assert_sound()


def test_a_cancelled_number_waits_for_a_silent_platform_until_the_cap(patient: Patient) -> None:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.gateway.down = "before"
    patient.cancel(appointment_id)
    close_by = patient.appointment(appointment_id).close_by
    assert close_by is not None
    patient.clock.set(close_by - MILLISECOND)
    patient.work()
    assert patient.slot(appointment_id).status is SlotStatus.WITHHELD
    patient.work(after=timedelta(seconds=5))
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    assert (patient.payments()[0].status, patient.payments()[0].let_go) == (PaymentStatus.UNKNOWN, True)
    patient.assert_sound()


@pytest.mark.parametrize("given_back", [True, False])
def test_no_number_is_kept_past_the_cap_however_slowly_we_ask(patient: Patient, given_back: bool) -> None:
    """The platform was silent for long, so it is asked seldom; the last look is at the cap all the same."""
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.gateway.down = "before"
    close_by = patient.appointment(appointment_id).close_by
    assert close_by is not None
    if given_back:
        patient.cancel(appointment_id)
    while patient.clock.now() < close_by:
        due = patient.read(lambda session: session.scalar(select(func.min(Job.run_at)).where(Job.done_at.is_(None))))
        assert due is not None
        assert due <= close_by
        patient.clock.set(max(due, patient.clock.now()))
        patient.work()
    assert patient.clock.now() == close_by
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    patient.assert_sound()
