"""Whatever patients, the platform, the hospital and time do in any order, every invariant holds after every step, and
at the end every number and every fen is accounted for.

Two half days of few numbers, five accounts of which two are for the same person. What each may do is refused or done by
the same use cases as always; nothing here knows which.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar
from uuid import UUID

import pytest
from arriving import at_the_desk
from fakes import FakeAdapters, ManualClock
from fakes_hospital import connect
from families import bundled
from harness import REQUEST, Patient, beside, far_away, join, make_patient, make_workbench, race, relatives, same_person
from hospital_acts import suspend
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.clinic.take_offer import accept_offer, refuse_offer
from core.booking.waitlist.wait import WaitWish, wait_for_number
from core.clock import hospital_day
from core.ports import HospitalRefusal, HospitalSays, RefundState, TradeState
from core.transactions import Transactions
from models import Base
from models.appointment import HOLDS_SLOT, Appointment, AppointmentStatus, PayMode
from models.database import Database
from models.errors import DomainError
from models.offer import Offer, OfferStatus
from models.payment import LIVE_PAYMENT, PaymentStatus, RefundStatus
from models.schedule import Schedule, Slot, SlotStatus
from models.sealing import Vault

# What may happen next, the commoner the more often.
HAPPENS = [
    *("book_online", "book_to_pay_now", "book_at_once") * 2,
    *("book_to_pay_now", "book_on_site", "book_for_two", "wait", "wait"),
    *("pay", "pay", "pay", "open_the_sheet"),
    *("cancel", "cancel_unpaid", "exchange") * 2,
    *("cancel_at_the_deadline", "answer"),
    *("desk", "desk", "desk", "suspend"),
    *("platform", "platform", "time", "time", "time"),
]
# Where the hospital hands the numbers out.
HAPPENS_THERE = [
    *("book_to_pay_now", "book_on_site", "work", "work", "hospital", "hospital"),
    *("pay", "pay", "pay", "open_the_sheet"),
    *("exchange", "exchange", "exchange", "cancel", "cancel_unpaid"),
    *("desk", "suspend", "wait", "platform", "time", "time"),
]
HOSPITAL_CALLS = ("hold", "hold", "confirm", "release", "ask")
HOSPITAL_MOODS = (None, "before", "after", HospitalRefusal.LIMIT, HospitalRefusal.TAKEN)
AT_THE_DESK: tuple[tuple[str, dict[str, bool]], ...] = (
    ("check_in_at_desk", {"overrule": True}),
    ("fulfil", {}),
    ("cancel_at_desk", {}),
)
MOODS = (None, None, None, "before", "after")
LATER = [timedelta(minutes=minutes) for minutes in (0.5, 5, 16, 46, 6 * 60, 30 * 60)]
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
    fees: ClassVar = {4: 5000, 9: 5000}  # of the later half days, by how many days later

    def __init__(self) -> None:
        super().__init__()
        empty(self.database)
        self.clock = ManualClock()
        self.adapters = FakeAdapters(self.clock)
        self.gateway = self.adapters.the_gateway
        bench = make_workbench(Transactions(self.database, self.clock), self.vault, self.adapters)
        self.first = make_patient(bench, self.clock, self.adapters, numbers=2)
        day = hospital_day(self.clock.now())
        later = [
            beside(self.first, numbers=1, fee_fen=fee, visit_date=day + timedelta(days=days))
            for days, fee in self.fees.items()
        ]
        self.halves = [self.first.schedule_id, *later]
        others = [join(bench, self.clock, self.adapters, self.first.schedule_id) for _ in range(3)]
        self.patients = [self.first, *others, same_person(self.first)]
        self.relatives = {one.account_id: relatives(one, 1) for one in self.patients}

    def teardown(self) -> None:
        self.gateway.down = None
        for _ in range(50):  # longer than all who wait for a number may keep it, one after the other
            self.first.work(after=timedelta(hours=2), threads=1)
            for name, one in self.gateway.refunds.items():
                if one.state is RefundState.PROCESSING:
                    self.first.hear(self.gateway.settle_refund(name, RefundState.SUCCEEDED))
            if self.all_is_settled():
                break
        self.first.assert_sound()
        self.every_number_has_found_its_place()
        self.every_fen_is_where_it_belongs()

    # --- patients

    @initialize(begins=st.sampled_from(["empty", "one", "full", "rush"]))
    def it_begins(self, begins: str) -> None:
        """One has paid; or also one pays at the desk and one is about to pay, and little is left; or one human being
        takes from two wallets at once."""
        if begins == "rush":
            self.book_at_once(0, 1)
        elif begins != "empty":
            paid = self.first.book()
            assert self.first.open_payment(paid) is None
            self.pay(0, 0)
        if begins == "full":
            self.patients[1].book(PayMode.ON_SITE)
            unpaid = self.patients[2].book(schedule_id=self.halves[1])
            assert self.patients[2].open_payment(unpaid) is None

    def one_of(self, number: int, *statuses: AppointmentStatus) -> Appointment | None:
        """Of those that are so, if there are any: most of what is tried shall come to something."""
        found = [one for one in self.appointments() if not statuses or one.status in statuses]
        return found[number % len(found)] if found else self.one_of(number) if statuses else None

    def half(self, number: int) -> UUID:
        return self.halves[number % len(self.halves)]

    def whose(self, appointment: Appointment) -> Patient:
        return next(one for one in self.patients if one.account_id == appointment.account_id)

    @rule(what=st.sampled_from(HAPPENS), who=st.integers(0, 4), number=st.integers(0, 5))
    def something_happens(self, what: str, who: int, number: int) -> None:
        """One rule for all of it: of many, hypothesis leaves most out of a life, and little happens in it."""
        self.try_to(what, who, number)

    def try_to(self, what: str, who: int, number: int) -> None:
        with suppress(DomainError):
            getattr(self, what)(who, number)

    def book_online(self, who: int, number: int) -> UUID:
        return self.patients[who].book(schedule_id=self.half(number))

    def book_on_site(self, who: int, number: int) -> None:
        self.patients[who].book(PayMode.ON_SITE, schedule_id=self.half(number))

    def book_to_pay_now(self, who: int, number: int) -> None:
        self.patients[who].open_payment(self.book_online(who, number))

    def book_at_once(self, who: int, number: int) -> None:
        """One human being from two wallets at one moment, or two strangers, or the same one twice."""
        other = {0: 4, 4: 0}.get(who, (who + number) % len(self.patients))
        calls = [partial(self.book_online, who, number), partial(self.book_online, other, number + 1)]
        with far_away(self.database):
            for said in race(*calls):
                assert not isinstance(said, Exception) or isinstance(said, DomainError)

    def book_for_two(self, who: int, number: int) -> None:
        by = self.patients[who]
        bundled(by, [(one, self.half(number)) for one in (by.dependent_id, *self.relatives[by.account_id])])

    def wait(self, who: int, number: int) -> None:
        by, pay = self.patients[who], PayMode.ONLINE if number % 2 else PayMode.ON_SITE

        def step(session: Session, now: datetime) -> UUID:
            schedule = session.get_one(Schedule, self.half(number))
            day, whom = schedule.visit_date, [by.dependent_id, *self.relatives[by.account_id]]
            wish = WaitWish(whom, schedule.department_id, day, day, pay)
            return wait_for_number(session, account_id=by.account_id, wish=wish, now=now, cause=REQUEST).id

        by.write(step)

    def pay(self, who: int, number: int) -> None:
        """Somebody pays what is open at the platform, whose message may be lost."""
        unpaid = sorted(name for name, one in self.gateway.trades.items() if one.state is TradeState.UNPAID)
        if unpaid:
            said = self.gateway.pay(unpaid[number % len(unpaid)])
            if who % 2 == 0:
                self.first.hear(said)
                self.first.work(threads=1)

    def open_the_sheet(self, _who: int, number: int) -> None:
        one = self.one_of(number, AppointmentStatus.PENDING)
        if one is not None:
            self.whose(one).open_payment(one.id)

    def cancel_unpaid(self, _who: int, number: int) -> None:
        one = self.one_of(number, AppointmentStatus.PENDING)
        if one is not None:
            self.whose(one).cancel(one.id)

    def cancel(self, _who: int, number: int) -> None:
        one = self.one_of(number, AppointmentStatus.BOOKED)
        if one is not None:
            self.whose(one).cancel(one.id)

    def cancel_at_the_deadline(self, _who: int, number: int) -> None:
        """At the very instant, which is too late."""
        one = self.one_of(number, AppointmentStatus.BOOKED)
        if one is not None and one.cancel_before >= self.clock.now():
            self.first.work(after=one.cancel_before - self.clock.now(), threads=1)
            self.whose(one).cancel(one.id)

    def exchange(self, who: int, number: int) -> None:
        one = self.one_of(number, AppointmentStatus.BOOKED)
        if one is not None:
            self.whose(one).reschedule(one.id, self.half(who))

    def answer(self, who: int, number: int) -> None:
        """Somebody says yes or no to a number that is held for them."""
        query = select(Offer.id, Appointment.account_id).join(Appointment, Appointment.id == Offer.appointment_id)
        open_ones = self.first.read(
            lambda session: session.execute(query.where(Offer.status == OfferStatus.OPEN).order_by(Offer.id)).all()
        )
        if not open_ones:
            return
        offer_id, account_id = open_ones[number % len(open_ones)]
        said = {"offer_id": offer_id, "account_id": account_id, "cause": REQUEST}
        if who % 2:
            vault = self.first.workbench.vault
            self.first.write(lambda session, now: accept_offer(session, now=now, vault=vault, **said).id)
        else:
            self.first.write(lambda session, now: refuse_offer(session, now=now, **said).id)

    # --- the platform, the hospital, and time

    def desk(self, who: int, number: int) -> None:
        act, how = AT_THE_DESK[who % len(AT_THE_DESK)]
        one = self.one_of(number, AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)
        if one is not None:
            at_the_desk(self.first, act, one.id, **how)

    def suspend(self, _who: int, number: int) -> None:
        suspend(self.first, self.half(number))

    def platform(self, who: int, _number: int) -> None:
        self.gateway.down = MOODS[who % len(MOODS)]

    def time(self, _who: int, number: int) -> None:
        self.first.work(after=LATER[number], threads=1)

    def all_is_settled(self) -> bool:
        """Nothing is left that only time or the platform will end."""
        waits = self.first.read(lambda session: session.scalars(select(Slot.id).where(Slot.status.not_in(ALL_GONE))))
        return (
            not waits.all()
            and not any(one.status in LIVE_PAYMENT for one in self.first.payments())
            and all(one.succeeded_at or one.status is RefundStatus.CLOSED for one in self.first.refunds())
        )

    # --- what always holds

    @invariant()
    def everything_holds(self) -> None:
        self.clock.advance(timedelta(milliseconds=1))  # no two things happen at one instant
        assert [one for one in self.first.broken() if one.invariant not in ALARMS] == []

    def every_number_has_found_its_place(self) -> None:
        appointments = self.appointments()
        assert not [one for one in appointments if one.status is AppointmentStatus.PENDING]
        for half in self.halves:
            self.first.schedule_id = half
            slots = {slot.id: slot.status for slot in self.first.slots()}
            assert set(slots.values()) <= ALL_GONE
            holding = {one.slot_id for one in appointments if one.schedule_id == half and one.status in HOLDS_SLOT}
            called_off = {one for one, status in slots.items() if status is SlotStatus.SUSPENDED}
            # Who was there before the rest of the half day was called off has been there.
            assert {one for one, status in slots.items() if status is SlotStatus.BOOKED} == holding - called_off

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
            due[one.charge_id] += one.fee_fen if one.status in HOLDS_SLOT and one.pay_mode is PayMode.ONLINE else 0
        assert +kept == +due

    def appointments(self) -> list[Appointment]:
        return self.first.read(lambda session: list(session.scalars(select(Appointment).order_by(Appointment.id))))


class LifeWhereTheHospitalHandsThemOut(LifeOfAClinic):
    """Its system is asked for every number, and may be away, silent, or say no. Later half days cost more, or less."""

    fees: ClassVar = {4: 8000, 9: 3000}

    def __init__(self) -> None:
        super().__init__()
        self.his = connect(self.first)

    def teardown(self) -> None:
        self.his.away, self.his.faults = False, []
        super().teardown()
        self.the_hospital_has_the_same_in_its_book()

    @rule(what=st.sampled_from(HAPPENS_THERE), who=st.integers(0, 4), number=st.integers(0, 5))
    def something_happens(self, what: str, who: int, number: int) -> None:
        self.try_to(what, who, number)

    def hospital(self, who: int, number: int) -> None:
        """What it is asked next goes wrong, or it is away until further notice; or nothing is the matter any more."""
        self.his.away = number == 0
        verb, how = HOSPITAL_CALLS[number % len(HOSPITAL_CALLS)], HOSPITAL_MOODS[who]
        if verb not in {"hold", "confirm"} and isinstance(how, HospitalRefusal):
            how = "before"  # a number that it keeps is never settled but at the desk
        self.his.faults = [] if how is None or self.his.away else [(verb, how)]

    def work(self, _who: int, _number: int) -> None:
        self.first.work(threads=1)

    def the_hospital_has_the_same_in_its_book(self) -> None:
        for one in self.appointments():
            stands = one.status in HOLDS_SLOT
            assert (self.his.claims.get(one.number) is HospitalSays.CONFIRMED) == stands


@pytest.mark.parametrize("server_zone", ["America/New_York"], indirect=True)
@pytest.mark.parametrize("life", [LifeOfAClinic, LifeWhereTheHospitalHandsThemOut])
@pytest.mark.usefixtures("server_zone")
def test_whatever_happens_in_a_clinic_every_invariant_holds(
    life: type[LifeOfAClinic], database: Database, vault: Vault
) -> None:
    """On a machine that is set to another zone than the hospitals'. `LIVES` asks for so many, and for others each time;
    then the first that goes wrong is shown as it was, for to find a shorter one takes long."""
    lives = os.environ.get("LIVES")
    given = {"derandomize": lives is None, "phases": [Phase.generate] if lives else list(Phase)}
    run_state_machine_as_test(
        type("Life", (life,), {"database": database, "vault": vault}),
        settings=settings(
            max_examples=int(lives or 12),
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            **given,  # type: ignore[arg-type]
        ),
    )


pytestmark = pytest.mark.timeout(600)
