"""Whatever patients, the platform, the hospital and time do in any order, every invariant holds after every step, and
at the end every number and every fen is accounted for.

Two half days of few numbers, five accounts of which two are for the same person. What each may do is refused or done by
the same use cases as always; nothing here knows which.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from arriving import at_the_desk
from fakes import FakeAdapters, ManualClock
from families import bundled
from harness import REQUEST, beside, join, make_patient, make_workbench, race, relatives, same_person
from hospital_acts import suspend
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.clinic.take_offer import accept_offer, refuse_offer
from core.booking.waitlist.wait import WaitWish, wait_for_number
from core.clock import hospital_day
from core.ports import RefundState, TradeState
from core.transactions import Transactions
from models import Base
from models.appointment import HOLDS_SLOT, OPEN, Appointment, AppointmentStatus, PayMode
from models.database import Database
from models.errors import DomainError
from models.offer import Offer, OfferStatus
from models.payment import PaymentStatus, RefundStatus
from models.schedule import Schedule, SlotStatus
from models.sealing import Vault

people, halves = st.integers(0, 4), st.integers(0, 1)
FEE_FEN = 5000
# What only a silent platform knows waits until it speaks, and that is told in time: these alarms are right.
ALARMS = {"inbox_is_applied", "payment_is_settled", "refund_is_settled"}
ALL_GONE = {SlotStatus.FREE, SlotStatus.BOOKED, SlotStatus.SUSPENDED}


def empty(database: Database) -> None:
    with database.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())


class LifeOfAClinic(RuleBasedStateMachine):
    database: Database
    vault: Vault

    def __init__(self) -> None:
        super().__init__()
        empty(self.database)
        self.clock = ManualClock()
        self.adapters = FakeAdapters(self.clock)
        self.gateway = self.adapters.the_gateway
        bench = make_workbench(Transactions(self.database, self.clock), self.vault, self.adapters)
        self.first = make_patient(bench, self.clock, self.adapters, numbers=2)
        self.halves = [
            self.first.schedule_id,
            beside(self.first, numbers=1, visit_date=hospital_day(self.clock.now()) + timedelta(days=4)),
        ]
        others = [join(bench, self.clock, self.adapters, self.first.schedule_id) for _ in range(3)]
        self.patients = [self.first, *others, same_person(self.first)]
        self.relatives = {one.account_id: relatives(one, 1) for one in self.patients}

    def teardown(self) -> None:
        self.gateway.down = None
        for _ in range(16):  # longer than a number that was waited for is kept
            self.first.work(after=timedelta(hours=2), threads=1)
            for name, one in self.gateway.refunds.items():
                if one.state is RefundState.PROCESSING:
                    self.gateway.settle_refund(name, RefundState.SUCCEEDED)
        self.first.work(after=timedelta(hours=2), threads=1)
        self.first.assert_sound()
        self.every_number_has_found_its_place()
        self.every_fen_is_where_it_belongs()

    # --- patients

    @initialize(begins=st.sampled_from(["empty", "one", "full", "full", "rush"]))
    def it_begins(self, begins: str) -> None:
        """One has paid; or also one pays at the desk and one has yet to pay, and nothing is left; or one human being
        takes from two wallets at once."""
        if begins == "rush":
            self.book_at_once(0, 4)
        elif begins != "empty":
            paid = self.first.book()
            assert self.first.open_payment(paid) is None
            self.pay(0, heard=True)
        if begins == "full":
            self.patients[1].book(PayMode.ON_SITE)
            self.patients[2].book(schedule_id=self.halves[1])

    def newest(self, who: int) -> UUID | None:
        query = select(Appointment.id).where(Appointment.account_id == self.patients[who].account_id)
        return self.first.read(lambda session: session.scalar(query.order_by(Appointment.id.desc()).limit(1)))

    @rule(who=people, half=halves, pay=st.sampled_from([PayMode.ONLINE, PayMode.ONLINE, PayMode.ON_SITE]))
    def book(self, who: int, half: int, pay: PayMode) -> None:
        with suppress(DomainError):
            self.patients[who].book(pay, schedule_id=self.halves[half])

    @rule(who=people, other=people)
    def book_at_once(self, who: int, other: int) -> None:
        """Two wallets at one moment: of strangers, of one human being, or the same one twice."""
        halves = zip((who, other), self.halves, strict=True)
        calls = [partial(self.patients[one].book, schedule_id=half) for one, half in halves]
        for said in race(*calls):
            assert not isinstance(said, Exception) or isinstance(said, DomainError)

    @rule(who=people)
    def open_the_sheet(self, who: int) -> None:
        appointment_id = self.newest(who)
        if appointment_id is not None:
            with suppress(DomainError):
                self.patients[who].open_payment(appointment_id)

    @rule(number=st.integers(0, 5), heard=st.booleans())
    def pay(self, number: int, heard: bool) -> None:
        """Somebody pays what is open at the platform, whose message may be lost."""
        unpaid = sorted(name for name, one in self.gateway.trades.items() if one.state is TradeState.UNPAID)
        if unpaid:
            said = self.gateway.pay(unpaid[number % len(unpaid)])
            if heard:
                self.first.hear(said)
                self.first.work(threads=1)

    @rule(who=people)
    def cancel(self, who: int) -> None:
        appointment_id = self.newest(who)
        if appointment_id is not None:
            with suppress(DomainError):
                self.patients[who].cancel(appointment_id)

    @rule(who=people)
    def cancel_at_the_deadline(self, who: int) -> None:
        """At the very instant, which is too late."""
        appointment_id = self.newest(who)
        if appointment_id is None:
            return
        waits = self.first.appointment(appointment_id).cancel_before - self.clock.now()
        if waits > timedelta(0):
            self.first.work(after=waits, threads=1)
            with suppress(DomainError):
                self.patients[who].cancel(appointment_id)

    @rule(who=people, half=halves)
    def book_for_two(self, who: int, half: int) -> None:
        by = self.patients[who]
        whom = [by.dependent_id, *self.relatives[by.account_id]]
        with suppress(DomainError):
            bundled(by, [(one, self.halves[half]) for one in whom])

    def one_that_stands(self, number: int) -> Appointment | None:
        standing = [one for one in self.appointments() if one.status in OPEN and one.status != "pending"]
        return standing[number % len(standing)] if standing else None

    @rule(number=st.integers(0, 5), half=halves)
    def exchange(self, number: int, half: int) -> None:
        old = self.one_that_stands(number)
        if old is None:
            return
        by = next(one for one in self.patients if one.account_id == old.account_id)
        with suppress(DomainError):
            by.reschedule(old.id, self.halves[half])

    @rule(who=people, half=halves, pay=st.sampled_from([PayMode.ONLINE, PayMode.ON_SITE]))
    def wait(self, who: int, half: int, pay: PayMode) -> None:
        by = self.patients[who]

        def step(session: Session, now: datetime) -> UUID:
            schedule = session.get_one(Schedule, self.halves[half])
            day, whom = schedule.visit_date, [by.dependent_id, *self.relatives[by.account_id]]
            wish = WaitWish(whom, schedule.department_id, day, day, pay)
            return wait_for_number(session, account_id=by.account_id, wish=wish, now=now, cause=REQUEST).id

        with suppress(DomainError):
            by.write(step)

    @rule(number=st.integers(0, 5), takes=st.booleans())
    def answer(self, number: int, takes: bool) -> None:
        """Somebody says yes or no to a number that is held for them."""
        query = select(Offer.id, Appointment.account_id).join(Appointment, Appointment.id == Offer.appointment_id)
        open_ones = self.first.read(
            lambda session: session.execute(query.where(Offer.status == OfferStatus.OPEN).order_by(Offer.id)).all()
        )
        if not open_ones:
            return
        offer_id, account_id = open_ones[number % len(open_ones)]
        said = {"offer_id": offer_id, "account_id": account_id, "cause": REQUEST}
        with suppress(DomainError):
            if takes:
                vault = self.first.workbench.vault
                self.first.write(lambda session, now: accept_offer(session, now=now, vault=vault, **said).id)
            else:
                self.first.write(lambda session, now: refuse_offer(session, now=now, **said).id)

    # --- the platform, the hospital, and time

    @rule(number=st.integers(0, 5), act=st.sampled_from(["check_in_at_desk", "fulfil", "cancel_at_desk"]))
    def happens_at_the_desk(self, number: int, act: str) -> None:
        one = self.one_that_stands(number)
        if one is not None:
            with suppress(DomainError):
                at_the_desk(self.first, act, one.id, **({"overrule": True} if act == "check_in_at_desk" else {}))

    @rule(mood=st.sampled_from([None, None, "before", "after"]))
    def platform_is(self, mood: str | None) -> None:
        self.gateway.down = mood

    @rule(half=halves)
    def suspend(self, half: int) -> None:
        suspend(self.first, self.halves[half])

    @rule(seconds=st.sampled_from([1, 30, 5 * 60, 16 * 60, 46 * 60, 6 * 60 * 60, 30 * 60 * 60]))
    def time_passes(self, seconds: int) -> None:
        self.first.work(after=timedelta(seconds=seconds), threads=1)

    # --- what always holds

    @invariant()
    def everything_holds(self) -> None:
        assert [one for one in self.first.broken() if one.invariant not in ALARMS] == []

    def every_number_has_found_its_place(self) -> None:
        appointments = self.appointments()
        assert not [one for one in appointments if one.status is AppointmentStatus.PENDING]
        for half in self.halves:
            self.first.schedule_id = half
            taken = Counter(slot.status for slot in self.first.slots())
            assert set(taken) <= ALL_GONE
            holding = sum(one.schedule_id == half and one.status in HOLDS_SLOT for one in appointments)
            assert taken[SlotStatus.BOOKED] == holding

    def every_fen_is_where_it_belongs(self) -> None:
        """The platform's book, ours, and what each patient has for it."""
        paid = {name: one.amount_fen for name, one in self.gateway.trades.items() if one.state is TradeState.PAID}
        back = {name: one.amount_fen for name, one in self.gateway.refunds.items()}
        payments = [one for one in self.first.payments() if one.status is PaymentStatus.SUCCEEDED]
        refunds = [one for one in self.first.refunds() if one.status is RefundStatus.SUCCEEDED]
        assert {one.out_trade_no: one.received_fen for one in payments} == paid
        assert {one.out_refund_no: one.amount_fen for one in refunds} == back
        kept: Counter[UUID] = Counter()
        for payment in payments:
            kept[payment.charge_id] += payment.received_fen or 0
        for refund in refunds:
            kept[refund.charge_id] -= refund.amount_fen
        due: Counter[UUID] = Counter()
        for one in self.appointments():
            due[one.charge_id] += FEE_FEN if one.status in HOLDS_SLOT and one.pay_mode is PayMode.ONLINE else 0
        assert +kept == +due

    def appointments(self) -> list[Appointment]:
        return self.first.read(lambda session: list(session.scalars(select(Appointment))))


@pytest.mark.parametrize("server_zone", ["America/New_York"], indirect=True)
@pytest.mark.usefixtures("server_zone")
def test_whatever_happens_in_a_clinic_every_invariant_holds(database: Database, vault: Vault) -> None:
    """On a machine that is set to another zone than the hospitals'."""
    examples = 25 if database.engine.dialect.name == "sqlite" else 8
    run_state_machine_as_test(
        type("Life", (LifeOfAClinic,), {"database": database, "vault": vault}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


pytestmark = pytest.mark.timeout(600)
