"""What can be booked when, and what is left of it: exact figures in few statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import factories
import pytest
from fakes import START, ManualClock
from sqlalchemy import event, update
from sqlalchemy.orm import Session

from core.catalog.departments import department_tree, doctor_detail, doctors_of, search
from core.catalog.hospitals import HospitalWish, hospital_detail, list_hospitals
from core.catalog.timetable import Days, department_schedules, hospital_schedules, schedule_segments
from core.paging import Page
from core.transactions import Transactions
from models.database import Database
from models.errors import NotFound, ValidationFailed
from models.hospital import Department, Hospital
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus

TODAY = date(2026, 11, 22)
LATER = timedelta(days=3)
WEEKS = Days(TODAY, TODAY + timedelta(days=14))


def listed(session: Session, department: Department, *, now: datetime = START, **more: Any) -> Page[Any]:
    asked: dict[str, Any] = {"days": WEEKS, "doctor_id": None, "cursor": None, "limit": 100, "now": now}
    return department_schedules(session, department.id, **(asked | more))


def take(session: Session, schedule: Schedule, *numbers: int, status: SlotStatus = SlotStatus.HELD) -> None:
    reason = "closing" if status is SlotStatus.WITHHELD else None
    session.execute(
        update(Slot)
        .where(Slot.schedule_id == schedule.id, Slot.sequence.in_(numbers))
        .values(status=status, withheld_reason=reason)
    )


def in_one_place(transactions: Transactions, look: Callable[[Session, Department], None]) -> None:
    def step(session: Session, _now: datetime) -> None:
        look(session, factories.make_department(session, factories.make_hospital(session)))

    transactions.write(step)


def test_a_schedule_is_told_with_what_is_left(transactions: Transactions) -> None:
    def look(session: Session, department: Department) -> None:
        doctor = factories.make_doctor(session, department)
        schedule = factories.make_schedule(session, department, doctor=doctor, numbers=5)
        take(session, schedule, 1, 2)
        take(session, schedule, 3, status=SlotStatus.WITHHELD)
        [view] = listed(session, department).items
        assert (view.schedule.id, view.doctor, view.department) == (schedule.id, doctor, department)
        assert (view.status, view.remaining) == (ScheduleStatus.OPEN, 2)
        take(session, schedule, 4, 5)
        [view] = listed(session, department).items
        assert (view.status, view.remaining) == (ScheduleStatus.FULL, 0)

    in_one_place(transactions, look)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"release_at": START + timedelta(seconds=1)}, ScheduleStatus.NOT_RELEASED),
        ({"closes_at": START}, ScheduleStatus.CLOSED),
        ({"status": ScheduleStatus.SUSPENDED}, ScheduleStatus.SUSPENDED),
        ({"status": ScheduleStatus.CLOSED}, ScheduleStatus.CLOSED),
    ],
)
def test_what_is_not_on_sale_has_nothing_left(
    transactions: Transactions, more: dict[str, Any], status: ScheduleStatus
) -> None:
    def look(session: Session, department: Department) -> None:
        schedule = factories.make_schedule(session, department, numbers=5, **more)
        [view] = listed(session, department).items
        assert (view.status, view.remaining) == (status, 0)
        [segment] = schedule_segments(session, schedule.id, now=START)
        assert (segment.total, segment.remaining) == (5, 0)

    in_one_place(transactions, look)


def test_a_segment_that_begins_too_soon_is_not_counted(transactions: Transactions, clock: ManualClock) -> None:
    """Ten numbers to each half hour from 08:00; 30 minutes before a segment it is over, at the moment itself too."""

    def look(session: Session, department: Department) -> None:
        late = factories.make_schedule(
            session, department, numbers=30, visit_date=TODAY, starts=time(11), closes_at=START + timedelta(hours=9)
        )
        early = factories.make_schedule(
            session, department, numbers=10, visit_date=TODAY, starts=time(11), closes_at=START + timedelta(hours=9),
            terms={"segment_closes_minutes_before": 0},
        )  # fmt: skip
        at = late.starts_at - timedelta(minutes=30)
        for now, left in ((at - timedelta(microseconds=1), 30), (at, 20), (at + timedelta(minutes=30), 10)):
            by_id = {view.schedule.id: view.remaining for view in listed(session, department, now=now).items}
            segments = schedule_segments(session, late.id, now=now)
            assert by_id[late.id] == left == sum(segment.remaining for segment in segments)
            assert [segment.total for segment in segments] == [10, 10, 10]
            assert by_id[early.id] == (10 if now < early.starts_at else 0)

    in_one_place(transactions, look)


def test_segments_tell_what_remains_in_each(transactions: Transactions) -> None:
    def look(session: Session, department: Department) -> None:
        schedule = factories.make_schedule(session, department, numbers=25)
        take(session, schedule, 1, 2, 11)
        segments = schedule_segments(session, schedule.id, now=START)
        assert [(segment.total, segment.remaining) for segment in segments] == [(10, 8), (10, 9), (5, 5)]
        assert segments[0].starts_at == schedule.starts_at
        assert segments[1].starts_at == segments[0].ends_at

    in_one_place(transactions, look)


def test_schedules_come_in_the_order_of_time_page_by_page(transactions: Transactions) -> None:
    def look(session: Session, department: Department) -> None:
        for day in (5, 1, 3):
            for hour in (13, 8):
                factories.make_schedule(
                    session, department, numbers=1, visit_date=TODAY + timedelta(days=day), starts=time(hour)
                )
                factories.make_schedule(
                    session, department, numbers=1, visit_date=TODAY + timedelta(days=day), starts=time(hour)
                )
        whole = [view.schedule for view in listed(session, department).items]
        assert [row.starts_at for row in whole] == sorted(row.starts_at for row in whole)
        pages, cursor = [], None
        for _ in range(4):
            page = listed(session, department, cursor=cursor, limit=5)
            pages += [view.schedule.id for view in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert cursor is None
        assert pages == [row.id for row in whole]

    in_one_place(transactions, look)


def test_days_and_doctor_narrow_the_list(transactions: Transactions) -> None:
    def look(session: Session, department: Department) -> None:
        one, other = (factories.make_doctor(session, department) for _ in range(2))
        for day, doctor in ((0, one), (1, one), (1, other), (2, other)):
            factories.make_schedule(
                session, department, doctor=doctor, numbers=1, visit_date=TODAY + timedelta(days=day)
            )

        def dates(**more: Any) -> list[int]:
            return [(view.schedule.visit_date - TODAY).days for view in listed(session, department, **more).items]

        tomorrow = TODAY + timedelta(days=1)
        assert dates() == [0, 1, 1, 2]
        assert dates(days=Days(tomorrow, tomorrow)) == [1, 1]
        assert dates(doctor_id=one.id) == [0, 1]
        assert dates(doctor_id=department.id) == []
        by_day = hospital_schedules(
            session, department.hospital_id, day=tomorrow, department_id=None, cursor=None, limit=9, now=START
        )
        assert {view.doctor.id for view in by_day.items if view.doctor} == {one.id, other.id}
        elsewhere = factories.make_department(session, session.get_one(Hospital, department.hospital_id))
        nothing = hospital_schedules(
            session, department.hospital_id, day=tomorrow, department_id=elsewhere.id, cursor=None, limit=9, now=START
        )
        assert nothing.items == []

    in_one_place(transactions, look)


@pytest.mark.parametrize(
    "look",
    [
        lambda session, none: listed(session, Department(id=none)),
        lambda session, none: hospital_schedules(
            session, none, day=TODAY, department_id=None, cursor=None, limit=9, now=START
        ),
        lambda session, none: schedule_segments(session, none, now=START),
        hospital_detail,
        department_tree,
        lambda session, none: doctors_of(session, none, today=TODAY, cursor=None, limit=9),
        doctor_detail,
    ],
)
def test_what_does_not_exist_is_not_found(transactions: Transactions, look: Callable[[Session, UUID], Any]) -> None:
    with pytest.raises(NotFound):
        transactions.read(lambda session, _now: look(session, UUID(int=1)))


# --- days ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, (TODAY, date(2026, 12, 7))),
        (date(2026, 12, 1), None, (date(2026, 12, 1), date(2026, 12, 16))),
        (None, date(2026, 11, 25), (TODAY, date(2026, 11, 25))),
        (None, date(2026, 11, 1), (date(2026, 11, 1), date(2026, 11, 1))),
        (date(2026, 12, 1), date(2027, 1, 1), (date(2026, 12, 1), date(2027, 1, 1))),
        (date.max, None, (date.max, date.max)),
    ],
)
def test_days_are_today_and_two_weeks_unless_asked(
    first: date | None, last: date | None, expected: tuple[date, date]
) -> None:
    days = Days.asked(first, last, now=START)
    assert (days.first, days.last) == expected


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        (date(2026, 12, 2), date(2026, 12, 1), "out_of_range"),
        (date(2026, 12, 1), date(2027, 1, 2), "too_large"),
        (date.min, date.max, "too_large"),
        (None, date(2027, 6, 1), "too_large"),
    ],
)
def test_days_in_the_wrong_order_or_too_many_are_refused(first: date | None, last: date, code: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        Days.asked(first, last, now=START)
    assert [(error.pointer, error.code) for error in raised.value.errors] == [("?to", code)]


def test_today_is_the_hospitals_day() -> None:
    before_midnight = datetime(2026, 11, 22, 15, 59, 59, 999_999, tzinfo=START.tzinfo)
    assert Days.asked(None, None, now=before_midnight).first == TODAY
    assert Days.asked(None, None, now=before_midnight + timedelta(microseconds=1)).first == TODAY + timedelta(days=1)


# --- few statements --------------------------------------------------------------------------------------------------


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Every SQL statement sent meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def test_whoever_has_a_clinic_in_a_department_is_among_its_doctors(transactions: Transactions) -> None:
    def fill(session: Session, _now: datetime) -> tuple[Department, Department, list[Any]]:
        hospital = factories.make_hospital(session)
        here, elsewhere = (factories.make_department(session, hospital) for _ in range(2))
        own, guest, other = (factories.make_doctor(session, one) for one in (here, elsewhere, elsewhere))
        factories.make_schedule(session, here, doctor=guest, numbers=1)
        factories.make_schedule(session, elsewhere, doctor=other, numbers=1)
        return here, elsewhere, [own.id, guest.id]

    here, elsewhere, ids = transactions.write(fill)

    def look(session: Session, today: date) -> list[tuple[Any, Any]]:
        found = doctors_of(session, here.id, today=today, cursor=None, limit=9).items
        return [(one.doctor.id, one.department.id) for one in found]

    found = transactions.read(lambda session, _now: look(session, TODAY))
    assert found == list(zip(ids, [here.id, elsewhere.id], strict=True))
    later = transactions.read(lambda session, _now: look(session, TODAY + timedelta(days=60)))
    assert later == [(ids[0], here.id)], "whoever sat there once is not looked for there"


LISTS: list[tuple[str, int, Callable[[Session, Department], Any]]] = [
    ("schedules of a department", 3, listed),
    (
        "schedules of a day",
        3,
        lambda session, department: hospital_schedules(
            session, department.hospital_id, day=TODAY + LATER, department_id=None, cursor=None, limit=100, now=START
        ),
    ),
    ("hospitals", 1, lambda session, _d: list_hospitals(session, HospitalWish(), cursor=None, limit=100)),
    ("departments", 2, lambda session, department: department_tree(session, department.hospital_id)),
    ("doctors", 3, lambda session, department: doctors_of(session, department.id, today=TODAY, cursor=None, limit=100)),
    ("search", 3, lambda session, _d: search(session, "测试")),
]


@pytest.mark.parametrize(("name", "most", "look"), LISTS, ids=[one[0] for one in LISTS])
def test_the_number_of_statements_does_not_grow_with_the_list(
    database: Database, transactions: Transactions, name: str, most: int, look: Callable[[Session, Department], Any]
) -> None:
    def fill(session: Session, _now: datetime) -> Department:
        hospital = factories.make_hospital(session)
        group = factories.make_department(session, hospital)
        department = factories.make_department(session, hospital, parent=group)
        for _ in range(12):
            doctor = factories.make_doctor(session, department)
            factories.make_schedule(session, department, doctor=doctor, numbers=3)
            factories.make_department(session, hospital, parent=group)
            factories.make_hospital(session)
        return department

    department = transactions.write(fill)
    with statements(database) as sent:
        transactions.read(lambda session, _now: look(session, department))
    assert 0 < len(sent) <= most, sent
