"""More or fewer numbers in a half day that stands: free ones come and go, those that somebody has stay (F-91). What is
added goes first to whoever waits for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.endings.resting import sell_first_to_waiting
from core.catalog.standing import Segments
from models.base import new_id
from models.schedule import Schedule, Slot, SlotStatus, Surplus
from models.states import Cause


@dataclass
class Fitted:
    """`beyond` are the slots of numbers that were taken back while somebody has them: once let go they are not sold."""

    added: int = 0
    removed: int = 0
    beyond: list[UUID] = field(default_factory=list)


def fit_numbers(
    session: Session, schedule: Schedule, slots: Iterable[Slot], wanted: Segments, *, now: datetime, cause: Cause
) -> Fitted:
    """Bring the numbers of each segment to `wanted`, the segments being the same. `slots` are all of the schedule,
    locked."""
    by_segment: dict[tuple[datetime, datetime], list[Slot]] = defaultdict(list)
    last = 0
    for slot in sorted(slots, key=lambda one: one.sequence):
        by_segment[slot.starts_at, slot.ends_at].append(slot)
        last = slot.sequence
    done, more = Fitted(), list[Slot]()
    for segment, count in sorted(wanted.items()):
        own = [one for one in by_segment[segment] if one.surplus is not Surplus.EXTRA and not one.is_withdrawn]
        if len(own) > count:
            _take_back(session, own, len(own) - count, done, now=now, cause=cause)
            continue
        for slot in own:
            slot.surplus = None
        gone = [one for one in by_segment[segment] if one.is_withdrawn and one.surplus is None][: count - len(own)]
        born = range(1, count - len(own) - len(gone) + 1)
        fresh = [_slot(schedule, segment, last + number) for number in born]
        session.add_all(fresh)
        more += [*gone, *fresh]
        last, done.added = last + len(fresh), done.added + len(gone) + len(fresh)
    session.flush()
    sell_first_to_waiting(session, schedule, more, now=now, cause=cause)
    session.flush()
    return done


def _take_back(
    session: Session, own: Sequence[Slot], excess: int, done: Fitted, *, now: datetime, cause: Cause
) -> None:
    """From the end, those first that nobody has."""
    spare = [one for one in reversed(own) if one.is_spare][:excess]
    kept = [one for one in own if one not in spare]
    beyond = kept[len(kept) - (excess - len(spare)) :]
    for slot in kept:
        slot.surplus = Surplus.REDUCED if slot in beyond else None
    for slot in spare:
        if slot.moved == 0:
            session.delete(slot)  # nobody ever had it, and nothing tells of it
        else:
            slot.withdraw(session, at=now, cause=cause)
    done.removed += len(spare)
    done.beyond += [slot.id for slot in beyond]


def _slot(schedule: Schedule, segment: tuple[datetime, datetime], sequence: int) -> Slot:
    """Its number comes after those that patients were told."""
    starts_at, ends_at = segment
    return Slot(
        id=new_id(),
        hospital_id=schedule.hospital_id,
        schedule_id=schedule.id,
        sequence=sequence,
        starts_at=starts_at,
        ends_at=ends_at,
        status=SlotStatus.FREE,
        moved=0,
    )
