"""The queue of a half day: who is there, in the order in which they are called.

On time, one is called by one's number. Late, or called in vain (过号), one goes behind some of those who wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.terms import Terms
from core.refusals import CheckInRefused
from models.appointment import Appointment, AppointmentStatus
from models.arrival import Arrival
from models.base import new_id
from models.errors import NotFound
from models.schedule import Schedule, Slot


@dataclass(frozen=True)
class Waiting:
    """Somebody who is there and has not been seen yet."""

    number: str
    sequence: int
    arrival: Arrival

    @property
    def place(self) -> tuple[int, bool, datetime, int]:
        """Those put behind a turn follow whoever has it, in the order in which they were put there."""
        behind = self.arrival.put_behind_at
        return self.arrival.turn, behind is not None, behind or self.arrival.at, self.sequence


def queue_to_call(session: Session, schedule_id: UUID) -> list[Waiting]:
    """For the desk, which may have mistyped the half day. Raises: NotFound."""
    if session.get(Schedule, schedule_id) is None:
        raise NotFound()
    return queue_of(session, schedule_id)


def queue_of(session: Session, schedule_id: UUID) -> list[Waiting]:
    """Who is called next comes first."""
    rows = session.execute(
        select(Appointment.number, Slot.sequence, Arrival)
        .join(Arrival, Arrival.appointment_id == Appointment.id)
        .join(Slot, Slot.id == Appointment.slot_id)
        .where(Arrival.schedule_id == schedule_id, Appointment.status == AppointmentStatus.ARRIVED)
        .execution_options(populate_existing=True)
    )
    return sorted((Waiting(*row) for row in rows), key=lambda one: one.place)


@dataclass(frozen=True)
class Place:
    """That somebody has arrived. `people_ahead` are called before; None for whoever does not wait any more."""

    at: datetime
    late: bool
    people_ahead: int | None


def place_of(session: Session, appointment: Appointment) -> Place | None:
    """None for whoever never arrived."""
    arrival = session.scalars(select(Arrival).where(Arrival.appointment_id == appointment.id)).one_or_none()
    if arrival is None:
        return None
    waiting = [one.arrival.id for one in queue_of(session, appointment.schedule_id)]
    return Place(arrival.at, arrival.late, waiting.index(arrival.id) if arrival.id in waiting else None)


def line_up(session: Session, appointment: Appointment, slot: Slot, *, now: datetime) -> Arrival:
    """Give whoever has just come a place. The caller holds the appointment."""
    terms = Terms.from_document(appointment.terms)
    arrival = Arrival(
        id=new_id(),
        hospital_id=appointment.hospital_id,
        schedule_id=appointment.schedule_id,
        appointment_id=appointment.id,
        at=now,
        late=terms.is_late(slot.starts_at, now=now),
        turn=slot.sequence,
        passed=0,
    )
    if arrival.late:
        _put_behind(session, arrival, places=terms.late_places, now=now)
    session.add(arrival)
    session.flush()
    return arrival


def pass_over(session: Session, appointment: Appointment, *, now: datetime) -> Arrival:
    """They were called and did not answer: behind some of those who wait, as often as that happens. The caller holds
    the appointment.

    Raises: CheckInRefused where they are not waiting."""
    arrival = session.scalars(select(Arrival).where(Arrival.appointment_id == appointment.id)).one_or_none()
    if appointment.status is not AppointmentStatus.ARRIVED or arrival is None:
        raise CheckInRefused(status=str(appointment.status))
    arrival.passed += 1
    _put_behind(session, arrival, places=Terms.from_document(appointment.terms).passed_places, now=now)
    return arrival


def _put_behind(session: Session, arrival: Arrival, *, places: int, now: datetime) -> None:
    """Nobody comes further forward by it."""
    others = [one for one in queue_of(session, arrival.schedule_id) if one.arrival.id != arrival.id]
    ahead = others[:places]
    arrival.turn = max([arrival.turn, *(one.arrival.turn for one in ahead)])
    arrival.put_behind_at = now
