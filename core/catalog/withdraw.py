"""Half days that nobody can have a number of yet make room for a changed roster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, delete, exists, false, func, or_, select
from sqlalchemy.orm import Session

from core.catalog.halfdays import HalfDayKey
from core.clock import HOSPITAL_ZONE
from models.fairness import RefusalCount
from models.hospital import Roster
from models.schedule import Schedule, Slot, SlotStatus, WithheldReason
from models.schedule_change import ScheduleChange

_AT_ONCE = 500


def withdraw_unreleased(session: Session, rosters: Iterable[Roster], *, keep: Set[HalfDayKey], now: datetime) -> int:
    """Take away the half days of these rosters that are not released, and whose numbers nobody ever touched; how many.

    `keep` names half days that stand for themselves, not for a roster; so does what was imported."""
    kinds = {_kind(roster) for roster in rosters}
    departments = sorted({roster.department_id for roster in rosters})
    doomed: list[UUID] = []
    for at in range(0, len(departments), _AT_ONCE):
        kept = and_(Slot.channel.is_not(None), Slot.withheld_reason == WithheldReason.CHANNEL, Slot.moved == 1)
        free = and_(Slot.status == SlotStatus.FREE, Slot.moved == 0)
        touched = exists().where(Slot.schedule_id == Schedule.id, ~or_(free, func.coalesce(kept, false())))
        acted_on = exists().where(ScheduleChange.schedule_id == Schedule.id)
        for schedule in session.scalars(
            select(Schedule).where(
                Schedule.department_id.in_(departments[at : at + _AT_ONCE]),
                Schedule.release_at > now,
                Schedule.imported_at.is_(None),
                ~touched,
                ~acted_on,
            )
        ):
            if _kind_of_schedule(schedule) in kinds and _key(schedule) not in keep:
                doomed.append(schedule.id)
    take_away(session, doomed)
    return len(doomed)


def take_away(session: Session, schedule_ids: Sequence[UUID]) -> None:
    """Delete half days with their numbers, and how often somebody was refused there. No appointment hangs on them, and
    no act of the hospital."""
    for at in range(0, len(schedule_ids), _AT_ONCE):
        ids = schedule_ids[at : at + _AT_ONCE]
        for rows, of_schedule in ((RefusalCount, RefusalCount.schedule_id), (Slot, Slot.schedule_id)):
            session.execute(delete(rows).where(of_schedule.in_(ids)).execution_options(synchronize_session=False))
        session.execute(delete(Schedule).where(Schedule.id.in_(ids)).execution_options(synchronize_session=False))


def _kind(roster: Roster) -> tuple[object, ...]:
    return (
        roster.department_id,
        roster.doctor_code,
        roster.weekday,
        roster.period,
        roster.clinic_type,
        roster.starts,
    )


def _kind_of_schedule(schedule: Schedule) -> tuple[object, ...]:
    """The roster it can only have come from."""
    return (
        schedule.department_id,
        schedule.doctor_code,
        schedule.visit_date.isoweekday(),
        schedule.period,
        schedule.clinic_type,
        schedule.starts_at.astimezone(HOSPITAL_ZONE).time(),
    )


def _key(schedule: Schedule) -> HalfDayKey:
    return (
        schedule.department_id,
        schedule.doctor_code,
        schedule.visit_date,
        schedule.period,
        schedule.clinic_type,
        schedule.starts_at,
    )
