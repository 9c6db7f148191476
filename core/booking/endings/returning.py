"""A freed number comes back: by a job of its own, first to whoever waits for it, else after a pause by lot.

The plan is known to operators only (rules.md 2.7): it stands on the slot and in their log, in no answer.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import SystemRandom
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from core.booking.endings.resting import rest
from core.booking.terms import Terms
from core.booking.waitlist.offers import is_held, is_resting, offer_to_waiting
from core.jobs.queue import LeasedJob
from core.locks import lock_slot
from core.workbench import Workbench
from models.appointment import Appointment
from models.schedule import Schedule, Slot
from models.states import Actor, Cause, CauseKind

_LOT = SystemRandom()
_LAST_RETURN = timedelta(minutes=30)

log = structlog.get_logger()


def return_slot_later(session: Session, slot: Slot, appointment: Appointment, *, now: datetime) -> None:
    """Have the number back on sale after a pause that nobody can foretell, of the terms it was sold under: whoever
    lets a number go for somebody else does not know when to be there."""
    schedule = session.get_one(Schedule, slot.schedule_id)
    returns_at = _returns_at(slot, schedule, Terms.from_document(appointment.terms), now=now)
    rest(session, slot, returns_at=returns_at, now=now)


def _returns_at(slot: Slot, schedule: Schedule, terms: Terms, *, now: datetime) -> datetime:
    """Early enough to be of use to somebody, while it is still sold."""
    pause = terms.return_after_seconds + _LOT.uniform(0, terms.return_spread_seconds)
    closes_at = min(schedule.closes_at, terms.segment_closes_at(slot.starts_at))
    return max(now, min(now + timedelta(seconds=pause), closes_at - _LAST_RETURN))


def return_slot(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """Offer a resting number to whoever waits for it; else put it back on sale, unless somebody holds it or its prepay
    is still being closed, and not before its time."""
    slot_id = UUID(job.payload["slot_id"])
    if workbench.transactions.read(lambda session, _now: session.get(Slot, slot_id)) is None:
        return None  # its half day was made anew by a file: nobody has it, and nobody can
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    offer_to_waiting(workbench, slot_id, cause=cause)
    return workbench.transactions.write(lambda session, now: _return(session, slot_id, now=now, cause=cause))


def _return(session: Session, slot_id: UUID, *, now: datetime, cause: Cause) -> datetime | None:
    slot = lock_slot(session, slot_id)
    if not is_resting(slot) or is_held(session, slot):
        return None
    if slot.returns_at is not None and now < slot.returns_at:
        # Here, in the worker's log, and not where it was given back: the desk's command would tell it to the desk.
        log.info("slot_returns", slot=str(slot.id), returns_at=slot.returns_at.isoformat())
        return slot.returns_at
    slot.free(session, at=now, cause=cause)
    return None
