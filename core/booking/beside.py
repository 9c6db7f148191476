"""One more number beside those of a half day, for one person: let go, it is nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.booking.claim import Taken
from models.appointment import HOLDS_SLOT, Appointment
from models.base import new_id
from models.schedule import Schedule, Slot, SlotStatus, Surplus
from models.states import Cause


def add_number(
    session: Session, slots: Sequence[Slot], beside: Slot, to: SlotStatus, *, why: str, now: datetime, cause: Cause
) -> Taken:
    """In the segment of `beside`, with a sequence behind all of `slots`: those of the schedule, which is locked."""
    slot = Slot(
        id=new_id(),
        hospital_id=beside.hospital_id,
        schedule_id=beside.schedule_id,
        sequence=max(one.sequence for one in slots) + 1,
        starts_at=beside.starts_at,
        ends_at=beside.ends_at,
        status=SlotStatus.FREE,
        moved=0,
        surplus=Surplus.EXTRA,
    )
    born = slot.move(to, at=now, cause=cause, reason=why)
    session.add(slot)
    session.flush()
    return Taken.of(slot, born)


def follow_ups_in(session: Session, schedule: Schedule) -> int:
    """How many of the numbers beside the schedule's are follow-ups (续诊). Exact while it is locked."""
    query = select(func.count()).where(
        Appointment.schedule_id == schedule.id,
        Appointment.follow_up_of_id.is_not(None),
        Appointment.status.in_(sorted(HOLDS_SLOT)),
    )
    return session.scalar(query) or 0
