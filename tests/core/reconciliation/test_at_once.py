"""Two days, and people and a bill, at the same time: one row of each difference, which stays as it ended."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from uuid import UUID

import pytest
from bills import FakeBills, another_paid, without_last
from fakes import FakeAdapters
from harness import REQUEST, Patient, far_away, insistently, race
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.ports import RefundState
from core.reconciliation import match
from core.reconciliation.day import MerchantDay, reconcile
from core.reconciliation.desk import say_of
from models.ledger import LedgerAccount, LedgerEntry
from models.reconciliation import Difference, DifferenceEnd, DifferenceKind

ONE_DAY = timedelta(days=1)

pytestmark = pytest.mark.parametrize("database", ["postgres"], indirect=True)


@pytest.fixture
def bills(adapters: FakeAdapters) -> FakeBills:
    made = FakeBills(adapters.the_gateway, fee_per_mille=6)
    adapters.bills[made.provider, made.merchant] = made
    return made


def close_day(patient: Patient, day: date) -> list[Difference]:
    return reconcile(patient.workbench, MerchantDay("wechat_pay", "demo", day), cause=REQUEST)


def all_of(patient: Patient) -> list[Difference]:
    return patient.read(lambda session: list(session.scalars(select(Difference).order_by(Difference.id))))


def say(patient: Patient, of: UUID, operator: str) -> bool:
    return patient.write(lambda session, now: say_of(session, of, operator=operator, why="已核对", now=now))


def test_two_days_that_tell_the_same_are_one_row_of_each(patient: Patient, bills: FakeBills) -> None:
    """Each day's bill has the other's lines too, and six threads look at both."""
    another_paid(patient)
    patient.cancel(patient.paid())
    patient.work()
    patient.hear(patient.gateway.settle_refund(patient.refunds()[-1].out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    day = hospital_day(patient.clock.now())
    both = bills._entries(day)
    patient.clock.advance(ONE_DAY)
    another_paid(patient)
    bills.spoil = lambda entries: entries if entries == both else [*entries, *both]
    with far_away(patient.workbench.transactions.database):
        acts = [insistently(lambda of=of: close_day(patient, of)) for of in (day, day + ONE_DAY) for _ in range(3)]
        ended = race(*acts)
    assert [one for one in ended if isinstance(one, Exception)] == []
    kinds = Counter((one.kind, one.entry) for one in all_of(patient) if one.kind is DifferenceKind.DUPLICATE)
    assert kinds == {(DifferenceKind.DUPLICATE, "payment"): 2, (DifferenceKind.DUPLICATE, "refund"): 1}
    entries = patient.read(lambda session: list(session.scalars(select(LedgerEntry))))
    told = sum(one.amount_fen for one in entries if one.account is LedgerAccount.FEES)
    assert told == sum(one.fee_fen for of in (day, day + ONE_DAY) for one in bills.trade_bill(of))


def test_what_two_people_ended_meanwhile_stays_theirs(
    patient: Patient, bills: FakeBills, monkeypatch: pytest.MonkeyPatch
) -> None:
    another_paid(patient)
    patient.paid()
    day = hospital_day(patient.clock.now())
    missing = bills._payments(day)[-1:]
    bills.fee_per_mille, bills.spoil = 0, without_last
    (of,) = [one.id for one in close_day(patient, day) if one.kind is DifferenceKind.OURS_ONLY]
    say(patient, of, "clerk-1")
    patient.clock.advance(ONE_DAY)
    bills.spoil = lambda entries: [*entries, *missing]
    look = match.open_differences

    def and_then_they_decide(session: Session, provider: str, merchant: str) -> list[Difference]:
        found = look(session, provider, merchant)
        if of in {one.id for one in found}:
            race(lambda: say(patient, of, "clerk-2"))
        return found

    monkeypatch.setattr(match, "open_differences", and_then_they_decide)
    another_paid(patient)
    close_day(patient, day + ONE_DAY)
    (ended,) = [one for one in all_of(patient) if one.id == of]
    assert (ended.ended_as, ended.second_by) == (DifferenceEnd.DESK, "clerk-2")
