"""A link that is handed out: the platform learns of the number when it is opened, and nobody can close it before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import make_identity
from fakes import FakeAdapters, FakeGateway, ManualClock
from harness import Patient
from sqlalchemy.orm import Session

from core.payments.ask import look_at_payment
from core.payments.open import LINK_LASTS, Payer
from core.ports import GatewayLimits, PaymentOrder, ProviderRefused, TradeAnswer, TradeState
from core.refusals import LinkOpen
from models.account import Account
from models.appointment import AppointmentStatus
from models.payment import PaymentStatus, RefundReason
from models.schedule import SlotStatus
from models.states import Actor, Cause, CauseKind

HOLD = timedelta(minutes=15)
LOOK = Cause(Actor.ACCOUNT, CauseKind.REQUEST, "look")


class LinkGateway(FakeGateway):
    """Its number is known once somebody has opened the link."""

    limits = GatewayLimits(timedelta(seconds=60), 50, by_link=True)

    def open_payment(self, order: PaymentOrder) -> Mapping[str, Any]:
        self.calls.append(("open_payment", order.out_trade_no))
        assert self.orders.setdefault(order.out_trade_no, order) == order, "one number is one order"
        return {"url": f"https://cashier.example/{order.out_trade_no}"}

    def visit(self, out_trade_no: str) -> None:
        """The payer opens the link, which is good until its time is over."""
        assert self.clock.now() < self.orders[out_trade_no].expires_at
        self.trades.setdefault(out_trade_no, TradeAnswer(out_trade_no, TradeState.UNPAID))


@pytest.fixture
def adapters(clock: ManualClock) -> FakeAdapters:
    made = FakeAdapters(clock)
    made.the_gateway = LinkGateway(clock)
    return made


@pytest.fixture
def link(patient: Patient) -> LinkGateway:
    assert isinstance(patient.gateway, LinkGateway)
    return patient.gateway


@pytest.fixture
def held(patient: Patient) -> UUID:
    appointment_id = patient.book()
    assert patient.open_payment(appointment_id) is None
    return appointment_id


def another_payer(patient: Patient) -> Payer:
    def make(session: Session, _now: object) -> UUID:
        account = session.get_one(Account, patient.account_id)
        return make_identity(session, patient.workbench.vault, account).id

    return replace(patient.payer, identity_id=patient.write(make))


def statuses(patient: Patient) -> list[PaymentStatus]:
    return [one.status for one in patient.payments()]


def test_one_that_nobody_opens_waits_ends_and_frees_the_number(patient: Patient, link: LinkGateway, held: UUID) -> None:
    (payment,) = patient.payments()
    assert payment.expires_at == payment.created_at + LINK_LASTS
    for _ in range(3):
        patient.work(after=timedelta(minutes=1))
        assert statuses(patient) == [PaymentStatus.PENDING], "that it is not known there yet says nothing"
    assert len(patient.moves(payment.id)) == 2
    patient.work(after=timedelta(minutes=3))
    assert statuses(patient) == [PaymentStatus.CLOSED]
    assert patient.appointment(held).status is AppointmentStatus.PENDING, "it can still be paid another way"
    patient.work(after=HOLD)
    assert patient.appointment(held).status is AppointmentStatus.CANCELLED
    assert patient.slot(held).status in {SlotStatus.FREE, SlotStatus.WITHHELD}
    patient.assert_sound()


def test_one_that_is_opened_and_paid_is_kept(patient: Patient, link: LinkGateway, held: UUID) -> None:
    number = patient.payments()[0].out_trade_no
    patient.work(after=LINK_LASTS - timedelta(seconds=1))
    link.visit(number)
    patient.hear(link.pay(number))
    patient.work()
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
    assert statuses(patient) == [PaymentStatus.SUCCEEDED]
    patient.assert_sound()


def test_a_patient_who_looks_is_told_that_it_waits(patient: Patient, link: LinkGateway, held: UUID) -> None:
    (payment,) = patient.payments()
    patient.clock.advance(timedelta(seconds=6))
    look_at_payment(patient.workbench, payment_id=payment.id, account_id=patient.account_id, cause=LOOK)
    assert (statuses(patient), link.calls[-1][0]) == ([PaymentStatus.PENDING], "find_payment")


def test_another_way_waits_while_the_link_can_be_opened(patient: Patient, link: LinkGateway, held: UUID) -> None:
    other = another_payer(patient)
    with pytest.raises(LinkOpen) as refused:
        patient.open_payment(held, other)
    assert refused.value.retry_at == patient.payments()[0].expires_at
    assert statuses(patient) == [PaymentStatus.PENDING]
    patient.clock.advance(LINK_LASTS)
    assert patient.open_payment(held, other) is None
    assert statuses(patient) == [PaymentStatus.CLOSED, PaymentStatus.PENDING]
    patient.assert_sound()


def test_one_that_was_opened_is_closed_for_another_way_at_once(patient: Patient, link: LinkGateway, held: UUID) -> None:
    link.visit(patient.payments()[0].out_trade_no)
    assert patient.open_payment(held, another_payer(patient)) is None
    assert statuses(patient) == [PaymentStatus.CLOSED, PaymentStatus.PENDING]
    patient.assert_sound()


def test_a_refusal_to_make_it_again_does_not_end_the_link_that_was_handed_out(
    patient: Patient, link: LinkGateway, held: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is known there, and it can be opened all the same."""
    number = patient.payments()[0].out_trade_no

    def refuses(_order: PaymentOrder) -> Mapping[str, Any]:
        raise ProviderRefused("invalid_amount")

    with monkeypatch.context() as patched:
        patched.setattr(link, "open_payment", refuses)
        assert patient.open_payment(held) is not None
    assert statuses(patient) == [PaymentStatus.PENDING]
    with pytest.raises(LinkOpen):
        patient.open_payment(held, another_payer(patient))
    link.visit(number)
    patient.hear(link.pay(number))
    patient.work()
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
    patient.assert_sound()


def test_asking_again_is_the_same_number_until_its_time_is_over(
    patient: Patient, link: LinkGateway, held: UUID
) -> None:
    patient.clock.advance(timedelta(minutes=2))
    assert patient.open_payment(held) is None
    assert len(link.orders) == 1
    patient.clock.advance(LINK_LASTS)
    assert patient.open_payment(held) is None
    assert statuses(patient) == [PaymentStatus.CLOSED, PaymentStatus.PENDING]
    assert len(link.orders) == 2
    patient.assert_sound()


def test_in_its_last_minute_a_link_is_not_handed_out_again(patient: Patient, link: LinkGateway, held: UUID) -> None:
    """Its platform begins nothing more with it; it ends before there is another number."""
    ends_at = patient.payments()[0].expires_at
    patient.clock.advance(LINK_LASTS - timedelta(seconds=61))
    assert patient.open_payment(held) is None
    patient.clock.advance(timedelta(seconds=1))
    with pytest.raises(LinkOpen) as refused:
        patient.open_payment(held)
    assert (refused.value.retry_at, len(link.orders)) == (ends_at, 1)
    patient.clock.advance(timedelta(seconds=60))
    assert patient.open_payment(held) is None
    assert statuses(patient) == [PaymentStatus.CLOSED, PaymentStatus.PENDING]
    patient.assert_sound()


def test_in_its_last_minute_one_that_was_opened_gives_way_at_once(
    patient: Patient, link: LinkGateway, held: UUID
) -> None:
    link.visit(patient.payments()[0].out_trade_no)
    patient.clock.advance(LINK_LASTS - timedelta(seconds=30))
    assert patient.open_payment(held) is None
    assert statuses(patient) == [PaymentStatus.CLOSED, PaymentStatus.PENDING]
    patient.assert_sound()


def test_near_the_end_of_the_hold_the_link_ends_with_it(patient: Patient, link: LinkGateway) -> None:
    appointment_id = patient.book()
    patient.clock.advance(HOLD - timedelta(minutes=2))
    assert patient.open_payment(appointment_id) is None
    assert patient.payments()[0].expires_at == patient.appointment(appointment_id).hold_expires_at


def test_a_number_that_is_cancelled_goes_to_nobody_while_its_link_can_be_paid(
    patient: Patient, link: LinkGateway, held: UUID
) -> None:
    number = patient.payments()[0].out_trade_no
    patient.cancel(held)
    patient.work(after=timedelta(minutes=1))
    assert (statuses(patient), patient.slot(held).status) == ([PaymentStatus.PENDING], SlotStatus.WITHHELD)
    link.visit(number)
    patient.hear(link.pay(number))
    patient.work()
    (refund,) = patient.refunds()
    assert (refund.amount_fen, refund.reason) == (5000, RefundReason.LATE_PAYMENT)
    patient.assert_sound()


def test_a_cancelled_one_that_nobody_opens_is_over_with_its_time(
    patient: Patient, link: LinkGateway, held: UUID
) -> None:
    patient.cancel(held)
    patient.work(after=LINK_LASTS + timedelta(minutes=2))
    assert statuses(patient) == [PaymentStatus.CLOSED]
    assert patient.refunds() == []
    patient.assert_sound()


def test_money_that_comes_all_the_same_goes_back(patient: Patient, link: LinkGateway, held: UUID) -> None:
    """The platform's clock is behind ours."""
    number = patient.payments()[0].out_trade_no
    patient.work(after=HOLD)
    assert statuses(patient) == [PaymentStatus.CLOSED]
    link.trades[number] = TradeAnswer(number, TradeState.UNPAID)
    patient.hear(link.pay(number))
    patient.work()
    assert statuses(patient) == [PaymentStatus.SUCCEEDED]
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    patient.assert_sound()
