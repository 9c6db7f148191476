"""Who sees patients in a department: those who belong to it, and those of others who have a clinic there."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from models.hospital import Doctor
from models.schedule import Schedule


def sits_in(department_id: UUID, *, today: date) -> ColumnElement[bool]:
    """Of doctors. A file, a substitution or the hospital's own system may have brought somebody else's half days;
    whoever can be booked there is to be found there, and can be waited for."""
    guests = select(Schedule.doctor_id).where(
        Schedule.department_id == department_id, Schedule.visit_date >= today, Schedule.doctor_id.is_not(None)
    )
    return or_(Doctor.department_id == department_id, Doctor.id.in_(guests))
