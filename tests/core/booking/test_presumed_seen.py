"""Whom only the clock says to have been seen, where the clinic turns out not to have taken place (decision 0072)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from arriving import at_the_desk
from fakes_hospital import connect
from harness import Patient, beside, join
from hospital_acts import ORDER, suspend

from core.booking.clinic.change_clinic import reopen_schedule
from core.booking.clinic.suspend import preview_suspension
from core.booking.follow_up.right import allow_follow_up
from core.ports import VisitEvent, VisitKind
from core.refusals import NotCancellable
from models.appointment import AppointmentStatus, CancelReason
from models.payment import RefundReason
from models.schedule import SlotStatus

OVER = timedelta(days=5)


def came(patient: Patient) -> UUID:
    """Paid for and there; nobody says what became of them."""
    paid = patient.paid()
    at_the_desk(patient, "check_in_at_desk", paid, overrule=True)
    return paid


def test_the_clock_alone_is_believed_until_the_clinic_turns_out_suspended(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=5, fee_fen=3000)
    seen = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    waited, was_seen = came(patient), came(seen)
    at_the_desk(seen, "fulfil", was_seen)
    patient.work(after=OVER)
    assert patient.appointment(waited).status is AppointmentStatus.FULFILLED
    with pytest.raises(NotCancellable):
        at_the_desk(patient, "cancel_at_desk", waited)
    number = patient.appointment(waited).number
    schedule_id = patient.schedule_id
    foreseen = patient.read(
        lambda session: preview_suspension(session, schedule_id=schedule_id, now=patient.clock.now())
    )
    assert foreseen.presumed_seen == suspend(patient).presumed_seen == [number]
    patient.work()
    assert patient.appointment(waited).status is AppointmentStatus.FULFILLED
    for _ in range(2):
        assert at_the_desk(patient, "cancel_at_desk", waited).cancel_reason is CancelReason.SUSPENDED
    with pytest.raises(NotCancellable):
        at_the_desk(seen, "cancel_at_desk", was_seen)
    patient.work()
    assert [(one.amount_fen, one.reason) for one in patient.refunds()] == [(3000, RefundReason.SUSPENDED)]
    assert patient.slot(waited).status is SlotStatus.SUSPENDED
    assert suspend(patient).presumed_seen == []
    patient.assert_sound()


def test_not_where_it_takes_place_after_all(patient: Patient) -> None:
    waited = came(patient)
    patient.work(after=OVER)
    suspend(patient)
    patient.write(lambda session, now: reopen_schedule(session, schedule_id=patient.schedule_id, order=ORDER, now=now))
    with pytest.raises(NotCancellable):
        at_the_desk(patient, "cancel_at_desk", waited)
    patient.assert_sound()


def test_whoever_may_come_once_more_was_seen(patient: Patient) -> None:
    patient.schedule_id = beside(patient, fee_fen=3000, terms={"follow_up_days": 20})
    waited = came(patient)
    patient.work(after=OVER)
    patient.write(lambda session, now: allow_follow_up(session, appointment_id=waited, operator="张护士", now=now))
    assert suspend(patient).presumed_seen == []
    with pytest.raises(NotCancellable):
        at_the_desk(patient, "cancel_at_desk", waited)


def test_the_hospitals_own_word_is_no_presumption(patient: Patient) -> None:
    his = connect(patient)
    waited = patient.paid()
    patient.work()
    at_the_desk(patient, "check_in_at_desk", waited, overrule=True)
    his.seen.append(VisitEvent("0", patient.appointment(waited).number, VisitKind.FULFILLED, patient.clock.now()))
    patient.work(after=timedelta(minutes=1))
    patient.work()
    assert patient.appointment(waited).status is AppointmentStatus.FULFILLED
    assert suspend(patient).presumed_seen == []
    with pytest.raises(NotCancellable):
        at_the_desk(patient, "cancel_at_desk", waited)


def test_whose_visit_the_desk_confirms_after_the_clock_was_seen(patient: Patient) -> None:
    waited = came(patient)
    patient.work(after=OVER)
    for _ in range(2):
        assert at_the_desk(patient, "fulfil", waited).status is AppointmentStatus.FULFILLED
    assert patient.appointment(waited).moved == 5  # held, booked, arrived, by the clock, by the desk
    assert suspend(patient).presumed_seen == []
    with pytest.raises(NotCancellable):
        at_the_desk(patient, "cancel_at_desk", waited)
    patient.work()
    assert patient.refunds() == []
    patient.assert_sound()


def test_whose_visit_the_hospital_confirms_after_the_clock_was_seen(patient: Patient) -> None:
    his = connect(patient)
    waited = patient.paid()
    patient.work()
    at_the_desk(patient, "check_in_at_desk", waited, overrule=True)
    patient.work(after=OVER)
    assert patient.appointment(waited).status is AppointmentStatus.FULFILLED
    his.seen.append(VisitEvent("0", patient.appointment(waited).number, VisitKind.FULFILLED, patient.clock.now()))
    patient.work(after=timedelta(minutes=1))
    patient.work()
    assert suspend(patient).presumed_seen == []
    with pytest.raises(NotCancellable):
        at_the_desk(patient, "cancel_at_desk", waited)
