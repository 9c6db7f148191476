"""Lines that fit in one thing and not in another: what a bill says of somebody else's money is never taken for ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bills import FakeBills, another_paid
from fakes import FakeAdapters
from harness import REQUEST, Patient
from sqlalchemy import event, select

from core.clock import hospital_day
from core.payments.refund_desk import DeskRefusal
from core.ports import BillEntry, BillKind, BillState, RefundState
from core.reconciliation.day import MerchantDay, reconcile
from core.reconciliation.give_back import say_give_back
from models.payment import Payment
from models.reconciliation import Difference, DifferenceKind


@pytest.fixture
def bills(adapters: FakeAdapters) -> FakeBills:
    made = FakeBills(adapters.the_gateway)
    adapters.bills[made.provider, made.merchant] = made
    return made


def close_day(patient: Patient) -> list[Difference]:
    wanted = MerchantDay("wechat_pay", "demo", hospital_day(patient.clock.now()))
    return reconcile(patient.workbench, wanted, cause=REQUEST)


def told(left: list[Difference]) -> list[tuple[DifferenceKind, str]]:
    return [(one.kind, one.entry) for one in left]


def changed(kind: BillKind, **changes: Any) -> Callable[[list[BillEntry]], list[BillEntry]]:
    return lambda entries: [replace(one, **changes) if one.kind is kind else one for one in entries]


def refunded(patient: Patient) -> None:
    """One who has paid and kept it, and one whose money is back."""
    another_paid(patient)
    patient.cancel(patient.paid())
    patient.work()
    patient.hear(patient.gateway.settle_refund(patient.refunds()[-1].out_refund_no, RefundState.SUCCEEDED))
    patient.work()


def test_our_refund_of_another_order_is_none_of_ours(patient: Patient, bills: FakeBills) -> None:
    refunded(patient)
    own = patient.refunds()[-1].payment_id
    other = patient.read(lambda session: session.scalars(select(Payment).where(Payment.id != own)).one())
    bills.spoil = changed(BillKind.REFUND, out_trade_no=other.out_trade_no)
    (one,) = close_day(patient)
    assert (one.kind, one.entry, one.number) == (
        DifferenceKind.THEIRS_ONLY,
        "refund",
        patient.refunds()[-1].out_refund_no,
    )
    assert one.facts["out_trade_no"] == other.out_trade_no


def test_a_refund_in_another_currency_is_another_sum(patient: Patient, bills: FakeBills) -> None:
    refunded(patient)
    bills.spoil = changed(BillKind.REFUND, currency="JPY")
    (one,) = close_day(patient)
    assert (one.kind, one.entry, one.facts["currency"]) == (DifferenceKind.AMOUNT_DIFFERS, "refund", "JPY")


def test_our_number_on_another_trade_of_the_platform_is_not_what_was_paid(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    bills.spoil = changed(BillKind.PAYMENT, platform_trade_no="T-another")
    (one,) = close_day(patient)
    payment = patient.payments()[-1]
    assert (one.kind, one.number) == (DifferenceKind.THEIRS_ONLY, payment.out_trade_no)
    assert (one.facts["platform_trade_no"], one.facts["ours"]) == ("T-another", payment.platform_trade_no)
    with pytest.raises(DeskRefusal, match="not_unknown_money"):
        patient.write(
            lambda session, now: say_give_back(session, one.id, operator="clerk-1", why="无对应预约", now=now)
        )


def test_what_the_payers_bank_took_back_and_we_never_had_agrees(patient: Patient, bills: FakeBills) -> None:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.cancel(appointment_id)
    patient.work()
    another_paid(patient)
    number = patient.payments()[0].out_trade_no
    bills.spoil = lambda entries: [
        *entries,
        replace(entries[0], out_trade_no=number, platform_trade_no="T-revoked", state=BillState.REVOKED),
    ]
    assert told(close_day(patient)) == []


def test_thousands_of_another_system_are_looked_up_together(patient: Patient, bills: FakeBills) -> None:
    """It sells on the same merchant number, and on SQLite nobody books while a day is written."""
    patient.paid()

    def with_strangers(count: int) -> Callable[[list[BillEntry]], list[BillEntry]]:
        numbers = [f"HIS{one:05}" for one in range(count)]
        return lambda entries: [
            *entries, *(replace(entries[0], out_trade_no=one, platform_trade_no=f"42{one}") for one in numbers)
        ]  # fmt: skip

    bills.spoil = with_strangers(2)
    close_day(patient)
    few = statements(patient)
    patient.clock.advance(timedelta(days=1))
    another_paid(patient)
    bills.spoil = with_strangers(40)
    assert len(close_day(patient)) > 40
    assert statements(patient) <= few + 2


def statements(patient: Patient) -> int:
    """How many a look at today takes, once its bill is there."""
    sent: list[str] = []
    engine = patient.workbench.transactions.database.engine
    listener = lambda *said: sent.append(said[2])  # noqa: E731 - to be taken away again
    event.listen(engine, "before_cursor_execute", listener)
    close_day(patient)
    event.remove(engine, "before_cursor_execute", listener)
    return len(sent)


def test_two_payments_under_no_number_of_ours_are_two_rows(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    bills.spoil_funds = lambda funds: funds
    strange = [{"out_trade_no": "", "platform_trade_no": f"T-{one}"} for one in "12"]
    bills.spoil = lambda entries: [*entries, *(replace(entries[0], **one) for one in strange)]
    found = [one.number for one in close_day(patient) if one.kind is DifferenceKind.THEIRS_ONLY]
    assert found == ["T-1", "T-2"]
