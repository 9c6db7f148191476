"""Acts of the hospital on a half day: each is written down once and gives the schedule its next version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.base import new_id
from models.schedule import Schedule
from models.schedule_change import ChangeKind, ScheduleChange
from models.states import Cause


@dataclass(frozen=True)
class Order:
    """Who wants it at the hospital, why, and what stands behind every move it makes."""

    operator: str
    reason: str
    cause: Cause


class ChangeRefused(Exception):
    """The hospital cannot do that; the message says why, for the operator."""


def change_schedule(
    session: Session, schedule: Schedule, kind: ChangeKind, order: Order, *, now: datetime, **became: Any
) -> ScheduleChange:
    """Give the schedule other values and its next version. It is locked: no other act can take the same version."""
    change = ScheduleChange(
        id=new_id(),
        hospital_id=schedule.hospital_id,
        schedule_id=schedule.id,
        version=version_of(session, schedule.id) + 1,
        kind=kind,
        reason=order.reason,
        operator=order.operator,
        was={name: _plain(getattr(schedule, name)) for name in became},
        at=now,
    )
    session.add(change)
    session.execute(update(Schedule).where(Schedule.id == schedule.id).values(became))
    return change


def _plain(value: Any) -> Any:
    """As JSON has it."""
    return value.isoformat() if isinstance(value, date) else value if isinstance(value, int | None) else str(value)


def version_of(session: Session, schedule_id: UUID) -> int:
    """How often it was changed since it was published."""
    newest = select(func.max(ScheduleChange.version)).where(ScheduleChange.schedule_id == schedule_id)
    return session.scalar(newest) or 0
