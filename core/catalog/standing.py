"""Half days that stand already, with their numbers by segment, for comparing them with what somebody wants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from core.catalog.halfdays import HalfDay
from models.hospital import Period
from models.schedule import Schedule, Slot, SlotStatus, Surplus, WithheldReason

Segments = Mapping[tuple[datetime, datetime], int]
"""How many numbers each time segment has."""
ClinicKey = tuple[UUID, str, date, Period, str]
_AT_ONCE = 500

OF_CAPACITY = and_(
    or_(Slot.surplus.is_(None), Slot.surplus != Surplus.EXTRA),
    or_(Slot.status != SlotStatus.WITHHELD, Slot.withheld_reason != WithheldReason.WITHDRAWN),
)
"""The numbers that an import may count: none that was taken back, and none that a doctor issued beside them."""


@dataclass(frozen=True)
class Standing:
    schedule: Schedule
    segments: Segments
    has_surplus: bool

    @property
    def key(self) -> tuple[ClinicKey, datetime]:
        return clinic_key(self.schedule), self.schedule.starts_at

    def overlaps(self, half_day: HalfDay) -> bool:
        return self.schedule.starts_at < half_day.ends_at and half_day.starts_at < self.schedule.ends_at


def clinic_key(one: Schedule | HalfDay) -> ClinicKey:
    """What stays the same where only the time of a half day changes."""
    return (one.department_id, one.doctor_code, one.visit_date, one.period, one.clinic_type)


def wanted_segments(half_day: HalfDay) -> Segments:
    count = int((half_day.ends_at - half_day.starts_at) / half_day.segment)
    starts = [half_day.starts_at + half_day.segment * number for number in range(count)]
    return {(start, start + half_day.segment): half_day.numbers_per_segment for start in starts}


def standing_half_days(
    session: Session, department_ids: Iterable[UUID], *, first: date, last: date
) -> Mapping[ClinicKey, Sequence[Standing]]:
    """Of these departments, both days included."""
    found: dict[ClinicKey, list[Standing]] = defaultdict(list)
    departments = sorted(set(department_ids))
    for at in range(0, len(departments), _AT_ONCE):
        here = and_(
            Schedule.department_id.in_(departments[at : at + _AT_ONCE]), Schedule.visit_date.between(first, last)
        )
        segments: dict[UUID, dict[tuple[datetime, datetime], int]] = defaultdict(dict)
        surplus: set[UUID] = set()
        reduced = func.count().filter(Slot.surplus == Surplus.REDUCED)
        for schedule_id, starts_at, ends_at, count, beyond in session.execute(
            select(Slot.schedule_id, Slot.starts_at, Slot.ends_at, func.count().filter(OF_CAPACITY), reduced)
            .join(Schedule, Schedule.id == Slot.schedule_id)
            .where(here)
            .group_by(Slot.schedule_id, Slot.starts_at, Slot.ends_at)
        ):
            segments[schedule_id][starts_at, ends_at] = count
            surplus |= {schedule_id} if beyond else set()
        for schedule in session.scalars(select(Schedule).where(here).order_by(Schedule.starts_at)):
            found[clinic_key(schedule)].append(Standing(schedule, segments[schedule.id], schedule.id in surplus))
    return found


def imported_half_days(
    session: Session, department_ids: Iterable[UUID], *, first: date, last: date
) -> Mapping[ClinicKey, Sequence[tuple[datetime, datetime]]]:
    """When the clinics of these departments sit that came from a file, both days included."""
    found: dict[ClinicKey, list[tuple[datetime, datetime]]] = defaultdict(list)
    imported = Schedule.imported_at.is_not(None)
    here = and_(Schedule.department_id.in_(set(department_ids)), Schedule.visit_date.between(first, last))
    for schedule in session.scalars(select(Schedule).where(here, imported)):
        found[clinic_key(schedule)].append((schedule.starts_at, schedule.ends_at))
    return found
