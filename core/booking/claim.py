"""Taking a number, in SQLAlchemy Core: the hottest rows of the house, and the only ones written past their verbs.

    free --(one UPDATE on the first free row that nobody is taking)--> held | booked, with its event row

The database decides the race: nobody reads, decides, then writes. `SKIP LOCKED` lets two patients take two numbers
without waiting for one another. Where every free number is being taken by somebody else, we wait for one of them
instead of refusing: it may yet come back. On SQLite the one writer decides, and the same statements serve.
The moves are those of `Slot.moves`; a test holds this file and the verbs together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVarTuple
from uuid import UUID

from sqlalchemy import Select, exists, func, insert, select, update
from sqlalchemy.orm import Session

from models.base import new_id
from models.schedule import Slot, SlotStatus
from models.states import Cause, Machine, StateEvent

_TRIES = 5

Ts = TypeVarTuple("Ts")


@dataclass(frozen=True)
class Wanted:
    """Which numbers of a schedule will do: those whose segment is still sold, or only those of one."""

    schedule_id: UUID
    later_than: datetime
    segment_starts_at: datetime | None = None


@dataclass(frozen=True)
class ClaimedSlot:
    id: UUID
    sequence: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Left:
    """What is left of a schedule for one wish: free numbers, and numbers that may still come back."""

    free: int
    returning: int


def claim_slot(session: Session, wanted: Wanted, *, to: SlotStatus, at: datetime, cause: Cause) -> ClaimedSlot | None:
    """Take the first number that will do, or None where none is free. Two patients cannot get the same one."""
    for _ in range(_TRIES):
        claimed = _take(session, wanted, to, skip_locked=True)
        if claimed is None and not session.scalar(select(exists(_free(wanted)))):
            return None
        claimed = claimed or _take(session, wanted, to, skip_locked=False)
        if claimed is not None:
            slot, hospital_id, moved = claimed
            _write_event(session, slot.id, hospital_id, moved, to=to, at=at, cause=cause)
            return slot
    return None


def count_left(session: Session, wanted: Wanted) -> Left:
    """Counted without a lock: good for an answer, never for a decision to sell."""
    free = func.count().filter(Slot.status == SlotStatus.FREE)
    returning = func.count().filter(Slot.status.in_([SlotStatus.HELD, SlotStatus.WITHHELD]))
    row = session.execute(_suited(select(free, returning), wanted)).one()
    return Left(free=row[0], returning=row[1])


def _suited(query: Select[*Ts], wanted: Wanted) -> Select[*Ts]:
    query = query.where(Slot.schedule_id == wanted.schedule_id, Slot.starts_at > wanted.later_than)
    if wanted.segment_starts_at is not None:
        query = query.where(Slot.starts_at == wanted.segment_starts_at)
    return query


def _free(wanted: Wanted) -> Select[UUID]:
    return _suited(select(Slot.id), wanted).where(Slot.status == SlotStatus.FREE)


def _take(
    session: Session, wanted: Wanted, to: SlotStatus, *, skip_locked: bool
) -> tuple[ClaimedSlot, UUID, int] | None:
    first = _free(wanted).order_by(Slot.sequence).limit(1).with_for_update(skip_locked=skip_locked)
    row = session.execute(
        update(Slot)
        .where(Slot.id == first.scalar_subquery(), Slot.status == SlotStatus.FREE)
        .values(status=to, withheld_reason=None, moved=Slot.moved + 1)
        .returning(Slot.id, Slot.sequence, Slot.starts_at, Slot.ends_at, Slot.hospital_id, Slot.moved)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        return None
    return ClaimedSlot(row.id, row.sequence, row.starts_at, row.ends_at), row.hospital_id, row.moved


def _write_event(
    session: Session, slot_id: UUID, hospital_id: UUID, moved: int, *, to: SlotStatus, at: datetime, cause: Cause
) -> None:
    session.execute(
        insert(StateEvent).values(
            id=new_id(),
            machine=Machine.SLOT,
            record_id=slot_id,
            seq=moved,
            hospital_id=hospital_id,
            at=at,
            from_status=SlotStatus.FREE,
            to_status=to,
            actor=cause.actor,
            actor_id=cause.actor_id,
            cause_kind=cause.kind,
            cause_id=cause.id,
        )
    )
