"""Who was taken for seen by the clock alone: they had arrived, the day was over, and nobody said more of them.

That holds where the clinic took place. Where it turns out that it did not, people decide of each, and the desk may take
the number back.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session

from models.appointment import Appointment, AppointmentStatus
from models.states import Actor, Machine, StateEvent

_BY_THE_CLOCK = exists().where(
    StateEvent.machine == Machine.APPOINTMENT,
    StateEvent.record_id == Appointment.id,
    StateEvent.seq == Appointment.moved,
    StateEvent.actor == Actor.SYSTEM,
)


def _presumed() -> ColumnElement[bool]:
    """Neither the desk nor the hospital's system says that they were seen, nor was a follow-up allowed of the visit."""
    fulfilled = Appointment.status == AppointmentStatus.FULFILLED
    return and_(fulfilled, Appointment.follow_up_until.is_(None), _BY_THE_CLOCK)


def presumed_seen(session: Session, schedule_id: UUID) -> list[str]:
    """The numbers of a half day's appointments."""
    here = select(Appointment.number).where(Appointment.schedule_id == schedule_id, _presumed())
    return list(session.scalars(here.order_by(Appointment.id)))


def is_presumed_seen(session: Session, appointment: Appointment) -> bool:
    return session.scalar(select(Appointment.id).where(Appointment.id == appointment.id, _presumed())) is not None
