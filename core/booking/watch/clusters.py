"""Signs of resale in what was booked: who holds and drops, and who takes what another has just let go.

Looked for from time to time, in what is written down anyway; no booking waits for it. What is found becomes a signal of
each account in the cluster, with the appointments that show it. The answer grows with the number of signals and is
never silent: the refusal says what it is, until when, and that the desk stays open (docs/decisions/0034).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from core.jobs.queue import LeasedJob
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.base import new_id
from models.booking_signal import BookingSignal, SignalAnswer, SignalKind
from models.errors import NotFound
from models.payment import Payment, PaymentStatus
from models.person import Dependent, Person
from models.states import Actor, Machine, StateEvent

LOOK_BACK = timedelta(days=7)
DROPPED = 5
"""So many times that one cluster held without paying, and let go, within `LOOK_BACK` are a sign. A family that books
together holds once, however many they are."""
OF_ONES_OWN = 2
"""So many of these an account must have done itself to be answered for what it did with others."""
REBOOKED = 3
"""So many numbers of one account that one other took within `SOON` of their being let go are a sign."""
AGAIN = 3
"""So many more, after a signal, are another one."""
SOON = timedelta(hours=3)
REMEMBERED = timedelta(days=90)
COOL_DOWN = timedelta(days=1)
STEP_UP = timedelta(days=30)

_LET_GO = (CancelReason.PATIENT, CancelReason.PAYMENT_TIMEOUT)

log = structlog.get_logger()


@dataclass(frozen=True)
class Sign:
    """What was seen of one account. `common` is what the appointments of the cluster share: the account itself, the
    person, the phone, or the account that took what was let go."""

    account_id: UUID
    kind: SignalKind
    common: str
    appointments: tuple[UUID, ...]

    @property
    def facts(self) -> dict[str, Any]:
        return {"common": self.common, "appointments": [str(one) for one in self.appointments]}


def watch_bookings(workbench: Workbench, _job: LeasedJob) -> datetime | None:
    """The periodic job: what is new becomes a signal."""
    found = workbench.transactions.read(lambda session, now: list(signs(session, now=now)))
    if not found:
        return None
    made = workbench.transactions.write(lambda session, now: note_signs(session, found, now=now))
    for one in made:
        log.info("booking_signal", account=str(one.account_id), signal=one.kind, answer=one.answer)
    return None


def note_signs(session: Session, found: Iterable[Sign], *, now: datetime) -> list[BookingSignal]:
    """Write down the signs whose appointments no signal of the account has shown yet, and answer them."""
    made: list[BookingSignal] = []
    for sign in sorted(found, key=lambda one: (one.account_id.bytes, one.kind, one.common)):
        before = _remembered(session, sign.account_id, now=now)
        shown = {one for signal in before if signal.kind is sign.kind for one in signal.facts["appointments"]}
        fresh = set(sign.facts["appointments"]) - shown
        if not fresh or (shown and len(fresh) < AGAIN):
            continue
        answer, until = _answer((one for one in before if not _is_same_act(one, sign)), now=now)
        signal = BookingSignal(
            id=new_id(),
            account_id=sign.account_id,
            kind=sign.kind,
            facts=sign.facts,
            answer=answer,
            until=until,
            created_at=now,
        )
        session.add(signal)
        session.flush()
        made.append(signal)
    return made


def signs(session: Session, *, now: datetime) -> Iterator[Sign]:
    """Everything that looks like resale lately."""
    since = now - LOOK_BACK
    root = func.coalesce(Person.alias_of_id, Person.id)
    yield from _dropped(session, "account", Appointment.account_id, since=since)
    yield from _dropped(session, "person", root, since=since)
    yield from _dropped(session, "phone", Dependent.phone_hash, since=since)
    yield from _rebooked(session, since=since)


def clear_signal(session: Session, signal_id: UUID, *, operator: str, why: str, now: datetime) -> BookingSignal:
    """A person has looked at it and found nothing. Raises: NotFound."""
    signal = session.get(BookingSignal, signal_id, with_for_update=True, populate_existing=True)
    if signal is None:
        raise NotFound()
    if signal.cleared_at is None:
        signal.clear(by=operator, why=why, at=now)
    return signal


def signals_in_force(session: Session, *, now: datetime) -> list[BookingSignal]:
    """For operators: the heaviest first."""
    query = select(BookingSignal).where(BookingSignal.cleared_at.is_(None)).order_by(BookingSignal.created_at)
    weight = list(SignalAnswer)
    found = [one for one in session.scalars(query) if one.is_in_force(now=now)]
    return sorted(found, key=lambda one: weight.index(one.answer), reverse=True)


def _remembered(session: Session, account_id: UUID, *, now: datetime) -> list[BookingSignal]:
    query = select(BookingSignal).where(
        BookingSignal.account_id == account_id, BookingSignal.created_at > now - REMEMBERED
    )
    return list(session.scalars(query))


def _is_same_act(signal: BookingSignal, sign: Sign) -> bool:
    """What was held, dropped and taken by another is one act under two names, and is answered once."""
    return signal.kind is not sign.kind and not set(signal.facts["appointments"]).isdisjoint(sign.facts["appointments"])


def _answer(before: Iterable[BookingSignal], *, now: datetime) -> tuple[SignalAnswer, datetime | None]:
    """What a person has cleared does not weigh."""
    earlier = sum(one.cleared_at is None for one in before)
    if earlier == 0:
        return SignalAnswer.COOL_DOWN, now + COOL_DOWN
    if earlier == 1:
        return SignalAnswer.STEP_UP, now + STEP_UP
    return SignalAnswer.REVIEW, None


def _dropped(session: Session, what: str, common: Any, *, since: datetime) -> Iterator[Sign]:
    """Held for payment and let go without a payment, `DROPPED` times by those who have `common` in common."""
    # An exchange is on the charge of what it is to replace: each is a hold of its own.
    hold = case((Appointment.replaces_id.is_not(None), Appointment.id), else_=Appointment.charge_id)
    rows = session.execute(
        select(common, hold, Appointment.account_id, Appointment.id)
        .join(Dependent, Dependent.id == Appointment.dependent_id)
        .join(Person, Person.id == Appointment.person_id)
        .where(_held_and_dropped(since), common.is_not(None))
        .order_by(Appointment.id)
    )
    clusters: defaultdict[Any, dict[UUID, tuple[UUID, UUID]]] = defaultdict(dict)
    for key, held, account_id, appointment_id in rows:
        clusters[key].setdefault(held, (account_id, appointment_id))  # the first shows the others
    for holds in clusters.values():
        accounts = {account_id for account_id, _ in holds.values()}
        # One account by itself is told once, as an account.
        if len(holds) >= DROPPED and (what == "account" or len(accounts) > 1):
            for account_id in accounts:
                own = tuple(appointment for account, appointment in holds.values() if account == account_id)
                if len(own) >= OF_ONES_OWN:
                    yield Sign(account_id, SignalKind.HOLD_AND_DROP, what, own)


def _held_and_dropped(since: datetime) -> ColumnElement[bool]:
    """Also what was paid too late is paid; what was paid before for the number to be exchanged is not."""
    paid = exists().where(
        Payment.charge_id == Appointment.charge_id,
        Payment.status == PaymentStatus.SUCCEEDED,
        Payment.created_at >= Appointment.created_at,
        Payment.created_at <= Appointment.ended_at,
    )
    return and_(
        Appointment.status == AppointmentStatus.CANCELLED,
        Appointment.cancel_reason.in_(_LET_GO),
        Appointment.pay_mode == PayMode.ONLINE,
        Appointment.hold_expires_at.is_not(None),
        Appointment.awaiting_payment,
        Appointment.created_at > since,
        Appointment.ended_at > since,  # as it must be, for the index
        ~paid,
    )


def _rebooked(session: Session, *, since: datetime) -> Iterator[Sign]:
    """One account lets go, one other takes the very number soon after, again and again between the same two. What we
    found for whoever waited is nobody's arrangement: who is the first in a queue, neither of them decides."""
    taker = aliased(Appointment)
    rows = session.execute(
        select(Appointment.account_id, taker.account_id, Appointment.id, taker.id)
        .join(taker, and_(taker.schedule_id == Appointment.schedule_id, taker.slot_id == Appointment.slot_id))
        .where(
            Appointment.status == AppointmentStatus.CANCELLED,
            Appointment.cancel_reason.in_(_LET_GO),
            Appointment.ended_at > since,
            taker.created_at >= Appointment.ended_at,
            taker.account_id != Appointment.account_id,
            ~_found_by_us(taker.id),
        )
        .add_columns(Appointment.ended_at, taker.created_at)
        .order_by(Appointment.id)
    )
    pairs: defaultdict[tuple[UUID, UUID], list[tuple[UUID, UUID]]] = defaultdict(list)
    for giver, receiver, let_go, taken, ended_at, taken_at in rows:
        if taken_at < ended_at + SOON:
            pairs[giver, receiver].append((let_go, taken))
    for (giver, receiver), numbers in pairs.items():
        if len(numbers) >= REBOOKED:
            yield Sign(giver, SignalKind.REBOOKED_BY_ANOTHER, "given", tuple(let_go for let_go, _ in numbers))
            yield Sign(receiver, SignalKind.REBOOKED_BY_ANOTHER, "taken", tuple(taken for _, taken in numbers))


def _found_by_us(appointment_id: ColumnElement[UUID] | Any) -> ColumnElement[bool]:
    """By the job that hands out freed numbers, and at nobody's own request."""
    return exists().where(
        StateEvent.machine == Machine.APPOINTMENT,
        StateEvent.record_id == appointment_id,
        StateEvent.from_status.is_(None),
        StateEvent.actor == Actor.SYSTEM,
    )
