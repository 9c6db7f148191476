"""Anything may happen in any order: the invariants stay silent, and at the end the platform's ledger agrees with ours.

A machine plays patients, the platform's moods, lost and doubled messages, and time.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from fakes import FakeAdapters, ManualClock
from harness import Patient, join, make_patient, make_workbench
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from core.ports import ProviderRefused, RefundAnswer, RefundState, TradeAnswer, TradeState
from core.transactions import Transactions
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.database import Database
from models.errors import DomainError
from models.payment import Payment, PaymentStatus, Refund, RefundStatus
from models.schedule import SlotStatus
from models.sealing import Vault

people = st.integers(0, 2)
pauses = st.sampled_from([1, 6, 30, 60, 5 * 60, 14 * 60, 16 * 60, 46 * 60])


class LifeOfCharges(RuleBasedStateMachine):
    """Three accounts, one of them for the same person as another, and two numbers."""

    template: Path
    vault: Vault

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life-"))
        shutil.copyfile(self.template, self.folder / "life.db")
        self.database = Database(f"sqlite:///{self.folder / 'life.db'}")
        self.clock = ManualClock()
        self.adapters = FakeAdapters(self.clock)
        self.gateway = self.adapters.the_gateway
        bench = make_workbench(Transactions(self.database, self.clock), self.vault, self.adapters)
        first = make_patient(bench, self.clock, self.adapters, numbers=2)
        second = join(bench, self.clock, self.adapters, first.schedule_id)
        self.patients = [first, second, join(bench, self.clock, self.adapters, first.schedule_id)]
        self.said: list[TradeAnswer | RefundAnswer] = []

    def teardown(self) -> None:
        try:
            self._settle()
            self._compare_ledgers()
        finally:
            self.database.close()
            shutil.rmtree(self.folder)

    # --- patients

    def _newest(self, who: int) -> UUID | None:
        query = select(Appointment.id).where(Appointment.account_id == self.patients[who].account_id)
        newest = query.order_by(Appointment.id.desc()).limit(1)
        return self.patients[who].read(lambda session: session.scalar(newest))

    @rule(who=people, pay=st.sampled_from([PayMode.ONLINE, PayMode.ONLINE, PayMode.ON_SITE]))
    def book(self, who: int, pay: PayMode) -> None:
        with suppress(DomainError):
            self.patients[who].book(pay)

    @rule(who=people)
    def open_payment(self, who: int) -> None:
        appointment_id = self._newest(who)
        if appointment_id is not None:
            with suppress(DomainError):
                self.patients[who].open_payment(appointment_id)

    @rule(who=people)
    def cancel(self, who: int) -> None:
        appointment_id = self._newest(who)
        if appointment_id is not None:
            with suppress(DomainError):
                self.patients[who].cancel(appointment_id)

    # --- the platform

    @rule(number=st.integers(0, 5), amount=st.sampled_from([None, None, None, 4999]))
    def pay(self, number: int, amount: int | None) -> None:
        """The patient pays what is open there, seldom another amount. The message may come, or not, or twice."""
        open_numbers = sorted(name for name, one in self.gateway.trades.items() if one.state is TradeState.UNPAID)
        if open_numbers:
            self.said.append(self.gateway.pay(open_numbers[number % len(open_numbers)], amount_fen=amount))

    @rule(number=st.integers(0, 5), state=st.sampled_from([RefundState.SUCCEEDED] * 2 + [RefundState.CLOSED]))
    def settle_refund(self, number: int, state: RefundState) -> None:
        running = sorted(name for name, one in self.gateway.refunds.items() if one.state is RefundState.PROCESSING)
        if running:
            self.said.append(self.gateway.settle_refund(running[number % len(running)], state))

    @rule(which=st.integers(0, 20))
    def hear(self, which: int) -> None:
        """Any message of the past, again or for the first time."""
        if self.said:
            self.patients[0].hear(self.said[which % len(self.said)])
            self.patients[0].work(threads=1)

    @rule(mood=st.sampled_from([None, None, "before", "after"]))
    def platform_is(self, mood: str | None) -> None:
        self.gateway.down = mood

    @rule(short=st.booleans())
    def balance_is(self, short: bool) -> None:
        self.gateway.refuse_refunds = ProviderRefused("NOT_ENOUGH", retryable=True) if short else None

    @rule(seconds=pauses)
    def time_passes(self, seconds: int) -> None:
        self.patients[0].work(after=timedelta(seconds=seconds), threads=1)

    # --- what always holds

    @invariant()
    def books_are_sound(self) -> None:
        # A message whose truth only a silent platform knows lies in the inbox until it speaks: that alarm is right.
        broken = [one for one in self.patients[0].broken() if one.invariant != "inbox_is_applied"]
        assert broken == []

    def _settle(self) -> None:
        """The platform is well again; what is on its way arrives."""
        self.gateway.down = self.gateway.refuse_refunds = None
        for _ in range(6):
            self.patients[0].work(after=timedelta(hours=2), threads=1)
            for name, one in self.gateway.refunds.items():
                if one.state is RefundState.PROCESSING:
                    self.gateway.settle_refund(name, RefundState.SUCCEEDED)
        self.patients[0].work(after=timedelta(hours=2), threads=1)
        self.patients[0].assert_sound()

    def _compare_ledgers(self) -> None:
        ours = self.patients[0]
        trades, refunds = self.gateway.trades, self.gateway.refunds
        paid = {name: one.amount_fen for name, one in trades.items() if one.state is TradeState.PAID}
        returned = {name: one.amount_fen for name, one in refunds.items() if one.state is RefundState.SUCCEEDED}
        succeeded = [one for one in ours.payments() if one.status is PaymentStatus.SUCCEEDED]
        assert {one.out_trade_no: one.received_fen for one in succeeded} == paid
        arrived = [one for one in ours.refunds() if one.status is RefundStatus.SUCCEEDED]
        assert {one.out_refund_no: one.amount_fen for one in arrived} == returned
        assert {one.state for one in trades.values()} <= {TradeState.PAID, TradeState.CLOSED}
        assert self._unsettled(ours) == []
        self._each_is_paid_for_or_returned(ours)

    def _unsettled(self, ours: Patient) -> list[Payment | Refund]:
        settled = {PaymentStatus.SUCCEEDED, PaymentStatus.CLOSED, PaymentStatus.FAILED}
        done = {RefundStatus.SUCCEEDED, RefundStatus.CLOSED}
        open_payments: list[Payment | Refund] = [one for one in ours.payments() if one.status not in settled]
        return open_payments + [one for one in ours.refunds() if one.status not in done]

    def _each_is_paid_for_or_returned(self, ours: Patient) -> None:
        kept: Counter[UUID] = Counter()
        for payment in ours.payments():
            kept[payment.charge_id] += payment.received_fen or 0
        for refund in ours.refunds():
            kept[refund.charge_id] -= refund.amount_fen if refund.status is RefundStatus.SUCCEEDED else 0
        appointments = ours.read(lambda session: list(session.scalars(select(Appointment))))
        for one in appointments:
            live = one.status is AppointmentStatus.BOOKED and one.pay_mode is PayMode.ONLINE
            assert kept[one.charge_id] == (5000 if live else 0)
        assert {one.status for one in appointments} <= {AppointmentStatus.BOOKED, AppointmentStatus.CANCELLED}
        taken = Counter(slot.status for slot in ours.slots())
        assert set(taken) <= {SlotStatus.FREE, SlotStatus.BOOKED}
        assert taken[SlotStatus.BOOKED] == sum(one.status is AppointmentStatus.BOOKED for one in appointments)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_whatever_happens_the_books_agree_with_the_platform(database: Database, vault: Vault) -> None:
    database.close()
    template = Path(str(database.url.database))
    machine = type("Life", (LifeOfCharges,), {"template": template, "vault": vault})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


pytestmark = pytest.mark.timeout(600)
