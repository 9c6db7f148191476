"""A number at rest, until a job has asked whoever waits for it (`core/booking/endings/returning.py`). One that nobody
gave up has no pause, and where nobody waits for it needs no job.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from core.booking.waitlist.queue import waiting_for
from core.jobs.queue import enqueue
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus, WithheldReason
from models.states import Cause


def rest(session: Session, slot: Slot, *, returns_at: datetime, now: datetime) -> None:
    """For the job that offers it to whoever waits, and sells it to everybody from `returns_at` on."""
    slot.cool(returns_at=returns_at)
    slot_id = str(slot.id)
    enqueue(session, "return_slot", run_at=now, now=now, dedup=f"return_slot:{slot_id}", slot_id=slot_id)


def return_slot_soon(session: Session, slot: Slot, *, now: datetime) -> None:
    """Nobody gave it up: there is no pause that somebody else could wait for."""
    rest(session, slot, returns_at=now, now=now)


def sell_first_to_waiting(
    session: Session, schedule: Schedule, slots: Sequence[Slot], *, now: datetime, cause: Cause
) -> None:
    """Numbers of one half day that nobody gave up, of a channel or new, are to be sold: they rest for the job where
    somebody waits for any of them, else they are everybody's now. Nobody waits for what is not released, or closed."""
    if not slots:
        return
    on_sale = schedule.status is ScheduleStatus.OPEN and schedule.release_at <= now < schedule.closes_at
    last = max(slots, key=lambda one: one.starts_at)  # of use to everybody to whom an earlier one is
    awaited = on_sale and bool(waiting_for(session, last, schedule, now=now))
    for slot in slots:
        if awaited and slot.status is SlotStatus.FREE:
            slot.withhold(session, why=WithheldReason.COOLING, at=now, cause=cause)
        if awaited:
            return_slot_soon(session, slot, now=now)
        elif slot.status is not SlotStatus.FREE:
            slot.free(session, at=now, cause=cause)
