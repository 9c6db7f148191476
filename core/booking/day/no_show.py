"""The end of the day, when the half day and the grace after it are over: whoever is still only booked did not come
(爽约), and whoever was there, with nobody saying more of them, has been seen.

A frozen number waits for the desk's word, and those of a suspended half day are the hospital's. `fulfil` puts it right.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core.booking.day.not_me import is_frozen
from core.booking.strikes.ledger import count_later
from core.booking.terms import Terms
from core.jobs.queue import LeasedJob
from core.locks import lock_appointment
from core.notices.write import tell
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus
from models.arrival import NotMeReport
from models.notice import NoticeKind
from models.schedule import Schedule, ScheduleStatus
from models.states import Actor, Cause, CauseKind
from models.strike import StrikeKind

_CHUNK = 500
_UNDECIDED = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)


def mark_no_shows(workbench: Workbench, job: LeasedJob) -> None:
    """Everybody whose time is over, each in a transaction of its own: cut off anywhere, the next round goes on."""
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    for appointment_id in _due(workbench):
        workbench.transactions.write(partial(_mark, appointment_id=appointment_id, cause=cause))


def missed_from(terms: Terms, ends_at: datetime) -> datetime:
    """The instant from which whoever has not come is a no-show."""
    return ends_at + timedelta(minutes=terms.no_show_grace_minutes)


def _due(workbench: Workbench) -> Iterator[UUID]:
    """In the order of ids, however many stand before those that are due."""
    after = UUID(int=0)
    while found := workbench.transactions.read(partial(_next, after=after)):
        now = workbench.transactions.clock.now()
        yield from (one for one, terms, ends in found if missed_from(Terms.from_document(terms), ends) <= now)
        after = found[-1][0]


def _next(session: Session, now: datetime, *, after: UUID) -> list[tuple[UUID, Any, datetime]]:
    frozen = exists().where(NotMeReport.appointment_id == Appointment.id, NotMeReport.decided_at.is_(None))
    rows = session.execute(
        select(Appointment.id, Appointment.terms, Schedule.ends_at)
        .join(Schedule, Schedule.id == Appointment.schedule_id)
        .where(
            Appointment.status.in_(_UNDECIDED),
            Schedule.ends_at <= now,
            Schedule.status != ScheduleStatus.SUSPENDED,
            Appointment.id > after,
            ~frozen,
        )
        .order_by(Appointment.id)
        .limit(_CHUNK)
    )
    return [(one, terms, ends) for one, terms, ends in rows]


def _mark(session: Session, now: datetime, *, appointment_id: UUID, cause: Cause) -> None:
    """Unless it ended otherwise before we had the lock."""
    appointment = lock_appointment(session, appointment_id)
    schedule = session.get_one(Schedule, appointment.schedule_id, populate_existing=True)
    ends_at = missed_from(Terms.from_document(appointment.terms), schedule.ends_at)
    stands = appointment.status in _UNDECIDED and schedule.status is not ScheduleStatus.SUSPENDED
    if not stands or now < ends_at or is_frozen(session, appointment_id):
        return
    if appointment.status is AppointmentStatus.ARRIVED:
        appointment.fulfil(session, at=now, cause=cause)
        return
    miss(session, appointment, counts_from=ends_at, now=now, cause=cause)


def miss(session: Session, appointment: Appointment, *, counts_from: datetime, now: datetime, cause: Cause) -> None:
    """They did not come, whoever says so: they are told, and it counts once everybody's time is over. Whoever had
    arrived and was not seen is blamed for nothing. The caller holds the appointment."""
    had_come = appointment.status is AppointmentStatus.ARRIVED
    appointment.miss(session, at=now, cause=cause)
    if not had_come:
        count_later(session, appointment, StrikeKind.NO_SHOW, now=now, not_before=counts_from)
    tell(session, NoticeKind.APPOINTMENT_MISSED, appointment, now=now)
