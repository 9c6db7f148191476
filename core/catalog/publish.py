"""Rosters become schedules for the coming days, again and again, so that day 30 still sells.

What stands is never touched: a half day that is on the table already is left alone, whatever its roster says by now;
and where a file has said when the clinic sits on a day, its roster is silent.
The work goes roster batch by roster batch, each in a short transaction of its own, which locks its rosters: two
workers at once publish every half day once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import Row, select
from sqlalchemy.orm import Session, aliased

from core.booking.half_day_names import HalfDayName
from core.booking.policy import BookingPolicy, merged
from core.booking.policy_book import PolicyBook
from core.booking.terms import CompiledTerms
from core.catalog.calendar import WorkCalendar
from core.catalog.coverage import warn_where_calendar_ends
from core.catalog.halfdays import HalfDay, Made, insert_half_days, standing_keys
from core.catalog.recompile import recompile_terms
from core.catalog.standing import ClinicKey, clinic_key, imported_half_days
from core.clock import hospital_day
from core.jobs.queue import LeasedJob
from core.transactions import Transactions
from core.workbench import Workbench
from models.hospital import Department, Doctor, Hospital, Roster

HORIZON_DAYS = 15
_ROSTERS_AT_ONCE = 25
_BEGINNING = UUID(int=0)

log = structlog.get_logger()


def extend_schedules_job(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """The periodic job: publish what is missing, bring terms up to the policies in force, and look at the calendar."""
    workbench.transactions.read(partial(warn_where_calendar_ends, window_days=HORIZON_DAYS))
    made = extend_schedules(workbench.transactions)
    recompiled = recompile_terms(workbench.transactions)
    log.info("schedules_extended", schedules=made.schedules, slots=made.slots, recompiled=recompiled)
    return None


def extend_schedules(transactions: Transactions, *, days: int = HORIZON_DAYS) -> Made:
    """Publish every half day from today to `days` ahead that is missing, or further where a hospital releases earlier.

    Doing it again makes nothing new."""
    made, after = Made(), _BEGINNING
    while True:
        batch = transactions.read(partial(_look, after=after, days=days))
        if batch.missing:
            made += transactions.write(partial(_publish, after=after, days=days))
        if batch.last is None:
            return made
        after = batch.last


def _publish(session: Session, now: datetime, *, after: UUID, days: int) -> Made:
    """Look once more with the rosters locked: a worker beside us may have been here meanwhile."""
    batch = _look(session, now, after=after, days=days, lock=True)
    return insert_half_days(session, batch.missing, now=now)


@dataclass(frozen=True)
class _Batch:
    """`last` is the id to go on after, None behind the last roster."""

    missing: list[tuple[HalfDay, CompiledTerms]]
    last: UUID | None


@dataclass(frozen=True)
class _Rostered:
    """`own` are the policies of single days."""

    roster: Roster
    policies: list[BookingPolicy]
    own: Mapping[date, BookingPolicy]

    def half_days(self, calendar: WorkCalendar, *, now: datetime, days: int) -> Iterator[tuple[HalfDay, CompiledTerms]]:
        """The days to come on which it can still be booked; public holidays only where the policy says so."""
        for day, policies, policy in self._days(hospital_day(now), days):
            takes_place = policy.rosters_on_holidays or not calendar.is_holiday(day)
            if day.isoweekday() == self.roster.weekday and takes_place:
                half_day = _half_day(self.roster, day)
                compiled = half_day.compiled(policies, calendar.working_days_before)
                if now < compiled.closes_at:
                    yield half_day, compiled

    def _days(self, today: date, days: int) -> Iterator[tuple[date, list[BookingPolicy], BookingPolicy]]:
        """Each day that is published, with the policies of it, from wide to narrow and merged."""
        whole = merged(self.policies)
        usual = {today + timedelta(days=ahead) for ahead in range(_ahead(whole, days) + 1)}
        for day in sorted(usual | set(self.own)):
            policies = [*self.policies, self.own[day]] if day in self.own else self.policies
            policy = merged(policies) if day in self.own else whole
            if today <= day <= today + timedelta(days=_ahead(policy, days)):
                yield day, policies, policy


def _ahead(policy: BookingPolicy, days: int) -> int:
    return max(days, (policy.release_days_before or 0) + 1)


def _look(session: Session, now: datetime, *, after: UUID, days: int, lock: bool = False) -> _Batch:
    rows = _rosters_after(session, after, lock=lock)
    calendar = WorkCalendar.read(session)
    planned = [
        plan for one in _with_policies(session, rows, now=now) for plan in one.half_days(calendar, now=now, days=days)
    ]
    last = rows[-1][0].id if len(rows) == _ROSTERS_AT_ONCE else None
    if not planned:
        return _Batch([], last)
    dates = [half_day.visit_date for half_day, _ in planned]
    departments = {half_day.department_id for half_day, _ in planned}
    standing = standing_keys(session, departments, first=min(dates), last=max(dates))
    imported = imported_half_days(session, departments, first=min(dates), last=max(dates))
    missing = [plan for plan in planned if plan[0].key not in standing and not _is_replaced(plan[0], imported)]
    return _Batch(missing, last)


def _is_replaced(half_day: HalfDay, imported: Mapping[ClinicKey, Sequence[tuple[datetime, datetime]]]) -> bool:
    """A file says when this clinic sits on that day."""
    times = imported.get(clinic_key(half_day), ())
    return any(starts_at < half_day.ends_at and half_day.starts_at < ends_at for starts_at, ends_at in times)


_RosterRow = Row[Roster, str, str, str, str]


def _rosters_after(session: Session, after: UUID, *, lock: bool) -> Sequence[_RosterRow]:
    """With the codes of hospital, department, the department's group and doctor."""
    group = aliased(Department)
    query = (
        select(Roster, Hospital.code, Department.code, group.code, Doctor.code)
        .join(Hospital, Hospital.id == Roster.hospital_id)
        .join(Department, Department.id == Roster.department_id)
        .join(group, group.id == Department.parent_id, isouter=True)
        .join(Doctor, Doctor.id == Roster.doctor_id, isouter=True)
        .where(Roster.id > after, Roster.retired_at.is_(None), Department.online)
        .order_by(Roster.id)
        .limit(_ROSTERS_AT_ONCE)
    )
    if lock:
        query = query.with_for_update(of=Roster).execution_options(populate_existing=True)
    return session.execute(query).all()


def _with_policies(session: Session, rows: Sequence[_RosterRow], *, now: datetime) -> list[_Rostered]:
    codes = {code for row in rows for code in row[1:] if code}
    book = PolicyBook.read(session, codes, half_days_from=hospital_day(now))
    single = book.half_days
    return [
        _Rostered(
            roster,
            book.levels(
                hospital=hospital, departments=[code for code in (group, department) if code], doctor=doctor or ""
            ),
            {name.visit_date: policy for name, policy in single.items() if _is_of(roster, department, name)},
        )
        for roster, hospital, department, group, doctor in rows
    ]


def _is_of(roster: Roster, department: str, name: HalfDayName) -> bool:
    here = (department, roster.doctor_code, roster.period, roster.clinic_type)
    return here == (name.department, name.doctor, name.period, name.clinic_type)


def _half_day(roster: Roster, day: date) -> HalfDay:
    return HalfDay(
        hospital_id=roster.hospital_id,
        campus_id=roster.campus_id,
        department_id=roster.department_id,
        doctor_id=roster.doctor_id,
        doctor_code=roster.doctor_code,
        visit_date=day,
        period=roster.period,
        starts=roster.starts,
        ends=roster.ends,
        clinic_type=roster.clinic_type,
        fee_fen=roster.fee_fen,
        segment_minutes=roster.segment_minutes,
        numbers_per_segment=roster.numbers_per_segment,
    )
