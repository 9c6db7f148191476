"""What is asked of a hospital's own system again and again: what it offers, and what became of its patients."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from uuid import UUID

import pytest
from fakes_hospital import FakeHospital, connect
from harness import Patient, make_patient
from sqlalchemy import func, select

from core.clock import hospital_day
from core.ports import PublishedHalfDay, VisitEvent, VisitKind
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.hospital import Campus, Department, Hospital
from models.schedule import Schedule, Slot

MINUTE = timedelta(minutes=1)


@pytest.fixture
def his(patient: Patient) -> FakeHospital:
    return connect(patient)


def booked(patient: Patient) -> UUID:
    appointment_id = patient.book(PayMode.ON_SITE)
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
    return appointment_id


def tell(patient: Patient, his: FakeHospital, appointment_id: UUID, *kinds: VisitKind) -> str:
    number = patient.appointment(appointment_id).number
    for kind in kinds:
        his.seen.append(VisitEvent(str(len(his.seen)), number, kind, patient.clock.now()))
    patient.work(after=MINUTE)
    return str(patient.appointment(appointment_id).status)


def test_each_event_moves_what_it_can_and_nothing_else(patient: Patient, his: FakeHospital) -> None:
    appointment_id = booked(patient)
    assert tell(patient, his, appointment_id, VisitKind.NOSHOW) == "noshow"
    assert tell(patient, his, appointment_id, VisitKind.ARRIVED) == "noshow", "only who was seen is corrected"
    assert tell(patient, his, appointment_id, VisitKind.FULFILLED) == "fulfilled"
    assert tell(patient, his, appointment_id, *VisitKind) == "fulfilled"
    moves = [one.to_status for one in patient.moves(appointment_id)]
    assert moves == ["pending", "booked", "noshow", "fulfilled"]
    patient.assert_sound()


def test_who_was_seen_has_been_there(patient: Patient, his: FakeHospital) -> None:
    appointment_id = booked(patient)
    assert tell(patient, his, appointment_id, VisitKind.FULFILLED) == "fulfilled"
    assert [one.to_status for one in patient.moves(appointment_id)][-2:] == ["arrived", "fulfilled"]
    patient.assert_sound()


def test_a_hospital_speaks_of_its_own_patients_alone_and_goes_on_behind_the_cursor(
    patient: Patient, his: FakeHospital
) -> None:
    other = make_patient(patient.workbench, patient.clock, patient.adapters)
    theirs = other.book(PayMode.ON_SITE)
    assert tell(other, his, theirs, VisitKind.ARRIVED) == "booked"
    cursor = select(Hospital.visits_cursor).where(Hospital.system == his.system)
    assert patient.read(lambda session: session.scalar(cursor)) == "1"
    his.away = True
    patient.work(after=MINUTE)
    his.away = False
    mine = booked(patient)
    assert tell(patient, his, mine, VisitKind.ARRIVED) == "arrived"
    assert patient.read(lambda session: session.scalar(cursor)) == "2"


def offer(patient: Patient) -> PublishedHalfDay:
    """An afternoon of the patient's own department."""
    named = (
        select(Campus.code, Department.code)
        .join(Schedule, Schedule.campus_id == Campus.id)
        .join(Department, Department.id == Schedule.department_id)
        .where(Schedule.id == patient.schedule_id)
    )
    campus, department = patient.read(lambda session: session.execute(named).one())
    return PublishedHalfDay(
        campus=campus,
        department=department,
        doctor="",
        visit_date=hospital_day(patient.clock.now()) + timedelta(days=5),
        period="afternoon",
        starts=time(13),
        ends=time(17),
        clinic_type="HIS",
        fee_fen=2500,
        segment_minutes=30,
        numbers_per_segment=3,
    )


def test_what_is_offered_is_put_on_the_table_once_and_can_be_booked(patient: Patient, his: FakeHospital) -> None:
    fits = offer(patient)
    his.offered = [
        fits,
        fits,
        replace(fits, department="nobody"),
        replace(fits, doctor="nobody"),
        replace(fits, campus="nobody"),
        replace(fits, ends=time(16, 45)),
        replace(fits, ends=time(13)),
        replace(fits, starts=time(8), ends=time(10), period="morning", segment_minutes=60),
        replace(fits, visit_date=fits.visit_date + timedelta(days=30)),
    ]
    patient.work(after=15 * MINUTE)
    patient.work(after=15 * MINUTE)
    assert his.calls.count("half_days") >= 2
    (schedule,) = patient.read(
        lambda session: session.scalars(select(Schedule).where(Schedule.clinic_type == "HIS")).all()
    )
    count = select(func.count()).select_from(Slot).where(Slot.schedule_id == schedule.id)
    assert (schedule.fee_fen, patient.read(lambda session: session.scalar(count))) == (2500, 24)
    his.offered = [replace(fits, numbers_per_segment=4)]
    patient.work(after=15 * MINUTE)
    assert patient.read(lambda session: session.scalar(count)) == 32, "what nobody has had may change"
    patient.clock.set(max(patient.clock.now(), schedule.release_at))
    appointment_id = patient.book(PayMode.ON_SITE, schedule_id=schedule.id)
    patient.work()
    appointment: Appointment = patient.appointment(appointment_id)
    assert appointment.status is AppointmentStatus.BOOKED
    assert his.orders[appointment.number].place.clinic_type == "HIS"
    patient.assert_sound()
