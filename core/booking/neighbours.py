"""Taking several numbers of one schedule for people who come together: as near to one another as free ones are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.booking.claim import TAKEN, Taken, Wanted, free_numbers, taken_row
from models.base import table_of
from models.schedule import Slot, SlotStatus
from models.states import Cause

_TRIES = 20
_SLOT = table_of(Slot).c


def take_neighbours(
    session: Session, wanted: Sequence[Wanted], *, to: Sequence[SlotStatus], at: datetime, cause: Cause
) -> list[Taken] | None:
    """One number for each of those who want one of the same schedule, in their order, each in the state that it goes
    `to`, or None where there are not enough. The caller writes the event rows. What others are taking is passed over,
    and waited for where without it there are not enough: they may yet give it back."""
    passed = set[UUID]()
    for _ in range(_TRIES):
        free = _free_for_all(session, wanted)
        ids = nearest({one: free[one] for one in free.keys() - passed}, len(wanted))
        waits = ids is None
        ids = ids or nearest(free, len(wanted))
        if ids is None:
            return None
        with session.begin_nested() as attempt:
            ours = _lock(session, ids, waits=waits)
            if len(ours) == len(ids):
                return [_take(session, one, to=its, at=at, cause=cause) for one, its in zip(ids, to, strict=True)]
            attempt.rollback()  # who holds some while waiting for others would be waited for in turn
        passed = set() if waits else passed | (set(ids) - ours)
    return None


def _free_for_all(session: Session, wanted: Sequence[Wanted]) -> dict[UUID, int]:
    """The numbers that each of them may have, with their sequence."""
    free = [free_numbers(session, one) for one in wanted]
    return {one: free[0][one] for one in set(free[0]).intersection(*free)}


def nearest(free: dict[UUID, int], many: int) -> list[UUID] | None:
    """The numbers that are fewest places apart, the earliest of those, by sequence; None where there are too few."""
    ordered = sorted(free, key=lambda one: free[one])
    runs = [ordered[at : at + many] for at in range(len(ordered) - many + 1)]
    return min(runs, key=lambda run: free[run[-1]] - free[run[0]], default=None)


def _lock(session: Session, ids: Sequence[UUID], *, waits: bool) -> set[UUID]:
    """Those of them that are still free, and ours now."""
    query = select(_SLOT.id).where(_SLOT.id.in_(ids), _SLOT.status == SlotStatus.FREE).order_by(_SLOT.id)
    return set(session.scalars(query.with_for_update(skip_locked=not waits)))


def _take(session: Session, slot_id: UUID, *, to: SlotStatus, at: datetime, cause: Cause) -> Taken:
    taking = (
        update(table_of(Slot))
        .where(_SLOT.id == slot_id)
        .values(status=to, withheld_reason=None, moved=_SLOT.moved + 1)
        .returning(*TAKEN)
    )
    return taken_row(session.execute(taking).one(), to=to, at=at, cause=cause)
