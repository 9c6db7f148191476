"""What a platform tells us late, twice, or out of order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from harness import Patient
from sqlalchemy import select
from structlog.testing import capture_logs

from core.ports import RefundState, TradeAnswer, TradeState
from models.appointment import AppointmentStatus
from models.notice import Notice, NoticeKind
from models.payment import PaymentStatus, RefundReason, RefundStatus
from models.platform import EventState, PlatformEvent, RefusedEvent
from models.schedule import SlotStatus


def inbox(patient: Patient) -> list[tuple[EventState, str | None]]:
    events = patient.read(lambda session: list(session.scalars(select(PlatformEvent).order_by(PlatformEvent.id))))
    return [(one.state, one.outcome) for one in events]


def refused(patient: Patient) -> list[str]:
    return patient.read(lambda session: list(session.scalars(select(RefusedEvent.reason).order_by(RefusedEvent.id))))


def told(patient: Patient, kind: NoticeKind) -> int:
    return len(patient.read(lambda session: list(session.scalars(select(Notice).where(Notice.kind == kind)))))


@pytest.fixture
def held(patient: Patient) -> UUID:
    appointment_id = patient.book()
    assert patient.open_payment(appointment_id) is None
    return appointment_id


def pay(patient: Patient) -> TradeAnswer:
    return patient.gateway.pay(patient.payments()[-1].out_trade_no)


def assert_nothing_moved(patient: Patient, appointment_id: UUID) -> None:
    assert patient.appointment(appointment_id).status is AppointmentStatus.PENDING
    assert [one.status for one in patient.payments()] == [PaymentStatus.PENDING]
    assert patient.refunds() == []
    patient.assert_sound()


# --- money that comes after its claim has ended


@pytest.mark.parametrize("late", [timedelta(seconds=1), timedelta(minutes=10), timedelta(hours=24)])
def test_money_that_comes_late_goes_back_in_full(patient: Patient, held: UUID, late: timedelta) -> None:
    """F-44. The hold ran out while the platform was silent, up to the cap; the patient had paid, and it comes late."""
    patient.gateway.down = "before"
    patient.work(after=timedelta(minutes=15))
    patient.work(after=timedelta(minutes=30))
    assert patient.appointment(held).status is AppointmentStatus.CANCELLED
    said = pay(patient)
    patient.gateway.down = None
    patient.clock.advance(late)
    patient.hear(said)
    patient.work()
    patient.work(after=timedelta(minutes=1))
    (refund,) = patient.refunds()
    assert (refund.reason, refund.amount_fen, refund.status) == (
        RefundReason.LATE_PAYMENT,
        5000,
        RefundStatus.PROCESSING,
    )
    assert patient.appointment(held).status is AppointmentStatus.CANCELLED
    assert patient.slot(held).status is SlotStatus.FREE
    assert told(patient, NoticeKind.PAYMENT_RETURNED) == 1
    patient.assert_sound()


def test_success_of_a_payment_that_was_closed_is_believed_and_returned(patient: Patient, held: UUID) -> None:
    """F-43, F-44. The platform said closed and says paid later: late truth always leads to a refund."""
    (payment,) = patient.payments()
    patient.work(after=timedelta(minutes=15))
    assert patient.payments()[0].status is PaymentStatus.CLOSED
    paid = TradeAnswer(payment.out_trade_no, TradeState.PAID, 5000, "CNY", "T1", patient.clock.now())
    patient.gateway.trades[payment.out_trade_no] = paid
    patient.hear(paid)
    patient.work()
    assert [one.to_status for one in patient.moves(payment.id)] == ["created", "pending", "closed", "succeeded"]
    assert [one.reason for one in patient.refunds()] == [RefundReason.LATE_PAYMENT]
    patient.assert_sound()


def test_a_number_sold_again_is_not_taken_away_by_late_money(patient: Patient, held: UUID) -> None:
    said = pay(patient)
    patient.gateway.trades[said.out_trade_no] = TradeAnswer(said.out_trade_no, TradeState.UNPAID)
    patient.work(after=timedelta(minutes=15))
    again = patient.book()
    assert patient.slot(again).id == patient.slot(held).id
    patient.gateway.trades[said.out_trade_no] = said
    patient.hear(said)
    patient.work()
    assert patient.appointment(again).status is AppointmentStatus.PENDING
    assert [one.reason for one in patient.refunds()] == [RefundReason.LATE_PAYMENT]
    patient.assert_sound()


# --- twice and out of order


def test_the_same_event_again_is_counted_and_changes_nothing(patient: Patient, held: UUID) -> None:
    said = pay(patient)
    for _ in range(3):
        patient.hear(said, event_id="one")
        patient.work()
    assert inbox(patient) == [(EventState.APPLIED, None)]
    assert patient.read(lambda session: session.scalars(select(PlatformEvent.copies)).one()) == 3
    assert [move.to_status for move in patient.moves(held)] == ["pending", "booked"]
    assert refused(patient) == []
    patient.assert_sound()


def test_the_event_before_our_own_call_has_returned(patient: Patient) -> None:
    appointment_id = patient.book()
    patient.gateway.down = "after"
    patient.open_payment(appointment_id)
    patient.hear(pay(patient))
    patient.gateway.down = None
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
    patient.assert_sound()


def test_the_event_of_a_refund_before_that_of_its_payment(patient: Patient, held: UUID) -> None:
    """F-43. We asked and refunded before the platform's own messages came, and they come the wrong way round."""
    said = pay(patient)
    patient.work(after=timedelta(seconds=6))
    patient.cancel(held)
    patient.work()
    (refund,) = patient.refunds()
    patient.hear(patient.gateway.settle_refund(refund.out_refund_no, RefundState.SUCCEEDED))
    patient.hear(said)
    patient.work()
    assert inbox(patient) == [(EventState.APPLIED, None)] * 2
    assert [one.status for one in patient.refunds()] == [RefundStatus.SUCCEEDED]
    assert patient.appointment(held).status is AppointmentStatus.CANCELLED
    patient.assert_sound()


def test_an_old_success_after_its_refund_moves_nothing(patient: Patient) -> None:
    """F-43."""
    appointment_id = patient.paid()
    said = patient.gateway.trades[patient.payments()[0].out_trade_no]
    patient.cancel(appointment_id)
    patient.work()
    patient.hear(patient.gateway.settle_refund(patient.refunds()[0].out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    patient.hear(said)
    patient.work()
    assert len(patient.refunds()) == 1
    assert patient.appointment(appointment_id).status is AppointmentStatus.CANCELLED
    patient.assert_sound()


@pytest.mark.parametrize("late", [RefundState.PROCESSING, RefundState.ABNORMAL, RefundState.CLOSED])
def test_an_old_word_about_a_refund_that_has_arrived_moves_nothing(patient: Patient, late: RefundState) -> None:
    patient.cancel(patient.paid())
    patient.work()
    done = patient.gateway.settle_refund(patient.refunds()[0].out_refund_no, RefundState.SUCCEEDED)
    patient.hear(done)
    patient.work()
    patient.hear(replace(done, state=late))
    patient.work()
    assert [one.status for one in patient.refunds()] == [RefundStatus.SUCCEEDED]
    patient.assert_sound()


def test_success_of_a_refund_that_was_closed_leaves_no_trace_on_it(patient: Patient) -> None:
    """Closed is the end of that number; its successor carries the money. A word against that is an operator's."""
    patient.cancel(patient.paid())
    patient.work()
    number = patient.refunds()[0].out_refund_no
    patient.hear(patient.gateway.settle_refund(number, RefundState.CLOSED))
    patient.work()
    patient.hear(patient.gateway.settle_refund(number, RefundState.SUCCEEDED))
    patient.work()
    assert (patient.refunds()[0].status, patient.refunds()[0].succeeded_at) == (RefundStatus.CLOSED, None)
    patient.assert_sound()


# --- money that somebody else gave back


@pytest.mark.parametrize("heard", [False, True], ids=["asked", "told by an event"])
@pytest.mark.parametrize("over", [False, True], ids=["waiting", "cancelled"])
def test_money_that_others_gave_back_before_we_knew_of_it_books_nothing_and_is_not_returned_twice(
    *, patient: Patient, held: UUID, heard: bool, over: bool
) -> None:
    pay(patient)
    number = patient.payments()[0].out_trade_no
    patient.gateway.trades[number] = replace(patient.gateway.trades[number], given_back=True)
    if over:
        patient.cancel(held)
    if heard:
        patient.hear(patient.gateway.trades[number])
    with capture_logs() as lines:
        patient.work(after=timedelta(seconds=6))
    assert patient.appointment(held).status is (AppointmentStatus.CANCELLED if over else AppointmentStatus.PENDING)
    (payment,), (refund,) = patient.payments(), patient.refunds()
    assert (payment.status, refund.status, refund.amount_fen) == (PaymentStatus.SUCCEEDED, RefundStatus.DESK, 5000)
    assert [line["alarm"] for line in lines if line["event"] == "payment_given_back_by_others"] == [True]
    patient.work(after=timedelta(hours=1))
    assert patient.appointment(held).status is AppointmentStatus.CANCELLED
    assert patient.gateway.refunds == {}
    assert told(patient, NoticeKind.APPOINTMENT_BOOKED) == 0
    patient.assert_sound()


def test_an_event_of_money_given_back_is_only_a_hint(patient: Patient, held: UUID) -> None:
    """It is late: the platform's own answer says that the money is there."""
    patient.hear(replace(pay(patient), given_back=True))
    patient.work()
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
    assert patient.refunds() == []
    patient.assert_sound()


def test_our_own_refund_is_no_news_from_others(patient: Patient, held: UUID) -> None:
    patient.hear(pay(patient))
    patient.work()
    patient.cancel(held)
    patient.gateway.refund_settles_as = RefundState.SUCCEEDED
    patient.work()
    number = patient.payments()[0].out_trade_no
    patient.gateway.trades[number] = replace(patient.gateway.trades[number], given_back=True)
    patient.hear(patient.gateway.trades[number])
    patient.work(after=timedelta(minutes=1))
    assert [one.status for one in patient.refunds()] == [RefundStatus.SUCCEEDED]
    patient.assert_sound()
