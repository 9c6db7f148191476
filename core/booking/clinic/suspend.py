"""Suspending a half day (停诊): first its numbers, in a transaction of its own; then one by one whoever has them.

The first transaction waits for claims under way, and none can begin after it. A job then goes through the appointments
in the order in which they were booked, each in a transaction of its own: cut off anywhere, it goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.clinic.affected import Counts, count_affected, foresee_offers
from core.booking.clinic.schedule_changes import Order, change_schedule, version_of
from core.booking.clinic.soon import settle_suspension_soon
from core.booking.day.presumed import presumed_seen
from core.locks import lock_schedules
from models.errors import NotFound
from models.schedule import Schedule, ScheduleStatus, SlotStatus
from models.schedule_change import ChangeKind


@dataclass(frozen=True)
class Suspended:
    """`news` is False where it was suspended already. `version` is the schedule's from now on. `presumed_seen`: numbers
    of those whom the clock alone took for seen; the desk takes back those who were not."""

    news: bool
    version: int
    counts: Counts
    presumed_seen: list[str]


def suspend_schedule(session: Session, *, schedule_id: UUID, order: Order, now: datetime) -> Suspended:
    """Nothing of the schedule is sold from here on, and a job looks after whoever has a number. Doing it again changes
    nothing.

    Raises: NotFound."""
    schedules, slots = lock_schedules(session, [schedule_id])
    if not schedules:
        raise NotFound()
    (schedule,) = schedules
    news = schedule.status is not ScheduleStatus.SUSPENDED
    if news:
        suspended = ScheduleStatus.SUSPENDED
        change_schedule(session, schedule, ChangeKind.SUSPENDED, order, now=now, status=suspended)
        for slot in slots:
            if slot.status is not SlotStatus.SUSPENDED and not slot.is_withdrawn:
                slot.suspend(session, at=now, cause=order.cause)
        session.flush()
        settle_suspension_soon(session, schedule_id, now=now)
    counts = count_affected(session, schedule_id)
    return Suspended(news, version_of(session, schedule_id), counts, presumed_seen(session, schedule_id))


def preview_suspension(session: Session, *, schedule_id: UUID, now: datetime) -> Suspended:
    """What suspending it now would say, and which offers could be made. Raises: NotFound."""
    schedule = session.get(Schedule, schedule_id)
    if schedule is None:
        raise NotFound()
    news = schedule.status is not ScheduleStatus.SUSPENDED
    counts = replace(count_affected(session, schedule_id), offers=foresee_offers(session, schedule, now=now))
    return Suspended(news, version_of(session, schedule_id) + news, counts, presumed_seen(session, schedule_id))
