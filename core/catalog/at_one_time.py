"""A doctor who is to have two clinics at one and the same time.

Two clinic types, or two departments of one campus, are how hospitals let a doctor see ordinary and special patients in
one half day: the clerk is told, and the file holds. Two campuses, or one and the same clinic twice, nobody can mean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.catalog.faults import Fault
from core.catalog.halfdays import HalfDay
from core.catalog.import_places import Places
from core.clock import HOSPITAL_ZONE
from models.schedule import Schedule, ScheduleStatus

_AT_ONCE = 500


@dataclass(frozen=True)
class Sitting:
    """A half day of a doctor: of a row, or, with 0 as its line, one that stands. `is_new`: the file publishes it, or
    gives it another time or place."""

    half_day: HalfDay | Schedule
    department_code: str
    line: int = 0
    is_new: bool = False

    @property
    def starts_at(self) -> datetime:
        return self.half_day.starts_at

    @property
    def ends_at(self) -> datetime:
        return self.half_day.ends_at

    def __str__(self) -> str:
        """As the clerk is told of it."""
        one = self.half_day
        starts, ends = (f"{at.astimezone(HOSPITAL_ZONE):%H:%M}" for at in (one.starts_at, one.ends_at))
        where = f"row {self.line}" if isinstance(one, HalfDay) else f"half day {one.id}, which stands already"
        return f"{where} ({self.department_code} {one.visit_date} {starts}-{ends} {one.clinic_type})"


@dataclass(frozen=True, order=True)
class AtOneTime:
    """A row, and what else its doctor has then."""

    line: int
    other: str


def doctors_at_one_time(
    session: Session, file: str, sittings: Sequence[Sitting], meant: Iterable[UUID], places: Places
) -> tuple[list[Fault], list[AtOneTime]]:
    """Of the rows and of the half days that stand and take place, without those that rows mean (`meant`): what cannot
    be, at each of its rows, and what the clerk is told of."""
    faults: list[Fault] = []
    told: list[AtOneTime] = []
    for one, other in _pairs([*sittings, *_standing(session, sittings, set(meant), places)]):
        rows = [pair for pair in ((one, other), (other, one)) if pair[0].line]
        if (one.is_new or other.is_new) and (why := _why_not(one.half_day, other.half_day)):
            column = "campus_code" if one.half_day.campus_id != other.half_day.campus_id else "starts"
            faults += [Fault(file, row.line, column, "doctor_busy", f"{why}: {beside}") for row, beside in rows]
        elif rows:
            told += [AtOneTime(row.line, str(beside)) for row, beside in rows]
    return faults, sorted(told)


def _why_not(one: HalfDay | Schedule, other: HalfDay | Schedule) -> str | None:
    if one.campus_id != other.campus_id:
        return "the doctor is at another campus at that time"
    if (one.department_id, one.clinic_type) == (other.department_id, other.clinic_type):
        return "the doctor has the same clinic at that time"
    return None


def _pairs(sittings: Iterable[Sitting]) -> Iterator[tuple[Sitting, Sitting]]:
    """Those of one doctor that overlap."""
    by_doctor: dict[UUID | None, list[Sitting]] = defaultdict(list)
    for one in sittings:
        by_doctor[one.half_day.doctor_id].append(one)
    for doctor_id, own in by_doctor.items():
        own.sort(key=lambda one: (one.starts_at, one.line))
        for at, one in enumerate(own if doctor_id is not None else ()):
            for other in own[at + 1 :]:
                if other.starts_at >= one.ends_at:
                    break
                yield one, other


def _standing(session: Session, rows: Sequence[Sitting], meant: set[UUID], places: Places) -> Iterator[Sitting]:
    doctors = sorted({one.half_day.doctor_id for one in rows if one.half_day.doctor_id is not None})
    days = [one.half_day.visit_date for one in rows]
    codes = {one.id: one.code for one in places.departments.values()}
    for at in range(0, len(doctors), _AT_ONCE):
        here = select(Schedule).where(
            Schedule.doctor_id.in_(doctors[at : at + _AT_ONCE]),
            Schedule.visit_date.between(min(days), max(days)),
            Schedule.status != ScheduleStatus.SUSPENDED,
        )
        for one in session.scalars(here.order_by(Schedule.id)):
            if one.id not in meant:
                yield Sitting(one, codes[one.department_id])
