"""What can be booked when, and how much of it is left. For looking only: no number is sold by these figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from core.booking.terms import Terms
from core.catalog.departments import find_department
from core.catalog.hospitals import find_hospital
from core.clock import hospital_day
from core.paging import Page, make_cursor, read_cursor
from models.errors import FieldError, NotFound, ValidationFailed
from models.hospital import Campus, Department, Doctor
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus, WithheldReason

LONGEST_WINDOW_DAYS = 31
_USUAL_WINDOW_DAYS = 15
_MOST_CLOSING = 8


@dataclass(frozen=True)
class ScheduleView:
    """A schedule as it is told at one instant. `remaining` is 0 unless it is open."""

    schedule: Schedule
    doctor: Doctor | None
    department: Department
    campus: Campus
    status: ScheduleStatus
    remaining: int


@dataclass(frozen=True)
class Segment:
    """One time segment of a schedule: how many numbers it has, and how many can be had now."""

    starts_at: datetime
    ends_at: datetime
    total: int
    remaining: int


@dataclass(frozen=True)
class Days:
    """Some days at the hospital, both ends included."""

    first: date
    last: date

    @classmethod
    def asked(cls, first: date | None, last: date | None, *, now: datetime) -> Days:
        """From today, for two weeks, unless asked otherwise.

        Raises: ValidationFailed where they are in the wrong order, or too many."""
        begin = first or min(hospital_day(now), last or date.max)
        end = last or min(begin, date.max - timedelta(days=_USUAL_WINDOW_DAYS)) + timedelta(days=_USUAL_WINDOW_DAYS)
        if end < begin:
            raise ValidationFailed(FieldError("?to", "out_of_range"))
        if (end - begin).days > LONGEST_WINDOW_DAYS:
            raise ValidationFailed(FieldError("?to", "too_large"))
        return cls(begin, end)


def department_schedules(
    session: Session,
    department_id: UUID,
    *,
    days: Days,
    doctor_id: UUID | None,
    cursor: str | None,
    limit: int,
    now: datetime,
) -> Page[ScheduleView]:
    """In the order of time. Raises: NotFound, ValidationFailed."""
    find_department(session, department_id)
    conditions = [Schedule.department_id == department_id, Schedule.visit_date.between(days.first, days.last)]
    if doctor_id is not None:
        conditions.append(Schedule.doctor_id == doctor_id)
    return _page(session, conditions, cursor=cursor, limit=limit, now=now)


def hospital_schedules(
    session: Session,
    hospital_id: UUID,
    *,
    day: date,
    department_id: UUID | None,
    cursor: str | None,
    limit: int,
    now: datetime,
) -> Page[ScheduleView]:
    """By date first: one day of a hospital, in the order of time. Raises: NotFound, ValidationFailed."""
    find_hospital(session, hospital_id)
    conditions = [Schedule.hospital_id == hospital_id, Schedule.visit_date == day]
    if department_id is not None:
        conditions.append(Schedule.department_id == department_id)
    return _page(session, conditions, cursor=cursor, limit=limit, now=now)


def next_open(
    session: Session,
    *,
    hospital_id: UUID | None = None,
    department_ids: Sequence[UUID] = (),
    doctor_id: UUID | None = None,
    limit: int,
    now: datetime,
) -> list[ScheduleView]:
    """The soonest half days with a number that could be had at `now`, of a hospital, some departments or a doctor."""
    days = Days.asked(None, None, now=now)
    free = exists().where(Slot.schedule_id == Schedule.id, Slot.status == SlotStatus.FREE, Slot.starts_at > now)
    conditions = [
        Schedule.visit_date.between(days.first, days.last),
        Schedule.status == ScheduleStatus.OPEN,
        Schedule.release_at <= now,
        Schedule.closes_at > now,
        free,
    ]
    if hospital_id is not None:
        conditions.append(Schedule.hospital_id == hospital_id)
    if department_ids:
        conditions.append(Schedule.department_id.in_(department_ids))
    if doctor_id is not None:
        # The hospital leads to the index.
        at = select(Doctor.hospital_id).where(Doctor.id == doctor_id).scalar_subquery()
        conditions += [Schedule.doctor_id == doctor_id, Schedule.hospital_id == at]
    # Some of today's may have no segment left that is still on sale.
    found = _page(session, conditions, cursor=None, limit=limit + _MOST_CLOSING, now=now)
    return [view for view in found.items if view.remaining][:limit]


def schedule_segments(session: Session, schedule_id: UUID, *, now: datetime) -> list[Segment]:
    """The time segments of a schedule in order. Raises: NotFound."""
    schedule = session.get(Schedule, schedule_id)
    if schedule is None:
        raise NotFound()
    free = func.count().filter(Slot.status == SlotStatus.FREE)
    withdrawn = and_(Slot.status == SlotStatus.WITHHELD, Slot.withheld_reason == WithheldReason.WITHDRAWN)
    rows = session.execute(
        select(Slot.starts_at, Slot.ends_at, func.count(), free)
        .where(Slot.schedule_id == schedule_id, ~withdrawn)
        .group_by(Slot.starts_at, Slot.ends_at)
        .order_by(Slot.starts_at)
    ).all()
    on_sale = schedule.shown_status(remaining=1, now=now) is ScheduleStatus.OPEN
    terms = Terms.from_document(schedule.terms)
    return [
        Segment(starts_at, ends_at, total, left if on_sale and now < terms.segment_closes_at(starts_at) else 0)
        for starts_at, ends_at, total, left in rows
    ]


def _page(
    session: Session, conditions: list[ColumnElement[bool]], *, cursor: str | None, limit: int, now: datetime
) -> Page[ScheduleView]:
    if cursor is not None:
        conditions = [*conditions, _after(session, read_cursor(cursor))]
    rows = session.execute(
        select(Schedule, Doctor, Department, Campus)
        .join(Department, Department.id == Schedule.department_id)
        .join(Campus, Campus.id == Schedule.campus_id)
        .join(Doctor, Doctor.id == Schedule.doctor_id, isouter=True)
        .where(*conditions)
        .order_by(Schedule.visit_date, Schedule.starts_at, Schedule.id)
        .limit(limit + 1)
    ).all()
    shown = rows[:limit]
    left = remaining_of(session, [row[0] for row in shown], now=now)
    items = [
        ScheduleView(
            schedule=schedule,
            doctor=doctor,
            department=department,
            campus=campus,
            status=schedule.shown_status(remaining=left.get(schedule.id, 0), now=now),
            remaining=left.get(schedule.id, 0),
        )
        for schedule, doctor, department, campus in shown
    ]
    return Page(items, make_cursor(items[-1].schedule.id) if len(rows) > limit else None)


def _after(session: Session, schedule_id: UUID) -> ColumnElement[bool]:
    last = session.get(Schedule, schedule_id)
    if last is None:
        raise ValidationFailed(FieldError("?cursor", "invalid_cursor"))
    return or_(
        Schedule.visit_date > last.visit_date,
        and_(Schedule.visit_date == last.visit_date, Schedule.starts_at > last.starts_at),
        and_(
            Schedule.visit_date == last.visit_date,
            Schedule.starts_at == last.starts_at,
            Schedule.id > last.id,
        ),
    )


def remaining_of(session: Session, schedules: Sequence[Schedule], *, now: datetime) -> Mapping[UUID, int]:
    """Numbers that could be had at `now`, for all schedules in one statement; nothing for those not on sale."""
    by_threshold: dict[datetime, list[UUID]] = defaultdict(list)
    for schedule in schedules:
        if schedule.shown_status(remaining=1, now=now) is ScheduleStatus.OPEN:
            minutes = Terms.from_document(schedule.terms).segment_closes_minutes_before
            by_threshold[now + timedelta(minutes=minutes)].append(schedule.id)
    if not by_threshold:
        return {}
    on_sale = [and_(Slot.schedule_id.in_(ids), Slot.starts_at > later_than) for later_than, ids in by_threshold.items()]
    rows = session.execute(
        select(Slot.schedule_id, func.count())
        .where(Slot.status == SlotStatus.FREE, or_(*on_sale))
        .group_by(Slot.schedule_id)
    )
    return dict((*row,) for row in rows)
