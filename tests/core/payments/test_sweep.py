"""The second net: work whose job was lost gets one again, and what waits on purpose is left to wait."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from harness import Patient, beside
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.booking.endings.sweep import sweep
from core.jobs.queue import LeasedJob
from core.ports import ProviderRefused, RefundState
from models.appointment import AppointmentStatus
from models.base import new_id
from models.job import Job
from models.payment import PaymentStatus, RefundStatus
from models.schedule import SlotStatus

LATE = timedelta(minutes=2, seconds=1)


def open_jobs(patient: Patient) -> dict[str, datetime]:
    query = select(Job.kind, Job.run_at).where(Job.done_at.is_(None))
    return dict(patient.read(lambda session: [(*row,) for row in session.execute(query)]))


def lose_jobs(patient: Patient) -> None:
    def step(session: Session, _now: datetime) -> None:
        session.execute(delete(Job))

    patient.write(step)


def sweep_now(patient: Patient, *, after: timedelta = timedelta(0)) -> None:
    patient.clock.advance(after)
    sweep(patient.workbench, LeasedJob(new_id(), "sweep", {}, 1, 1))


@pytest.fixture
def held(patient: Patient) -> UUID:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    return appointment_id


def test_a_lost_hold_ends_all_the_same(patient: Patient, held: UUID) -> None:
    lose_jobs(patient)
    sweep_now(patient, after=timedelta(minutes=15) + LATE)
    assert set(open_jobs(patient)) == {"end_hold", "ask_payment"}
    patient.work()
    assert patient.appointment(held).status is AppointmentStatus.CANCELLED
    assert patient.slot(held).status is SlotStatus.FREE
    patient.assert_sound()


def test_a_payment_nobody_asks_about_is_asked_about(patient: Patient, held: UUID) -> None:
    patient.gateway.pay(patient.payments()[0].out_trade_no)
    lose_jobs(patient)
    sweep_now(patient, after=LATE)
    patient.work()
    assert patient.payments()[0].status is PaymentStatus.SUCCEEDED
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
    patient.assert_sound()


def test_a_message_nobody_applied_is_applied(patient: Patient, held: UUID) -> None:
    patient.hear(patient.gateway.pay(patient.payments()[0].out_trade_no))
    lose_jobs(patient)
    sweep_now(patient, after=LATE)
    assert "apply_event" in open_jobs(patient)
    patient.work()
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
    patient.assert_sound()


@pytest.mark.parametrize("state", [RefundState.SUCCEEDED, RefundState.ABNORMAL])
def test_a_refund_nobody_sends_is_sent(patient: Patient, state: RefundState) -> None:
    patient.cancel(patient.paid())
    lose_jobs(patient)
    sweep_now(patient, after=LATE)
    patient.work()
    assert patient.refunds()[0].status is RefundStatus.PROCESSING
    patient.gateway.settle_refund(patient.refunds()[0].out_refund_no, state)
    lose_jobs(patient)
    sweep_now(patient, after=LATE)
    patient.work()
    assert str(patient.refunds()[0].status) == str(state)


def test_what_is_young_or_settled_is_left_alone(patient: Patient) -> None:
    patient.paid()
    lose_jobs(patient)
    sweep_now(patient, after=timedelta(days=1))
    assert open_jobs(patient) == {}
    other = patient.book(dependent_id=patient.dependent_id, schedule_id=new_schedule(patient))
    patient.open_payment(other)
    lose_jobs(patient)
    sweep_now(patient, after=timedelta(minutes=1))
    assert open_jobs(patient) == {}


def new_schedule(patient: Patient) -> UUID:
    return beside(patient, visit_date=date(2026, 12, 1), closes_at=patient.clock.now() + timedelta(days=5))


def test_a_job_that_pauses_on_purpose_is_not_brought_forward(patient: Patient) -> None:
    patient.cancel(patient.paid())
    patient.gateway.refuse_refunds = ProviderRefused("NOT_ENOUGH", retryable=True)
    for _ in range(8):
        patient.work(after=timedelta(minutes=10))
    due = open_jobs(patient)["push_refund"]
    assert due > patient.clock.now()
    sweep_now(patient)
    assert open_jobs(patient)["push_refund"] == due


def test_sweeping_twice_makes_one_job(patient: Patient, held: UUID) -> None:
    lose_jobs(patient)
    sweep_now(patient, after=LATE)
    before = open_jobs(patient)
    sweep_now(patient, after=timedelta(seconds=1))
    assert open_jobs(patient) == before
