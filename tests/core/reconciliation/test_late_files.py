"""Bills that come later than anybody waits, in two halves, or after the worker was away for longer than a week."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from bills import FakeBills, another_paid, with_last_twice
from fakes import FakeAdapters
from harness import REQUEST, Patient, far_away, race
from sqlalchemy import select
from structlog.testing import capture_logs

from core.clock import hospital_day
from core.jobs.queue import LeasedJob
from core.ledger.read import balances
from core.reconciliation.day import ASK_FOR_BILLS, MerchantDay, ask_for_bills, reconcile
from core.reconciliation.take import BillChanged
from models.base import new_id
from models.ledger import LedgerAccount
from models.payment import Channel
from models.reconciliation import BillDay, BillLine, Difference, DifferenceEnd, DifferenceKind

ONE_DAY = timedelta(days=1)


@pytest.fixture
def bills(adapters: FakeAdapters) -> FakeBills:
    made = FakeBills(adapters.the_gateway, fee_per_mille=6)
    adapters.bills[made.provider, made.merchant] = made
    return made


def close_day(patient: Patient, day: date) -> list[Difference]:
    return reconcile(patient.workbench, MerchantDay("wechat_pay", "demo", day), cause=REQUEST)


def without(bills: FakeBills, *, trades: bool = False, funds: bool = False) -> None:
    bills.spoil = (lambda _entries: []) if trades else None
    bills.spoil_funds = (lambda _funds: []) if funds else None


def fees(patient: Patient) -> int:
    return patient.read(
        lambda session: balances(
            session, merchant="demo", channels=[Channel.WECHAT_JSAPI], until=patient.clock.now() + ONE_DAY
        )[LedgerAccount.FEES]
    )


def ask(patient: Patient) -> None:
    ask_for_bills(patient.workbench, LeasedJob(new_id(), ASK_FOR_BILLS, {}, 1, 1))


def paid_and_told_of_nothing(patient: Patient, bills: FakeBills, *, trades: bool, funds: bool) -> date:
    """Three days later silence is taken for a day without trades."""
    patient.paid()
    day = hospital_day(patient.clock.now())
    without(bills, trades=trades, funds=funds)
    patient.clock.advance(4 * ONE_DAY)
    close_day(patient, day)
    return day


@pytest.mark.parametrize(("trades", "funds"), [(True, True), (True, False), (False, True)])
def test_what_was_not_there_for_days_is_taken_when_it_comes(
    patient: Patient, bills: FakeBills, trades: bool, funds: bool
) -> None:
    day = paid_and_told_of_nothing(patient, bills, trades=trades, funds=funds)
    without(bills)
    left = close_day(patient, day)
    assert left == []
    assert fees(patient) == 30
    (taken,) = patient.read(lambda session: list(session.scalars(select(BillDay).where(BillDay.day == day))))
    assert (taken.moved_payments_fen, taken.moved_fees_fen) == (5000, -30)
    assert len(patient.read(lambda session: list(session.scalars(select(BillLine))))) == 1
    ended = patient.read(lambda session: list(session.scalars(select(Difference).where(Difference.entry == "payment"))))
    assert [(one.kind, one.ended_as) for one in ended] == (
        [(DifferenceKind.OURS_ONLY, DifferenceEnd.FOUND)] if trades else []
    )
    assert close_day(patient, day) == [], "and once more it is the same one"
    for _ in range(4):
        patient.work()
    patient.assert_sound()


def test_what_has_been_taken_is_not_replaced(patient: Patient, bills: FakeBills) -> None:
    """Only what was missing is added: of a half that was there, nothing."""
    day = paid_and_told_of_nothing(patient, bills, trades=False, funds=True)
    bills.spoil_funds, bills.spoil = None, with_last_twice
    with pytest.raises(BillChanged):
        close_day(patient, day)
    without(bills, trades=True)
    with pytest.raises(BillChanged):
        close_day(patient, day)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_six_who_find_it_at_once_add_it_once(patient: Patient, bills: FakeBills) -> None:
    another_paid(patient)
    day = paid_and_told_of_nothing(patient, bills, trades=True, funds=True)
    without(bills)
    with far_away(patient.workbench.transactions.database):
        ended = race(*(lambda: close_day(patient, day) for _ in range(6)))
    assert [one for one in ended if isinstance(one, Exception)] == []
    assert len(patient.read(lambda session: list(session.scalars(select(BillLine))))) == 2
    assert fees(patient) == 60


def test_a_day_on_which_money_moved_and_nothing_was_told_is_asked_about_again(
    patient: Patient, bills: FakeBills
) -> None:
    day = paid_and_told_of_nothing(patient, bills, trades=True, funds=True)
    without(bills)
    ask(patient)
    patient.work()
    assert fees(patient) == 30
    bills.asked.clear()
    ask(patient)
    patient.work()
    assert day not in bills.asked


def test_a_worker_that_was_away_for_weeks_asks_for_every_day_since(patient: Patient, bills: FakeBills) -> None:
    ask(patient)
    patient.work()
    patient.paid()
    day = hospital_day(patient.clock.now())
    patient.clock.advance(20 * ONE_DAY)
    ask(patient)
    for _ in range(4):
        patient.work()
    days = set(patient.read(lambda session: list(session.scalars(select(BillDay.day)))))
    assert {day + one * ONE_DAY for one in range(20)} <= days
    assert fees(patient) == 30


def test_a_day_of_long_ago_is_not_given_up_at_the_first_silence(patient: Patient, bills: FakeBills) -> None:
    ask(patient)
    patient.work()
    day = hospital_day(patient.clock.now())
    patient.clock.advance(20 * ONE_DAY)
    bills.ready = False
    ask(patient)
    with capture_logs() as lines:
        for _ in range(4):
            patient.work()
    assert [line for line in lines if line["event"] == "bill_given_up"] == []
    bills.ready = True
    for _ in range(4):
        patient.work(after=timedelta(minutes=31))
    assert day in patient.read(lambda session: list(session.scalars(select(BillDay.day))))
