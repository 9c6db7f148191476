"""A patient with a booked-to-be number, and the platform in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from factories import make_account, make_department, make_dependent, make_hospital, make_identity, make_schedule
from fakes import FakeAdapters, FakeGateway, ManualClock
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.book import Wish, book_appointment
from core.booking.cancel import cancel_appointment
from core.identity.consent_texts import current_version
from core.invariants import check_invariants
from core.payments.inbox import receive_event
from core.payments.open import Payer, intend_payment, note_opened, open_at_platform
from core.ports import MessageKind, PlatformMessage, RefundAnswer, TradeAnswer
from core.tickets import Tickets
from core.transactions import Transactions
from core.workbench import Workbench
from miniapp_api.worker import make_runner
from models.account import Consent, Provider, Purpose
from models.appointment import Appointment, PayMode
from models.base import new_id
from models.payment import Channel, Payment, Refund
from models.schedule import Slot
from models.sealing import KeyRing, Vault
from models.states import Actor, Cause, CauseKind, StateEvent

REQUEST = Cause(Actor.ACCOUNT, CauseKind.REQUEST, "test")


def give_consents(session: Session, account_id: UUID, *, now: datetime) -> None:
    for purpose in (Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY):
        session.add(
            Consent(
                id=new_id(),
                account_id=account_id,
                purpose=purpose,
                version=current_version(purpose),
                granted=True,
                provider=Provider.WECHAT_MINIAPP,
                at=now,
            )
        )


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
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def gateway(self) -> FakeGateway:
        return self.adapters.the_gateway

    def book(self, pay: PayMode = PayMode.ONLINE) -> UUID:
        def step(session: Session, now: datetime) -> UUID:
            wish = Wish(self.schedule_id, self.dependent_id, pay)
            return book_appointment(
                session, account_id=self.account_id, wish=wish, now=now, cause=REQUEST, vault=self.workbench.vault
            ).id

        return self.workbench.transactions.write(step)

    def open_payment(self, appointment_id: UUID, payer: Payer | None = None) -> Exception | None:
        intent = self.workbench.transactions.write(
            lambda session, now: intend_payment(
                session,
                self.workbench,
                appointment_id=appointment_id,
                channel=Channel.WECHAT_JSAPI,
                payer=payer or self.payer,
                now=now,
                cause=REQUEST,
            )
        )
        opened = open_at_platform(self.workbench, intent, cause=REQUEST)
        return self.workbench.transactions.write(
            lambda session, now: note_opened(session, opened, now=now, cause=REQUEST)
        )[1]

    def cancel(self, appointment_id: UUID) -> None:
        self.workbench.transactions.write(
            lambda session, now: cancel_appointment(
                session, appointment_id=appointment_id, account_id=self.account_id, now=now, cause=REQUEST
            )
        )

    def hear(self, said: TradeAnswer | RefundAnswer, *, app: str | None = "patient", event_id: str | None = None) -> None:
        """The platform's event arrives and is stored."""
        trade = said if isinstance(said, TradeAnswer) else None
        message = PlatformMessage(
            event_id=event_id or str(uuid4()),
            kind=MessageKind.PAYMENT if trade else MessageKind.REFUND,
            merchant="demo",
            app=app if trade else None,
            trade=trade,
            refund=None if trade else said,  # type: ignore[arg-type]
        )
        body = os.urandom(16)
        self.adapters.the_reader.messages[body] = message
        self.workbench.transactions.write(
            lambda session, now: receive_event(
                session, message, provider="wechat_pay", headers={}, body=body, now=now
            )
        )

    def work(self, *, after: timedelta = timedelta(0)) -> None:
        """Let time pass, then run every job that is due."""
        self.clock.advance(after)
        runner = make_runner(self.workbench)
        for _ in range(20):
            if not runner.run_due():
                return

    def read(self, look: Callable[[Session], Any]) -> Any:
        return self.workbench.transactions.read(lambda session, _now: look(session))

    def appointment(self, appointment_id: UUID) -> Appointment:
        return self.read(lambda session: session.get_one(Appointment, appointment_id))

    def slot(self, appointment_id: UUID) -> Slot:
        return self.read(lambda session: session.get_one(Slot, self.appointment(appointment_id).slot_id))

    def payments(self) -> list[Payment]:
        return self.read(lambda session: list(session.scalars(select(Payment).order_by(Payment.id))))

    def refunds(self) -> list[Refund]:
        return self.read(lambda session: list(session.scalars(select(Refund).order_by(Refund.id))))

    def moves(self, record_id: UUID) -> list[StateEvent]:
        query = select(StateEvent).where(StateEvent.record_id == record_id).order_by(StateEvent.seq)
        return self.read(lambda session: list(session.scalars(query)))

    def assert_sound(self) -> None:
        assert self.read(lambda session: check_invariants(session, now=self.clock.now())) == []


@pytest.fixture
def adapters(clock: ManualClock) -> FakeAdapters:
    return FakeAdapters(clock)


@pytest.fixture
def workbench(transactions: Transactions, vault: Vault, adapters: FakeAdapters) -> Workbench:
    return Workbench(transactions, vault, Tickets(KeyRing(1, {1: os.urandom(32)})), adapters)


@pytest.fixture
def patient(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Patient:
    def step(session: Session, now: datetime) -> Patient:
        account = make_account(session)
        identity = make_identity(session, workbench.vault, account)
        dependent = make_dependent(session, workbench.vault, account, level=2)
        schedule = make_schedule(session, make_department(session, make_hospital(session)), numbers=3, fee_fen=5000)
        give_consents(session, account.id, now=now)
        payer = Payer(account.id, identity.id, "wechat_miniapp", "patient")
        return Patient(workbench, clock, adapters, account.id, payer, dependent.id, schedule.id)

    return workbench.transactions.write(step)
