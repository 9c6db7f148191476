"""2.4: another hospital within the hour is a warning, and of one's own appointments alone."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import make_department, make_hospital, make_schedule
from harness import Patient, same_person
from sqlalchemy.orm import Session

from core.booking.eligibility import explain
from core.booking.rules.travel import TravelGap
from models.appointment import PayMode
from models.hospital import Hospital
from models.person import Dependent
from models.schedule import Schedule
from schemas.travel_in_words import near


def elsewhere(patient: Patient, starts: time, **schedule: Any) -> UUID:
    """A half day of another hospital on the day of the patient's own, its first number from `starts`."""

    def step(session: Session, now: Any) -> UUID:
        day = session.get_one(Schedule, patient.schedule_id).visit_date
        department = make_department(session, make_hospital(session))
        given = {"numbers": 3, "now": now, "visit_date": day, "starts": starts} | schedule
        return make_schedule(session, department, **given).id

    return patient.write(step)


def gaps(patient: Patient, schedule_id: UUID) -> list[TravelGap]:
    def look(session: Session) -> list[TravelGap]:
        whom = session.get_one(Dependent, patient.dependent_id)
        told = explain(
            session,
            schedule=session.get_one(Schedule, schedule_id),
            dependent=whom,
            person_id=whom.person_id,
            now=patient.clock.now(),
        )
        assert told.allowed
        return told.travel_gaps

    return patient.read(look)


def test_2_4_another_hospital_within_the_hour_is_told_and_refuses_nothing(patient: Patient) -> None:
    booked = patient.book(PayMode.ON_SITE)
    slot = patient.slot(booked)
    soon = (slot.ends_at + timedelta(hours=8, minutes=59)).time()
    assert gaps(patient, elsewhere(patient, soon)) == [TravelGap(slot.starts_at, slot.ends_at, 60)]
    late = (slot.ends_at + timedelta(hours=9)).time()
    assert gaps(patient, elsewhere(patient, late)) == []
    assert gaps(patient, elsewhere(patient, soon, terms={"travel_gap_minutes": 30})) == []
    said = near(gaps(patient, elsewhere(patient, soon))[0])
    assert "60分钟" in said.zh
    assert "60 minutes" in said.en


def test_the_same_hospital_is_no_journey(patient: Patient) -> None:
    booked = patient.book(PayMode.ON_SITE)
    soon = (patient.slot(booked).ends_at + timedelta(hours=8, minutes=30)).time()

    def step(session: Session, now: Any) -> UUID:
        own = session.get_one(Schedule, patient.schedule_id)
        department = make_department(session, session.get_one(Hospital, own.hospital_id))
        return make_schedule(session, department, numbers=3, now=now, visit_date=own.visit_date, starts=soon).id

    assert gaps(patient, patient.write(step)) == []


@pytest.mark.parametrize("who", ["own", "other"])
def test_what_another_account_booked_for_the_person_is_not_told(patient: Patient, who: str) -> None:
    other = same_person(patient)
    booker = patient if who == "own" else other
    booked = booker.book(PayMode.ON_SITE)
    soon = (patient.slot(booked).ends_at + timedelta(hours=8, minutes=30)).time()
    told = gaps(patient, elsewhere(patient, soon))
    assert bool(told) is (who == "own")
