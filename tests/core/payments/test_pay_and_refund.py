"""Paying, and money back: one payment's way through its charge."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.ports import RefundState
from core.refusals import AlreadyPaid, HoldEnding
from models.appointment import AppointmentStatus
from models.payment import PaymentStatus, RefundReason, RefundStatus
from models.schedule import SlotStatus
from models.states import CauseKind


def test_an_event_of_the_platform_books_the_number_and_is_its_cause(patient):
    appointment_id = patient.book()
    assert patient.open_payment(appointment_id) is None
    (payment,) = patient.payments()
    patient.hear(patient.gateway.pay(payment.out_trade_no))
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
    assert patient.slot(appointment_id).status is SlotStatus.BOOKED
    assert patient.moves(appointment_id)[-1].cause_kind is CauseKind.PLATFORM_EVENT
    patient.assert_sound()


def test_without_any_event_the_platform_is_asked_and_the_job_is_the_cause(patient):
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.gateway.pay(patient.payments()[0].out_trade_no)
    patient.work(after=timedelta(seconds=6))
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
    assert patient.moves(appointment_id)[-1].cause_kind is CauseKind.JOB
    patient.assert_sound()


def test_cancelling_a_paid_number_sends_the_money_back_under_one_number(patient):
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.hear(patient.gateway.pay(patient.payments()[0].out_trade_no))
    patient.work()
    patient.cancel(appointment_id)
    patient.work()
    (refund,) = patient.refunds()
    assert (refund.status, refund.amount_fen) == (RefundStatus.PROCESSING, 5000)
    patient.hear(patient.gateway.settle_refund(refund.out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    assert patient.refunds()[0].status is RefundStatus.SUCCEEDED
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    assert len(patient.gateway.refunds) == 1
    patient.assert_sound()


def test_a_refund_whose_answer_is_lost_keeps_its_number_and_is_asked_about(patient):
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.hear(patient.gateway.pay(patient.payments()[0].out_trade_no))
    patient.work()
    patient.cancel(appointment_id)
    patient.gateway.down = "after"
    patient.work()
    assert patient.refunds()[0].status is RefundStatus.UNKNOWN
    patient.gateway.down = None
    patient.gateway.settle_refund(patient.refunds()[0].out_refund_no, RefundState.SUCCEEDED)
    patient.work(after=timedelta(minutes=1))
    assert [one.status for one in patient.refunds()] == [RefundStatus.SUCCEEDED]
    assert len(patient.gateway.refunds) == 1
    patient.assert_sound()


def test_an_unpaid_hold_ends_by_closing_first(patient):
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.gateway.down = "before"
    patient.work(after=timedelta(minutes=16))
    assert patient.appointment(appointment_id).status is AppointmentStatus.PENDING
    assert patient.slot(appointment_id).status is SlotStatus.HELD
    patient.gateway.down = None
    patient.work(after=timedelta(minutes=1))
    assert patient.appointment(appointment_id).status is AppointmentStatus.CANCELLED
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    assert patient.payments()[0].status is PaymentStatus.CLOSED
    patient.assert_sound()


def test_a_payment_found_while_closing_wins(patient):
    """F-50."""
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.gateway.pay(patient.payments()[0].out_trade_no)
    patient.work(after=timedelta(minutes=16))
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
    patient.assert_sound()


def test_a_silent_platform_is_waited_for_until_the_cap_and_its_late_money_goes_back(patient):
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.gateway.down = "before"
    patient.work(after=timedelta(minutes=16))
    patient.work(after=timedelta(minutes=31))
    assert patient.appointment(appointment_id).status is AppointmentStatus.CANCELLED
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    assert patient.payments()[0].status is PaymentStatus.UNKNOWN
    patient.gateway.down = None
    patient.gateway.pay(patient.payments()[0].out_trade_no)
    patient.work(after=timedelta(hours=1))
    patient.work(after=timedelta(minutes=1))
    assert patient.payments()[0].status is PaymentStatus.SUCCEEDED
    (refund,) = patient.refunds()
    assert (refund.reason, refund.amount_fen) == (RefundReason.LATE_PAYMENT, 5000)
    patient.assert_sound()


def test_cancelling_before_paying_keeps_the_number_until_the_prepay_is_closed(patient):
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.gateway.down = "before"
    patient.cancel(appointment_id)
    patient.work()
    assert patient.slot(appointment_id).status is SlotStatus.WITHHELD
    patient.gateway.down = None
    patient.work(after=timedelta(seconds=10))
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    patient.assert_sound()


@pytest.mark.parametrize(("amount", "currency"), [(4999, "CNY"), (5001, "CNY"), (5000, "USD")])
def test_another_amount_confirms_nothing_and_goes_back(patient, amount, currency):
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.hear(patient.gateway.pay(patient.payments()[0].out_trade_no, amount_fen=amount, currency=currency))
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.PENDING
    (refund,) = patient.refunds()
    assert (refund.reason, refund.amount_fen) == (RefundReason.AMOUNT_DIFFERS, amount)
    patient.assert_sound()


def test_a_lie_in_a_signed_event_is_checked_with_the_platform(patient):
    """The event says less than was paid: the platform is asked, and its own answer books."""
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    paid = patient.gateway.pay(patient.payments()[0].out_trade_no)
    patient.hear(type(paid)(**{**paid.__dict__, "amount_fen": 1}))
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
    assert patient.refunds() == []
    patient.assert_sound()


def test_the_same_payer_asking_again_gets_the_same_number(patient):
    appointment_id = patient.book()
    assert patient.open_payment(appointment_id) is None
    assert patient.open_payment(appointment_id) is None
    assert len(patient.payments()) == len(patient.gateway.trades) == 1
    patient.assert_sound()


def test_no_prepay_is_made_when_the_hold_is_nearly_over(patient):
    appointment_id = patient.book()
    patient.clock.advance(timedelta(minutes=14))
    with pytest.raises(HoldEnding):
        patient.open_payment(appointment_id)


def test_a_paid_number_is_not_paid_again(patient):
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.hear(patient.gateway.pay(patient.payments()[0].out_trade_no))
    patient.work()
    with pytest.raises(AlreadyPaid):
        patient.open_payment(appointment_id)


def test_a_lost_answer_to_the_pay_call_leaves_unknown_and_the_same_number(patient):
    """F-41."""
    appointment_id = patient.book()
    patient.gateway.down = "after"
    assert patient.open_payment(appointment_id) is not None
    assert patient.payments()[0].status is PaymentStatus.UNKNOWN
    patient.gateway.down = None
    assert patient.open_payment(appointment_id) is None
    assert patient.payments()[0].status is PaymentStatus.PENDING
    assert len(patient.gateway.trades) == 1
    patient.assert_sound()
