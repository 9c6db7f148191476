"""Patients with a number to book, and the platform in memory: what the tests of booking and paying share."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Barrier
from time import sleep
from typing import Any, TypeVar
from uuid import UUID, uuid4

from factories import make_account, make_department, make_dependent, make_hospital, make_identity, make_schedule
from fakes import FakeAdapters, FakeGateway, ManualClock
from key_rings import new_ring
from people import agree
from sqlalchemy import select
from sqlalchemy.event import listen, remove
from sqlalchemy.orm import Session

from core.booking.book import Wish, book_appointment
from core.booking.endings.cancel import cancel_appointment
from core.booking.reschedule import Move, reschedule_appointment
from core.invariants import Broken, check_invariants
from core.jobs.runner import Runner
from core.payments.inbox import receive_event
from core.payments.open import Payer, PaymentIntent, intend_payment, note_opened, open_at_platform
from core.ports import MessageKind, PlatformMessage, RefundAnswer, TradeAnswer
from core.tickets import Tickets
from core.transactions import Overloaded, Transactions
from core.workbench import Workbench
from miniapp_api.worker import HANDLERS, PERIODIC
from models.account import Account, Purpose
from models.appointment import Appointment, PayMode
from models.database import Database
from models.hospital import Department
from models.payment import Channel, Payment, Refund
from models.person import Dependent, PersonIdentifier
from models.schedule import Schedule, Slot
from models.sealing import Vault
from models.states import Actor, Cause, CauseKind, StateEvent

R = TypeVar("R")

# Publishing would compile the made-up terms of these schedules anew, and who holds and drops again and again is what
# many a test plays. A week's bills of every merchant, and a look for what is kept too long, are most of a test's work
# and nothing to most tests. Those that look for any of it ask for it themselves.
_WHEN_ASKED_FOR = frozenset({"ask_for_bills", "erase_expired", "extend_schedules", "watch_bookings"})

REQUEST = Cause(Actor.ACCOUNT, CauseKind.REQUEST, "test")


def race(*calls: Callable[[], R]) -> list[R | Exception]:
    """Run all at once, each in a thread of its own; what each returned or raised, in order."""
    start = Barrier(len(calls))

    def one(call: Callable[[], R]) -> R | Exception:
        start.wait(timeout=60)
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def insistently(act: Callable[[], R], *, tries: int = 200) -> Callable[[], R]:
    """Too busy is no answer: ask again, as clients and the worker do."""

    def call() -> R:
        for _ in range(tries):
            try:
                return act()
            except Overloaded:
                continue
        raise AssertionError("overloaded for ever")

    return call


@contextmanager
def far_away(database: Database, *, seconds: float = 0.002) -> Iterator[None]:
    """Each statement is a while on its way, as over a network: what is under way at one moment meets everywhere, and
    not only where the threads happen to change."""

    def on_its_way(*_: Any) -> None:
        sleep(seconds)

    listen(database.engine, "before_cursor_execute", on_its_way)
    try:
        yield
    finally:
        remove(database.engine, "before_cursor_execute", on_its_way)


def make_runner(workbench: Workbench, *, threads: int = 4, also: Collection[str] = ()) -> Runner:
    """A worker that can do every job of the house. `also`: what else comes back by itself, though it is only begun
    when asked for."""
    periodic = tuple(one for one in PERIODIC if one.kind not in _WHEN_ASKED_FOR.difference(also))
    return Runner(workbench, HANDLERS, periodic=periodic, name="test", threads=threads)


def make_workbench(transactions: Transactions, vault: Vault, adapters: FakeAdapters) -> Workbench:
    return Workbench(transactions, vault, Tickets(new_ring()), adapters)


@dataclass
class Patient:
    """One account with one dependent and one schedule to book."""

    workbench: Workbench
    clock: ManualClock
    adapters: FakeAdapters
    account_id: UUID
    payer: Payer
    dependent_id: UUID
    schedule_id: UUID

    @property
    def gateway(self) -> FakeGateway:
        return self.adapters.the_gateway

    def write(self, step: Callable[[Session, datetime], R]) -> R:
        return self.workbench.transactions.write(step)

    def read(self, look: Callable[[Session], R]) -> R:
        return self.workbench.transactions.read(lambda session, _now: look(session))

    # --- what a patient does

    def wish(self, pay: PayMode, *, schedule_id: UUID | None = None, **wish: Any) -> Wish:
        standard = {"schedule_id": schedule_id or self.schedule_id, "dependent_id": self.dependent_id}
        return Wish(**standard | wish, pay=pay)

    def book(self, pay: PayMode = PayMode.ONLINE, **wish: Any) -> UUID:
        wanted = self.wish(pay, **wish)
        return self.write(lambda session, now: self.book_in(session, wanted, now)).id

    def book_in(self, session: Session, wish: Wish, now: datetime) -> Appointment:
        return book_appointment(
            session, account_id=self.account_id, wish=wish, now=now, cause=REQUEST, vault=self.workbench.vault
        )

    def intend(self, appointment_id: UUID, payer: Payer | None = None) -> PaymentIntent:
        return self.write(lambda session, now: self.intend_in(session, appointment_id, now, payer=payer))

    def intend_in(
        self, session: Session, appointment_id: UUID, now: datetime, *, payer: Payer | None = None
    ) -> PaymentIntent:
        return intend_payment(
            session,
            self.workbench,
            appointment_id=appointment_id,
            channel=Channel.WECHAT_JSAPI,
            payer=payer or self.payer,
            now=now,
            cause=REQUEST,
        )

    def open_payment(self, appointment_id: UUID, payer: Payer | None = None) -> Exception | None:
        """Ask for the pay sheet; what the patient is told instead, if anything."""
        return self.finish_opening(self.intend(appointment_id, payer))

    def finish_opening(self, intent: PaymentIntent) -> Exception | None:
        opened = open_at_platform(self.workbench, intent, cause=REQUEST)
        return self.write(lambda session, now: note_opened(session, opened, now=now, cause=REQUEST))[1]

    def reschedule(self, appointment_id: UUID, schedule_id: UUID, **to: Any) -> UUID:
        return self.write(lambda session, now: self.reschedule_in(session, appointment_id, schedule_id, now, **to))

    def reschedule_in(
        self, session: Session, appointment_id: UUID, schedule_id: UUID, now: datetime, **to: Any
    ) -> UUID:
        return reschedule_appointment(
            session,
            appointment_id=appointment_id,
            account_id=self.account_id,
            to=Move(schedule_id, **to),
            now=now,
            cause=REQUEST,
            vault=self.workbench.vault,
        )

    def cancel(self, appointment_id: UUID) -> None:
        self.write(lambda session, now: self.cancel_in(session, appointment_id, now))

    def cancel_in(self, session: Session, appointment_id: UUID, now: datetime) -> Appointment:
        return cancel_appointment(
            session, appointment_id=appointment_id, account_id=self.account_id, now=now, cause=REQUEST
        )

    # --- what the platform and the worker do

    def message(
        self,
        said: TradeAnswer | RefundAnswer,
        *,
        app: str | None = "patient",
        refund_app: str | None = None,
        event_id: str | None = None,
    ) -> PlatformMessage:
        trade, refund = (said, None) if isinstance(said, TradeAnswer) else (None, said)
        return PlatformMessage(
            event_id=event_id or str(uuid4()),
            kind=MessageKind.PAYMENT if trade else MessageKind.REFUND,
            merchant="demo",
            app=app if trade else refund_app,
            trade=trade,
            refund=refund,
        )

    def hear(self, said: TradeAnswer | RefundAnswer, *, provider: str = "wechat_pay", **how: Any) -> None:
        """The platform's event arrives and is stored."""
        message, body = self.message(said, **how), os.urandom(16)
        self.adapters.the_reader.messages[body] = message
        self.write(lambda session, now: self.receive_in(session, message, body, now, provider=provider))

    def receive_in(
        self,
        session: Session,
        message: PlatformMessage,
        body: bytes,
        now: datetime,
        *,
        provider: str = "wechat_pay",
    ) -> None:
        receive_event(session, message, provider=provider, headers={}, body=body, vault=self.workbench.vault, now=now)

    def work(self, *, after: timedelta = timedelta(0), threads: int = 4) -> None:
        """Let time pass, then run every job that is due: with one thread in the same order each time."""
        self.clock.advance(after)
        runner = make_runner(self.workbench, threads=threads)
        for _ in range(20):
            if not runner.run_due():
                return

    def paid(self) -> UUID:
        """A number that was booked, paid and confirmed by the platform's event."""
        appointment_id = self.book()
        assert self.open_payment(appointment_id) is None
        self.hear(self.gateway.pay(self.payments()[-1].out_trade_no))
        self.work()
        return appointment_id

    # --- what is there now

    def appointment(self, appointment_id: UUID) -> Appointment:
        return self.read(lambda session: session.get_one(Appointment, appointment_id))

    def slot(self, appointment_id: UUID) -> Slot:
        return self.read(lambda session: session.get_one(Slot, self.appointment(appointment_id).slot_id))

    def slots(self) -> list[Slot]:
        query = select(Slot).where(Slot.schedule_id == self.schedule_id).order_by(Slot.sequence)
        return self.read(lambda session: list(session.scalars(query)))

    def payments(self) -> list[Payment]:
        return self.read(lambda session: list(session.scalars(select(Payment).order_by(Payment.id))))

    def refunds(self) -> list[Refund]:
        return self.read(lambda session: list(session.scalars(select(Refund).order_by(Refund.id))))

    def moves(self, record_id: UUID) -> list[StateEvent]:
        query = select(StateEvent).where(StateEvent.record_id == record_id).order_by(StateEvent.seq)
        return self.read(lambda session: list(session.scalars(query)))

    def broken(self) -> list[Broken]:
        return self.read(lambda session: check_invariants(session, now=self.clock.now()))

    def assert_sound(self) -> None:
        assert self.broken() == []


def make_patient(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters, **schedule: Any) -> Patient:
    """A patient with a schedule of three numbers at 50 yuan, or as `schedule` says."""

    def step(session: Session, now: datetime) -> UUID:
        department = make_department(session, make_hospital(session))
        return make_schedule(session, department, **{"numbers": 3, "fee_fen": 5000, "now": now} | schedule).id

    return join(workbench, clock, adapters, workbench.transactions.write(step))


def join(
    workbench: Workbench,
    clock: ManualClock,
    adapters: FakeAdapters,
    schedule_id: UUID,
    *,
    person: PersonIdentifier | None = None,
    **dependent: Any,
) -> Patient:
    """One more account, with a dependent of its own or for `person`, who wants a number of the schedule."""

    def step(session: Session, now: datetime) -> Patient:
        account = make_account(session, now=now)
        identity = make_identity(session, workbench.vault, account)
        whom = make_dependent(session, workbench.vault, account, **{"identifier": person, "level": 2} | dependent)
        agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY, now=now)
        payer = Payer(account.id, identity.id, "wechat_miniapp", "patient")
        return Patient(workbench, clock, adapters, account.id, payer, whom.id, schedule_id)

    return workbench.transactions.write(step)


def beside(patient: Patient, **schedule: Any) -> UUID:
    """Another schedule of the same department, as `schedule` says."""

    def step(session: Session, now: datetime) -> UUID:
        first = session.get_one(Schedule, patient.schedule_id)
        department = session.get_one(Department, first.department_id)
        return make_schedule(session, department, **{"numbers": 3, "fee_fen": 5000, "now": now} | schedule).id

    return patient.write(step)


def another_payer(patient: Patient) -> Payer:
    """The same account, logged in by another identity."""

    def make(session: Session, _now: datetime) -> UUID:
        account = session.get_one(Account, patient.account_id)
        return make_identity(session, patient.workbench.vault, account).id

    return replace(patient.payer, identity_id=patient.write(make))


def relatives(patient: Patient, count: int = 2) -> list[UUID]:
    """More dependents of the same account."""

    def make(session: Session, _now: datetime) -> list[UUID]:
        account = session.get_one(Account, patient.account_id)
        return [make_dependent(session, patient.workbench.vault, account).id for _ in range(count)]

    return patient.write(make)


def same_person(patient: Patient) -> Patient:
    """Another account with a right to book for the same person."""

    def find(session: Session) -> PersonIdentifier:
        return session.get_one(PersonIdentifier, session.get_one(Dependent, patient.dependent_id).identifier_id)

    return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id, person=patient.read(find))
