"""The day of the visit in tests: who comes when, from where, and what the desk says of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from harness import REQUEST, Patient
from sqlalchemy import update

from core.booking.day import at_desk
from core.booking.day.check_in import Whereabouts, check_in_by_place
from core.booking.day.queue import queue_of
from core.catalog.hospitals import Point
from models.appointment import Appointment, AppointmentStatus
from models.hospital import Campus

CAMPUS = Point(32.0500, 118.7800)
METRE = 1 / 111_195
"""Of latitude, in degrees."""


def north(metres: float, *, accuracy_m: int = 0) -> Whereabouts:
    """So far from the campus."""
    return Whereabouts(Point(CAMPUS.lat + metres * METRE, CAMPUS.lng), accuracy_m)


def build_campus(patient: Patient) -> None:
    """Let every campus stand at `CAMPUS`."""
    patient.write(lambda session, _now: session.execute(update(Campus).values(lat=CAMPUS.lat, lng=CAMPUS.lng)))


def come(patient: Patient, appointment_id: UUID, where: Whereabouts | None = None) -> AppointmentStatus:
    """By place and time."""
    return patient.write(
        lambda session, now: (
            check_in_by_place(
                session,
                appointment_id=appointment_id,
                account_id=patient.account_id,
                where=where or north(0),
                now=now,
                cause=REQUEST,
            ).status
        )
    )


def at_the_desk(patient: Patient, act: str, appointment_id: UUID, **how: Any) -> Any:
    """An act of `core.booking.day.at_desk` by its name."""
    if act != "pass_number":
        how["cause"] = REQUEST
    return patient.write(
        lambda session, now: getattr(at_desk, act)(
            session, appointment_id=appointment_id, operator="desk-1", now=now, **how
        )
    )


def calls(patient: Patient) -> list[int]:
    """The numbers in the order in which they are called."""
    return [one.sequence for one in patient.read(lambda session: queue_of(session, patient.schedule_id))]


def at_segment(patient: Patient, appointment_id: UUID, *, later: timedelta = timedelta(0)) -> None:
    """Set the clock to the start of the appointment's segment."""
    patient.clock.set(patient.slot(appointment_id).starts_at + later)


def set_terms(patient: Patient, appointment_id: UUID, **terms: Any) -> None:
    """As if it had been sold under these."""

    def step(session: Any, _now: Any) -> None:
        appointment = session.get_one(Appointment, appointment_id)
        appointment.terms = dict(appointment.terms) | terms

    patient.write(step)
