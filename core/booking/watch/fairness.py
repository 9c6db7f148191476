"""The fairness report of a schedule: how long its numbers lasted, by which channel they went, and which rules refused.

For everybody to read, so that nothing in it is about one patient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from models.appointment import HOLDS_SLOT, Appointment
from models.base import made_after, new_id
from models.errors import NotFound
from models.fairness import RefusalCount
from models.schedule import Schedule, Slot, SlotStatus, Surplus, WithheldReason
from models.states import StateEvent

_OF_THE_POOL = Slot.surplus.is_distinct_from(Surplus.EXTRA)
"""What a doctor gives to one person was nobody else's to take."""
_AT_ONCE = timedelta(minutes=1)
"""A half day is published with all its numbers in less."""

OTHER = "other"
"""The channel of what no login booked: the desk, a doctor, the waitlist."""

Tally = Mapping[tuple[UUID, str], int]
"""How often a schedule's bookings were refused, by schedule and code."""


@dataclass(frozen=True)
class ChannelShare:
    """`share` of the numbers that are taken, in percent."""

    channel: str
    numbers: int
    share: int


@dataclass(frozen=True)
class Refused:
    code: str
    times: int


@dataclass(frozen=True)
class Fairness:
    """`seconds_to_sold_out` from the release to the first moment without a free number; None where there was none."""

    schedule_id: UUID
    numbers: int
    taken: int
    release_at: datetime
    sold_out_at: datetime | None
    channels: list[ChannelShare]
    refused: list[Refused]

    @property
    def seconds_to_sold_out(self) -> int | None:
        if self.sold_out_at is None:
            return None
        return max(0, int((self.sold_out_at - self.release_at).total_seconds()))


def fairness_of(session: Session, schedule_id: UUID) -> Fairness:
    """Raises: NotFound."""
    schedule = session.get(Schedule, schedule_id)
    if schedule is None:
        raise NotFound()
    withdrawn = Slot.withheld_reason.is_not_distinct_from(WithheldReason.WITHDRAWN)
    numbers = session.scalar(select(func.count()).where(Slot.schedule_id == schedule_id, ~withdrawn)) or 0
    by_channel = _by_channel(session, schedule_id)
    taken = sum(by_channel.values())
    return Fairness(
        schedule_id=schedule_id,
        numbers=numbers,
        taken=taken,
        release_at=schedule.release_at,
        sold_out_at=_sold_out_at(session, schedule),
        channels=[
            ChannelShare(channel, count, round(100 * count / taken)) for channel, count in by_channel.most_common()
        ],
        refused=_refused(session, schedule_id),
    )


def add_refusals(session: Session, tally: Tally) -> None:
    """Add up what was refused since the last time, in the order of schedules so that two processes never cross."""
    for (schedule_id, code), times in sorted(tally.items(), key=lambda one: (one[0][0].bytes, one[0][1])):
        counted = (RefusalCount.schedule_id == schedule_id) & (RefusalCount.code == code)
        more = update(RefusalCount).where(counted).values(times=RefusalCount.times + times)
        if session.scalars(more.returning(RefusalCount.id)).first() is None:
            row = {"id": new_id(), "schedule_id": schedule_id, "code": code, "times": times}
            session.execute(insert(RefusalCount), [row])


def known_schedules(session: Session, schedule_ids: set[UUID]) -> set[UUID]:
    """Those of them that there are: anybody may ask to book anything."""
    return set(session.scalars(select(Schedule.id).where(Schedule.id.in_(schedule_ids))))


def _by_channel(session: Session, schedule_id: UUID) -> Counter[str]:
    rows = session.execute(
        select(Appointment.booked_through, func.count())
        .where(Appointment.schedule_id == schedule_id, Appointment.status.in_(HOLDS_SLOT))
        .group_by(Appointment.booked_through)
        .order_by(Appointment.booked_through)
    )
    return Counter({str(channel or OTHER): count for channel, count in rows})


def _sold_out_at(session: Session, schedule: Schedule) -> datetime | None:
    """What the hospital added afterwards counts from then on: what was told once stays true."""
    changes = sorted([*_added(session, schedule), *_moves(session, schedule.id)])
    free = 0
    for at, _, change in changes:
        free += change
        if free == 0 and at >= schedule.release_at:
            return at
    return None


_Change = tuple[datetime, int, int]
"""When, a number's birth before its moves, and how many more there are in the public pool."""


def _added(session: Session, schedule: Schedule) -> Iterator[_Change]:
    """Slots are born free, without an event. Their ids tell how long after the schedule that was."""
    for slot_id in session.scalars(select(Slot.id).where(Slot.schedule_id == schedule.id, _OF_THE_POOL)):
        later = made_after(slot_id, schedule.id)
        yield (schedule.created_at + later if later > _AT_ONCE else datetime.min.replace(tzinfo=UTC)), 0, 1


def _moves(session: Session, schedule_id: UUID) -> Iterator[_Change]:
    """In and out of the public pool, the oldest first."""
    rows = session.execute(
        select(StateEvent.at, StateEvent.from_status, StateEvent.to_status)
        .join(Slot, Slot.id == StateEvent.record_id)
        .where(Slot.schedule_id == schedule_id, _OF_THE_POOL)
        .order_by(StateEvent.at, StateEvent.id)
    )
    for nth, (at, was, now) in enumerate(rows, start=1):
        yield at, nth, (now == SlotStatus.FREE) - (was == SlotStatus.FREE)


def _refused(session: Session, schedule_id: UUID) -> list[Refused]:
    rows = session.execute(
        select(RefusalCount.code, RefusalCount.times)
        .where(RefusalCount.schedule_id == schedule_id)
        .order_by(RefusalCount.times.desc(), RefusalCount.code)
    )
    return [Refused(*row) for row in rows]
