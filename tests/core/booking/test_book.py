"""Booking: what a patient gets, and what is written with it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from harness import Patient, beside, join
from people import agree
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.refusals import (
    ConsentRequired,
    NumbersInFlight,
    PersonLimit,
)
from models.account import Purpose
from models.appointment import AppointmentStatus, PayMode
from models.charge import ChargeLine
from models.errors import ValidationFailed
from models.job import Job
from models.notice import Notice, NoticeKind
from models.person import Dependent, Person
from models.schedule import Schedule, SlotStatus

MILLISECOND = timedelta(milliseconds=1)


def jobs(patient: Patient) -> list[Job]:
    return patient.read(lambda session: list(session.scalars(select(Job).order_by(Job.id))))


def notices(patient: Patient) -> list[Notice]:
    return patient.read(lambda session: list(session.scalars(select(Notice).order_by(Notice.id))))


def set_schedule(patient: Patient, **values: Any) -> None:
    patient.write(
        lambda session, _now: session.execute(
            update(Schedule).where(Schedule.id == patient.schedule_id).values(**values)
        )
    )


def refused_field(patient: Patient, **wish: Any) -> tuple[str, str]:
    with pytest.raises(ValidationFailed) as refused:
        patient.book(**wish)
    (fault,) = refused.value.errors
    return fault.pointer, fault.code


# --- what there is afterwards


def test_a_number_to_be_paid_online_is_held_for_a_while(patient: Patient) -> None:
    appointment = patient.appointment(patient.book())
    now = patient.clock.now()
    assert (appointment.status, appointment.awaiting) == (AppointmentStatus.PENDING, ["payment"])
    assert appointment.hold_expires_at == now + timedelta(minutes=15)
    assert appointment.close_by == now + timedelta(minutes=45)
    assert patient.slot(appointment.id).status is SlotStatus.HELD
    (job,) = jobs(patient)
    assert (job.kind, job.run_at, job.payload) == (
        "end_hold",
        appointment.hold_expires_at,
        {"appointment_id": str(appointment.id)},
    )
    assert notices(patient) == []
    patient.assert_sound()


def test_a_number_to_be_paid_on_site_is_booked_at_once(patient: Patient) -> None:
    appointment = patient.appointment(patient.book(PayMode.ON_SITE))
    assert (appointment.status, appointment.awaiting) == (AppointmentStatus.BOOKED, [])
    assert (appointment.hold_expires_at, appointment.close_by) == (None, None)
    assert patient.slot(appointment.id).status is SlotStatus.BOOKED
    assert jobs(patient) == []
    assert [one.kind for one in notices(patient)] == [NoticeKind.APPOINTMENT_BOOKED]
    patient.assert_sound()


@pytest.mark.parametrize("pay", [PayMode.ONLINE, PayMode.ON_SITE])
def test_a_number_that_costs_nothing_is_booked_at_once(patient: Patient, pay: PayMode) -> None:
    free = beside(patient, fee_fen=0)
    appointment = patient.appointment(patient.book(pay, schedule_id=free))
    assert (appointment.status, appointment.pay_mode) == (AppointmentStatus.BOOKED, pay)
    assert jobs(patient) == []
    patient.assert_sound()


def test_the_terms_of_the_day_are_pinned(patient: Patient) -> None:
    appointment = patient.appointment(patient.book())
    deadline = appointment.cancel_before
    set_schedule(patient, terms={}, cancel_before=patient.clock.now(), fee_fen=1)
    kept = patient.appointment(appointment.id)
    assert (kept.terms["hold_minutes"], kept.cancel_before, kept.fee_fen) == (15, deadline, 5000)


def test_what_is_due_is_one_line_of_the_fee(patient: Patient) -> None:
    appointment = patient.appointment(patient.book())
    (line,) = patient.read(lambda session: list(session.scalars(select(ChargeLine))))
    assert (line.appointment_id, line.charge_id) == (appointment.id, appointment.charge_id)
    assert (line.amount_fen, line.kind, line.leg, line.voided_at) == (5000, "registration", "self_pay", None)


def test_every_move_names_the_request_that_made_it(patient: Patient) -> None:
    appointment = patient.appointment(patient.book())
    for record_id in (appointment.id, appointment.slot_id):
        (move,) = patient.moves(record_id)
        assert (move.seq, move.cause_kind, move.cause_id, move.actor) == (1, "request", "test", "account")


def test_numbers_are_given_in_their_order(patient: Patient) -> None:
    others = [join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id) for _ in range(2)]
    given = [one.slot(one.book(PayMode.ON_SITE)).sequence for one in (patient, *others)]
    assert given == [1, 2, 3]


def test_a_segment_may_be_chosen(patient: Patient) -> None:
    schedule_id = beside(patient, numbers=25)
    second = patient.read(lambda session: session.get_one(Schedule, schedule_id)).starts_at + timedelta(minutes=30)
    slot = patient.slot(patient.book(schedule_id=schedule_id, segment_starts_at=second))
    assert (slot.sequence, slot.starts_at) == (11, second)


def test_a_chosen_segment_that_is_full_is_not_exchanged_for_another(patient: Patient) -> None:
    schedule_id = beside(patient, numbers=11)
    second = patient.read(lambda session: session.get_one(Schedule, schedule_id)).starts_at + timedelta(minutes=30)
    first_come = join(patient.workbench, patient.clock, patient.adapters, schedule_id)
    first_come.book(segment_starts_at=second)
    with pytest.raises(NumbersInFlight):
        patient.book(schedule_id=schedule_id, segment_starts_at=second)


def test_what_the_patient_says_is_sealed(patient: Patient) -> None:
    patient.write(
        lambda session, now: agree(
            session, patient.account_id, Purpose.HEALTH, dependent_id=patient.dependent_id, now=now
        )
    )
    appointment = patient.appointment(patient.book(complaint=" 头疼三天\n"))
    assert appointment.complaint_sealed is not None
    assert "头疼".encode() not in appointment.complaint_sealed
    assert appointment.complaint(patient.workbench.vault) == "头疼三天"


def test_what_the_patient_says_needs_the_consent_to_it_and_saying_nothing_does_not(patient: Patient) -> None:
    with pytest.raises(ConsentRequired) as refused:
        patient.book(complaint="头疼三天")
    assert refused.value.facts["purpose"] == "health"
    assert refused.value.facts["dependent_id"] == str(patient.dependent_id)
    assert patient.appointment(patient.book(complaint=" \n")).complaint_sealed is None


def test_a_person_with_two_documents_is_one_person(patient: Patient) -> None:
    """The dependent's row of a person was merged into another: limits count for the root."""
    other = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)

    def merge(session: Session, _now: Any) -> UUID:
        root = session.get_one(Dependent, patient.dependent_id).person_id
        merged = session.get_one(Person, session.get_one(Dependent, other.dependent_id).person_id)
        merged.alias_of_id = root
        return root

    root = patient.write(merge)
    assert other.appointment(other.book(PayMode.ON_SITE)).person_id == root
    with pytest.raises(PersonLimit):
        patient.book(PayMode.ON_SITE)
