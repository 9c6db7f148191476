"""Extra numbers: for one person, within the policy's cap, judged by all rules but capacity and release."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from eligible import change_terms, codes, elsewhere, restrict, set_schedule
from factories import make_doctor
from harness import Patient, join, race, same_person
from sqlalchemy import select

from core.booking.extra import ExtraReason, ExtraRefused, Order, issue_extra_number
from core.booking.rules.refusals import Overlaps
from core.booking.views import AppointmentView
from core.refusals import AlreadyBooked, IdentityRequired, PersonLimit, ScheduleSuspended, SoldOut
from models.appointment import AppointmentStatus, PayMode
from models.audit import AuditEntry
from models.errors import NotFound
from models.hospital import Department
from models.person import IdentityLevel
from models.schedule import Schedule, ScheduleStatus, SlotStatus, Surplus
from models.states import Actor, Cause, CauseKind

DESK = Cause(Actor.OPERATOR, CauseKind.COMMAND, "extra", "desk")


@pytest.fixture
def doctor(patient: Patient) -> str:
    """Of the department: the half day is a clinic without one."""

    def hire(session: Any, _now: object) -> str:
        half_day = session.get_one(Schedule, patient.schedule_id)
        return make_doctor(session, session.get_one(Department, half_day.department_id)).code

    return patient.write(hire)


def issue(patient: Patient, doctor: str, *, pay: PayMode = PayMode.ON_SITE) -> AppointmentView:
    order = Order(patient.schedule_id, patient.dependent_id, doctor, ExtraReason.FOLLOW_UP, "李护士", pay)
    return patient.write(
        lambda session, now: issue_extra_number(session, order, now=now, cause=DESK, vault=patient.workbench.vault)
    )


def stranger(patient: Patient) -> Patient:
    return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)


def fill(patient: Patient) -> list[UUID]:
    return [stranger(patient).book(PayMode.ON_SITE) for _ in range(3)]


def test_2_12_a_full_half_day_has_a_number_more_for_one_person(patient: Patient, doctor: str) -> None:
    fill(patient)
    made = issue(patient, doctor).appointment
    slot = patient.slot(made.id)
    assert (made.status, slot.status, slot.surplus, slot.sequence) == (
        AppointmentStatus.BOOKED, SlotStatus.BOOKED, Surplus.EXTRA, 4,
    )  # fmt: skip
    entry = patient.read(lambda session: session.scalars(select(AuditEntry)).one())
    assert (entry.actor, entry.dependent_id, entry.result) == ("李护士", patient.dependent_id, "issued")
    assert entry.facts == {"appointment_id": str(made.id), "doctor_code": doctor, "reason": "follow_up"}
    patient.assert_sound()


def test_2_12_it_is_charged_as_usual_and_lapses_as_usual(patient: Patient, doctor: str) -> None:
    made = issue(patient, doctor, pay=PayMode.ONLINE).appointment
    assert (made.status, patient.slot(made.id).status) == (AppointmentStatus.PENDING, SlotStatus.HELD)
    patient.work(after=timedelta(minutes=16))
    assert patient.appointment(made.id).status is AppointmentStatus.CANCELLED
    patient.assert_sound()


def test_2_12_let_go_it_is_nobody_elses(patient: Patient, doctor: str) -> None:
    fill(patient)
    made = issue(patient, doctor).appointment
    patient.cancel(made.id)
    patient.work(after=timedelta(seconds=5))
    assert patient.slot(made.id).is_withdrawn
    with pytest.raises(SoldOut):
        stranger(patient).book()
    patient.assert_sound()


def test_2_12_before_release_and_beyond_capacity_but_under_every_other_rule(patient: Patient, doctor: str) -> None:
    set_schedule(patient, release_at=patient.clock.now() + timedelta(days=1))
    assert issue(patient, doctor)
    with pytest.raises(AlreadyBooked):
        issue(patient, doctor)
    with pytest.raises(PersonLimit):
        issue(same_person(patient), doctor)
    set_schedule(patient, status=ScheduleStatus.SUSPENDED)
    with pytest.raises(ScheduleSuspended):
        issue(stranger(patient), doctor)


def test_2_6_whoever_is_restricted_is_given_one_at_the_desk(patient: Patient, doctor: str) -> None:
    restrict(patient)
    assert codes(patient) == ["restricted", "restricted", "identity_required"]
    assert issue(patient, doctor).appointment.status is AppointmentStatus.BOOKED


def test_2_6_what_other_accounts_did_restricts_nobody_at_the_desk(patient: Patient, doctor: str) -> None:
    restrict(patient)
    other = same_person(patient)
    with pytest.raises(PersonLimit):
        other.book(PayMode.ON_SITE)
    assert issue(other, doctor)


def test_2_6_the_level_that_the_half_day_asks_for_is_asked_for_at_the_desk(patient: Patient, doctor: str) -> None:
    restrict(patient)
    change_terms(patient, min_identity_level=IdentityLevel.PRESENT)
    with pytest.raises(IdentityRequired):
        issue(patient, doctor)


def test_2_12_only_a_doctor_who_sits_there_gives_it(patient: Patient, doctor: str) -> None:
    with pytest.raises(ExtraRefused, match="does not sit there"):
        issue(patient, "DOC-OTHER")
    set_schedule(patient, doctor_code="DOC-ONE")
    with pytest.raises(ExtraRefused, match="does not sit there"):
        issue(patient, doctor)
    patient.dependent_id = patient.account_id
    with pytest.raises(NotFound):
        issue(patient, doctor)


def test_2_12_nobody_is_given_one_at_a_time_at_which_they_are_elsewhere(patient: Patient, doctor: str) -> None:
    def at_once(session: Any, _now: object) -> None:
        half_day = session.get_one(Schedule, patient.schedule_id)
        half_day.terms = half_day.terms | {"may_overlap": False}

    patient.write(at_once)
    patient.book(PayMode.ON_SITE, schedule_id=elsewhere(patient))
    with pytest.raises(Overlaps):
        issue(patient, doctor)


def test_2_12_the_cap_is_exact_however_many_doctors_press_at_once(patient: Patient, doctor: str) -> None:
    def cap(session: Any, _now: object) -> None:
        half_day = session.get_one(Schedule, patient.schedule_id)
        half_day.terms = half_day.terms | {"max_extra_numbers": 2}

    patient.write(cap)
    strangers = [stranger(patient) for _ in range(6)]
    results = race(*((lambda one=one: issue(one, doctor)) for one in strangers))  # type: ignore[misc]
    assert sorted(type(one).__name__ for one in results) == ["AppointmentView"] * 2 + ["ExtraRefused"] * 4
    assert sorted(slot.sequence for slot in patient.slots()) == [1, 2, 3, 4, 5]
    patient.assert_sound()
