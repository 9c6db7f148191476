"""Numbers of one phone in a calendar month, under whatever accounts; how many another has is not told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from eligible import codes, elsewhere, set_schedule, why
from families import bundled, family, ids_of, states
from harness import Patient, join, race
from sqlalchemy import func, select, update

from core.booking.policy import PLATFORM_DEFAULTS
from core.clock import HOSPITAL_ZONE
from core.refusals import PersonLimit
from models.appointment import Appointment, PayMode
from models.schedule import Schedule

MILLISECOND = timedelta(milliseconds=1)
PHONE = "+8613000000000"  # that of everybody whom the factory makes


def limit(patient: Patient, most: int) -> None:
    terms = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).terms)
    set_schedule(patient, terms={**terms, "max_per_phone_month": most})


def another(patient: Patient, phone: str = PHONE) -> Patient:
    return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id, phone=phone)


def book_elsewhere(patient: Patient) -> UUID:
    return patient.book(PayMode.ON_SITE, schedule_id=elsewhere(patient))


def test_2_4_what_any_account_booked_for_the_phone_counts(patient: Patient) -> None:
    limit(patient, 2)
    book_elsewhere(another(patient))
    assert codes(patient) == []
    gone = book_elsewhere(other := another(patient))
    assert (type(why(patient)), why(patient).facts) == (PersonLimit, {})
    with pytest.raises(PersonLimit):
        patient.book()
    assert codes(another(patient, "+8613000000001")) == []
    other.cancel(gone)
    assert codes(patient) == []


def test_nobody_counts_unless_a_hospital_says_so(patient: Patient) -> None:
    assert PLATFORM_DEFAULTS.max_per_phone_month == 0
    for _ in range(3):
        book_elsewhere(another(patient))
    assert codes(patient) == []


@pytest.mark.parametrize(
    ("month", "counts"),
    [
        (("2026-11-01T00:00:00", "2026-11-30T23:59:59.999"), True),
        (("2026-10-31T23:59:59.999", "2026-12-01T00:00:00"), False),
    ],
)
def test_a_month_is_that_of_the_hospitals_calendar(patient: Patient, month: tuple[str, str], counts: bool) -> None:
    """When it was booked counts, not when the visit is."""
    limit(patient, 1)
    booked = book_elsewhere(another(patient))
    for at in month:
        instant = datetime.fromisoformat(at).replace(tzinfo=HOSPITAL_ZONE).astimezone(UTC)

        def step(session: Any, _now: datetime, instant: datetime = instant) -> None:
            session.execute(update(Appointment).where(Appointment.id == booked).values(created_at=instant))

        patient.write(step)
        assert (codes(patient) == ["person_limit"]) is counts


def test_those_of_a_bundle_count_one_after_the_other(patient: Patient) -> None:
    limit(patient, 2)
    with pytest.raises(PersonLimit):
        bundled(patient, family(patient, 3))
    assert states(patient, ids_of(bundled(patient, family(patient, 2)))) == ["pending"] * 2
    assert codes(another(patient)) == ["person_limit"]


def test_of_many_accounts_with_one_phone_that_book_at_once_as_many_as_are_allowed_do(patient: Patient) -> None:
    limit(patient, 2)
    others = [another(patient) for _ in range(6)]
    outcomes = race(*(lambda other=other: other.book(PayMode.ON_SITE) for other in others))
    assert sum(isinstance(one, PersonLimit) for one in outcomes) == 4
    assert patient.read(lambda session: session.scalar(select(func.count()).select_from(Appointment))) == 2
    patient.assert_sound()
