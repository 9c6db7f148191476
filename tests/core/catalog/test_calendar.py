"""Public holidays and 调休: what is worked, what is published, and when the table runs out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from catalog_folder import Folder
from fakes import ManualClock
from sqlalchemy import select
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from core.booking.policy import BookingPolicy
from core.catalog.calendar import (
    CalendarRow,
    WorkCalendar,
    is_working_day,
    load_calendar,
    open_on_holidays,
    read_calendar,
    working_days_before,
)
from core.catalog.coverage import calendar_coverage
from core.catalog.faults import InvalidDirectory
from core.catalog.publish import extend_schedules, extend_schedules_job
from core.catalog.recompile import recompile_terms
from core.catalog.store import Tally
from core.clock import HOSPITAL_ZONE, hospital_day
from core.jobs.queue import LeasedJob
from core.transactions import Transactions
from models.base import new_id
from models.calendar import DayKind
from models.hospital import Doctor
from models.schedule import Schedule

SHIPPED = Path(__file__).parents[3] / "data" / "calendar_days.csv"
ROWS = read_calendar(SHIPPED)
CALENDAR = WorkCalendar({row.day: row.kind for row in ROWS})


def load(transactions: Transactions, rows: list[CalendarRow]) -> Tally:
    return transactions.write(lambda session, _now: load_calendar(session, rows))


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        ("2026-02-13", True),  # a Friday
        ("2026-02-14", True),  # a Saturday worked for the Spring Festival
        ("2026-02-15", False),
        ("2026-02-17", False),  # a Tuesday
        ("2026-02-23", False),
        ("2026-02-24", True),
        ("2026-02-28", True),
        ("2026-03-01", False),  # an ordinary Sunday
        ("2028-02-29", True),  # nobody has told that year
    ],
)
def test_2_1_8_a_day_goes_by_the_table_and_then_by_its_weekday(day: str, worked: bool) -> None:
    assert CALENDAR.is_working_day(date.fromisoformat(day)) is worked


@pytest.mark.parametrize(
    ("day", "count", "found"),
    [
        ("2026-11-25", 0, "2026-11-25"),
        ("2026-11-25", 1, "2026-11-24"),
        ("2026-11-30", 1, "2026-11-27"),  # over a weekend
        ("2026-10-08", 1, "2026-09-30"),  # over the National Day
        ("2026-10-12", 1, "2026-10-10"),  # to a Saturday that is worked
        ("2026-02-24", 3, "2026-02-12"),  # 14 and 13 February are worked
        ("2026-01-05", 2, "2025-12-31"),
        ("2028-03-01", 1, "2028-02-29"),
    ],
)
def test_working_days_are_counted_back(day: str, count: int, found: str) -> None:
    assert CALENDAR.working_days_before(date.fromisoformat(day), count) == date.fromisoformat(found)


@pytest.mark.parametrize(
    ("day", "count", "found"),
    [
        ("2026-11-25", 0, "2026-11-25"),
        ("2026-11-25", 2, "2026-11-27"),
        ("2026-11-27", 2, "2026-12-01"),  # over a weekend
        ("2026-09-30", 2, "2026-10-09"),  # over the National Day
        ("2026-10-09", 1, "2026-10-10"),  # to a Saturday that is worked
        ("2026-12-31", 1, "2027-01-01"),  # a year of which nothing is told yet: the weekday says it
        ("2028-02-28", 1, "2028-02-29"),
    ],
)
def test_working_days_are_counted_on(day: str, count: int, found: str) -> None:
    assert CALENDAR.working_days_after(date.fromisoformat(day), count) == date.fromisoformat(found)


def test_the_table_answers_in_a_session(transactions: Transactions) -> None:
    national_day = date(2026, 10, 1)
    assert transactions.read(lambda session, _now: is_working_day(session, national_day))
    load(transactions, ROWS)
    assert not transactions.read(lambda session, _now: is_working_day(session, national_day))
    before = transactions.read(lambda session, _now: working_days_before(session, date(2026, 10, 8), 1))
    assert before == date(2026, 9, 30)


def test_a_file_is_the_truth_of_its_years_and_a_second_time_changes_nothing(transactions: Transactions) -> None:
    assert load(transactions, ROWS) == Tally(added=72)
    assert load(transactions, ROWS) == Tally(unchanged=72)
    edited = [row for row in ROWS if row.day.year == 2026][1:]
    edited[0] = CalendarRow(2, edited[0].day, DayKind.WORKDAY, "元旦")
    assert load(transactions, edited) == Tally(changed=1, retired=1, unchanged=len(edited) - 1)
    calendar = transactions.read(lambda session, _now: WorkCalendar.read(session))
    assert not calendar.is_holiday(date(2026, 1, 1))
    assert calendar.is_holiday(date(2025, 1, 1))


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text("date,kind,name\n2027-02-30,holiday,元旦\n2027-01-01,off,元旦\n2027-01-02,holiday,\n")
    with pytest.raises(InvalidDirectory) as refused:
        read_calendar(path)
    assert [(one.line, one.column, one.code) for one in refused.value.faults] == [
        (2, "date", "bad_date"),
        (3, "kind", "bad_word"),
        (4, "name", "required"),
    ]


def test_a_part_of_a_year_is_refused(tmp_path: Path) -> None:
    """Loading it would take the rest of the year away."""
    path = tmp_path / "days.csv"
    path.write_text(f"{SHIPPED.read_text()}2027-01-01,holiday,元旦\n")
    with pytest.raises(InvalidDirectory, match="1 faults") as refused:
        read_calendar(path)
    assert refused.value.faults[0].code == "incomplete_year"


# --- publishing


def on_holiday(*holidays: date) -> list[CalendarRow]:
    return [CalendarRow(2, day, DayKind.HOLIDAY, "示例") for day in holidays]


def published(transactions: Transactions) -> set[date]:
    return set(transactions.read(lambda session, _now: session.scalars(select(Schedule.visit_date)).all()))


@pytest.mark.parametrize(("policy", "takes_place"), [({}, False), ({"rosters_on_holidays": True}, True)])
def test_a_roster_rests_on_a_public_holiday_unless_the_policy_says_otherwise(
    folder: Folder, transactions: Transactions, clock: ManualClock, policy: Mapping[str, Any], takes_place: bool
) -> None:
    monday = date(2026, 11, 23)
    load(transactions, on_holiday(monday))
    folder.policies = [{"level": "hospital", "code": "H1", "policy": policy}]
    folder.load(transactions)
    extend_schedules(transactions)
    assert (monday in published(transactions)) is takes_place
    assert monday + timedelta(days=7) in published(transactions)
    assert extend_schedules(transactions).schedules == 0


def test_what_stood_before_the_holiday_was_known_is_counted_not_touched(
    folder: Folder, transactions: Transactions, clock: ManualClock
) -> None:
    folder.load(transactions)
    extend_schedules(transactions)
    load(transactions, on_holiday(date(2026, 11, 23)))
    today = hospital_day(clock.now())
    assert transactions.read(lambda session, _now: open_on_holidays(session, today=today)) == 1
    assert date(2026, 11, 23) in published(transactions)


# --- the table runs out


@pytest.mark.parametrize(
    "case",
    [
        (date(2026, 11, 16), 14, False),  # 15 days and 30 more reach 31 December
        (date(2026, 11, 17), 14, True),
        (date(2026, 11, 3), 28, True),
        (date(2026, 11, 2), 27, False),
        (date(2027, 1, 1), 14, True),
    ],
)
def test_it_is_told_30_days_before_anything_is_published_beyond_the_table(
    folder: Folder, transactions: Transactions, clock: ManualClock, case: tuple[date, int, bool]
) -> None:
    today, release_days, runs_out = case
    folder.policies = [{"level": "hospital", "code": "H2", "policy": {"release_days_before": release_days}}]
    folder.load(transactions)
    load(transactions, ROWS)
    now = clock.now().replace(year=today.year, month=today.month, day=today.day)
    assert now.astimezone(HOSPITAL_ZONE).date() == today
    coverage = transactions.read(lambda session, _now: calendar_coverage(session, window_days=15, now=now))
    assert coverage.runs_out is runs_out
    assert coverage.until == (date(2026, 12, 31) if today.year == 2026 else None)


def test_the_hourly_job_raises_the_alarm(folder: Folder, transactions: Transactions, clock: ManualClock) -> None:
    class Bench:
        """What the job uses of a workbench."""

    bench: Any = Bench()
    bench.transactions = transactions
    job = LeasedJob(new_id(), "extend_schedules", {}, 1, 1)
    for alarms in (1, 0):
        with capture_logs() as lines:
            extend_schedules_job(bench, job)
        assert sum(line["event"] == "calendar_runs_out" and line["alarm"] for line in lines) == alarms
        load(transactions, ROWS)
        clock.advance(-timedelta(days=60))


def test_deadlines_in_working_days_follow_a_calendar_that_changes(folder: Folder, transactions: Transactions) -> None:
    folder.policies = [
        {"level": "hospital", "code": "H1", "policy": {"cancel_days_before": 1, "cancel_in_working_days": True}}
    ]
    folder.load(transactions)
    extend_schedules(transactions)
    wednesday, tuesday = date(2026, 12, 2), date(2026, 12, 1)
    query = select(Schedule).where(Schedule.visit_date == wednesday)

    def deadline() -> date:
        return hospital_day(transactions.read(lambda session, _now: session.scalars(query).one()).cancel_before)

    assert deadline() == tuesday
    load(transactions, [*ROWS, CalendarRow(2, tuesday, DayKind.HOLIDAY, "节日")])
    assert recompile_terms(transactions) == 0
    assert recompile_terms(transactions, every=True) == 1
    assert deadline() == date(2026, 11, 30)
    assert recompile_terms(transactions, every=True) == 0


@pytest.mark.parametrize("counting", ["cancel_in_working_days", "booking_ends_in_working_days"])
def test_only_what_counts_working_days_is_compiled_for_a_calendar(
    folder: Folder, transactions: Transactions, monkeypatch: pytest.MonkeyPatch, counting: str
) -> None:
    """A large hospital has a hundred thousand half days to come, and most of them do not care."""
    days = {"cancel_days_before": 1, "booking_ends_days_before": 1, "booking_ends_time": "18:00"}
    folder.policies = [
        {"level": "hospital", "code": "H1", "policy": days},
        {"level": "doctor", "code": "DOC1", "policy": {counting: True}},
        {"level": "hospital", "code": "H2", "policy": days},
    ]
    folder.load(transactions)
    extend_schedules(transactions)
    looked_at: set[UUID] = set()

    def compiled(_session: Session, _now: datetime, *, policies: list[BookingPolicy], ids: Sequence[UUID]) -> int:
        looked_at.update(ids)
        return 0

    monkeypatch.setattr("core.catalog.recompile._compile", compiled)
    recompile_terms(transactions, every=True)
    his = select(Schedule.id).join(Doctor, Doctor.id == Schedule.doctor_id).where(Doctor.code == "DOC1")
    assert looked_at == set(transactions.read(lambda session, _now: session.scalars(his).all())) != set()
