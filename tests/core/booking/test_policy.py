"""Rules as data: what may be set, which level wins, and what it comes to for one half day."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import factories
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.booking.policy import PLATFORM_DEFAULTS, BookingPolicy, InvalidPolicy, merged, policy_version
from core.booking.policy_book import PolicyBook, policies_for
from core.booking.terms import Terms, compile_terms
from core.clock import HOSPITAL_ZONE
from core.transactions import Transactions
from models.base import new_id
from models.kinds import Sex
from models.policy import BookingPolicyRow, PolicyLevel
from models.schedule import Schedule, ScheduleStatus

DAY = date(2026, 12, 1)
DEPARTMENT = UUID(int=7)
STARTS = datetime(2026, 12, 1, 0, 0, tzinfo=UTC)
LAST = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
_UUIDS = [f"{number:032x}" for number in range(200)]
TICK = timedelta(microseconds=1)


def compiled(*policies: BookingPolicy, day: date = DAY, department: UUID = DEPARTMENT) -> Any:
    starts_at = datetime.combine(day, time(8), HOSPITAL_ZONE).astimezone(UTC)
    return compile_terms(
        policies,
        department_id=department,
        visit_date=day,
        starts_at=starts_at,
        last_segment_starts_at=starts_at + timedelta(hours=3),
    )


# --- reading a document ----------------------------------------------------------------------------------------------


def test_a_document_keeps_what_it_sets_and_nothing_else() -> None:
    policy = BookingPolicy.parse({"hold_minutes": 20, "pay_modes": ["online"]})
    assert policy == BookingPolicy(hold_minutes=20, pay_modes=("online",))
    assert policy.to_document() == {"hold_minutes": 20, "pay_modes": ["online"]}


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("release_days_before", -1, "bad_value"),
        ("release_days_before", 1.5, "bad_type"),
        ("release_time", "7:00", "bad_value"),
        ("release_time", "24:00", "bad_value"),
        ("release_time", "07:00\n", "bad_value"),
        ("release_time", 700, "bad_type"),
        ("hold_minutes", True, "bad_type"),
        ("hold_minutes", 1, "bad_value"),
        ("hold_minutes", None, "bad_type"),
        ("close_cap_minutes", 0, "bad_value"),
        ("cancel_days_before", 61, "bad_value"),
        ("cancel_time", "23:60", "bad_value"),
        ("max_per_person_day", 0, "bad_value"),
        ("min_identity_level", 3, "bad_value"),
        ("pay_modes", [], "bad_value"),
        ("pay_modes", ["cash"], "bad_value"),
        ("return_after_seconds", -1, "bad_value"),
        ("hold_for", 15, "unknown"),
    ],
)
def test_a_bad_key_is_named(key: str, value: Any, code: str) -> None:
    with pytest.raises(InvalidPolicy) as raised:
        BookingPolicy.parse({key: value})
    assert [(fault.key, fault.code) for fault in raised.value.faults] == [(key, code)]


def test_every_bad_key_is_named_at_once_and_in_order() -> None:
    with pytest.raises(InvalidPolicy) as raised:
        BookingPolicy.parse({"zeal": 1, "hold_minutes": "15", "pay_modes": ["online"], "cancel_time": ""})
    assert [fault.key for fault in raised.value.faults] == ["cancel_time", "hold_minutes", "zeal"]


@pytest.mark.parametrize("document", [None, [], "{}", 3])
def test_only_an_object_is_a_policy(document: Any) -> None:
    with pytest.raises(InvalidPolicy):
        BookingPolicy.parse(document)


def test_a_policy_made_in_code_is_held_to_the_same_rules() -> None:
    with pytest.raises(InvalidPolicy):
        BookingPolicy(hold_minutes=0)


def test_the_platform_sets_every_key() -> None:
    assert set(PLATFORM_DEFAULTS.to_document()) == {field.name for field in fields(BookingPolicy)}


# --- which level wins ------------------------------------------------------------------------------------------------

SOME_KEYS = st.fixed_dictionaries(
    {},
    optional={
        "hold_minutes": st.integers(2, 1440),
        "release_days_before": st.integers(0, 366),
        "cancel_days_before": st.integers(0, 60),
        "cancel_time": st.times().map(lambda at: f"{at:%H:%M}"),
        "min_identity_level": st.integers(0, 2),
        "pay_modes": st.sampled_from([["online"], ["on_site"], ["online", "on_site"]]),
        "max_per_person_day": st.integers(1, 100),
    },
)


@given(st.lists(SOME_KEYS, max_size=5))
def test_per_key_the_narrowest_level_wins(levels: list[dict[str, Any]]) -> None:
    whole = merged(BookingPolicy.parse(level) for level in levels).to_document()
    expected = PLATFORM_DEFAULTS.to_document()
    for level in levels:
        expected |= level
    assert whole == expected


@given(SOME_KEYS, SOME_KEYS)
def test_the_version_tells_policies_apart(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = [BookingPolicy.parse(one)], [BookingPolicy.parse(other)]
    assert (policy_version(first) == policy_version(second)) == (merged(first) == merged(second))


# --- what it comes to ------------------------------------------------------------------------------------------------


def test_the_defaults_come_to_the_published_rules() -> None:
    terms = compiled()
    assert terms.release_at == datetime(2026, 11, 16, 23, 0, tzinfo=UTC)  # 07:00 at the hospital, 14 days ahead
    assert terms.closes_at == LAST - timedelta(minutes=30)
    assert terms.cancel_before == datetime(2026, 11, 30, 16, 0, tzinfo=UTC)  # 00:00 at the hospital
    assert terms.terms.one_per_department_day
    assert (terms.terms.hold_minutes, terms.terms.close_cap_minutes) == (15, 30)
    assert (terms.terms.max_open_holds_person, terms.terms.max_open_holds_account) == (1, 2)


@given(
    day=st.dates(date(2000, 1, 1), date(2100, 12, 31)),
    days_before=st.integers(0, 60),
    at=st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
)
def test_a_deadline_is_a_moment_of_the_hospitals_own_day(day: date, days_before: int, at: time) -> None:
    policy = BookingPolicy(
        cancel_days_before=days_before, cancel_time=f"{at:%H:%M}", release_days_before=days_before,
        release_time=f"{at:%H:%M}",
    )  # fmt: skip
    terms = compiled(policy, day=day)
    local = terms.cancel_before.astimezone(HOSPITAL_ZONE)
    assert (local.date(), local.time()) == (day - timedelta(days=days_before), at)
    assert terms.cancel_before.utcoffset() == timedelta(0)
    assert terms.cancel_before.replace(tzinfo=None) == datetime.combine(local.date(), at) - timedelta(hours=8)
    assert terms.release_at == terms.cancel_before


def test_departments_are_released_over_the_jitter_each_at_its_own_minute() -> None:
    policy = BookingPolicy(release_jitter_minutes=10)
    announced = compiled().release_at
    moments = {department: compiled(policy, department=department).release_at for department in map(UUID, _UUIDS)}
    assert {at - announced for at in moments.values()} == {timedelta(minutes=minute) for minute in range(11)}
    assert all(compiled(policy, department=one, day=DAY).release_at == at for one, at in moments.items())


def test_the_last_moment_of_the_day_before_is_in_time_and_midnight_is_not() -> None:
    deadline = compiled().cancel_before
    last = datetime(2026, 11, 30, 23, 59, 59, 999_000, tzinfo=HOSPITAL_ZONE)
    assert last < deadline
    assert not datetime(2026, 12, 1, 0, 0, tzinfo=HOSPITAL_ZONE) < deadline


def test_a_schedule_opens_at_its_release_and_closes_half_open() -> None:
    terms = compiled()
    schedule = Schedule(status=ScheduleStatus.OPEN, release_at=terms.release_at, closes_at=terms.closes_at)

    def shown(at: datetime) -> ScheduleStatus:
        return schedule.shown_status(remaining=1, now=at)

    assert shown(terms.release_at - TICK) is ScheduleStatus.NOT_RELEASED
    assert shown(terms.release_at) is ScheduleStatus.OPEN
    assert shown(terms.closes_at - TICK) is ScheduleStatus.OPEN
    assert shown(terms.closes_at) is ScheduleStatus.CLOSED


def test_each_segment_closes_before_its_own_start() -> None:
    terms = compiled(BookingPolicy(closes_minutes_before=90)).terms
    assert terms.segment_closes_at(STARTS) == STARTS - timedelta(minutes=90)


def test_a_schedule_that_begins_on_another_day_is_no_schedule_of_this_day() -> None:
    with pytest.raises(ValueError, match="visit date"):
        compile_terms(
            [],
            department_id=DEPARTMENT,
            visit_date=DAY,
            starts_at=STARTS + timedelta(days=1),
            last_segment_starts_at=LAST,
        )
    with pytest.raises(ValueError, match="visit date"):
        compile_terms(
            [], department_id=DEPARTMENT, visit_date=DAY, starts_at=STARTS, last_segment_starts_at=STARTS - TICK
        )


def test_more_than_one_per_department_and_day_lifts_the_index() -> None:
    assert not compiled(BookingPolicy(max_open_per_person_department_day=2)).terms.one_per_department_day


# --- terms as a document ---------------------------------------------------------------------------------------------


@given(SOME_KEYS)
def test_terms_survive_being_stored(document: dict[str, Any]) -> None:
    terms = compiled(BookingPolicy.parse(document)).terms
    assert Terms.from_document(terms.to_document()) == terms
    assert terms.version == policy_version([BookingPolicy.parse(document)])


def test_terms_pinned_long_ago_are_still_read() -> None:
    old = Terms.from_document({"version": "a", "hold_minutes": 9, "a_key_we_dropped": 1})
    assert (old.version, old.hold_minutes, old.close_cap_minutes) == ("a", 9, 30)


# --- from the tables -------------------------------------------------------------------------------------------------


def store(session: Any, level: PolicyLevel, subject: str, **document: Any) -> None:
    session.add(
        BookingPolicyRow(
            id=new_id(), level=level, subject=subject, hospital_id=None, version=1, document=document,
            updated_at=factories.START,
        )
    )  # fmt: skip
    session.flush()


def test_the_policy_in_force_comes_from_every_level(transactions: Transactions) -> None:
    def look(session: Any, _now: datetime) -> None:
        hospital = factories.make_hospital(session)
        group = factories.make_department(session, hospital)
        department = factories.make_department(session, hospital, parent=group)
        doctor = factories.make_doctor(session, department)
        store(session, PolicyLevel.PLATFORM, "", hold_minutes=11, max_per_person_day=3, cancel_days_before=1)
        store(session, PolicyLevel.HOSPITAL, hospital.code, hold_minutes=12, min_identity_level=2)
        store(session, PolicyLevel.DEPARTMENT, group.code, hold_minutes=13, max_open_holds_account=4)
        store(session, PolicyLevel.DEPARTMENT, department.code, hold_minutes=14)
        store(session, PolicyLevel.DOCTOR, doctor.code, release_days_before=7)
        store(session, PolicyLevel.HOSPITAL, "another", hold_minutes=99)

        whole = policies_for(session, hospital=hospital, department=department, doctor=doctor)
        assert (whole.hold_minutes, whole.min_identity_level, whole.release_days_before) == (14, 2, 7)
        assert (whole.max_open_holds_account, whole.max_per_person_day, whole.cancel_days_before) == (4, 3, 1)
        assert policies_for(session, hospital=hospital).hold_minutes == 12
        assert policies_for(session).hold_minutes == 11

        book = PolicyBook.read(session, [hospital.code])
        levels = book.levels(hospital=hospital.code, departments=[group.code], doctor="")
        assert [level.hold_minutes for level in levels] == [11, 12]

    transactions.write(look)


def test_the_directory_says_whom_a_department_is_for_unless_a_narrower_policy_does(transactions: Transactions) -> None:
    def look(session: Any, _now: datetime) -> None:
        hospital = factories.make_hospital(session)
        group = factories.make_department(session, hospital)
        department = factories.make_department(session, hospital, parent=group)
        doctor = factories.make_doctor(session, department)
        group.max_age, department.sex, department.min_age = 18, Sex.FEMALE, 14
        store(session, PolicyLevel.HOSPITAL, hospital.code, age_from=1, age_to=99)

        def bounds(**among: Any) -> tuple[Any, ...]:
            told = policies_for(session, hospital=hospital, **among)
            return told.sexes, told.age_from, told.age_to

        assert bounds() == ((), 1, 99)
        assert bounds(department=group) == ((), 1, 18)
        assert bounds(department=department) == (("female",), 14, 18)
        store(session, PolicyLevel.DEPARTMENT, department.code, sexes=[])
        store(session, PolicyLevel.DOCTOR, doctor.code, age_from=16)
        assert bounds(department=department, doctor=doctor) == ((), 16, 18)

    transactions.write(look)
