"""How a hospital's files name one half day, so that it can have a policy of its own before it is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from models.hospital import Department, Period
from models.schedule import Schedule
from models.schedule_change import ScheduleChange

_FORM = "department/doctor/YYYY-MM-DD/period/clinic type, the doctor empty for a clinic without one"


class Clinic(Protocol):
    """Any record of a half day."""

    @property
    def doctor_code(self) -> str: ...
    @property
    def visit_date(self) -> date: ...
    @property
    def period(self) -> Period: ...
    @property
    def clinic_type(self) -> str: ...


@dataclass(frozen=True)
class HalfDayName:
    """Codes of department and doctor, the doctor's empty for a clinic without one. The time of day is no part of it: a
    clinic that begins later is the same."""

    department: str
    doctor: str
    visit_date: date
    period: Period
    clinic_type: str

    @classmethod
    def parse(cls, code: str) -> HalfDayName:
        """Raises: ValueError, which says what is wrong with `code`."""
        parts = code.split("/")
        if len(parts) != len(_FORM.split("/")):
            raise ValueError(f"must be {_FORM}")
        department, doctor, day, period, clinic_type = parts
        if not department or not clinic_type or period not in set(Period):
            raise ValueError(f"must be {_FORM}")
        try:
            visit_date = date.fromisoformat(day)
        except ValueError:
            raise ValueError(f"must be {_FORM}: {day} is no day") from None
        if visit_date.isoformat() != day:
            raise ValueError(f"must be {_FORM}: write the day as {visit_date}")
        return cls(department, doctor, visit_date, Period(period), clinic_type)

    @classmethod
    def of(cls, department: str, clinic: Clinic) -> HalfDayName:
        """Of a clinic of that department, published or not."""
        return cls(department, clinic.doctor_code, clinic.visit_date, clinic.period, clinic.clinic_type)

    def __str__(self) -> str:
        return "/".join((self.department, self.doctor, str(self.visit_date), self.period, self.clinic_type))


def names_of_half_days(session: Session, *conditions: ColumnElement[bool]) -> Mapping[UUID, list[str]]:
    """What each of these schedules was published as, and then what it is called now where a hospital gave it to another
    doctor or moved it since: a policy that was set by either name holds, the second before the first."""
    rows = session.execute(
        select(Schedule, Department.code).join(Department, Department.id == Schedule.department_id).where(*conditions)
    ).all()
    before = _before_changes(session, *conditions)
    found: dict[UUID, list[str]] = {}
    for one, department in rows:
        now, was = HalfDayName.of(department, one), before.get(one.id, {})
        doctor, period = was.get("doctor_code", now.doctor), Period(was.get("period", now.period))
        first = replace(now, doctor=doctor, period=period)
        found[one.id] = [str(name) for name in dict.fromkeys((first, now))]
    return found


def _before_changes(session: Session, *conditions: ColumnElement[bool]) -> Mapping[UUID, dict[str, Any]]:
    """The values that they began with, of those that were ever changed."""
    rows = session.execute(
        select(ScheduleChange.schedule_id, ScheduleChange.was)
        .join(Schedule, Schedule.id == ScheduleChange.schedule_id)
        .join(Department, Department.id == Schedule.department_id)
        .where(*conditions)
        .order_by(ScheduleChange.schedule_id, ScheduleChange.version.desc())
    )
    found: dict[UUID, dict[str, Any]] = {}
    for schedule_id, was in rows:
        found.setdefault(schedule_id, {}).update(was)  # the earliest comes last
    return found
