"""F-28: money of which only the bill knows, as after a restore, is sent back once two people have said so."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from bills import FakeBills, another_paid
from fakes import FakeAdapters
from harness import REQUEST, Patient, race
from sqlalchemy import select, update
from structlog.testing import capture_logs

from core.clock import hospital_day
from core.numbers import trade_number
from core.payments.refund_desk import DeskRefusal
from core.ports import (
    PaymentOrder,
    ProviderRefused,
    ProviderUnavailable,
    RefundState,
    TradeAnswer,
    TradeState,
)
from core.reconciliation.day import MerchantDay, reconcile
from core.reconciliation.desk import say_of
from core.reconciliation.give_back import say_give_back
from models.account import IdKind
from models.bill_return import BillReturn, ReturnOutcome
from models.errors import NotFound
from models.payment import Payment
from models.reconciliation import Difference, DifferenceEnd, DifferenceKind

WHY = "恢复备份后丢失的订单"


@pytest.fixture
def bills(adapters: FakeAdapters) -> FakeBills:
    made = FakeBills(adapters.the_gateway)
    adapters.bills[made.provider, made.merchant] = made
    return made


@pytest.fixture
def number(patient: Patient, bills: FakeBills) -> str:
    """Of an order that was paid, and of which there is no row."""
    another_paid(patient)
    return order(patient, trade_number(now=patient.clock.now()))


def order(patient: Patient, number: str) -> str:
    gateway, now = patient.gateway, patient.clock.now()
    gateway.orders[number] = PaymentOrder(
        number, 5000, "CNY", "预约挂号费", payer="p", payer_kind=IdKind.OPEN_ID, expires_at=now + timedelta(minutes=15)
    )
    gateway.trades[number] = TradeAnswer(
        number, TradeState.PAID, amount_fen=5000, currency="CNY", platform_trade_no=f"T{number}", paid_at=now
    )
    return number


def close_day(patient: Patient, day: date | None = None) -> list[Difference]:
    wanted = MerchantDay("wechat_pay", "demo", day or hospital_day(patient.clock.now()))
    return reconcile(patient.workbench, wanted, cause=REQUEST)


def unknown(patient: Patient) -> UUID:
    (one,) = close_day(patient)
    assert (one.kind, one.entry) == (DifferenceKind.THEIRS_ONLY, "payment")
    return one.id


def say(patient: Patient, difference_id: UUID, operator: str, why: str = WHY) -> bool:
    return patient.write(
        lambda session, now: say_give_back(session, difference_id, operator=operator, why=why, now=now)
    )


def decided(patient: Patient) -> UUID:
    difference_id = unknown(patient)
    assert not say(patient, difference_id, "clerk-1")
    assert say(patient, difference_id, "clerk-2", "已与患者核对")
    return difference_id


def returns(patient: Patient) -> list[BillReturn]:
    return patient.read(lambda session: list(session.scalars(select(BillReturn).order_by(BillReturn.id))))


def the(patient: Patient) -> BillReturn:
    return returns(patient)[-1]


def sent(patient: Patient) -> list[str]:
    return [number for verb, number in patient.gateway.calls if verb == "open_refund"]


def difference(patient: Patient, difference_id: UUID) -> Difference:
    return patient.read(lambda session: session.get_one(Difference, difference_id))


def settle(patient: Patient, state: RefundState = RefundState.SUCCEEDED) -> None:
    patient.gateway.settle_refund(the(patient).out_refund_no, state)
    for _ in range(4):
        patient.work(after=timedelta(minutes=5))


def test_f_28_two_people_have_it_sent_back_once_and_every_bill_agrees(patient: Patient, number: str) -> None:
    difference_id = unknown(patient)
    assert not say(patient, difference_id, "clerk-1")
    assert not say(patient, difference_id, "ｃlerk-1"), "the same person twice is one person"
    patient.work(after=timedelta(minutes=1))
    assert sent(patient) == []
    assert say(patient, difference_id, "clerk-2", "已与患者核对")
    with pytest.raises(DeskRefusal, match="being_carried_out"):
        say(patient, difference_id, "clerk-3")
    patient.work()
    assert sent(patient) == [the(patient).out_refund_no]
    assert difference(patient, difference_id).ended_as is None, "it is on its way, and not there"
    settle(patient)
    made = the(patient)
    assert (made.outcome, made.amount_fen, made.out_trade_no) == (ReturnOutcome.RETURNED, 5000, number)
    assert (made.first_by, made.second_by, made.why) == ("clerk-1", "clerk-2", f"{WHY} / 已与患者核对")
    assert difference(patient, difference_id).ended_as is DifferenceEnd.REPAIRED
    assert len(sent(patient)) == 1
    with pytest.raises(DeskRefusal, match="ended"):
        say(patient, difference_id, "clerk-1")
    patient.assert_sound()


def test_the_bill_that_tells_of_it_agrees_and_of_another_sum_does_not(
    patient: Patient, bills: FakeBills, number: str
) -> None:
    decided(patient)
    patient.clock.advance(timedelta(days=1))
    another_paid(patient)
    patient.work()
    settle(patient)
    assert close_day(patient) == []
    patient.clock.advance(timedelta(days=1))
    told = bills._refunds(hospital_day(patient.clock.now()) - timedelta(days=1))
    another_paid(patient)
    bills.spoil = lambda entries: [*entries, *(replace(one, amount_fen=4999) for one in told)]
    assert DifferenceKind.THEIRS_ONLY in {one.kind for one in close_day(patient)}


def test_what_the_platform_has_no_longer_is_not_sent(patient: Patient, number: str) -> None:
    """It was given back in the console since, or is another sum by now, or was never there."""
    paid = patient.gateway.trades[number]
    for other in (
        replace(paid, given_back=True),
        replace(paid, amount_fen=4000),
        replace(paid, currency="USD"),
        TradeAnswer(number, TradeState.CLOSED),
    ):
        patient.gateway.trades[number] = paid
        difference_id = decided(patient)
        patient.gateway.trades[number] = other
        with capture_logs() as lines:
            patient.work()
        assert the(patient).outcome is ReturnOutcome.NOT_THERE, other
        assert [line["alarm"] for line in lines if line["event"] == "money_not_given_back"] == [True]
        assert difference(patient, difference_id).ended_at is None
    assert sent(patient) == []
    assert len(returns(patient)) == 4, "and two people may say so anew"


def test_a_payment_that_is_ours_after_all_goes_its_own_way(patient: Patient, number: str) -> None:
    unknown(patient)
    patient.paid()
    (mine,) = [one for one in patient.payments() if one.account_id == patient.account_id]

    renamed = update(Payment).where(Payment.id == mine.id).values(out_trade_no=number)
    patient.write(lambda session, _now: session.execute(renamed))
    (difference_id,) = patient.read(lambda session: session.scalars(select(Difference.id)).all())
    assert not say(patient, difference_id, "clerk-1")
    assert say(patient, difference_id, "clerk-2")
    patient.work()
    assert the(patient).outcome is ReturnOutcome.KNOWN_HERE
    assert sent(patient) == []
    assert difference(patient, difference_id).ended_as is DifferenceEnd.REPAIRED


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_that_is_lost_is_asked_about_and_never_doubles(patient: Patient, number: str, when: str) -> None:
    decided(patient)
    patient.gateway.down = when
    patient.work()
    assert the(patient).outcome is None
    patient.gateway.down = None
    if patient.gateway.accepted:  # and the platform says of the payment that it was given back
        patient.gateway.trades[number] = replace(patient.gateway.trades[number], given_back=True)
    for _ in range(3):
        patient.work(after=timedelta(minutes=2))
    settle(patient)
    assert the(patient).outcome is ReturnOutcome.RETURNED
    assert len(patient.gateway.accepted) == 1


def test_a_short_balance_comes_again_and_a_refusal_for_good_is_for_people(patient: Patient, number: str) -> None:
    decided(patient)
    patient.gateway.refuse_refunds = ProviderRefused("NOT_ENOUGH", retryable=True)
    patient.work()
    assert (the(patient).outcome, the(patient).last_refusal) == (None, "NOT_ENOUGH")
    with capture_logs() as lines:
        patient.work(after=timedelta(minutes=40))
    assert any(line["event"] == "money_not_given_back" and line["alarm"] for line in lines)
    patient.gateway.refuse_refunds = ProviderRefused("USER_ACCOUNT_ABNORMAL")
    patient.work(after=timedelta(hours=1))
    assert (the(patient).outcome, the(patient).last_refusal) == (ReturnOutcome.REFUSED, "USER_ACCOUNT_ABNORMAL")


@pytest.mark.parametrize("state", [RefundState.ABNORMAL, RefundState.CLOSED])
def test_what_the_bank_does_not_take_is_for_people(patient: Patient, number: str, state: RefundState) -> None:
    difference_id = decided(patient)
    patient.work()
    settle(patient, state)
    assert the(patient).outcome is ReturnOutcome.REFUSED
    assert difference(patient, difference_id).ended_at is None


def test_only_paid_orders_under_numbers_as_we_make_them(patient: Patient, bills: FakeBills) -> None:
    another_paid(patient)
    order(patient, "HIS20261127000001")
    (foreign,) = close_day(patient)
    with pytest.raises(DeskRefusal, match="not_our_number"):
        say(patient, foreign.id, "clerk-1")
    with pytest.raises(NotFound):
        say(patient, uuid4(), "clerk-1")
    patient.clock.advance(timedelta(days=1))
    patient.paid()
    another_paid(patient)
    bills.spoil = lambda entries: entries[:-1]
    ours_only = next(one for one in close_day(patient) if one.kind is DifferenceKind.OURS_ONLY)
    with pytest.raises(DeskRefusal, match="not_unknown_money"):
        say(patient, ours_only.id, "clerk-1")
    assert returns(patient) == []


def test_what_is_being_given_back_is_not_ended_meanwhile(patient: Patient, number: str) -> None:
    difference_id = decided(patient)
    with pytest.raises(DeskRefusal, match="being_carried_out"):
        patient.write(lambda session, now: say_of(session, difference_id, operator="clerk-3", why="x", now=now))
    patient.work()
    settle(patient)
    assert difference(patient, difference_id).ended_as is DifferenceEnd.REPAIRED


def test_a_refused_question_decides_nothing(patient: Patient, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refund was taken and its answer lost; then the platform will not be asked for a while."""

    def refuse(*_: object, **__: object) -> None:
        raise ProviderRefused("SIGN_ERROR")

    decided(patient)
    patient.gateway.down = "after"
    patient.work()
    patient.gateway.down = None
    with monkeypatch.context() as patched:
        patched.setattr(patient.gateway, "find_refund", refuse)
        patched.setattr(patient.gateway, "find_payment", refuse)
        patient.work(after=timedelta(minutes=2))
        assert the(patient).outcome is None
        patient.work(after=timedelta(days=4))
        assert the(patient).outcome is None, "the platform may have it"
    settle(patient)
    assert the(patient).outcome is ReturnOutcome.RETURNED
    assert len(patient.gateway.accepted) == 1


@pytest.mark.parametrize("never", ["balance", "adapter"])
def test_what_is_never_taken_is_left_to_people_anew(
    patient: Patient, number: str, monkeypatch: pytest.MonkeyPatch, never: str
) -> None:
    difference_id = decided(patient)
    if never == "balance":
        patient.gateway.refuse_refunds = ProviderRefused("NOT_ENOUGH", retryable=True)
    else:
        monkeypatch.setattr(patient.gateway, "merchant", "another")
    patient.work()
    assert the(patient).outcome is None
    patient.work(after=timedelta(days=3, minutes=1))
    assert the(patient).outcome is ReturnOutcome.REFUSED
    assert not say(patient, difference_id, "clerk-1"), "it begins anew"


def test_what_is_on_its_way_is_asked_about_however_long(patient: Patient, number: str) -> None:
    decided(patient)
    patient.work()
    for _ in range(5):
        patient.work(after=timedelta(days=1))
    assert the(patient).outcome is None
    settle(patient)
    assert the(patient).outcome is ReturnOutcome.RETURNED


def test_its_own_event_is_no_alarm(patient: Patient, number: str) -> None:
    decided(patient)
    patient.work()
    with capture_logs() as lines:
        patient.hear(patient.gateway.settle_refund(the(patient).out_refund_no, RefundState.SUCCEEDED))
        patient.work()
    assert "event_of_unknown_number" not in {line["event"] for line in lines}


def test_two_who_agree_at_once_and_two_workers_send_it_once(patient: Patient, number: str) -> None:
    difference_id = unknown(patient)
    say(patient, difference_id, "clerk-1")

    def agree(operator: str) -> bool | str:
        try:
            return say(patient, difference_id, operator)
        except DeskRefusal as refusal:
            return refusal.code

    said = race(*(lambda one=one: agree(f"clerk-{one}") for one in range(2, 6)))
    assert sorted(map(str, said)) == ["True", *["being_carried_out"] * 3]
    patient.work(threads=4)
    settle(patient)
    assert len(patient.gateway.accepted) == 1
    assert len(returns(patient)) == 1


def test_two_who_propose_at_once_are_one_proposal_and_its_agreement(patient: Patient, number: str) -> None:
    difference_id = unknown(patient)
    said = race(*(lambda one=one: say(patient, difference_id, f"clerk-{one}") for one in (1, 2)))
    assert sorted(said) == [False, True]
    assert len(returns(patient)) == 1


def test_while_the_platform_is_silent_it_waits(patient: Patient, number: str) -> None:
    decided(patient)
    patient.gateway.refuse_refunds = ProviderUnavailable("silent", sent=True)
    patient.work()
    assert the(patient).outcome is None
    patient.gateway.refuse_refunds = None
    for _ in range(3):
        patient.work(after=timedelta(minutes=2))
    settle(patient)
    assert the(patient).outcome is ReturnOutcome.RETURNED
