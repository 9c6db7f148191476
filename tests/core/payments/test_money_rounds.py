"""Everything that may happen to a payment, two by two: in both orders, one inside the other, and truly at once.

A round is one charge with one open prepay, a pair of happenings, an order, and whether and when the patient pays. Its
number decides all of it, chance included. Afterwards every job is worked off, and the platform's books, ours and the
invariants must agree. `make races` plays ten thousand; `RACES` says how many, `RACE` which one alone, again and again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import combinations, cycle, islice
from random import Random
from typing import Any

import pytest
from factories import make_identity
from fakes import FakeAdapters, ManualClock
from happenings import HAPPENINGS, Case, Interrupted
from harness import Patient, far_away, insistently, make_patient, race
from sqlalchemy import func, select

from core.invariants import check_invariants
from core.jobs.runner import Runner
from core.ledger.read import balances
from core.ports import ProviderUnavailable, RefundState, TradeAnswer, TradeState
from core.refusals import ProviderDown
from core.workbench import Workbench
from miniapp_api.worker import HANDLERS
from models.account import Account
from models.appointment import AppointmentStatus
from models.job import Job
from models.ledger import LedgerAccount
from models.notice import Notice, NoticeKind
from models.payment import Channel, Payment, PaymentStatus, Refund, RefundStatus
from models.platform import PlatformEvent
from models.schedule import SlotStatus

PRICE = 5000
ROUNDS, ONLY = int(os.environ.get("RACES") or 200), os.environ.get("RACE") or None
BATCH = 25


# --- rounds

MONEY = ("paid before", "paid between", "not paid")
ORDERS = ("in turn", "the other first", "inside the first", "inside the other", "at once")
CELLS = [(pair, order) for order in ORDERS for pair in combinations(HAPPENINGS, 2)]
CELLS += [((one, one), "at once") for one in HAPPENINGS]


@dataclass(frozen=True)
class Round:
    number: int
    pair: tuple[str, str]
    order: str
    money: str
    silence: bool

    @classmethod
    def of(cls, number: int) -> Round:
        """Each pair in each order within the first 81, with another kind of money in the next 81, and so on. In one
        of four the platform leaves some calls without an answer."""
        turn, cell = divmod(number, len(CELLS))
        return cls(number, *CELLS[cell], MONEY[(turn + cell) % len(MONEY)], silence=number % 4 == 3)

    def __str__(self) -> str:
        silence = ", with silence" if self.silence else ""
        return f"RACE={self.number}: {' and '.join(self.pair)}, {self.order}, {self.money}{silence}"


def numbers(kind: str) -> list[int]:
    """SQLite has one writer, so that less can meet there: every third round, but each pair in each order."""
    rounds = ROUNDS if kind == "postgres" else min(ROUNDS, max(len(CELLS), ROUNDS // 3))
    return list(range(rounds)) if ONLY is None else list(islice(cycle([int(ONLY)]), rounds))


def batches() -> Iterator[Any]:
    for kind in ("postgres", "sqlite"):
        all_of_them = numbers(kind)
        for at in range(0, len(all_of_them), BATCH):
            yield pytest.param(kind, all_of_them[at : at + BATCH], id=f"{kind}-{at}")


class Table:
    """Where rounds are played, one after another."""

    def __init__(self, bench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> None:
        self.bench, self.clock, self.adapters, self.gateway = bench, clock, adapters, adapters.the_gateway
        self.runner = Runner(bench, HANDLERS, name="test", threads=1)
        self.on_the_way: Callable[[], None] | None = None
        self.silences: Random | None = None
        self.gateway.meanwhile = self.call

    def play(self, one: Round) -> None:
        case = self.set_up(one)
        if one.money == "paid before":
            assert case.pays(case.payment.out_trade_no)
        self.act(one, case, Random(f"race {one.number}"))
        self.work()
        assert_closed_before_it_is_let_go(case)
        self.settle(case, Random(f"settle {one.number}"))
        assert_settled(case, cancelled="cancel" in one.pair)
        assert_booked_alike(case)

    # --- before

    def set_up(self, one: Round) -> Case:
        patient = make_patient(self.bench, self.clock, self.adapters, numbers=1)
        appointment_id = patient.book()
        assert patient.open_payment(appointment_id) is None
        payment = patient.payments()[-1]
        other_phone = patient.intend(appointment_id, self.other_phone(patient))
        assert other_phone.payment is None
        paid = one.money == "paid before"
        said = TradeAnswer(payment.out_trade_no, TradeState.PAID if paid else TradeState.UNPAID, PRICE, "CNY")
        patient.hear(replace(said, platform_trade_no=f"T{payment.out_trade_no}", paid_at=self.clock.now()))
        newest = select(PlatformEvent.id).order_by(PlatformEvent.id.desc()).limit(1)
        event_id = patient.read(lambda session: session.scalars(newest).one())
        self.clock.advance(timedelta(minutes=15) if "expiry" in one.pair else timedelta(seconds=6))
        return Case(patient, appointment_id, payment, other_phone, event_id)

    def other_phone(self, patient: Patient) -> Any:
        made = patient.write(
            lambda session, _now: (
                make_identity(session, self.bench.vault, session.get_one(Account, patient.account_id)).id
            )
        )
        return replace(patient.payer, identity_id=made)

    # --- the race

    def call(self, when: str) -> None:
        """A call at the platform is on its way there, or back."""
        if self.on_the_way is not None:
            self.on_the_way()
        if self.silences is not None and self.silences.random() < 0.3:
            raise ProviderUnavailable(f"silent {when}", sent=True)

    def act(self, one: Round, case: Case, chance: Random) -> None:
        self.silences = Random(f"silence {one.number}") if one.silence else None
        first, second = (insistently(partial(self.happen, case, name), tries=50) for name in one.pair)
        pay = partial(self.between, one, case)
        if one.order == "at once":
            self.at_once(chance, [first, second, *([pay] if one.money == "paid between" else [])])
        elif one.order in {"in turn", "the other first"}:
            for act in (first, pay, second) if one.order == "in turn" else (second, pay, first):
                act()
        else:
            outer, inner = one.pair if one.order == "inside the other" else one.pair[::-1]
            self.inside(case, outer, inner, pay, at=chance.randrange(2, 12))
        self.silences = None
        assert len(open_at_platform(case)) <= 1

    def happen(self, case: Case, name: str, bench: Workbench | None = None) -> None:
        """Who is left without an answer comes back, or is asked for by a job."""
        with suppress(*([ProviderUnavailable, ProviderDown] if self.silences else [])):
            HAPPENINGS[name](case, bench or self.bench)

    def between(self, one: Round, case: Case) -> None:
        self.clock.advance(timedelta(seconds=5))  # so that a patient's asking again is not too soon
        if one.money == "paid between":
            case.pays(case.payment.out_trade_no)

    def at_once(self, chance: Random, acts: list[Callable[[], None]]) -> None:
        pauses = [chance.uniform(0, 0.02) for _ in acts]
        self.on_the_way = lambda: time.sleep(chance.uniform(0, 0.005))

        def start(pause: float, act: Callable[[], None]) -> None:
            time.sleep(pause)
            act()

        with far_away(self.bench.transactions.database, seconds=chance.choice([0, 0.001])):
            results = race(*map(partial, [start] * len(acts), pauses, acts))
        self.on_the_way = None
        for result in results:
            if isinstance(result, Exception):
                raise result

    def inside(self, case: Case, outer: str, inner: str, pay: Callable[[], None], *, at: int) -> None:
        def whole() -> None:
            self.on_the_way = None
            pay()
            self.happen(case, inner)

        interrupted = Interrupted(self.bench.transactions, at, whole)
        self.on_the_way = interrupted.tick
        self.happen(case, outer, replace(self.bench, transactions=interrupted))
        interrupted.finish()

    # --- afterwards

    def settle(self, case: Case, chance: Random) -> None:
        """The platform says once more what was paid, or nothing; what is open is paid, or is not; time passes."""
        self.gateway.refund_settles_as = chance.choice([RefundState.PROCESSING, RefundState.SUCCEEDED])
        for name, trade in trades_of(case).items():
            if chance.random() < 0.5 and name != case.payment.out_trade_no:
                case.pays(name)
            if chance.random() < 0.5 and trade.state is TradeState.PAID:
                case.patient.hear(trade)
        for pause in (20, 15 * 60, 60):
            self.clock.advance(timedelta(seconds=pause))
            self.work()
            for refund in self.gateway.refunds:
                if self.gateway.refunds[refund].state is RefundState.PROCESSING:
                    self.gateway.settle_refund(refund, RefundState.SUCCEEDED)

    def work(self) -> None:
        while self.runner.run_due():
            pass


# --- what must hold after each


def payments_of(case: Case) -> list[Payment]:
    query = select(Payment).where(Payment.charge_id == case.payment.charge_id).order_by(Payment.id)
    return case.patient.read(lambda session: list(session.scalars(query)))


def trades_of(case: Case) -> dict[str, TradeAnswer]:
    """What the platform knows of it."""
    there = case.patient.gateway.trades
    return {one.out_trade_no: there[one.out_trade_no] for one in payments_of(case) if one.out_trade_no in there}


def open_at_platform(case: Case) -> list[str]:
    return [name for name, one in trades_of(case).items() if one.state is TradeState.UNPAID]


def refunds_of(case: Case) -> list[Refund]:
    query = select(Refund).where(Refund.charge_id == case.payment.charge_id).order_by(Refund.id)
    return case.patient.read(lambda session: list(session.scalars(query)))


def assert_closed_before_it_is_let_go(case: Case) -> None:
    """Nobody can pay for a number that another may have by now."""
    assert case.patient.slot(case.appointment_id).status is not SlotStatus.FREE or not open_at_platform(case)


def assert_settled(case: Case, *, cancelled: bool) -> None:
    """The number is the patient's and paid once, or it is nobody's and all of the money is back; told once."""
    payments, refunds, trades = payments_of(case), refunds_of(case), trades_of(case)
    paid = {name: one.amount_fen for name, one in trades.items() if one.state is TradeState.PAID}
    returned = {name: one.amount_fen for name, one in case.patient.gateway.refunds.items()}
    assert {one.out_trade_no: one.received_fen for one in payments if one.received_fen} == paid
    assert {one.status for one in payments} <= {PaymentStatus.SUCCEEDED, PaymentStatus.CLOSED}
    assert {one.state for one in trades.values()} <= {TradeState.PAID, TradeState.CLOSED}
    assert [returned[one.out_refund_no] for one in refunds] == [one.amount_fen for one in refunds]
    assert {one.status for one in refunds} <= {RefundStatus.SUCCEEDED}
    booked = bool(paid) and not cancelled
    assert sum(map(int, paid.values())) - sum(one.amount_fen for one in refunds) == (PRICE if booked else 0)
    standing = case.patient.appointment(case.appointment_id).status
    assert standing is (AppointmentStatus.BOOKED if booked else AppointmentStatus.CANCELLED)
    assert case.patient.slot(case.appointment_id).status is (SlotStatus.BOOKED if booked else SlotStatus.FREE)
    assert_told_once(case)


def assert_told_once(case: Case) -> None:
    query = select(Notice.kind).where(Notice.appointment_id == case.appointment_id)
    kinds = case.patient.read(lambda session: list(session.scalars(query)))
    for kind in (NoticeKind.APPOINTMENT_BOOKED, NoticeKind.APPOINTMENT_CANCELLED):
        assert kinds.count(kind) <= 1
    assert kinds.count(NoticeKind.REFUND_SUCCEEDED) == len(refunds_of(case))


def assert_booked_alike(case: Case) -> None:
    """The ledger says what the platform's own books say, of all rounds so far, and no job is left over."""
    gateway = case.patient.gateway
    there = sum(one.amount_fen or 0 for one in gateway.trades.values())
    there -= sum(one.amount_fen or 0 for one in gateway.refunds.values())
    until = case.patient.clock.now() + timedelta(seconds=1)
    kept = case.patient.read(
        lambda session: balances(session, merchant="demo", channels=[Channel.WECHAT_JSAPI], until=until)
    )
    assert {account: fen for account, fen in kept.items() if fen} == (
        {LedgerAccount.GATEWAY: there, LedgerAccount.CHARGE: -there} if there else {}
    )
    left = select(func.count()).select_from(Job).where(Job.done_at.is_(None))
    assert case.patient.read(lambda session: session.scalar(left)) == 0


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("database", "rounds"), list(batches()), indirect=["database"])
def test_whatever_meets_money_is_kept_once_or_all_of_it_is_back(
    workbench: Workbench, clock: ManualClock, adapters: FakeAdapters, rounds: list[int]
) -> None:
    table = Table(workbench, clock, adapters)
    for number in rounds:
        one = Round.of(number)
        try:
            table.play(one)
        except Exception as error:
            error.add_note(str(one))
            raise
    broken = workbench.transactions.read(lambda session, now: check_invariants(session, now=now))
    assert broken == [], f"one of RACE={rounds[0]} to RACE={rounds[-1]}"


def test_every_pair_meets_in_every_order_with_each_kind_of_money() -> None:
    played = [Round.of(number) for number in range(len(CELLS) * len(MONEY))]
    assert {(one.pair, one.order) for one in played[: len(CELLS)]} == set(CELLS)
    assert len({(one.pair, one.order, one.money) for one in played}) == len(played)
