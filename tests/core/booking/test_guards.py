"""Whom a clinic is for: sex, age on the day of the visit, first or return visit; who refuses says why."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from eligible import codes, elsewhere, look, set_schedule, why
from factories import make_doctor
from harness import REQUEST, Patient, beside, same_person
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from core.booking.extra import ExtraReason, Order, issue_extra_number
from core.booking.policy import PLATFORM_DEFAULTS, BookingPolicy, InvalidPolicy, merged
from core.booking.rules.guards import guarded
from core.booking.terms import Terms
from core.catalog.recompile import recompile_terms
from core.refusals import NotEligible, PersonLimit
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.database import Database
from models.hospital import Department
from models.kinds import Sex, age_on
from models.person import Dependent
from models.schedule import Schedule
from schemas.guards_in_words import guards, why_not_eligible

DAY = timedelta(days=1)


class Somebody:
    """A dependent, as far as the guards look."""

    def __init__(self, born: date, sex: Sex = Sex.FEMALE) -> None:
        self.birth_date, self.sex = born, sex

    def age(self, *, on: date) -> int:
        return age_on(self.birth_date, on)


def refused(born: str, visit: str, sex: Sex = Sex.FEMALE, **keys: Any) -> list[dict[str, Any]]:
    """The facts of every guard that refuses under these policy keys."""
    terms = Terms.from_document(merged([BookingPolicy.parse(keys)]).to_document())
    case: Any = SimpleNamespace(
        terms=terms,
        schedule=SimpleNamespace(visit_date=date.fromisoformat(visit)),
        dependent=Somebody(date.fromisoformat(born), sex),
        seen_before=None,
    )
    return [dict(refusal.facts) for refusal in guarded(case)]


CHILD, ADULT, OLD, NEWBORN = {"age_to": 14}, {"age_from": 14}, {"age_from": 60}, {"age_to_days": 28}


@pytest.mark.usefixtures("server_zone")
@pytest.mark.parametrize(
    ("keys", "born", "visit", "may"),
    [
        (ADULT, "2012-03-01", "2026-02-28", False),
        (ADULT, "2012-03-01", "2026-03-01", True),
        (ADULT, "2012-02-29", "2026-02-28", False),  # in a common year the birthday is 1 March
        (ADULT, "2012-02-29", "2026-03-01", True),
        (ADULT, "2014-02-28", "2028-02-28", True),
        (ADULT, "2014-03-01", "2028-02-29", False),
        (CHILD, "2012-02-29", "2027-02-28", True),
        (CHILD, "2012-02-29", "2027-03-01", False),
        (CHILD, "2012-01-01", "2026-12-31", True),
        (CHILD, "2012-01-01", "2027-01-01", False),
        (OLD, "1967-01-01", "2026-12-31", False),
        (OLD, "1967-01-01", "2027-01-01", True),
        (OLD, "1968-02-29", "2028-02-29", True),
        ({"age_from": 6, "age_to": 14}, "2020-12-02", "2026-12-01", False),
        (NEWBORN, "2026-11-03", "2026-12-01", True),
        (NEWBORN, "2026-11-02", "2026-12-01", False),
        (NEWBORN, "2028-02-01", "2028-02-29", True),
        (NEWBORN, "2028-02-01", "2028-03-01", False),
        (NEWBORN, "2026-12-01", "2026-12-01", True),
        ({}, "2026-12-01", "2026-12-01", True),
    ],
)
def test_an_age_is_that_on_the_day_of_the_visit(keys: dict[str, Any], born: str, visit: str, may: bool) -> None:
    assert refused(born, visit, **keys) == ([] if may else [{"guard": "age"} | keys])


@given(st.dates(date(1900, 1, 1), date(2026, 12, 1)), st.integers(0, 120), st.integers(0, 120))
def test_both_ends_of_an_age_are_included(born: date, first: int, last: int) -> None:
    """Counted birthday by birthday."""
    visit = date(2026, 12, 1)
    birthdays = sum((year, born.month, born.day) <= (2026, 12, 1) for year in range(born.year + 1, 2027))
    may = first <= birthdays <= last
    assert (refused(born.isoformat(), visit.isoformat(), age_from=first, age_to=last) == []) is may


@pytest.mark.parametrize(
    ("sexes", "sex", "may"),
    [
        ([], Sex.MALE, True),
        (["female"], Sex.FEMALE, True),
        (["female"], Sex.MALE, False),
        (["male"], Sex.FEMALE, False),
        (["male", "female"], Sex.FEMALE, True),
    ],
)
def test_2_14_a_clinic_may_be_for_one_sex(sexes: list[str], sex: Sex, may: bool) -> None:
    assert refused("1990-01-01", "2026-12-01", sex, sexes=sexes) == ([] if may else [{"guard": "sex", "sexes": sexes}])


def test_each_guard_is_told_by_itself() -> None:
    told = refused("2000-01-01", "2026-12-01", Sex.MALE, sexes=["female"], age_to=18)
    assert [facts["guard"] for facts in told] == ["sex", "age"]


@pytest.mark.parametrize("wrong", [{"sexes": ["other"]}, {"age_from": -1}, {"age_to": 151}, {"visit_kinds": ["again"]}])
def test_what_is_no_guard_is_no_policy(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicy):
        BookingPolicy.parse(wrong)


# --- at the counter


def terms_of(patient: Patient, **keys: Any) -> dict[str, Any]:
    return patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).terms) | keys


def guard(patient: Patient, **keys: Any) -> None:
    set_schedule(patient, terms=terms_of(patient, **keys))


def test_who_does_not_fit_is_told_what_else_is_open(patient: Patient) -> None:
    guard(patient, sexes=["male"], age_to=18)
    said = look(patient)
    assert [reason.error.code for reason in said.reasons] == ["not_eligible", "not_eligible"]
    assert {tuple(reason.alternatives) for reason in said.reasons} == {("other_department", "desk")}
    with pytest.raises(NotEligible) as at_booking:
        patient.book()
    assert at_booking.value.facts == said.reasons[0].error.facts == {"guard": "sex", "sexes": ["male"]}
    assert patient.slots()[0].status == "free"


def test_the_day_of_a_half_day_that_begins_at_midnight_is_the_hospitals(patient: Patient) -> None:
    """00:10 in Shanghai is the day before in UTC, and the birthday has come."""
    at_night = beside(patient, starts=time(0, 10), visit_date=date(2026, 11, 30), terms=terms_of(patient, age_from=18))
    born = date(2008, 11, 30)
    patient.write(lambda session, _now: session.execute(update(Dependent).values(birth_date=born)))
    assert "not_eligible" not in codes(patient, at_night)
    patient.write(lambda session, _now: session.execute(update(Dependent).values(birth_date=born + DAY)))
    assert "not_eligible" in codes(patient, at_night)


def test_2_14_a_doctor_may_see_somebody_all_the_same(patient: Patient) -> None:
    guard(patient, sexes=["male"], age_to=18, visit_kinds=["return"])

    def issue(session: Session, now: datetime) -> AppointmentStatus:
        half_day = session.get_one(Schedule, patient.schedule_id)
        doctor = make_doctor(session, session.get_one(Department, half_day.department_id)).code
        order = Order(half_day.id, patient.dependent_id, doctor, ExtraReason.OTHER, "李护士", PayMode.ON_SITE)
        return issue_extra_number(
            session, order, now=now, cause=REQUEST, vault=patient.workbench.vault
        ).appointment.status

    assert patient.write(issue) is AppointmentStatus.BOOKED


def test_what_was_pinned_before_there_was_a_guard_is_for_everybody(patient: Patient) -> None:
    assert (PLATFORM_DEFAULTS.sexes, PLATFORM_DEFAULTS.visit_kinds) == ((), ())
    set_schedule(patient, terms={})
    assert codes(patient) == []


# --- first and return visits


def seen(patient: Patient, ago: int, schedule_id: UUID | None = None) -> None:
    """The person was seen so many days before the wanted visit."""
    appointment_id = patient.book(PayMode.ON_SITE, schedule_id=schedule_id or beside(patient, terms={}))

    def step(session: Session, now: datetime) -> None:
        visit = session.get_one(Appointment, appointment_id)
        visit.check_in(session, at=now, cause=REQUEST)
        visit.fulfil(session, at=now, cause=REQUEST)
        wanted = session.get_one(Schedule, patient.schedule_id)
        visit.visit_date = wanted.visit_date - timedelta(days=ago)

    patient.write(step)


@pytest.mark.parametrize(("kind", "may"), [("first", (True, False)), ("return", (False, True))])
def test_2_12_who_was_seen_within_three_months_comes_again(patient: Patient, kind: str, may: tuple[bool, bool]) -> None:
    before, after = may
    guard(patient, visit_kinds=[kind])
    assert (codes(patient) == []) is before
    seen(patient, 92)
    assert (codes(patient) == []) is before
    seen(patient, 91)
    assert (codes(patient) == []) is after
    guard(patient, return_visit_days=90)
    assert (codes(patient) == []) is before


def test_a_number_that_was_not_used_is_no_visit(patient: Patient) -> None:
    guard(patient, visit_kinds=["return"])
    patient.book(PayMode.ON_SITE, schedule_id=beside(patient, terms={}, visit_date=date(2026, 11, 24)))
    refusal = why(patient)
    assert refusal.facts == {
        "guard": "visit_kind", "visit_kinds": ["return"], "within_days": 91, "scope": "department",
    }  # fmt: skip


def test_a_visit_in_another_department_counts_where_the_hospital_says_so(patient: Patient) -> None:
    guard(patient, visit_kinds=["return"])

    def other_department(session: Session, _now: datetime) -> None:
        visit = session.query(Appointment).one()
        half_day = session.get_one(Schedule, patient.schedule_id)
        hospital = session.get_one(Department, half_day.department_id).hospital_id
        visit.department_id = session.query(Department).filter(Department.hospital_id != hospital).first().id

    seen(patient, 10)
    assert codes(patient) == []
    elsewhere(patient)
    patient.write(other_department)
    assert codes(patient) == ["not_eligible"]
    guard(patient, return_visit_scope="hospital")
    assert codes(patient) == []


def test_a_visit_that_another_account_booked_is_not_told(patient: Patient) -> None:
    """It makes no return visit, and where it forbids a first one that is the generic limit."""
    seen(same_person(patient), 10)
    guard(patient, visit_kinds=["return"])
    assert codes(patient) == ["not_eligible"]
    guard(patient, visit_kinds=["first"])
    assert (type(why(patient)), why(patient).facts) == (PersonLimit, {})


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_visits_are_read_only_where_a_policy_asks(patient: Patient, database: Database) -> None:
    guard(patient, sexes=["female"], age_from=18, visit_kinds=["first", "return"])
    statements = list[str]()
    event.listen(database.engine, "before_cursor_execute", lambda *told: statements.append(told[2].split()[0]))
    patient.book()
    assert statements == ["SELECT", "WITH", "SELECT", "SELECT", "UPDATE", "WITH"]


def test_whom_the_directory_names_is_asked_for_at_booking_as_soon_as_it_says_so(patient: Patient) -> None:
    def say(**bounds: Any) -> None:
        of_schedule = select(Schedule.department_id).where(Schedule.id == patient.schedule_id).scalar_subquery()
        changed = update(Department).where(Department.id == of_schedule).values(**bounds)
        patient.write(lambda session, _now: session.execute(changed))
        recompile_terms(patient.workbench.transactions)

    say(min_age=0, max_age=18)
    with pytest.raises(NotEligible) as refused:
        patient.book()
    assert refused.value.facts == {"guard": "age", "age_to": 18}
    say(max_age=None)
    assert codes(patient) == []


# --- in words


@pytest.mark.parametrize(
    ("keys", "zh", "en"),
    [
        ({}, "不限性别、年龄，初诊复诊均可预约。", "For everybody of any age, first and return visits alike."),
        ({"sexes": ["female"]}, "只接诊女性就诊人。", "For women and girls only."),
        ({"age_from": 6, "age_to": 14}, "只接诊就诊当日6至14周岁的就诊人。",
            "Only from 6 to 14 years old, on the day of the visit."),
        ({"age_from": 60}, "只接诊就诊当日满60周岁的就诊人。", "Only from 60 years of age, on the day of the visit."),
        ({"age_to": 0}, "只接诊就诊当日0周岁及以下的就诊人。", "Only up to 0 years of age, on the day of the visit."),
        ({"age_to_days": 28}, "只接诊出生28天以内的就诊人。",
            "Only up to 28 days after birth, on the day of the visit."),
        ({"visit_kinds": ["return"]}, "只接受复诊：就诊前91天内须在本科室就诊过。",
            "For return visits only: who was seen in this department within 91 days before."),
        ({"visit_kinds": ["first"], "return_visit_scope": "hospital", "return_visit_days": 365},
            "只接受初诊：就诊前365天内未在本院就诊过。",
            "For first visits only: who was not seen in this hospital within 365 days before."),
    ],
)  # fmt: skip
def test_the_rule_is_told_in_words(keys: dict[str, Any], zh: str, en: str) -> None:
    said = guards(merged([BookingPolicy.parse(keys)]))
    assert (said.zh, said.en) == (zh, en)


def test_the_reason_says_what_the_rule_says(patient: Patient) -> None:
    for keys in ({"sexes": ["male"]}, {"age_to": 18}, {"age_from": 60}, {"visit_kinds": ["return"]}):
        guard(patient, **{"sexes": [], "age_to": 150, "age_from": 0, "visit_kinds": []} | keys)
        assert why_not_eligible(why(patient).facts) == guards(merged([BookingPolicy.parse(keys)]))
