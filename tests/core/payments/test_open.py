"""Handing out a prepay: one number per payer, the older one closed first, and nothing failed that is only unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from harness import Patient, another_payer

from core.payments.ask import look_at_payment
from core.ports import CloseOutcome, PaymentOrder, ProviderRefused, ProviderUnavailable, TradeAnswer, TradeState
from core.refusals import AlreadyPaid, HoldEnding, NotPayable, ProviderDown
from core.transactions import OutcomeUnknown
from models.appointment import AppointmentStatus, PayMode
from models.errors import NotFound
from models.payment import PaymentStatus, RefundReason
from models.schedule import SlotStatus
from models.states import Actor, Cause, CauseKind

REQUEST = Cause(Actor.ACCOUNT, CauseKind.REQUEST, "look")


@pytest.fixture
def held(patient: Patient) -> UUID:
    return patient.book()


def statuses(patient: Patient) -> list[PaymentStatus]:
    return [one.status for one in patient.payments()]


def answer(monkeypatch: pytest.MonkeyPatch, patient: Patient, error: Exception) -> None:
    """The platform refuses to open, for sure, and knows nothing afterwards."""

    def refuse(order: PaymentOrder) -> Mapping[str, Any]:
        raise error

    monkeypatch.setattr(patient.gateway, "open_payment", refuse)


def look(patient: Patient) -> None:
    look_at_payment(
        patient.workbench, payment_id=patient.payments()[0].id, account_id=patient.account_id, cause=REQUEST
    )


def test_what_is_sent_is_what_was_written_first(patient: Patient, held: UUID) -> None:
    intent = patient.intend(held)
    (payment,) = patient.payments()
    assert (payment.status, patient.gateway.trades) == (PaymentStatus.CREATED, {})
    patient.finish_opening(intent)
    order = patient.gateway.orders[payment.out_trade_no]
    assert (order.amount_fen, order.currency, order.description) == (5000, "CNY", payment.description)
    assert order.expires_at == payment.expires_at == patient.appointment(held).hold_expires_at
    assert order.payer.startswith("open-id-")


@pytest.mark.parametrize("left", [90, 89])
def test_ninety_seconds_before_the_end_is_the_last_call(patient: Patient, held: UUID, left: int) -> None:
    patient.clock.advance(timedelta(minutes=15) - timedelta(seconds=left))
    if left < 90:
        with pytest.raises(HoldEnding):
            patient.open_payment(held)
    else:
        assert patient.open_payment(held) is None


def test_another_payer_of_the_account_has_the_older_prepay_closed_first(patient: Patient, held: UUID) -> None:
    """F-49."""
    assert patient.open_payment(held) is None
    first = patient.payments()[0].out_trade_no
    assert patient.open_payment(held, another_payer(patient)) is None
    assert statuses(patient) == [PaymentStatus.CLOSED, PaymentStatus.PENDING]
    assert patient.gateway.trades[first].state is TradeState.CLOSED
    verbs = [verb for verb, _ in patient.gateway.calls]
    assert verbs == ["open_payment", "close_payment", "open_payment"]
    patient.assert_sound()


def test_another_payer_waits_while_the_older_prepay_cannot_be_closed(patient: Patient, held: UUID) -> None:
    patient.open_payment(held)
    patient.gateway.down = "before"
    with pytest.raises(ProviderDown):
        patient.open_payment(held, another_payer(patient))
    assert statuses(patient) == [PaymentStatus.PENDING]
    assert len(patient.gateway.trades) == 1
    patient.assert_sound()


def test_another_payer_finds_the_older_prepay_paid(patient: Patient, held: UUID) -> None:
    patient.open_payment(held)
    patient.gateway.pay(patient.payments()[0].out_trade_no)
    with pytest.raises(AlreadyPaid):
        patient.open_payment(held, another_payer(patient))
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
    assert statuses(patient) == [PaymentStatus.SUCCEEDED]
    patient.assert_sound()


def test_a_refusal_for_sure_fails_the_number_and_the_next_try_has_a_new_one(
    patient: Patient, held: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, patient, ProviderRefused("PARAM_ERROR"))
    assert isinstance(patient.open_payment(held), ProviderDown)
    monkeypatch.undo()
    assert patient.open_payment(held) is None
    failed, fresh = patient.payments()
    assert (failed.status, fresh.status) == (PaymentStatus.FAILED, PaymentStatus.PENDING)
    assert failed.out_trade_no != fresh.out_trade_no
    patient.assert_sound()


def never_again(monkeypatch: pytest.MonkeyPatch, patient: Patient, *, closing: bool = True) -> None:
    """What is open at the platform it does not open again; `closing`: whether it closes it."""
    gateway, opens = patient.gateway, patient.gateway.open_payment

    def refuse_known(order: PaymentOrder) -> Mapping[str, Any]:
        if order.out_trade_no in gateway.trades:
            raise ProviderRefused("INVALID_REQUEST")
        return opens(order)

    def silent(out_trade_no: str) -> CloseOutcome:
        raise ProviderUnavailable("silent")

    monkeypatch.setattr(gateway, "open_payment", refuse_known)
    if not closing:
        monkeypatch.setattr(gateway, "close_payment", silent)


def test_a_number_that_is_not_opened_again_is_closed_and_another_takes_its_place(
    patient: Patient, held: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its hold would run out over a number that nobody can pay."""
    never_again(monkeypatch, patient)
    assert patient.open_payment(held) is None
    assert patient.open_payment(held) is None
    first, second = patient.payments()
    assert (first.status, second.status) == (PaymentStatus.CLOSED, PaymentStatus.PENDING)
    assert patient.gateway.trades[first.out_trade_no].state is TradeState.CLOSED
    patient.assert_sound()


def test_a_number_that_is_neither_opened_again_nor_closed_stays_the_only_one(
    patient: Patient, held: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_again(monkeypatch, patient, closing=False)
    assert patient.open_payment(held) is None
    assert isinstance(patient.open_payment(held), ProviderDown)
    assert statuses(patient) == [PaymentStatus.PENDING]
    assert len(patient.gateway.trades) == 1
    patient.assert_sound()


def test_a_number_that_is_not_opened_again_just_now_is_left_alone(
    patient: Patient, held: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert patient.open_payment(held) is None
    answer(monkeypatch, patient, ProviderRefused("FREQUENCY_LIMITED", retryable=True))
    assert isinstance(patient.open_payment(held), ProviderDown)
    assert statuses(patient) == [PaymentStatus.PENDING]
    assert "close_payment" not in {verb for verb, _ in patient.gateway.calls}


def test_a_refusal_for_now_keeps_the_number(patient: Patient, held: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, patient, ProviderRefused("FREQUENCY_LIMITED", retryable=True))
    assert isinstance(patient.open_payment(held), ProviderDown)
    monkeypatch.undo()
    assert patient.open_payment(held) is None
    assert statuses(patient) == [PaymentStatus.PENDING]
    patient.assert_sound()


def test_no_answer_is_unknown_and_never_failed(patient: Patient, held: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-41."""
    answer(monkeypatch, patient, ProviderUnavailable("silence", sent=True))
    assert isinstance(patient.open_payment(held), OutcomeUnknown)
    assert statuses(patient) == [PaymentStatus.UNKNOWN]
    monkeypatch.undo()
    patient.work(after=timedelta(seconds=6))  # asked: no such number, so it may be sent again as it is
    assert statuses(patient) == [PaymentStatus.CREATED]
    number = patient.payments()[0].out_trade_no
    assert patient.open_payment(held) is None
    assert list(patient.gateway.trades) == [number]
    patient.assert_sound()


def test_a_call_that_was_not_sent_changes_nothing(
    patient: Patient, held: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, patient, ProviderUnavailable("no connection", sent=False))
    assert isinstance(patient.open_payment(held), ProviderDown)
    assert statuses(patient) == [PaymentStatus.CREATED]


def test_two_successes_on_one_charge_return_the_surplus_in_full(patient: Patient, held: UUID) -> None:
    """F-49. The platform said closed, and the patient paid both all the same."""
    patient.open_payment(held)
    patient.open_payment(held, another_payer(patient))
    first, second = patient.payments()
    patient.hear(patient.gateway.pay(second.out_trade_no))
    patient.work()
    late = TradeAnswer(first.out_trade_no, TradeState.PAID, 5000, "CNY", "T1", patient.clock.now())
    patient.gateway.trades[first.out_trade_no] = late
    patient.hear(late)
    patient.work()
    assert statuses(patient) == [PaymentStatus.SUCCEEDED, PaymentStatus.SUCCEEDED]
    (refund,) = patient.refunds()
    assert (refund.payment_id, refund.amount_fen, refund.reason) == (first.id, 5000, RefundReason.SURPLUS)
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
    patient.assert_sound()


def test_money_of_a_prepay_that_was_said_to_be_closed_is_kept_where_it_is_still_waited_for(
    patient: Patient, held: UUID
) -> None:
    """F-49, docs/decisions/0003. Nobody is asked to pay again while what they have paid goes back."""
    patient.open_payment(held)
    patient.open_payment(held, another_payer(patient))
    first, second = patient.payments()
    late = TradeAnswer(first.out_trade_no, TradeState.PAID, 5000, "CNY", "T1", patient.clock.now())
    patient.gateway.trades[first.out_trade_no] = late
    patient.hear(late)
    patient.work()
    assert statuses(patient) == [PaymentStatus.SUCCEEDED, PaymentStatus.CLOSED]
    assert patient.gateway.trades[second.out_trade_no].state is TradeState.CLOSED
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
    assert patient.refunds() == []
    patient.assert_sound()


def test_only_ones_own_unpaid_number_is_paid_for(patient: Patient, held: UUID) -> None:
    with pytest.raises(NotFound):
        patient.open_payment(held, replace(patient.payer, account_id=patient.dependent_id))
    patient.cancel(held)
    with pytest.raises(NotPayable):
        patient.open_payment(held)
    on_site = patient.book(PayMode.ON_SITE)
    with pytest.raises(NotPayable):
        patient.open_payment(on_site)


def test_a_payment_that_fails_at_the_platform_leaves_room_for_another(patient: Patient, held: UUID) -> None:
    patient.open_payment(held)
    number = patient.payments()[0].out_trade_no
    patient.gateway.trades[number] = TradeAnswer(number, TradeState.FAILED)
    patient.work(after=timedelta(seconds=6))
    assert statuses(patient) == [PaymentStatus.FAILED]
    assert patient.open_payment(held) is None
    assert statuses(patient) == [PaymentStatus.FAILED, PaymentStatus.PENDING]
    patient.assert_sound()


# --- asking


def test_asking_grows_slower(patient: Patient, held: UUID) -> None:
    """F-41."""
    patient.open_payment(held)
    asked = [0.0]
    start = patient.clock.now()
    for _ in range(300):
        before = len(patient.gateway.calls)
        patient.work(after=timedelta(seconds=1))
        if len(patient.gateway.calls) > before:
            asked.append((patient.clock.now() - start).total_seconds())
    pauses = [round(later - sooner) for sooner, later in pairwise(asked)]
    assert pauses == [5, 5, 10, 15, 30, 60, 120]


def test_a_waiting_patient_has_the_platform_asked_but_not_all_the_time(patient: Patient, held: UUID) -> None:
    patient.open_payment(held)
    patient.gateway.pay(patient.payments()[0].out_trade_no)
    look(patient)
    assert patient.appointment(held).status is AppointmentStatus.PENDING  # too soon after it was made
    patient.clock.advance(timedelta(seconds=5))
    look(patient)
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
    assert patient.moves(held)[-1].cause_id == "look"
    calls = len(patient.gateway.calls)
    patient.clock.advance(timedelta(seconds=5))
    look(patient)
    assert len(patient.gateway.calls) == calls
    patient.assert_sound()


def test_nobody_asks_about_another_accounts_payment(patient: Patient, held: UUID) -> None:
    patient.open_payment(held)
    with pytest.raises(NotFound):
        look_at_payment(
            patient.workbench, payment_id=patient.payments()[0].id, account_id=patient.dependent_id, cause=REQUEST
        )


def _lost(patient: Patient) -> UUID:
    """A number that never reached the platform, 40 seconds ago."""
    appointment_id = patient.book()
    patient.gateway.down = "before"
    assert patient.open_payment(appointment_id) is not None
    patient.gateway.down = None
    patient.clock.advance(timedelta(seconds=40))
    return appointment_id


def test_a_number_that_is_sent_again_is_not_taken_for_closed_while_it_may_arrive(patient: Patient) -> None:
    appointment_id = _lost(patient)
    again = patient.intend(appointment_id)
    patient.cancel(appointment_id)
    patient.work()
    assert isinstance(patient.finish_opening(again), NotPayable)
    assert patient.slot(appointment_id).status is SlotStatus.WITHHELD
    patient.work(after=timedelta(minutes=1))
    (payment,) = patient.payments()
    assert payment.status is PaymentStatus.CLOSED
    assert patient.gateway.trades[payment.out_trade_no].state is TradeState.CLOSED
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    patient.assert_sound()


def test_that_nothing_comes_of_a_number_is_no_news_once_it_was_sent_again(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody pays from the other login, which closes the lost number; meanwhile the first one taps again."""
    appointment_id, other_login = _lost(patient), another_payer(patient)
    ask = patient.gateway.close_payment

    def close_and_be_overtaken(number: str) -> CloseOutcome:
        monkeypatch.undo()
        outcome = ask(number)
        assert patient.open_payment(appointment_id) is None
        return outcome

    monkeypatch.setattr(patient.gateway, "close_payment", close_and_be_overtaken)
    with pytest.raises(ProviderDown):
        patient.open_payment(appointment_id, other_login)
    (payment,) = patient.payments()
    assert payment.status is PaymentStatus.PENDING
    assert patient.open_payment(appointment_id, other_login) is None
    assert patient.gateway.trades[payment.out_trade_no].state is TradeState.CLOSED
    patient.assert_sound()
