"""What breaks the promises about moves, messages, jobs and keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import literal_column, select
from sqlalchemy.orm import Session

from core.invariants import MACHINES
from models.base import new_id
from models.idempotency import IdempotencyKey, KeyState
from models.job import Job
from models.payment import Payment, PaymentStatus, Refund, RefundStatus
from models.platform import EventState, PlatformEvent
from models.schedule import Slot
from models.states import StateEvent
from plants import World, any_id, change, clone, drop, plant, quiet, read_row, table

# --- every machine


def _moved_record(session: Session, record: Any) -> tuple[UUID, UUID]:
    """A record that has moved at least once after its birth, and its last event."""
    events = table(StateEvent)
    moved = select(events.c.record_id).where(events.c.machine == record.machine, events.c.from_status.is_not(None))
    record_id = session.execute(moved.limit(1)).scalar_one()
    last = select(events.c.id).where(events.c.record_id == record_id).order_by(events.c.seq.desc()).limit(1)
    return record_id, session.execute(last).scalar_one()


def _status_written_past_the_verbs(session: Session, world: World, *, record: Any) -> None:
    record_id, _ = _moved_record(session, record)
    change(session, record, record_id, status=literal_column("'elsewhere'"))


def _last_event_lost(session: Session, world: World, *, record: Any) -> None:
    drop(session, StateEvent, _moved_record(session, record)[1])


def _all_events_lost(session: Session, world: World, *, record: Any) -> None:
    record_id, _ = _moved_record(session, record)
    events = table(StateEvent)
    session.execute(events.delete().where(events.c.record_id == record_id))


def _moved_without_an_event(session: Session, world: World, *, record: Any) -> None:
    record_id, _ = _moved_record(session, record)
    change(session, record, record_id, moved=read_row(session, record, record_id)["moved"] + 1)


def _one_event_twice(session: Session, world: World, *, record: Any) -> None:
    clone(session, StateEvent, _moved_record(session, record)[1])


def _event_from_nowhere(session: Session, world: World, *, record: Any) -> None:
    change(session, StateEvent, _moved_record(session, record)[1], from_status="elsewhere")


def _second_birth(session: Session, world: World, *, record: Any) -> None:
    change(session, StateEvent, _moved_record(session, record)[1], from_status=None)


def _illegal_move(session: Session, world: World, *, record: Any) -> None:
    _, event_id = _moved_record(session, record)
    change(session, StateEvent, event_id, to_status=read_row(session, StateEvent, event_id)["from_status"])


_SPOILED_HISTORY = (
    _status_written_past_the_verbs,
    _last_event_lost,
    _all_events_lost,
    _moved_without_an_event,
    _one_event_twice,
)
for _record in MACHINES:
    for _spoil in _SPOILED_HISTORY:
        plant(f"{_record.machine}_replays_to_its_state")(partial(_spoil, record=_record))
    plant(f"{_record.machine}_events_follow_on")(partial(_event_from_nowhere, record=_record))
    plant(f"{_record.machine}_moves_are_legal")(partial(_illegal_move, record=_record))
    if _record is not Slot:
        plant(f"{_record.machine}_events_follow_on")(partial(_second_birth, record=_record))


@plant("slot_replays_to_its_state")
def _taken_without_any_event(session: Session, world: World) -> None:
    change(session, Slot, any_id(session, Slot, moved=0), moved=1)


# --- messages


@plant("only_verified_messages_move")
def _moved_by_a_message_that_never_came(session: Session, world: World) -> None:
    event_id = any_id(session, StateEvent, record_id=world.paid, cause_kind="platform_event")
    change(session, StateEvent, event_id, cause_id=str(new_id()))


@plant("inbox_is_applied")
def _message_left_lying(session: Session, world: World) -> None:
    late = world.now - timedelta(seconds=61)
    change(session, PlatformEvent, any_id(session, PlatformEvent), state=EventState.RECEIVED, received_at=late)


@quiet("inbox_is_applied")
def _message_just_in(session: Session, world: World) -> None:
    change(session, PlatformEvent, any_id(session, PlatformEvent), state=EventState.RECEIVED, received_at=world.now)


# --- what may not stay open


def _payment_open_for(session: Session, world: World, *, status: PaymentStatus, hours: int) -> None:
    payment = world.of(session, Payment, world.held)
    change(session, Payment, payment, status=status, created_at=world.now - timedelta(hours=hours))


for _open in (PaymentStatus.CREATED, PaymentStatus.PENDING, PaymentStatus.UNKNOWN):
    plant("payment_is_settled")(partial(_payment_open_for, status=_open, hours=27))
    quiet("payment_is_settled")(partial(_payment_open_for, status=_open, hours=25))


def _refund_open_for(session: Session, world: World, *, status: RefundStatus, hours: int) -> None:
    refund = world.of(session, Refund, world.cancelled)
    change(session, Refund, refund, status=status, created_at=world.now - timedelta(hours=hours))


for _unsent in (RefundStatus.DUE, RefundStatus.UNKNOWN):
    plant("refund_is_settled")(partial(_refund_open_for, status=_unsent, hours=27))
    quiet("refund_is_settled")(partial(_refund_open_for, status=_unsent, hours=25))


@quiet("refund_is_settled")
def _refund_waits_for_the_red_receipt(session: Session, world: World) -> None:
    _refund_open_for(session, world, status=RefundStatus.DUE, hours=27)
    change(session, Refund, world.of(session, Refund, world.cancelled), awaits_red_since=world.now)


def _job_says(session: Session, world: World, *, values: Mapping[str, Any], ago: Mapping[str, int]) -> None:
    instants = {name: world.now - timedelta(minutes=minutes) for name, minutes in ago.items()}
    change(session, Job, any_id(session, Job), **{"done_at": None, "lease_until": None, **values, **instants})


plant("job_is_not_stuck")(partial(_job_says, values={}, ago={"dead_at": 1}))
plant("job_is_not_stuck")(partial(_job_says, values={}, ago={"run_at": 11}))
plant("job_is_not_stuck")(partial(_job_says, values={}, ago={"run_at": 20, "lease_until": 11}))
quiet("job_is_not_stuck")(partial(_job_says, values={}, ago={"run_at": 9}))
quiet("job_is_not_stuck")(partial(_job_says, values={}, ago={"run_at": 20, "lease_until": 0}))


# --- keys


def _running_key(session: Session, world: World, *, hours: int | None) -> None:
    until = None if hours is None else world.now - timedelta(hours=hours)
    change(session, IdempotencyKey, world.key, state=KeyState.RUNNING, lease_until=until)


plant("key_is_not_stuck")(partial(_running_key, hours=None))
plant("key_is_not_stuck")(partial(_running_key, hours=3))
quiet("key_is_not_stuck")(partial(_running_key, hours=1))


@plant("kept_key_has_its_reply")
def _done_without_a_reply(session: Session, world: World) -> None:
    change(session, IdempotencyKey, world.key, reply_sealed=None)
