"""Numbers kept for a channel (rules.md 2.1.3, 2.1.4): the hospital's own, the desk, elders, return visits.

They are withheld when the half day is published, spread over its time, and become everybody's at a set time by a job,
behind whoever waits for them.
A change of shares holds for half days that are published after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.endings.resting import sell_first_to_waiting
from core.booking.terms import CompiledTerms
from core.jobs.queue import LeasedJob
from core.locks import lock_schedules
from core.workbench import Workbench
from models.base import new_id
from models.schedule import PoolChannel, Schedule, ScheduleStatus, Slot, SlotStatus, WithheldReason
from models.states import Actor, Cause, CauseKind, Machine

_AT_ONCE = 5
"""Half days in one transaction: their numbers are locked meanwhile."""
_PUBLISHING = "publish"


def keep_for_channels(slots: list[dict[str, Any]], compiled: CompiledTerms, *, now: datetime) -> list[dict[str, Any]]:
    """Mark among the rows of one half day those that are kept, rounded down; the events of their moves."""
    events: list[dict[str, Any]] = []
    if now >= compiled.channels_return_at:
        return events
    open_to_all = list(slots)
    for channel in PoolChannel:
        wanted = min(len(slots) * compiled.shares[str(channel)] // 100, len(open_to_all))
        kept = [open_to_all[place] for place in _spread(wanted, len(open_to_all))]
        for slot in kept:
            slot |= {
                "status": SlotStatus.WITHHELD,
                "withheld_reason": WithheldReason.CHANNEL,
                "moved": 1,
                "channel": channel,
            }
            events.append(_event(slot, now=now))
        open_to_all = [slot for slot in open_to_all if slot["channel"] is None]
    return events


def _spread(wanted: int, among: int) -> Iterator[int]:
    """Places as even as they can be, none twice."""
    return ((2 * one + 1) * among // (2 * wanted) for one in range(wanted))


def _event(slot: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "machine": Machine.SLOT,
        "record_id": slot["id"],
        "seq": 1,
        "hospital_id": slot["hospital_id"],
        "at": now,
        "from_status": str(SlotStatus.FREE),
        "to_status": str(SlotStatus.WITHHELD),
        "reason": str(WithheldReason.CHANNEL),
        "actor": Actor.SYSTEM,
        "actor_id": None,
        "cause_kind": CauseKind.JOB,
        "cause_id": _PUBLISHING,
        "facts": None,
    }


def return_channels(workbench: Workbench, job: LeasedJob) -> None:
    """The periodic job: numbers whose time has come are everybody's, a few half days in each transaction."""
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    while due := workbench.transactions.read(_due):
        workbench.transactions.write(partial(_return, schedule_ids=due, cause=cause))


def _due(session: Session, now: datetime) -> Sequence[UUID]:
    return session.scalars(
        select(Schedule.id)
        .join(Slot, Slot.schedule_id == Schedule.id)
        .where(
            Slot.status == SlotStatus.WITHHELD,
            Slot.withheld_reason == WithheldReason.CHANNEL,
            Schedule.status == ScheduleStatus.OPEN,
            Schedule.channels_return_at <= now,
        )
        .distinct()
        .order_by(Schedule.id)
        .limit(_AT_ONCE)
    ).all()


def _return(session: Session, now: datetime, *, schedule_ids: Sequence[UUID], cause: Cause) -> None:
    schedules, slots = lock_schedules(session, schedule_ids)
    for schedule in schedules:
        if schedule.status is ScheduleStatus.OPEN:
            kept = [one for one in slots if one.schedule_id == schedule.id and _is_kept(one)]
            sell_first_to_waiting(session, schedule, kept, now=now, cause=cause)


def _is_kept(slot: Slot) -> bool:
    return slot.withheld_reason is WithheldReason.CHANNEL
