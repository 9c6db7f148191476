"""Every pair of states of every machine, through `enter` and through each verb. The tables are architecture.md's,
section 4, written down here a second time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import Session

from models.account_join import AccountJoin, JoinStatus
from models.appointment import HOLDS_SLOT, OPEN, Appointment, AppointmentStatus, CancelReason
from models.base import new_id
from models.errors import IllegalTransition
from models.hospital_claim import HospitalClaim
from models.hospital_claim import HospitalClaimStatus as ClaimStatus
from models.identity_check import IdentityCheck, IdentityCheckStatus
from models.offer import Offer, OfferStatus
from models.payment import Payment, PaymentStatus, Refund, RefundStatus
from models.schedule import Slot, SlotStatus, WithheldReason
from models.states import Actor, Cause, CauseKind, StateEvent
from models.strike import AppealStatus, StrikeAppeal
from models.waitlist import WaitlistEntry, WaitlistStatus

AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
CAUSE = Cause(Actor.OPERATOR, CauseKind.COMMAND, "walk", actor_id="somebody")
HOW = {"at": AT, "cause": CAUSE}

APPOINTMENT = """
    pending  > booked cancelled
    booked   > arrived cancelled noshow
    arrived  > fulfilled cancelled noshow
    noshow   > fulfilled cancelled
    fulfilled > fulfilled cancelled
"""
PAYMENT = """
    created  > pending failed unknown succeeded closed
    pending  > succeeded closed unknown
    unknown  > pending succeeded closed failed created
    closed   > succeeded
    failed   > succeeded
"""
REFUND = """
    due        > processing succeeded abnormal closed unknown desk
    unknown    > processing succeeded abnormal closed due desk
    processing > succeeded abnormal closed
    abnormal   > processing succeeded desk
    desk       > processing succeeded
"""
SLOT = """
    free      > held booked withheld suspended
    held      > booked withheld suspended
    booked    > withheld suspended
    withheld  > free held booked suspended
    suspended > free withheld
"""
HOSPITAL_CLAIM = """
    none      > held confirmed refused unknown
    held      > confirmed released refused unknown
    confirmed > released unknown
    unknown   > none held confirmed released refused
"""
IDENTITY_CHECK = """
    pending > passed failed expired
"""
WAITLIST_ENTRY = """
    waiting > offered booked left expired
    offered > booked waiting passed left
"""
ACCOUNT_JOIN = """
    asked  > joined expired
    joined > undone
"""


OFFER = """
    open > accepted declined expired withdrawn
"""
STRIKE_APPEAL = """
    open > granted rejected
"""


def read_table(plan: str) -> dict[str, set[str]]:
    lines = [line.split(">") for line in plan.strip().splitlines()]
    return {was.strip(): set(targets.split()) for was, targets in lines}


@dataclass(frozen=True)
class Kind:
    record: Any
    states: type[StrEnum]
    moves: dict[str, set[str]]


KINDS = {
    "appointment": Kind(Appointment, AppointmentStatus, read_table(APPOINTMENT)),
    "payment": Kind(Payment, PaymentStatus, read_table(PAYMENT)),
    "refund": Kind(Refund, RefundStatus, read_table(REFUND)),
    "slot": Kind(Slot, SlotStatus, read_table(SLOT)),
    "hospital_claim": Kind(HospitalClaim, ClaimStatus, read_table(HOSPITAL_CLAIM)),
    "identity_check": Kind(IdentityCheck, IdentityCheckStatus, read_table(IDENTITY_CHECK)),
    "waitlist_entry": Kind(WaitlistEntry, WaitlistStatus, read_table(WAITLIST_ENTRY)),
    "account_join": Kind(AccountJoin, JoinStatus, read_table(ACCOUNT_JOIN)),
    "offer": Kind(Offer, OfferStatus, read_table(OFFER)),
    "strike_appeal": Kind(StrikeAppeal, AppealStatus, read_table(STRIKE_APPEAL)),
}


@dataclass(frozen=True)
class Verb:
    """`repeats`: asking for the state it has changes nothing, instead of being illegal."""

    kind: str
    to: str
    call: Callable[[Any, Session], Any]
    repeats: bool = False


VERBS = {
    "check_in": Verb("appointment", "arrived", lambda one, session: one.check_in(session, **HOW)),
    "fulfil": Verb("appointment", "fulfilled", lambda one, session: one.fulfil(session, **HOW)),
    "miss": Verb("appointment", "noshow", lambda one, session: one.miss(session, **HOW)),
    "payment_arrived": Verb("appointment", "booked", lambda one, session: one.payment_arrived(session, **HOW)),
    "hold": Verb("slot", "held", lambda one, session: one.hold(session, **HOW)),
    "book": Verb("slot", "booked", lambda one, session: one.book(session, **HOW)),
    "withhold": Verb("slot", "withheld", lambda one, session: one.withhold(session, why=WithheldReason.CLOSING, **HOW)),
    "free": Verb("slot", "free", lambda one, session: one.free(session, **HOW)),
    "suspend": Verb("slot", "suspended", lambda one, session: one.suspend(session, **HOW)),
    "accepted": Verb("payment", "pending", lambda one, session: one.accepted(session, **HOW), repeats=True),
    "lost_sight": Verb(
        "payment", "unknown", lambda one, session: one.lost_sight(session, reason="x", **HOW), repeats=True
    ),
    "refuse": Verb("payment", "failed", lambda one, session: one.refuse(session, reason="x", **HOW)),
    "close": Verb("payment", "closed", lambda one, session: one.close(session, **HOW), repeats=True),
    "succeed": Verb(
        "payment",
        "succeeded",
        lambda one, session: one.succeed(
            session, received_fen=1, currency="CNY", platform_trade_no="T", paid_at=AT, **HOW
        ),
        repeats=True,
    ),
    **{
        f"become {status}": Verb(
            "refund", status, lambda one, session, to=status: one.become(session, to, **HOW), repeats=True
        )
        for status in RefundStatus
    },
    "hospital_confirmed": Verb(
        "appointment", "booked", lambda one, session: one.hospital_confirmed(session, sequence=7, **HOW)
    ),
    "claim held": Verb("hospital_claim", "held", lambda one, session: one.hold(session, **HOW)),
    "claim confirmed": Verb(
        "hospital_claim", "confirmed", lambda one, session: one.confirm(session, number="N", **HOW)
    ),
    "claim refused": Verb("hospital_claim", "refused", lambda one, session: one.refuse(session, reason="x", **HOW)),
    "claim released": Verb("hospital_claim", "released", lambda one, session: one.release(session, **HOW)),
    "claim lost": Verb(
        "hospital_claim", "unknown", lambda one, session: one.lost_sight(session, reason="x", **HOW), repeats=True
    ),
    "claim never arrived": Verb("hospital_claim", "none", lambda one, session: one.never_arrived(session, **HOW)),
    "pass": Verb("identity_check", "passed", lambda one, session: one.succeed(session, level=2, matched=[], **HOW)),
    "fail": Verb("identity_check", "failed", lambda one, session: one.fail(session, reason="x", **HOW)),
    "expire": Verb("identity_check", "expired", lambda one, session: one.expire(session, **HOW)),
    "end": Verb("account_join", "expired", lambda one, session: one.expire(session, why="x", **HOW)),
    "join": Verb(
        "account_join",
        "joined",
        lambda one, session: one.join(session, kept=new_id(), emptied=new_id(), carried={}, undo_before=AT, **HOW),
    ),
    "offer": Verb("waitlist_entry", "offered", lambda one, session: one.offer(session, **HOW)),
    "wait on": Verb("waitlist_entry", "waiting", lambda one, session: one.wait_on(session, reason="x", **HOW)),
    "serve": Verb("waitlist_entry", "booked", lambda one, session: one.serve(session, **HOW)),
    "pass on": Verb("waitlist_entry", "passed", lambda one, session: one.pass_on(session, reason="x", **HOW)),
    "leave": Verb("waitlist_entry", "left", lambda one, session: one.leave(session, reason="x", **HOW)),
    "entry expires": Verb("waitlist_entry", "expired", lambda one, session: one.expire(session, **HOW)),
    "take": Verb("offer", "accepted", lambda one, session: one.accept(session, appointment_id=new_id(), **HOW)),
    "decline": Verb("offer", "declined", lambda one, session: one.decline(session, **HOW)),
    "lapse": Verb("offer", "expired", lambda one, session: one.expire(session, **HOW)),
    "take back": Verb("offer", "withdrawn", lambda one, session: one.withdraw(session, reason="x", **HOW)),
    "grant": Verb("strike_appeal", "granted", lambda one, session: one.grant(session, reason="x", **HOW)),
    "reject": Verb("strike_appeal", "rejected", lambda one, session: one.reject(session, **HOW)),
    "undo": Verb("account_join", "undone", lambda one, session: one.undo(session, **HOW)),
}


def make(kind: Kind, status: StrEnum) -> Any:
    """A record in any state, without a database; records of a hospital name it."""
    place = {"hospital_id": new_id()} if hasattr(kind.record, "hospital_id") else {}
    return kind.record(id=new_id(), status=status, moved=3, **place)


def written(session: Session) -> list[StateEvent]:
    return [row for row in session.new if isinstance(row, StateEvent)]


def columns(record: Any) -> dict[str, Any]:
    return {name: value for name, value in inspect(record).dict.items() if not name.startswith("_")}


def assert_moved(session: Session, record: Any, kind: Kind, was: StrEnum, to: str) -> None:
    assert (record.status, record.moved) == (to, 4)
    (event,) = written(session)
    assert (event.machine, event.record_id, event.seq) == (kind.record.machine, record.id, 4)
    assert (event.from_status, event.to_status, event.at) == (was, to, AT)
    assert (event.actor, event.actor_id, event.cause_kind, event.cause_id) == (
        "operator",
        "somebody",
        "command",
        "walk",
    )
    assert event.hospital_id == getattr(record, "hospital_id", None)


def _pairs() -> Iterator[Any]:
    for name, kind in KINDS.items():
        for was in kind.states:
            for to in kind.states:
                yield pytest.param(kind, was, to, id=f"{name}: {was} > {to}")


def _walks() -> Iterator[Any]:
    for name, verb in VERBS.items():
        for was in KINDS[verb.kind].states:
            yield pytest.param(verb, was, id=f"{verb.kind}: {was} {name}")


@pytest.mark.parametrize("name", list(KINDS))
def test_the_moves_are_those_of_the_plan(name: str) -> None:
    kind = KINDS[name]
    assert {str(was): {str(to) for to in targets} for was, targets in kind.record.moves.items()} == kind.moves
    assert set(kind.moves) | set().union(*kind.moves.values()) == {str(state) for state in kind.states}


@pytest.mark.parametrize(("kind", "was", "to"), list(_pairs()))
def test_enter_moves_along_the_table_and_nowhere_else(kind: Kind, was: StrEnum, to: StrEnum) -> None:
    session, record = Session(), make(kind, was)
    if to in kind.moves.get(was, set()):
        record.enter(session, to, at=AT, cause=CAUSE, reason="because", facts={"fen": 1})
        assert_moved(session, record, kind, was, to)
        assert (written(session)[0].reason, written(session)[0].facts) == ("because", {"fen": 1})
        return
    before = columns(record)
    with pytest.raises(IllegalTransition) as refused:
        record.enter(session, to, at=AT, cause=CAUSE)
    assert (refused.value.machine, refused.value.was, refused.value.wanted) == (kind.record.machine, was, to)
    assert (columns(record), written(session)) == (before, [])


@pytest.mark.parametrize(("verb", "was"), list(_walks()))
def test_a_verb_moves_along_the_table_and_changes_nothing_otherwise(verb: Verb, was: StrEnum) -> None:
    kind = KINDS[verb.kind]
    session, record = Session(), make(kind, was)
    before = columns(record)
    if verb.to in kind.moves.get(was, set()):
        verb.call(record, session)
        assert_moved(session, record, kind, was, verb.to)
    elif verb.repeats and was == verb.to:
        assert not verb.call(record, session)
        assert (columns(record), written(session)) == (before, [])
    else:
        with pytest.raises(IllegalTransition):
            verb.call(record, session)
        assert (columns(record), written(session)) == (before, [])


@pytest.mark.parametrize("was", PaymentStatus)
def test_a_number_that_never_arrived_is_as_new_and_a_settled_one_stays(was: PaymentStatus) -> None:
    session, payment = Session(), make(KINDS["payment"], was)
    payment.never_arrived(session, at=AT, cause=CAUSE)
    steps = {PaymentStatus.PENDING: ["unknown", "created"], PaymentStatus.UNKNOWN: ["created"]}.get(was, [])
    assert [event.to_status for event in written(session)] == steps
    assert payment.status == (PaymentStatus.CREATED if steps else was)


def test_a_record_is_born_with_its_first_event() -> None:
    session, payment = Session(), Payment(id=new_id(), hospital_id=new_id())
    payment.enter(session, PaymentStatus.CREATED, at=AT, cause=CAUSE)
    (event,) = written(session)
    assert (payment.moved, event.seq, event.from_status, event.to_status) == (1, 1, None, "created")
    assert payment in session.new


# --- cancelling has a reason, and each state has its own

REASONS = {
    "pending": {"patient", "payment_timeout", "suspended", "hospital_refused", "error"},
    "booked": {"patient", "rescheduled", "suspended", "desk", "error"},
    "arrived": {"desk"},
    "noshow": {"suspended"},
    "fulfilled": {"suspended"},
}


@pytest.mark.parametrize("why", CancelReason)
@pytest.mark.parametrize("was", AppointmentStatus)
def test_each_state_has_its_reasons_to_be_cancelled(was: AppointmentStatus, why: CancelReason) -> None:
    session, appointment = Session(), make(KINDS["appointment"], was)
    before = columns(appointment)
    if why in REASONS.get(was, set()):
        appointment.cancel(session, why=why, at=AT, cause=CAUSE)
        assert_moved(session, appointment, KINDS["appointment"], was, "cancelled")
        assert (appointment.cancel_reason, appointment.ended_at) == (why, AT)
        assert written(session)[0].reason == why
        return
    with pytest.raises(IllegalTransition):
        appointment.cancel(session, why=why, at=AT, cause=CAUSE)
    assert (columns(appointment), written(session)) == (before, [])


def test_what_holds_a_slot_and_what_counts_as_open() -> None:
    assert {str(one) for one in HOLDS_SLOT} == {"pending", "booked", "arrived", "fulfilled", "noshow"}
    assert {str(one) for one in OPEN} == {"pending", "booked", "arrived"}
