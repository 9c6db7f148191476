"""The job that ends a hold, under the one name that it has: written with the hold, and hurried by whoever hears that
nothing is open for it any more."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.jobs.queue import enqueue, new_job
from models.job import Job

_END_HOLD = "end_hold"


def end_of_hold(appointment_id: UUID, hold_expires_at: datetime, *, now: datetime) -> Job:
    """The job that ends the hold of a new appointment, for whoever writes it with the rest."""
    # A new row needs no look for an older one: nothing can have made this hold's job before.
    payload = {"appointment_id": str(appointment_id)}
    return new_job(_END_HOLD, run_at=hold_expires_at, now=now, dedup=_name(appointment_id), payload=payload)


def end_hold_now(session: Session, appointment_id: UUID, *, now: datetime) -> None:
    """A hold that is over need not wait for its job's next look. One that a worker has in hand runs once more: it may
    have looked before this was known."""
    of = str(appointment_id)
    enqueue(session, _END_HOLD, run_at=now, now=now, dedup=_name(appointment_id), appointment_id=of)


def _name(appointment_id: UUID) -> str:
    return f"{_END_HOLD}:{appointment_id}"
