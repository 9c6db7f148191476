"""Rules over time: weeks and months of visits, two places at once, what was just given back, closed hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from eligible import codes, elsewhere, look, set_schedule, why
from harness import REQUEST, Patient, beside, join, race, same_person
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from core.booking.clinic.alternatives import limit_reached
from core.booking.rules.limits import closed_hours, fullest
from core.booking.rules.refusals import Overlaps, PeriodLimit, RebookTooSoon
from core.booking.standing import Standing
from core.clock import HOSPITAL_ZONE
from core.refusals import AlreadyBooked, PersonLimit
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.base import new_id
from models.schedule import Schedule

MILLISECOND = timedelta(milliseconds=1)
DAY = timedelta(days=1)
FIRST = date(2026, 11, 25)


def visit(day: date) -> Standing:
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    none = UUID(int=0)
    booked = AppointmentStatus.BOOKED
    return Standing(none, True, none, none, day, booked, False, new_id(), none, at, at, None, False, new_id())


# --- any seven days


@pytest.mark.parametrize(
    ("days", "refused"),
    [
        ((0, 1), False),
        ((0, 1, 6), True),
        ((1, 6, 7), False),
        ((1, 5, 6), True),  # those after the wanted day count as those before it
        ((0, 1, 7), False),
        ((-6, -5, 1), False),  # the first and the last are never in one week with the wanted day
        ((-3, 3, 3), True),
        ((-6, -6, 0), True),
        ((-7, -7, -7), False),
    ],
)
def test_every_week_with_the_wanted_day_in_it_is_counted(days: tuple[int, ...], refused: bool) -> None:
    first = fullest([visit(FIRST + DAY * day) for day in days], FIRST, length=7 * DAY, most=3)
    assert (first is not None) is refused


@given(
    st.lists(st.integers(-12, 12), max_size=12),
    st.integers(1, 4),
    st.sampled_from([FIRST, date(2028, 2, 29), date(2026, 12, 31)]),
)
def test_the_runs_found_are_those_of_counting_each_day(days: list[int], most: int, wanted: date) -> None:
    visits = [visit(wanted + DAY * day) for day in days]
    slow = [wanted - DAY * back for back in range(7) if sum(-back <= day < 7 - back for day in days) >= most]
    found = fullest(visits, wanted, length=7 * DAY, most=most)
    assert (found is None) is (not slow)
    assert found is None or found in slow


def test_past_visits_count_and_cancelled_ones_do_not(patient: Patient) -> None:
    strict: dict[str, Any] = {"max_per_person_7_days": 2}
    set_schedule(patient, terms={**patient_terms(patient), **strict})
    kept = patient.book(PayMode.ON_SITE, schedule_id=elsewhere(patient, visit_date=FIRST + DAY))
    gone = patient.book(PayMode.ON_SITE, schedule_id=elsewhere(patient, visit_date=FIRST - DAY))
    refused = why(patient)
    assert (refused.code, refused.facts["most"]) == ("period_limit", 2)
    assert (refused.facts["first_day"], refused.facts["last_day"]) == (FIRST - DAY, FIRST + 5 * DAY)
    patient.cancel(gone)
    assert codes(patient) == []

    def missed(session: Any, now: datetime) -> None:
        session.get_one(Appointment, kept).miss(session, at=now, cause=REQUEST)

    again = patient.book(PayMode.ON_SITE, schedule_id=elsewhere(patient, visit_date=FIRST - DAY))
    patient.write(missed)
    assert codes(patient) == ["period_limit"]
    patient.cancel(again)


def patient_terms(patient: Patient) -> dict[str, Any]:
    return dict(patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).terms))


def test_three_months_count_ninety_one_days(patient: Patient) -> None:
    strict = {"max_per_person_3_months": 1}
    set_schedule(patient, terms={**patient_terms(patient), **strict}, release_at=patient.clock.now())
    patient.book(PayMode.ON_SITE, schedule_id=elsewhere(patient, visit_date=FIRST + 90 * DAY))
    assert codes(patient) == ["period_limit"]
    other = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    other.book(PayMode.ON_SITE, schedule_id=elsewhere(other, visit_date=FIRST + 91 * DAY))
    assert codes(other) == []


def test_what_another_account_booked_is_the_generic_limit(patient: Patient) -> None:
    set_schedule(patient, terms={**patient_terms(patient), "max_per_person_7_days": 1})
    other = same_person(patient)
    other.book(PayMode.ON_SITE, schedule_id=elsewhere(other, visit_date=FIRST + DAY))
    refused = why(patient)
    assert (type(refused), refused.facts) == (PersonLimit, {})


def test_numbers_of_one_hospital_on_one_day(patient: Patient) -> None:
    set_schedule(patient, terms={**patient_terms(patient), "max_per_person_hospital_day": 1})
    patient.book(PayMode.ON_SITE, schedule_id=elsewhere(patient))
    assert codes(patient) == []


# --- two places at once


def no_overlap(patient: Patient) -> None:
    set_schedule(patient, terms={**patient_terms(patient), "may_overlap": False})


def test_a_person_is_not_in_two_hospitals_at_once(patient: Patient) -> None:
    no_overlap(patient)
    patient.book(PayMode.ON_SITE, schedule_id=elsewhere(patient))
    assert isinstance(why(patient), Overlaps)
    with pytest.raises(Overlaps):
        patient.book(PayMode.ON_SITE)


def test_who_names_no_segment_gets_one_that_meets_nothing(patient: Patient) -> None:
    wide = elsewhere(patient, numbers=30, terms={"may_overlap": False})
    patient.book(PayMode.ON_SITE)
    assert codes(patient, wide) == []
    slot = patient.slot(patient.book(PayMode.ON_SITE, schedule_id=wide))
    first = patient.slots()[0]
    assert slot.starts_at == first.ends_at
    third = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    third.book(PayMode.ON_SITE)
    with pytest.raises(Overlaps):
        third.book(PayMode.ON_SITE, schedule_id=wide, segment_starts_at=first.starts_at)


def test_an_overlap_through_another_account_is_the_generic_limit(patient: Patient) -> None:
    no_overlap(patient)
    other = same_person(patient)
    other.book(PayMode.ON_SITE, schedule_id=elsewhere(other))
    assert type(why(patient)) is PersonLimit


# --- what was just given back


def test_a_number_given_back_unpaid_keeps_one_away_for_minutes(patient: Patient) -> None:
    set_schedule(patient, terms={**patient_terms(patient), "rebook_after_cancel_minutes": 2})
    patient.cancel(patient.book())
    refused = why(patient)
    assert isinstance(refused, RebookTooSoon)
    assert refused.retry_at == patient.clock.now() + timedelta(minutes=2)
    assert codes(patient, beside(patient, terms={"rebook_after_cancel_minutes": 2})) == []
    patient.clock.advance(timedelta(minutes=2) - MILLISECOND)
    assert codes(patient) == ["rebook_too_soon"]
    patient.clock.advance(MILLISECOND)
    assert codes(patient) == []


def test_after_a_paid_refund_it_is_hours(patient: Patient) -> None:
    paid = patient.paid()
    set_schedule(
        patient,
        terms={**patient_terms(patient), "rebook_after_cancel_minutes": 2, "rebook_after_refund_minutes": 120},
    )
    patient.cancel(paid)
    assert why(patient).retry_at == patient.clock.now() + timedelta(hours=2)


# --- closed hours


@pytest.mark.parametrize(
    ("begins", "ends", "at", "opens"),
    [
        ("23:00", "05:00", "2026-12-31T22:59:59.999", None),
        ("23:00", "05:00", "2026-12-31T23:00:00", "2027-01-01T05:00:00"),
        ("23:00", "05:00", "2028-02-29T00:00:00", "2028-02-29T05:00:00"),
        ("23:00", "05:00", "2028-02-29T04:59:59.999", "2028-02-29T05:00:00"),
        ("23:00", "05:00", "2028-02-29T05:00:00", None),
        ("00:00", "06:30", "2028-03-01T06:29:00", "2028-03-01T06:30:00"),
        ("00:00", "06:30", "2028-02-29T23:59:59.999", None),
        ("00:00", "00:00", "2028-02-29T00:00:00", None),
        ("07:00", "07:00", "2028-02-29T07:00:00", None),
    ],
)
def test_nothing_is_sold_in_closed_hours(begins: str, ends: str, at: str, opens: str | None) -> None:
    now = datetime.fromisoformat(at).replace(tzinfo=HOSPITAL_ZONE).astimezone(UTC)
    case: Any = SimpleNamespace(terms=SimpleNamespace(closed_from=begins, closed_until=ends), now=now)
    told = [refused.retry_at for refused in closed_hours(case)]
    assert told == ([] if opens is None else [datetime.fromisoformat(opens).replace(tzinfo=HOSPITAL_ZONE)])


def test_a_patient_is_told_when_it_opens(patient: Patient) -> None:
    set_schedule(patient, terms={**patient_terms(patient), "closed_from": "00:00", "closed_until": "23:59"})
    (reason,) = look(patient).reasons
    assert (reason.error.code, reason.alternatives) == ("closed_hours", ["wait"])
    assert reason.error.retry_at is not None


# --- one number a doctor and day


ONE_A_DOCTOR = {"max_open_per_person_department_day": 9, "max_open_per_person_doctor_day": 1, "may_overlap": True}


def with_doctor(patient: Patient, code: str, *schedules: UUID, **terms: Any) -> None:
    keys = {**patient_terms(patient), **ONE_A_DOCTOR, **terms}
    half_days = update(Schedule).where(Schedule.id.in_(schedules)).values(doctor_code=code, terms=keys)
    patient.write(lambda session, _now: session.execute(half_days))


def test_2_4_one_number_a_doctor_and_day(patient: Patient) -> None:
    wanted, same, other = patient.schedule_id, beside(patient), beside(patient)
    tomorrow, nobodys = beside(patient, visit_date=FIRST + DAY), [beside(patient) for _ in range(2)]
    with_doctor(patient, "D1", wanted, same, tomorrow)
    with_doctor(patient, "D2", other)
    with_doctor(patient, "", *nobodys, max_per_person_day=9)
    had = patient.book(PayMode.ON_SITE, schedule_id=same)
    assert (codes(patient), codes(patient, other), codes(patient, tomorrow)) == (["already_booked"], [], [])
    with pytest.raises(AlreadyBooked):
        patient.book(PayMode.ON_SITE)
    with_doctor(patient, "D1", wanted, max_open_per_person_doctor_day=2)
    assert codes(patient) == []
    with_doctor(patient, "D1", wanted)
    new = patient.reschedule(had, wanted)  # in its place
    patient.cancel(new)
    assert codes(patient, same) == []
    for clinic in nobodys:
        patient.book(PayMode.ON_SITE, schedule_id=clinic)
    patient.assert_sound()


def test_2_4_what_another_account_has_with_the_doctor_is_the_generic_limit(patient: Patient) -> None:
    same, other = beside(patient), same_person(patient)
    with_doctor(patient, "D1", patient.schedule_id, same)
    other.book(PayMode.ON_SITE, schedule_id=same)
    assert (type(why(patient)), why(patient).facts) == (PersonLimit, {})


def test_2_4_no_other_number_with_the_doctor_is_offered_for_a_lost_one(patient: Patient) -> None:
    with_doctor(patient, "D1", patient.schedule_id)
    wanted = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id))
    (one, another) = (replace(visit(wanted.visit_date), doctor_code=code) for code in ("D1", "D2"))
    assert (limit_reached(wanted, [one]), limit_reached(wanted, [another])) == ("doctor_day", None)


def test_2_4_of_two_that_are_booked_at_once_with_a_doctor_one_is(patient: Patient) -> None:
    clinics = [patient.schedule_id, *(beside(patient) for _ in range(3))]
    with_doctor(patient, "D1", *clinics)
    accounts = [patient, same_person(patient)]
    outcomes = race(
        *(
            lambda who=accounts[at % 2], clinic=clinic: who.book(PayMode.ON_SITE, schedule_id=clinic)
            for at, clinic in enumerate(clinics)
        )
    )
    assert sum(isinstance(one, UUID) for one in outcomes) == 1
    patient.assert_sound()


def test_an_exchange_under_way_hides_no_visit(patient: Patient) -> None:
    """Neither of the two days: which one it will be is open until the difference is paid."""
    strict = {"max_per_person_7_days": 1, "max_open_holds_person": 2}
    set_schedule(patient, terms={**patient_terms(patient), **strict})
    old = patient.paid()
    near = elsewhere(patient, visit_date=FIRST + DAY, terms=strict)
    patient.reschedule(old, beside(patient, visit_date=FIRST + 20 * DAY, fee_fen=8000, terms=strict))
    with pytest.raises(PeriodLimit):
        patient.book(PayMode.ON_SITE, schedule_id=near)
