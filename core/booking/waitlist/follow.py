"""What became of a number that was offered: paid for, let lapse, or lost through no fault of whoever waits."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.waitlist.offers import FOLLOW_OFFER
from core.booking.waitlist.queue import was_let_go, was_lost
from core.jobs.queue import LeasedJob
from core.locks import lock_appointments, lock_waitlist_entries, lock_waitlist_entry
from core.notices.write import tell_of_dependent
from core.transactions import Changed
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus
from models.notice import NoticeKind
from models.person import Dependent
from models.states import Actor, Cause, CauseKind
from models.waitlist import WaitlistEntry, WaitlistPlace, WaitlistStatus

__all__ = ["FOLLOW_OFFER", "expire_waitlist", "follow_offer"]

_LOOK = timedelta(minutes=1)
_AT_ONCE = 200


def follow_offer(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """Comes back until it is known of every number that an entry was offered whether it is taken up; whoever ends one,
    or makes one sure, has it look at once. Each of those whom it names stands for themselves (decision 0074)."""
    entry_id = UUID(job.payload["entry_id"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    return workbench.transactions.write(lambda session, now: _follow(session, entry_id, now=now, cause=cause))


def _follow(session: Session, entry_id: UUID, *, now: datetime, cause: Cause) -> datetime | None:
    seen = {one.appointment_id for one in places_of(session, entry_id) if one.appointment_id is not None}
    appointments = {one.id: one for one in lock_appointments(session, seen)}
    entry = lock_waitlist_entry(session, entry_id)
    if entry.status is not WaitlistStatus.OFFERED:
        return None
    places = places_of(session, entry_id)
    if any(one.appointment_id not in appointments for one in places if one.appointment_id is not None):
        raise Changed()  # meanwhile a number was found for another of them
    lost = _give_back_places(places, appointments)
    held = [appointments[one.appointment_id] for one in places if one.appointment_id is not None]
    passed = [one for one in held if was_let_go(one)]
    tell_ended(session, entry, [one for one in places if one.appointment_id in {it.id for it in passed}], now=now)
    if any(one.status is AppointmentStatus.PENDING for one in held):
        return now + _LOOK
    if any(one.appointment_id is None and _is_there(session, one) for one in places):
        entry.wait_on(session, reason=lost or "others_wait", at=now, cause=cause)
    elif passed:
        entry.pass_on(session, reason=str(passed[-1].cancel_reason), at=now, cause=cause)
    else:
        entry.serve(session, at=now, cause=cause)
    return None


def _give_back_places(places: list[WaitlistPlace], appointments: dict[UUID, Appointment]) -> str | None:
    """Whose number was lost through no fault of theirs waits again, in the old place; why the last one was."""
    why = None
    for place in places:
        appointment = appointments.get(place.appointment_id) if place.appointment_id is not None else None
        if appointment is not None and was_lost(appointment):
            place.appointment_id, why = None, str(appointment.cancel_reason)
    return why


def _is_there(session: Session, place: WaitlistPlace) -> bool:
    """Nobody waits for whoever was removed meanwhile."""
    dependent = session.get_one(Dependent, place.dependent_id)
    return dependent.archived_at is None or dependent.merged_into_id is not None


def places_of(session: Session, entry_id: UUID) -> list[WaitlistPlace]:
    query = select(WaitlistPlace).where(WaitlistPlace.entry_id == entry_id).order_by(WaitlistPlace.position)
    return list(session.scalars(query.execution_options(populate_existing=True)))


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
