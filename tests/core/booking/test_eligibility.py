"""Every rule alone, at its very instant."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from eligible import codes, elsewhere, set_schedule, set_slots, why
from harness import Patient, beside, join, relatives
from people import agree
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from core.refusals import NumbersInFlight
from models.account import Consent, Purpose
from models.appointment import PayMode
from models.person import Dependent
from models.schedule import ScheduleStatus, SlotStatus

MILLISECOND = timedelta(milliseconds=1)


# --- one rule alone


def test_a_number_may_be_had(patient: Patient) -> None:
    assert codes(patient) == []


@pytest.mark.parametrize("status", [ScheduleStatus.CLOSED, ScheduleStatus.SUSPENDED])
def test_a_schedule_that_is_closed_or_suspended(patient: Patient, status: ScheduleStatus) -> None:
    set_schedule(patient, status=status)
    assert codes(patient) == [f"schedule_{status}"]


def test_before_the_release_and_from_its_very_instant(patient: Patient) -> None:
    release_at = patient.clock.now() + MILLISECOND
    set_schedule(patient, release_at=release_at)
    refused = why(patient)
    assert (refused.code, refused.retry_at) == ("not_released", release_at)
    patient.clock.advance(MILLISECOND)
    assert codes(patient) == []


def test_until_just_before_it_closes(patient: Patient) -> None:
    set_schedule(patient, closes_at=patient.clock.now() + MILLISECOND)
    assert codes(patient) == []
    patient.clock.advance(MILLISECOND)
    assert codes(patient) == ["schedule_closed"]


@pytest.mark.parametrize("purpose", [Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY])
def test_a_consent_that_is_missing_is_named(patient: Patient, purpose: Purpose) -> None:
    patient.write(lambda session, _now: session.execute(delete(Consent).where(Consent.purpose == purpose)))
    refused = why(patient)
    assert (refused.code, refused.facts) == ("consent_required", {"purpose": purpose})


def test_the_identity_level_of_the_schedule(patient: Patient) -> None:
    patient.write(lambda session, _now: session.execute(update(Dependent).values(identity_level=0)))
    refused = why(patient)
    assert (refused.code, refused.facts) == ("identity_required", {"required_level": 1, "level": 0})


def test_a_minor_needs_a_guardian_who_consents(patient: Patient) -> None:
    child = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id, birth_date=date(2008, 11, 26))
    refused = why(child)
    assert (refused.code, refused.facts["fields"]) == ("fields_required", ["guardian_dependent_id"])

    def guard(session: Session, now: Any) -> None:
        dependent = session.get_one(Dependent, child.dependent_id)
        dependent.guardian_dependent_id = patient.dependent_id
        agree(session, child.account_id, Purpose.MINOR, dependent_id=dependent.id, now=now)

    child.write(guard)
    assert codes(child) == []


def test_of_age_on_the_day_of_the_visit_is_of_age(patient: Patient) -> None:
    """No guardian is asked for; and what was said at 17 is nobody's own word, so the birthday is waited for."""
    grown = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id, birth_date=date(2008, 11, 22))
    assert codes(grown) == []
    soon = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id, birth_date=date(2008, 11, 25))
    refused = why(soon)
    assert (refused.code, refused.facts["ways"]) == ("agreement_required", [])


def test_one_open_appointment_of_a_schedule(patient: Patient) -> None:
    patient.book(PayMode.ON_SITE)
    assert codes(patient) == ["already_booked"]


def test_one_open_appointment_of_a_department_and_day(patient: Patient) -> None:
    other = beside(patient)
    patient.book(PayMode.ON_SITE, schedule_id=other)
    assert codes(patient) == ["already_booked"]


def test_another_day_of_the_department_is_free(patient: Patient) -> None:
    later = beside(patient, visit_date=date(2026, 11, 26))
    patient.book(PayMode.ON_SITE, schedule_id=later)
    assert codes(patient) == []


def test_where_the_terms_allow_two_of_a_department_and_day(patient: Patient) -> None:
    generous = {"max_open_per_person_department_day": 2}
    first, second = beside(patient, terms=generous), beside(patient, terms=generous)
    patient.book(PayMode.ON_SITE, schedule_id=first)
    assert codes(patient, second) == []
    patient.book(PayMode.ON_SITE, schedule_id=second)
    assert codes(patient, beside(patient, terms=generous)) == ["already_booked", "person_limit"]


def test_two_appointments_of_a_person_on_one_day(patient: Patient) -> None:
    for _ in range(2):
        assert codes(patient) == []
        patient.book(PayMode.ON_SITE, schedule_id=elsewhere(patient))
    assert codes(patient) == ["person_limit"]


def test_one_unpaid_number_of_a_person(patient: Patient) -> None:
    patient.book(schedule_id=elsewhere(patient, visit_date=date(2026, 11, 26)))
    assert codes(patient) == ["hold_open"]


def test_two_unpaid_numbers_of_an_account(patient: Patient) -> None:
    for relative in relatives(patient):
        assert codes(patient) == []
        patient.book(dependent_id=relative)
    assert codes(patient) == ["hold_open"]


def test_paid_numbers_are_no_open_holds(patient: Patient) -> None:
    for relative in relatives(patient):
        patient.book(PayMode.ON_SITE, dependent_id=relative)
    set_slots(patient, SlotStatus.FREE, but=2)
    assert codes(patient) == []


def test_what_was_cancelled_counts_no_more(patient: Patient) -> None:
    patient.cancel(patient.book())
    assert codes(patient) == []


@pytest.mark.parametrize("status", [SlotStatus.BOOKED, SlotStatus.SUSPENDED])
def test_sold_out(patient: Patient, status: SlotStatus) -> None:
    set_slots(patient, status)
    assert codes(patient) == ["sold_out"]


@pytest.mark.parametrize("status", [SlotStatus.HELD, SlotStatus.WITHHELD])
def test_a_number_that_may_return_is_no_sold_out(patient: Patient, status: SlotStatus) -> None:
    set_slots(patient, SlotStatus.BOOKED)
    set_slots(patient, status, but=2)
    refused = why(patient)
    assert isinstance(refused, NumbersInFlight)
    assert (refused.facts, refused.retry_at) == ({"returning": 1}, patient.clock.now() + timedelta(minutes=1))
