"""Where a hospital wants it so, money goes back only once the receipt of it is ended by a red one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from families import bundled, elsewhere, family, ids_of, pay
from harness import Patient, another_payer, beside
from hospital_acts import substitute, suspend
from paperwork import Finance
from structlog.testing import capture_logs

from core.payments.refund_desk import DeskRefusal, Word, say_of_refund
from core.ports import ProviderRefused, RefundState, TradeAnswer, TradeState
from core.receipts.red_first import LOOK, TOO_LONG, list_awaiting_red
from models.payment import Refund, RefundReason, RefundStatus
from models.policy import PolicyLevel
from models.refund_decision import RefundWay
from schemas.refunds_in_words import where_it_is


@pytest.fixture
def finance(patient: Patient) -> Finance:
    finance = Finance(patient)
    finance.wants_red_first()
    return finance


@pytest.fixture
def visit(patient: Patient) -> UUID:
    return patient.paid()


def the(patient: Patient) -> Refund:
    return patient.refunds()[-1]


def sent(patient: Patient) -> list[str]:
    return [number for verb, number in patient.gateway.calls if verb == "open_refund"]


def awaiting(patient: Patient) -> list[Any]:
    return patient.read(lambda session: list_awaiting_red(session, limit=50))


def cancelled(patient: Patient, appointment_id: UUID, *, after: timedelta = timedelta(0)) -> Refund:
    patient.cancel(appointment_id)
    patient.work(after=after)
    return the(patient)


def say(patient: Patient, refund: Refund, way: RefundWay, operator: str) -> bool:
    word = Word(way, "核对后办理", operator)
    return patient.write(lambda session, now: say_of_refund(session, refund.id, word, now=now))


def decide(patient: Patient, refund: Refund, way: RefundWay) -> None:
    """Two people say so."""
    assert not say(patient, refund, way, "clerk-1")
    assert say(patient, refund, way, "clerk-2")


def two_together(patient: Patient) -> list[UUID]:
    """Booked and paid for as one."""
    ids = ids_of(bundled(patient, family(patient)))
    pay(patient, ids[0])
    return ids


def test_it_waits_for_the_red_one_and_is_sent_at_once_then(patient: Patient, finance: Finance, visit: UUID) -> None:
    blue = finance.issue(visit)
    finance.send()
    refund = cancelled(patient, visit)
    assert (refund.status, refund.awaits_red_since) == (RefundStatus.DUE, patient.clock.now())
    patient.work(after=3 * LOOK)
    assert sent(patient) == []
    assert the(patient).awaits_red_since == refund.awaits_red_since, "since when it waits stays"
    finance.send(finance.redden(blue))
    patient.work()
    assert (the(patient).status, the(patient).awaits_red_since) == (RefundStatus.PROCESSING, None)
    assert sent(patient) == [refund.out_refund_no]
    patient.assert_sound()


def test_the_patient_reads_what_it_waits_for(patient: Patient, finance: Finance, visit: UUID) -> None:
    finance.issue(visit)
    finance.send()
    words = where_it_is(cancelled(patient, visit))
    assert "医院正在开具红字票据" in words.zh
    assert "red receipt first" in words.en


def test_an_operator_sees_what_waits_and_for_which_receipt(patient: Patient, finance: Finance, visit: UUID) -> None:
    blue = finance.issue(visit)
    finance.send()
    assert awaiting(patient) == []
    refund = cancelled(patient, visit)
    (one,) = awaiting(patient)
    assert (one.refund.id, one.payment.id) == (refund.id, refund.payment_id)
    assert [(number, receipt.number) for number, receipt in one.receipts] == [(blue.appointment, blue.name.number)]


def test_who_waits_long_is_an_alarm_and_nobody_else(patient: Patient, finance: Finance, visit: UUID) -> None:
    finance.issue(visit)
    finance.send()
    with capture_logs() as early:
        cancelled(patient, visit)
        patient.work(after=TOO_LONG)
    with capture_logs() as late:
        patient.work(after=LOOK)
    told = [[one["alarm"] for one in logs if one["event"] == "refund_awaits_red_receipt"] for logs in (early, late)]
    assert told == [[], [True]]
    patient.clock.advance(2 * TOO_LONG)
    assert "refund_is_settled" not in [one.invariant for one in patient.broken()]


def test_a_hospital_that_does_not_want_it_any_more_lets_it_go(patient: Patient, finance: Finance, visit: UUID) -> None:
    finance.issue(visit)
    finance.send()
    cancelled(patient, visit)
    finance.wants_red_first(wants=False)
    patient.work(after=LOOK)
    assert (len(sent(patient)), the(patient).awaits_red_since) == (1, None)
    patient.assert_sound()


@pytest.mark.parametrize("said", [None, False])
def test_where_nobody_wants_it_nothing_waits(patient: Patient, visit: UUID, said: bool | None) -> None:
    finance = Finance(patient)
    if said is False:
        finance.wants_red_first(level=PolicyLevel.PLATFORM)
        finance.wants_red_first(wants=False)
    finance.issue(visit)
    finance.send()
    assert cancelled(patient, visit).status is RefundStatus.PROCESSING
    patient.assert_sound()


def test_the_platforms_word_counts_where_the_hospital_has_none(patient: Patient, visit: UUID) -> None:
    finance = Finance(patient)
    finance.wants_red_first(level=PolicyLevel.PLATFORM)
    finance.issue(visit)
    finance.send()
    assert cancelled(patient, visit).status is RefundStatus.DUE


def test_what_no_receipt_stands_for_does_not_wait(patient: Patient, finance: Finance, visit: UUID) -> None:
    assert cancelled(patient, visit).status is RefundStatus.PROCESSING
    patient.clock.advance(timedelta(hours=3))  # the same half day may be booked again
    other = patient.paid()
    finance.redden(finance.issue(other))
    finance.send()
    assert cancelled(patient, other).status is RefundStatus.PROCESSING, "it is ended already"


@pytest.mark.parametrize("came", ["while it stands", "once it is cancelled"])
def test_money_that_came_twice_does_not_wait(patient: Patient, finance: Finance, came: str) -> None:
    """F-49: the platform said closed, and both were paid all the same; the receipt is of one of them."""
    visit = patient.book()
    patient.open_payment(visit)
    patient.open_payment(visit, another_payer(patient))
    first, second = patient.payments()
    patient.hear(patient.gateway.pay(second.out_trade_no))
    patient.work()
    finance.issue(visit)
    finance.send()
    if came == "once it is cancelled":
        cancelled(patient, visit)
    late = TradeAnswer(first.out_trade_no, TradeState.PAID, 5000, "CNY", "T1", patient.clock.now())
    patient.gateway.trades[first.out_trade_no] = late
    patient.hear(late)
    patient.work()
    states = {one.payment_id: one.status for one in patient.refunds()}
    assert states[first.id] is RefundStatus.PROCESSING
    assert states.get(second.id) in (None, RefundStatus.DUE)
    assert len(states) == (1 if came == "while it stands" else 2)


def test_a_suspended_clinic_waits_as_well(patient: Patient, finance: Finance, visit: UUID) -> None:
    blue = finance.issue(visit)
    finance.send()
    suspend(patient)
    patient.work(after=timedelta(hours=3))  # past the offers of other numbers
    assert (the(patient).reason, the(patient).status) == (RefundReason.SUSPENDED, RefundStatus.DUE)
    assert the(patient).awaits_red_since is not None
    finance.send(finance.redden(blue))
    patient.work()
    assert the(patient).status is RefundStatus.PROCESSING


def test_a_cheaper_doctor_ends_a_receipt_of_the_whole_fee(patient: Patient, finance: Finance, visit: UUID) -> None:
    blue = finance.issue(visit)
    finance.send()
    substitute(patient, patient.schedule_id, fee_fen=3000)
    patient.work()
    assert (the(patient).reason, the(patient).status) == (RefundReason.PRICE_LOWERED, RefundStatus.DUE)
    finance.redden(blue)
    finance.issue(visit, 3000)
    finance.send()
    patient.work()
    assert the(patient).status is RefundStatus.PROCESSING


def lowered(patient: Patient, schedule_id: UUID, fee_fen: int) -> Refund:
    substitute(patient, schedule_id, fee_fen=fee_fen)
    patient.work()
    assert the(patient).reason is RefundReason.PRICE_LOWERED
    return the(patient)


def test_one_issued_anew_holds_nothing_whatever_else_is_on_it(patient: Patient, finance: Finance, visit: UUID) -> None:
    """An insurer's part is on both: of what is left neither says less than our money."""
    blue = finance.issue(visit, 25000)
    finance.send()
    assert lowered(patient, patient.schedule_id, 3000).status is RefundStatus.DUE
    patient.clock.advance(LOOK)
    finance.redden(blue)
    finance.issue(visit, 23000)
    finance.send()
    patient.work()
    assert the(patient).status is RefundStatus.PROCESSING
    patient.clock.advance(LOOK)
    patient.hear(patient.gateway.settle_refund(the(patient).out_refund_no, RefundState.CLOSED))
    patient.work()
    patient.work(after=timedelta(minutes=1))
    assert [one.status for one in patient.refunds()] == [RefundStatus.CLOSED, RefundStatus.PROCESSING]


@pytest.mark.parametrize("anew", ["before it was due", "without a red one"])
def test_one_that_was_issued_without_knowing_of_it_holds_it(
    patient: Patient, finance: Finance, visit: UUID, anew: str
) -> None:
    if anew == "before it was due":
        finance.redden(finance.issue(visit))
        finance.issue(visit, 25000)
        finance.send()
        patient.clock.advance(LOOK)
    substitute(patient, patient.schedule_id, fee_fen=3000)
    if anew == "without a red one":
        patient.clock.advance(timedelta(seconds=1))
        patient.gateway.refuse_refunds = ProviderRefused("NOT_ENOUGH", retryable=True)
        patient.work()
        patient.gateway.refuse_refunds = None
        finance.issue(visit, 25000)
        finance.send()
    patient.work(after=LOOK)
    assert (the(patient).status, the(patient).awaits_red_since is None) == (RefundStatus.DUE, False)


def test_a_lower_price_waits_for_nobody_elses_receipt(patient: Patient, finance: Finance) -> None:
    (first, second), there = family(patient), elsewhere(patient)
    ids = ids_of(bundled(patient, [first, (second[0], there)]))
    pay(patient, ids[0])
    finance.issue(ids[0])
    blue = finance.issue(ids[1], 3000)
    finance.send()
    assert cancelled(patient, ids[0]).status is RefundStatus.DUE
    assert lowered(patient, there, 1000).status is RefundStatus.DUE, "its own receipt says too much"
    assert the(patient).awaits_red_since is not None
    finance.redden(blue)
    finance.issue(ids[1], 1000)
    finance.send()
    patient.work()
    assert [one.status for one in patient.refunds()] == [RefundStatus.DUE, RefundStatus.PROCESSING]


def test_a_lower_price_still_waits_where_its_number_was_cancelled_since(
    patient: Patient, finance: Finance, visit: UUID
) -> None:
    finance.issue(visit)
    finance.send()
    assert lowered(patient, patient.schedule_id, 3000).status is RefundStatus.DUE
    cancelled(patient, visit, after=LOOK)
    patient.work(after=LOOK)
    assert [one.status for one in patient.refunds()] == [RefundStatus.DUE] * 2


def test_of_a_bundle_only_what_is_to_be_ended_is_named(patient: Patient, finance: Finance) -> None:
    first, second = two_together(patient)
    blue = finance.issue(first)
    finance.issue(second)
    finance.send()
    cancelled(patient, first)
    (one,) = awaiting(patient)
    assert [number for number, _ in one.receipts] == [blue.appointment]


def test_one_that_comes_after_a_lower_price_went_is_told_where_it_says_too_much(
    patient: Patient, finance: Finance, visit: UUID
) -> None:
    assert lowered(patient, patient.schedule_id, 3000).status is RefundStatus.PROCESSING
    patient.clock.advance(LOOK)
    blue = finance.issue(visit)
    assert list(finance.send().too_late) == [blue]
    patient.clock.advance(LOOK)
    finance.redden(blue)
    finance.issue(visit, 3000)
    assert list(finance.send().too_late) == []


def test_the_receipt_of_the_first_number_holds_what_was_exchanged(
    patient: Patient, finance: Finance, visit: UUID
) -> None:
    """The money was paid for the first, and is the second's by now."""
    blue = finance.issue(visit)
    finance.send()
    new = patient.reschedule(visit, beside(patient, fee_fen=3000))
    patient.work()
    assert (the(patient).reason, the(patient).status) == (RefundReason.RESCHEDULED, RefundStatus.DUE)
    cancelled(patient, new)
    assert [one.status for one in patient.refunds()] == [RefundStatus.DUE] * 2
    finance.send(finance.redden(blue))
    patient.work()
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING] * 2
    patient.assert_sound()


def test_of_a_bundle_each_waits_for_its_own(patient: Patient, finance: Finance) -> None:
    first, second = two_together(patient)
    blue = finance.issue(first)
    finance.send()
    assert cancelled(patient, first).status is RefundStatus.DUE
    assert cancelled(patient, second).status is RefundStatus.PROCESSING, "none was issued of it"
    finance.send(finance.redden(blue))
    patient.work()
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING] * 2
    patient.assert_sound()


def test_what_an_insurer_paid_holds_nobody_elses_money(patient: Patient, finance: Finance) -> None:
    """The receipt says more than was paid here, and its own appointment stands; the other one became cheaper."""
    (first, second), there = family(patient), elsewhere(patient)
    ids = ids_of(bundled(patient, [first, (second[0], there)]))
    pay(patient, ids[0])
    finance.issue(ids[0], 25000)
    finance.send()
    substitute(patient, there, fee_fen=1000)
    patient.work()
    assert (the(patient).reason, the(patient).status) == (RefundReason.PRICE_LOWERED, RefundStatus.PROCESSING)


def test_one_that_the_platform_closed_goes_on_without_waiting_again(
    patient: Patient, finance: Finance, visit: UUID
) -> None:
    finance.redden(finance.issue(visit))
    finance.send()
    cancelled(patient, visit)
    patient.hear(patient.gateway.settle_refund(the(patient).out_refund_no, RefundState.CLOSED))
    patient.work()
    patient.work(after=timedelta(minutes=1))
    assert [one.status for one in patient.refunds()] == [RefundStatus.CLOSED, RefundStatus.PROCESSING]


def test_two_people_cannot_send_it_before_the_red_one(patient: Patient, finance: Finance, visit: UUID) -> None:
    """Refused for good, it is left to people; the hospital issued its receipt meanwhile."""
    patient.gateway.refuse_refunds = ProviderRefused("USER_ACCOUNT_ABNORMAL")
    refund = cancelled(patient, visit)
    patient.gateway.refuse_refunds = None
    assert refund.status is RefundStatus.DESK
    blue = finance.issue(visit)
    finance.send()
    with pytest.raises(DeskRefusal, match="red_receipt_first"):
        say(patient, refund, RefundWay.AGAIN, "clerk-1")
    assert not say(patient, refund, RefundWay.BY_HAND, "clerk-1"), "the hospital's desk gives it with its red receipt"
    finance.send(finance.redden(blue))
    assert not say(patient, refund, RefundWay.AGAIN, "clerk-1")
    assert say(patient, refund, RefundWay.AGAIN, "clerk-2")


def test_what_waits_is_given_by_hand_by_two_people_and_not_sent_as_well(
    patient: Patient, finance: Finance, visit: UUID
) -> None:
    blue = finance.issue(visit)
    finance.send()
    refund = cancelled(patient, visit)
    with pytest.raises(DeskRefusal, match="not_at_desk"):
        say(patient, refund, RefundWay.AGAIN, "clerk-1")
    decide(patient, refund, RefundWay.BY_HAND)
    assert (the(patient).status, the(patient).awaits_red_since) == (RefundStatus.DESK, None)
    finance.send(finance.redden(blue))
    patient.work(after=LOOK)
    assert (the(patient).status, the(patient).by_hand, sent(patient)) == (RefundStatus.SUCCEEDED, True, [])
    patient.assert_sound()


def test_nobody_gives_by_hand_what_is_being_sent(patient: Patient, finance: Finance, visit: UUID) -> None:
    blue = finance.issue(visit)
    finance.send()
    refund = cancelled(patient, visit)
    assert not say(patient, refund, RefundWay.BY_HAND, "clerk-1")
    patient.gateway.refuse_refunds = ProviderRefused("NOT_ENOUGH", retryable=True)
    finance.send(finance.redden(blue))
    patient.work()
    assert (the(patient).status, the(patient).awaits_red_since) == (RefundStatus.DUE, None)
    with pytest.raises(DeskRefusal, match="not_at_desk"):
        say(patient, refund, RefundWay.BY_HAND, "clerk-2")


def test_one_that_is_issued_once_two_people_have_decided_holds_it_at_the_desk(
    patient: Patient, finance: Finance, visit: UUID
) -> None:
    patient.gateway.refuse_refunds = ProviderRefused("USER_ACCOUNT_ABNORMAL")
    refund = cancelled(patient, visit)
    patient.gateway.refuse_refunds = None
    before = sent(patient)
    decide(patient, refund, RefundWay.AGAIN)
    blue = finance.issue(visit)
    finance.send()
    patient.work(after=timedelta(seconds=11))
    assert (the(patient).status, the(patient).last_refusal) == (RefundStatus.DESK, "red_receipt_first")
    assert sent(patient) == before
    finance.send(finance.redden(blue))
    decide(patient, refund, RefundWay.AGAIN)
    patient.work(after=timedelta(seconds=11))
    assert (the(patient).status, len(sent(patient))) == (RefundStatus.PROCESSING, len(before) + 1)
    patient.assert_sound()
