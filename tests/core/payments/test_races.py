"""Two things about one charge at the same moment, in both orders and truly at once: one effect, and the books agree."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from happenings import in_hand
from harness import Patient, insistently, make_runner, race
from sqlalchemy import select, update

from core.booking.endings.release import end_hold
from core.payments.ask import ask_payment
from core.payments.inbox import apply_event
from core.payments.push_refund import push_refund
from core.ports import RefundState, TradeAnswer
from models.appointment import AppointmentStatus
from models.job import Job
from models.notice import Notice
from models.payment import PaymentStatus, RefundReason, RefundStatus
from models.platform import PlatformEvent
from models.schedule import SlotStatus

ORDERS = pytest.mark.parametrize("order", ["first", "second", "at once"])


def run(order: str, one: Callable[[], Any], other: Callable[[], Any]) -> None:
    """Both, in the order asked for."""
    if order == "at once":
        for result in race(one, other):
            if isinstance(result, Exception):
                raise result
        return
    for act in (one, other) if order == "first" else (other, one):
        act()


@pytest.fixture
def held(patient: Patient) -> UUID:
    appointment_id = patient.book()
    assert patient.open_payment(appointment_id) is None
    return appointment_id


def pay(patient: Patient) -> TradeAnswer:
    return patient.gateway.pay(patient.payments()[-1].out_trade_no)


def run_jobs(patient: Patient) -> None:
    runner = make_runner(patient.workbench)
    while runner.run_due():
        pass


def due_now(patient: Patient, *kinds: str) -> None:
    """Only jobs of these kinds are due."""
    later = patient.clock.now() + timedelta(minutes=5)
    patient.write(lambda session, _now: session.execute(update(Job).where(Job.done_at.is_(None)).values(run_at=later)))
    patient.write(
        lambda session, now: session.execute(
            update(Job).where(Job.kind.in_(kinds), Job.done_at.is_(None)).values(run_at=now)
        )
    )


def assert_paid_for_or_returned(patient: Patient, appointment_id: UUID) -> None:
    """Either the number is the patient's and paid, or it is not and all of the money goes back. Never both."""
    patient.work(after=timedelta(minutes=1))
    (payment,) = patient.payments()
    assert payment.status is PaymentStatus.SUCCEEDED
    if patient.appointment(appointment_id).status is AppointmentStatus.BOOKED:
        assert patient.refunds() == []
        assert patient.slot(appointment_id).status is SlotStatus.BOOKED
    else:
        assert [one.amount_fen for one in patient.refunds()] == [5000]
        assert patient.slot(appointment_id).status is SlotStatus.FREE
        assert len(patient.gateway.refunds) == 1
    patient.assert_sound()


@ORDERS
def test_the_event_of_a_payment_and_the_end_of_its_hold(patient: Patient, held: UUID, order: str) -> None:
    """The patient paid in the last second: whichever comes first, the payment wins."""
    patient.clock.advance(timedelta(minutes=15))
    patient.hear(pay(patient))
    job = in_hand("end_hold", appointment_id=held)
    (stored,) = patient.read(lambda session: list(session.scalars(select(PlatformEvent.id))))
    run(
        order,
        insistently(lambda: apply_event(patient.workbench, in_hand("apply_event", platform_event_id=stored))),
        insistently(lambda: end_hold(patient.workbench, job)),
    )
    assert_paid_for_or_returned(patient, held)
    assert patient.appointment(held).status is AppointmentStatus.BOOKED


@ORDERS
def test_the_event_of_a_payment_and_the_patients_cancelling(patient: Patient, held: UUID, order: str) -> None:
    """Cancelled is cancelled: the money goes back in either order, once."""
    patient.hear(pay(patient))
    due_now(patient, "apply_event")
    run(order, lambda: run_jobs(patient), insistently(lambda: patient.cancel(held)))
    assert_paid_for_or_returned(patient, held)
    assert patient.appointment(held).status is AppointmentStatus.CANCELLED


@ORDERS
def test_paying_at_the_platform_and_the_end_of_the_hold(patient: Patient, held: UUID, order: str) -> None:
    """No event comes: what the platform says to the close decides."""
    patient.clock.advance(timedelta(minutes=15))

    def pay_if_open() -> None:
        try:
            pay(patient)
        except AssertionError:
            return  # closed before: the sheet says that it is over

    run(order, pay_if_open, insistently(lambda: end_hold(patient.workbench, in_hand("end_hold", appointment_id=held))))
    patient.work(after=timedelta(minutes=1))
    paid = patient.payments()[0].status is PaymentStatus.SUCCEEDED
    expected = AppointmentStatus.BOOKED if paid else AppointmentStatus.CANCELLED
    assert patient.appointment(held).status is expected
    patient.assert_sound()


def test_one_event_twenty_times_at_once_has_one_effect(patient: Patient, held: UUID) -> None:
    said = pay(patient)
    message, body = patient.message(said, event_id="one"), b"one body"
    patient.adapters.the_reader.messages[body] = message
    results = race(
        *[insistently(lambda: patient.write(lambda session, now: patient.receive_in(session, message, body, now)))] * 20
    )
    assert [one for one in results if one is not None] == []
    (stored,) = patient.read(lambda session: list(session.scalars(select(PlatformEvent))))
    assert stored.copies == 20
    job = in_hand("apply_event", platform_event_id=stored.id)
    results = race(*[insistently(lambda: apply_event(patient.workbench, job))] * 20)
    assert [one for one in results if one is not None] == []
    patient.work()
    assert [move.to_status for move in patient.moves(held)] == ["pending", "booked"]
    assert [move.to_status for move in patient.moves(patient.payments()[0].id)] == ["created", "pending", "succeeded"]
    kinds = patient.read(lambda session: list(session.scalars(select(Notice.kind))))
    assert kinds == ["appointment_booked"]
    patient.assert_sound()


def test_two_different_events_of_one_payment_at_once_have_one_effect(patient: Patient, held: UUID) -> None:
    said = pay(patient)
    for _ in range(2):
        patient.hear(said)
    stored = patient.read(lambda session: list(session.scalars(select(PlatformEvent.id))))
    calls = [
        insistently(lambda one=one: apply_event(patient.workbench, in_hand("apply_event", platform_event_id=one)))  # type: ignore[misc]
        for one in stored
    ]
    assert race(*calls) == [None, None]
    assert [move.to_status for move in patient.moves(held)] == ["pending", "booked"]
    patient.assert_sound()


def test_two_taps_on_pay_at_once_make_one_number(patient: Patient) -> None:
    appointment_id = patient.book()
    assert race(*[insistently(lambda: patient.open_payment(appointment_id))] * 6) == [None] * 6
    assert len(patient.payments()) == len(patient.gateway.trades) == 1
    patient.assert_sound()


@ORDERS
def test_the_event_of_a_payment_and_our_own_asking(patient: Patient, held: UUID, order: str) -> None:
    patient.hear(pay(patient))
    due_now(patient, "apply_event")
    (payment,) = patient.payments()
    ask = in_hand("ask_payment", payment_id=payment.id)
    run(order, lambda: run_jobs(patient), insistently(lambda: ask_payment(patient.workbench, ask)))
    assert [move.to_status for move in patient.moves(payment.id)] == ["created", "pending", "succeeded"]
    assert [move.to_status for move in patient.moves(held)] == ["pending", "booked"]
    patient.assert_sound()


@ORDERS
def test_the_event_of_a_refund_and_our_own_asking(patient: Patient, order: str) -> None:
    """F-55."""
    appointment_id = patient.paid()
    patient.cancel(appointment_id)
    patient.work()
    (refund,) = patient.refunds()
    patient.hear(patient.gateway.settle_refund(refund.out_refund_no, RefundState.SUCCEEDED))
    due_now(patient, "apply_event")
    push = in_hand("push_refund", refund_id=refund.id)
    run(order, lambda: run_jobs(patient), insistently(lambda: push_refund(patient.workbench, push)))
    assert [move.to_status for move in patient.moves(refund.id)] == ["due", "processing", "succeeded"]
    kinds = patient.read(lambda session: list(session.scalars(select(Notice.kind))))
    assert kinds.count("refund_succeeded") == 1
    patient.assert_sound()


def test_two_workers_sending_one_refund_send_one_number(patient: Patient) -> None:
    appointment_id = patient.paid()
    patient.cancel(appointment_id)
    (refund,) = patient.refunds()
    push = in_hand("push_refund", refund_id=refund.id)
    for result in race(*[insistently(lambda: push_refund(patient.workbench, push))] * 4):
        assert not isinstance(result, Exception)
    assert len(patient.gateway.refunds) == 1
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING]
    patient.assert_sound()


def test_a_refund_closed_by_an_event_and_by_our_asking_has_one_successor(patient: Patient) -> None:
    appointment_id = patient.paid()
    patient.cancel(appointment_id)
    patient.work()
    (refund,) = patient.refunds()
    patient.hear(patient.gateway.settle_refund(refund.out_refund_no, RefundState.CLOSED))
    due_now(patient, "apply_event")
    push = in_hand("push_refund", refund_id=refund.id)
    run("at once", lambda: run_jobs(patient), insistently(lambda: push_refund(patient.workbench, push)))
    closed, successor = patient.refunds()
    assert (closed.status, successor.replaces_id, successor.reason) == (
        RefundStatus.CLOSED,
        closed.id,
        RefundReason.CANCELLED,
    )
    patient.assert_sound()


@ORDERS
def test_cancelling_while_the_prepay_is_being_opened(patient: Patient, order: str) -> None:
    """The intent is written, the platform has not been asked yet: afterwards nothing is left open there."""
    appointment_id = patient.book()
    intent = patient.intend(appointment_id)

    def open_it() -> None:
        patient.finish_opening(intent)  # the sheet, or that it is over

    run(order, insistently(open_it), insistently(lambda: patient.cancel(appointment_id)))
    patient.work(after=timedelta(minutes=1))
    assert patient.appointment(appointment_id).status is AppointmentStatus.CANCELLED
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    assert patient.payments()[0].status is PaymentStatus.CLOSED
    patient.assert_sound()
