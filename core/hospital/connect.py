"""Which hospital has a system of its own. Bookings that stand keep the way they were made."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.appointment import OPEN, Appointment
from models.errors import NotFound
from models.hospital import Hospital


@dataclass(frozen=True)
class Connected:
    """The hospital, its system before, and how many of its open appointments were made without the new one."""

    code: str
    was: str | None
    system: str | None
    open_otherwise: int


def connect_hospital(session: Session, code: str, *, system: str | None) -> Connected:
    """From now on every booking of the hospital needs the word of this system; None: the numbers are ours.

    Raises: NotFound."""
    named = select(Hospital).where(Hospital.code == code).with_for_update(key_share=True)
    hospital = session.scalars(named).one_or_none()
    if hospital is None:
        raise NotFound()
    was, hospital.system = hospital.system, system
    others = (Appointment.hospital_id == hospital.id) & Appointment.status.in_(OPEN)
    others &= Appointment.hospital_system.is_distinct_from(system)
    count = session.scalar(select(func.count()).select_from(Appointment).where(others)) or 0
    return Connected(code, was, system, count)
