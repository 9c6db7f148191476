"""What became of a number that was offered: paid for, let lapse, or lost through no fault of whoever waits."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.waitlist.offers import FOLLOW_OFFER
from core.jobs.queue import LeasedJob
from core.locks import lock_appointment, lock_waitlist_entries, lock_waitlist_entry
from core.notices.write import tell_of_dependent
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.notice import NoticeKind
from models.person import Dependent
from models.states import Actor, Cause, CauseKind
from models.waitlist import WaitlistEntry, WaitlistPlace, WaitlistStatus

__all__ = ["FOLLOW_OFFER", "expire_waitlist", "follow_offer"]

_LOOK = timedelta(minutes=1)
_AT_ONCE = 200
_OWN_DOING = frozenset({CancelReason.PATIENT, CancelReason.PAYMENT_TIMEOUT, CancelReason.RESCHEDULED})


def follow_offer(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """Comes back until it is known whether the number that an entry was offered is taken up."""
    entry_id = UUID(job.payload["entry_id"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    return workbench.transactions.write(lambda session, now: _follow(session, entry_id, now=now, cause=cause))


def _follow(session: Session, entry_id: UUID, *, now: datetime, cause: Cause) -> datetime | None:
    places = places_of(session, entry_id)
    offered = [place.appointment_id for place in places if place.appointment_id is not None]
    if not offered:
        return None
    # The last one that was made: those before it were settled when it was offered.
    appointment = lock_appointment(session, max(offered))
    entry = lock_waitlist_entry(session, entry_id)
    if entry.status is not WaitlistStatus.OFFERED:
        return None
    if appointment.status is AppointmentStatus.PENDING:
        return now + _LOOK
    if appointment.status is not AppointmentStatus.CANCELLED:
        _taken_up(session, entry, places, now=now, cause=cause)
    elif appointment.cancel_reason in _OWN_DOING:
        entry.pass_on(session, reason=str(appointment.cancel_reason), at=now, cause=cause)
        unserved = [place for place in places if place.appointment_id in {None, appointment.id}]
        tell_ended(session, entry, unserved, now=now)
    else:
        _lost(session, entry, places, appointment, now=now, cause=cause)
    return None


def _taken_up(
    session: Session, entry: WaitlistEntry, places: list[WaitlistPlace], *, now: datetime, cause: Cause
) -> None:
    if any(place.appointment_id is None for place in places):
        entry.wait_on(session, reason="others_wait", at=now, cause=cause)
    else:
        entry.serve(session, at=now, cause=cause)


def _lost(
    session: Session,
    entry: WaitlistEntry,
    places: list[WaitlistPlace],
    appointment: Appointment,
    *,
    now: datetime,
    cause: Cause,
) -> None:
    """It keeps its place in the queue."""
    for place in places:
        if place.appointment_id == appointment.id:
            place.appointment_id = None
    entry.wait_on(session, reason=str(appointment.cancel_reason), at=now, cause=cause)


def places_of(session: Session, entry_id: UUID) -> list[WaitlistPlace]:
    query = select(WaitlistPlace).where(WaitlistPlace.entry_id == entry_id).order_by(WaitlistPlace.position)
    return list(session.scalars(query))


def tell_ended(session: Session, entry: WaitlistEntry, places: list[WaitlistPlace], *, now: datetime) -> None:
    """Once for each of these, who got no number."""
    for place in places:
        dependent = session.get_one(Dependent, place.dependent_id)
        tell_of_dependent(session, NoticeKind.WAITLIST_ENDED, dependent, now=now, subject=str(entry.id))


def expire_waitlist(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """End what waits for days that are closed by now, or for numbers that would come too late."""
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    more = workbench.transactions.write(lambda session, now: _expire_some(session, now=now, cause=cause))
    return workbench.transactions.clock.now() if more else None


def _expire_some(session: Session, *, now: datetime, cause: Cause) -> bool:
    over = (WaitlistEntry.status == WaitlistStatus.WAITING) & (WaitlistEntry.expires_at <= now)
    ids = list(session.scalars(select(WaitlistEntry.id).where(over).order_by(WaitlistEntry.id).limit(_AT_ONCE)))
    for entry in lock_waitlist_entries(session, WaitlistEntry.id.in_(ids)):
        if entry.status is WaitlistStatus.WAITING:
            entry.expire(session, at=now, cause=cause)
            waited = [place for place in places_of(session, entry.id) if place.appointment_id is None]
            tell_ended(session, entry, waited, now=now)
    return len(ids) == _AT_ONCE
