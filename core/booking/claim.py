"""Taking a number, in SQLAlchemy Core: the hottest rows of the house, and the only ones written past their verbs.

    free --(one UPDATE on the first free row that nobody is taking)--> held | booked, with its event row

The database decides the race: nobody reads, decides, then writes. `SKIP LOCKED` lets two patients take two numbers
without waiting for one another. Where every free number is being taken by somebody else, we wait for one of them
instead of refusing: it may yet come back. On SQLite the one writer decides, and the same statements serve.
The moves are those of `Slot.moves`; a test holds this file and the verbs together. Each statement is made once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Update,
    Uuid,
    and_,
    bindparam,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from models.appointment import Appointment, CancelReason
from models.base import new_id, spelled, table_of
from models.grant import Grant
from models.person import Person
from models.prepared import row_of
from models.schedule import Slot, SlotStatus, WithheldReason
from models.states import Cause, Machine, StateEvent

_TRIES = 5

# Columns of the table, not attributes of the model: a statement of the ORM costs twice as much to send.
_SLOT = table_of(Slot).c
TAKEN = (_SLOT.id, _SLOT.sequence, _SLOT.starts_at, _SLOT.ends_at, _SLOT.hospital_id, _SLOT.moved)
"""What is read back of a number that was taken."""


_APPOINTMENT, _PERSON = table_of(Appointment).c, table_of(Person).c
_GRANT = table_of(Grant).c
_LET_GO = [CancelReason.PATIENT, CancelReason.PAYMENT_TIMEOUT, CancelReason.RESCHEDULED, CancelReason.DESK]


@dataclass(frozen=True)
class Taker:
    """For whom a number is wanted. What they let go at `let_go_since` or later they do not get."""

    person_id: UUID
    account_id: UUID
    booker_id: UUID
    let_go_since: datetime


NOBODY = UUID(int=0)
"""Who has given nothing back."""
_NO_TAKER = Taker(NOBODY, NOBODY, NOBODY, datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True)
class Wanted:
    """Which numbers of a schedule will do: those whose segment is still sold, or only those of one, and none that the
    taker let go a short while ago."""

    schedule_id: UUID
    later_than: datetime
    segment_starts_at: datetime | None = None
    taker: Taker = _NO_TAKER


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


@dataclass(frozen=True)
class Taken:
    """A number that is ours, and the event row of its move, which the taker has to write."""

    slot: ClaimedSlot
    event: StateEvent

    @classmethod
    def of(cls, slot: Slot, event: StateEvent) -> Taken:
        """Of a number that was taken by its own verb."""
        return cls(ClaimedSlot(slot.id, slot.sequence, slot.starts_at, slot.ends_at), event)


def claim_slot(session: Session, wanted: Wanted, *, to: SlotStatus, at: datetime, cause: Cause) -> ClaimedSlot | None:
    """Take the first number that will do, or None where none is free. Two patients cannot get the same one."""
    taken = take_slot(session, wanted, to=to, at=at, cause=cause)
    if taken is None:
        return None
    session.add(taken.event)
    return taken.slot


def take_slot(session: Session, wanted: Wanted, *, to: SlotStatus, at: datetime, cause: Cause) -> Taken | None:
    """As `claim_slot`, for whoever writes the event row with others of its own."""
    for _ in range(_TRIES):
        row = _take(session, wanted, to, skip_locked=True)
        if row is None and not is_any_free(session, wanted):
            return None
        row = row or _take(session, wanted, to, skip_locked=False)
        if row is not None:
            return taken_row(row, to=to, at=at, cause=cause)
    return None


def taken_row(row: Any, *, to: SlotStatus, at: datetime, cause: Cause) -> Taken:
    """Of a number that was taken by a statement that returned its row as `TAKEN` names it."""
    slot = ClaimedSlot(row.id, row.sequence, row.starts_at, row.ends_at)
    return Taken(slot, _event(row, to=to, at=at, cause=cause))


def free_numbers(session: Session, wanted: Wanted) -> dict[UUID, int]:
    """All that will do, by id with their sequence; looked at without a lock."""
    query = _free(in_segment=wanted.segment_starts_at is not None).add_columns(_SLOT.sequence)
    return {row.id: row.sequence for row in session.execute(query, _values(wanted))}


def is_any_free(session: Session, wanted: Wanted) -> bool:
    """Looked at without a lock."""
    return bool(session.scalar(_is_any_free(wanted.segment_starts_at is not None), _values(wanted)))


def latest_free(session: Session, schedule_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When the last free number of each begins, of those that have one; looked at without a lock."""
    query = select(_SLOT.schedule_id, func.max(_SLOT.starts_at, type_=_SLOT.starts_at.type))
    free = query.where(_SLOT.schedule_id.in_(schedule_ids), _SLOT.status == spelled(SlotStatus.FREE))
    return dict(session.execute(free.group_by(_SLOT.schedule_id)).all())


def is_kept_from(session: Session, slot_id: UUID, taker: Taker) -> bool:
    """Whether the taker let this very number go a short while ago."""
    return bool(session.scalar(_IS_KEPT, {**_of_taker(taker), "slot": slot_id}))


def count_left(session: Session, wanted: Wanted) -> Left:
    """Counted without a lock: good for an answer, never for a decision to sell."""
    row = session.execute(_count(wanted.segment_starts_at is not None), _values(wanted)).one()
    return Left(free=row[0], returning=row[1])


def _values(wanted: Wanted) -> dict[str, Any]:
    values: dict[str, Any] = {
        "of_schedule": wanted.schedule_id,
        "later_than": wanted.later_than,
        **_of_taker(wanted.taker),
    }
    if wanted.segment_starts_at is not None:
        values["in_segment"] = wanted.segment_starts_at
    return values


def _of_taker(taker: Taker) -> dict[str, Any]:
    return {
        "person": taker.person_id,
        "account": taker.account_id,
        "booker": taker.booker_id,
        "let_go_since": taker.let_go_since,
    }


def _suited(*, in_segment: bool) -> ColumnElement[bool]:
    suited = and_(_SLOT.schedule_id == bindparam("of_schedule"), _SLOT.starts_at > bindparam("later_than"))
    return and_(suited, _SLOT.starts_at == bindparam("in_segment")) if in_segment else suited


def _let_go_by_taker() -> ColumnElement[bool]:
    """Whether the number is kept from the taker. Of all the others its own column says so, and nothing else is read."""
    under_a_grant = select(_GRANT.id).where(_GRANT.account_id == _given("booker"))
    same_human = select(_PERSON.id).where(or_(_PERSON.id == _given("person"), _PERSON.alias_of_id == _given("person")))
    theirs = or_(
        _APPOINTMENT.person_id.in_(same_human),
        _APPOINTMENT.account_id == _given("account"),
        _APPOINTMENT.account_id == _given("booker"),
        _APPOINTMENT.grant_id.in_(under_a_grant),
    )
    let_go = exists().where(
        _APPOINTMENT.schedule_id == _SLOT.schedule_id,
        _APPOINTMENT.slot_id == _SLOT.id,
        _APPOINTMENT.ended_at > bindparam("let_go_since"),
        _APPOINTMENT.cancel_reason.in_([spelled(one) for one in _LET_GO]),
        theirs,
    )
    return and_(_SLOT.let_go_at > bindparam("let_go_since"), let_go)


def _given(name: str) -> BindParameter[UUID]:
    return bindparam(name, type_=Uuid())


@cache
def _is_any_free(in_segment: bool) -> Select[bool]:
    return select(exists(_free(in_segment=in_segment)))


@cache
def _count(in_segment: bool) -> Select[int, int]:
    """What is counted of a schedule, where a number that is kept from the taker may come back."""
    return select(*_free_and_returning(func.coalesce(_let_go_by_taker(), false()))).where(
        _suited(in_segment=in_segment)
    )


def count_of(schedule: ColumnElement[UUID], *, later_than: ColumnElement[datetime]) -> Select[int, int]:
    """The same of any schedule, whoever takes a number."""
    of_it = and_(_SLOT.schedule_id == schedule, _SLOT.starts_at > later_than)
    return select(*_free_and_returning(false())).where(of_it)


def _free_and_returning(kept: ColumnElement[bool]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Free numbers, and numbers that may still come back. Those that are `kept` from the taker are of the second."""
    is_free = _SLOT.status == spelled(SlotStatus.FREE)
    comes_back = _SLOT.withheld_reason != spelled(WithheldReason.WITHDRAWN)
    back = and_(_SLOT.status == spelled(SlotStatus.WITHHELD), comes_back)
    taken = and_(_SLOT.surplus.is_(None), or_(_SLOT.status == spelled(SlotStatus.HELD), back))
    return func.count().filter(is_free, not_(kept)), func.count().filter(or_(taken, is_free & kept))


def _free(*, in_segment: bool) -> Select[UUID]:
    may_have = or_(_SLOT.let_go_at.is_(None), not_(_let_go_by_taker()))
    return select(_SLOT.id).where(_suited(in_segment=in_segment), _SLOT.status == spelled(SlotStatus.FREE), may_have)


@cache
def _taking(in_segment: bool, skip_locked: bool) -> Update:
    first = _free(in_segment=in_segment).order_by(_SLOT.sequence).limit(1).with_for_update(skip_locked=skip_locked)
    return (
        update(table_of(Slot))
        .where(_SLOT.id == first.scalar_subquery(), _SLOT.status == spelled(SlotStatus.FREE))
        .values(status=bindparam("to"), withheld_reason=None, moved=_SLOT.moved + 1)
        .returning(*TAKEN)
    )


def _take(session: Session, wanted: Wanted, to: SlotStatus, *, skip_locked: bool) -> Any:
    """The row as it now is, or None."""
    statement = _taking(wanted.segment_starts_at is not None, skip_locked)
    return row_of(session, statement, {**_values(wanted), "to": to})


def _event(row: Any, *, to: SlotStatus, at: datetime, cause: Cause) -> StateEvent:
    return StateEvent(
        id=new_id(),
        machine=Machine.SLOT,
        record_id=row.id,
        seq=row.moved,
        hospital_id=row.hospital_id,
        at=at,
        from_status=str(SlotStatus.FREE),
        to_status=str(to),
        actor=cause.actor,
        actor_id=cause.actor_id,
        cause_kind=cause.kind,
        cause_id=cause.id,
    )


_IS_KEPT = select(exists(select(_SLOT.id).where(_SLOT.id == _given("slot"), _let_go_by_taker())))
