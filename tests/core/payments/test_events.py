"""What a platform tells us about somebody else, or what is not true."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from harness import Patient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.payments.inbox import keep_refused
from core.ports import MessageKind, PlatformMessage, RefundAnswer, RefundState, TradeAnswer, TradeState
from models.appointment import AppointmentStatus
from models.notice import Notice, NoticeKind
from models.payment import PaymentStatus, RefundStatus
from models.platform import EventState, PlatformEvent, RefusedEvent


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


# --- about somebody else, or not true


def test_an_event_about_a_number_we_never_made(patient: Patient, held: UUID) -> None:
    patient.hear(replace(pay(patient), out_trade_no="P20261122UNKNOWN"))
    patient.hear(RefundAnswer("R20261122UNKNOWN", RefundState.SUCCEEDED, 5000))
    patient.work()
    assert inbox(patient) == [(EventState.IGNORED, "unknown_number")] * 2
    assert_nothing_moved(patient, held)


def test_an_event_that_is_not_about_money(patient: Patient, held: UUID) -> None:
    body = os.urandom(16)
    message = PlatformMessage("one", MessageKind.OTHER, "demo")
    patient.adapters.the_reader.messages[body] = message
    patient.write(lambda session, now: patient.receive_in(session, message, body, now))
    patient.work()
    assert inbox(patient) == [(EventState.IGNORED, "not_about_money")]
    assert_nothing_moved(patient, held)


def lie(patient: Patient, **said: object) -> TradeAnswer:
    """A validly signed event about a number that the platform itself calls unpaid."""
    number = patient.payments()[0].out_trade_no
    truth = TradeAnswer(number, TradeState.PAID, 5000, "CNY", "T1", patient.clock.now())
    return replace(truth, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize("said", [{"amount_fen": 1}, {"amount_fen": 0}, {"amount_fen": None}, {"currency": "USD"}])
def test_an_event_that_differs_moves_nothing_by_itself(patient: Patient, held: UUID, said: dict[str, object]) -> None:
    patient.hear(lie(patient, **said))
    patient.work()
    assert inbox(patient) == [(EventState.QUARANTINED, None)]
    assert ("find_payment", patient.payments()[0].out_trade_no) in patient.gateway.calls
    assert_nothing_moved(patient, held)


def test_an_event_of_another_app_moves_nothing_by_itself(patient: Patient, held: UUID) -> None:
    patient.hear(lie(patient), app="another")
    patient.work()
    assert inbox(patient) == [(EventState.QUARANTINED, None)]
    assert_nothing_moved(patient, held)


@pytest.mark.parametrize("state", [TradeState.UNPAID, TradeState.CLOSED, TradeState.FAILED, TradeState.NO_SUCH_NUMBER])
def test_an_event_that_does_not_say_paid_is_checked_with_the_platform(
    patient: Patient, held: UUID, state: TradeState
) -> None:
    patient.hear(lie(patient, state=state))
    patient.work()
    assert ("find_payment", patient.payments()[0].out_trade_no) in patient.gateway.calls
    assert inbox(patient) == [(EventState.APPLIED, None)]  # it told little, and nothing that is wrong
    assert_nothing_moved(patient, held)


def test_an_event_that_another_platform_sent_is_of_a_number_we_never_made(patient: Patient, held: UUID) -> None:
    """One merchant name may stand at two platforms; the other one's word is worth nothing here (A-22)."""
    patient.hear(lie(patient), provider="alipay")
    patient.hear(RefundAnswer(patient.payments()[0].out_trade_no, RefundState.SUCCEEDED, 5000), provider="alipay")
    patient.work()
    assert inbox(patient) == [(EventState.IGNORED, "unknown_number")] * 2
    assert_nothing_moved(patient, held)


def test_a_refund_event_of_another_platform_moves_nothing(patient: Patient) -> None:
    patient.cancel(patient.paid())
    patient.work()
    refund = patient.refunds()[0]
    patient.hear(RefundAnswer(refund.out_refund_no, RefundState.SUCCEEDED, refund.amount_fen), provider="alipay")
    patient.work()
    assert inbox(patient)[-1] == (EventState.IGNORED, "unknown_number")
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING]


def test_a_refund_event_that_tells_only_a_total_is_asked_about(patient: Patient) -> None:
    """Alipay's refund_fee is the sum of all refunds of a trade: it says nothing of this one."""
    patient.cancel(patient.paid())
    patient.work()
    refund = patient.refunds()[0]
    patient.hear(RefundAnswer(refund.out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    assert ("find_refund", refund.out_refund_no) in patient.gateway.calls
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING]  # as the platform answered
    patient.gateway.settle_refund(refund.out_refund_no, RefundState.SUCCEEDED)
    patient.hear(RefundAnswer(refund.out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    assert [one.status for one in patient.refunds()] == [RefundStatus.SUCCEEDED]
    assert [state for state, _ in inbox(patient)] == [EventState.APPLIED] * 3
    patient.assert_sound()


def test_a_refund_event_of_another_app_is_kept_apart(patient: Patient) -> None:
    patient.cancel(patient.paid())
    patient.work()
    refund = patient.refunds()[0]
    said = RefundAnswer(refund.out_refund_no, RefundState.SUCCEEDED, refund.amount_fen)
    patient.hear(said, refund_app="another")
    patient.work()
    assert inbox(patient)[-1] == (EventState.QUARANTINED, None)
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING]


def test_while_the_platform_is_silent_an_event_that_differs_waits(patient: Patient, held: UUID) -> None:
    patient.hear(replace(pay(patient), amount_fen=1))
    patient.gateway.down = "before"
    patient.work()
    assert inbox(patient) == [(EventState.RECEIVED, None)]
    assert patient.appointment(held).status is AppointmentStatus.PENDING
    patient.gateway.down = None
    patient.work(after=timedelta(seconds=30))
    assert inbox(patient) == [(EventState.QUARANTINED, None)]
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
    patient.assert_sound()


def test_a_refund_event_of_another_amount_is_checked_with_the_platform(patient: Patient) -> None:
    patient.cancel(patient.paid())
    patient.work()
    patient.hear(RefundAnswer(patient.refunds()[0].out_refund_no, RefundState.SUCCEEDED, 1))
    patient.work()
    assert inbox(patient)[-1] == (EventState.QUARANTINED, None)
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING]
    patient.assert_sound()


def test_an_event_id_used_again_for_something_else_is_kept_as_refused(patient: Patient, held: UUID) -> None:
    """A-23."""
    said = pay(patient)
    patient.hear(said, event_id="one")
    patient.hear(replace(said, amount_fen=1), event_id="one")
    patient.work()
    assert refused(patient) == ["event_id_reused"]
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
    assert patient.refunds() == []
    patient.assert_sound()


def test_the_same_id_of_another_merchant_is_another_event(patient: Patient, held: UUID) -> None:
    patient.hear(pay(patient), event_id="one")
    foreign = PlatformMessage("one", MessageKind.OTHER, "another")
    patient.write(lambda session, now: patient.receive_in(session, foreign, b"x", now))
    assert len(inbox(patient)) == 2
    assert refused(patient) == []


def test_what_is_refused_is_kept_up_to_a_cap(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.payments.inbox._REFUSED_KEPT", 5)

    def keep(session: Session, now: datetime) -> None:
        for number in range(8):
            keep_refused(
                session,
                provider="wechat_pay",
                merchant="demo",
                reason=f"r{number}",
                headers={},
                body=b"x" * 10_000,
                vault=patient.workbench.vault,
                now=now,
            )

    patient.write(keep)
    assert refused(patient) == ["r3", "r4", "r5", "r6", "r7"]
    kept = patient.read(lambda session: list(session.scalars(select(RefusedEvent))))
    assert {one.opened_body(patient.workbench.vault) for one in kept} == {b"x" * 8192}


def test_what_a_platform_says_of_the_payer_is_sealed_as_it_is_kept(patient: Patient, held: UUID) -> None:
    """Some platforms write their payer's id in clear."""
    body = b"buyer_open_id=canary-of-a-payer"
    message = patient.message(pay(patient))
    patient.adapters.the_reader.messages[body] = message
    patient.write(lambda session, now: patient.receive_in(session, message, body, now))
    (stored,) = patient.read(lambda session: list(session.scalars(select(PlatformEvent))))
    assert b"canary" not in bytes(stored.body)
    assert stored.opened_body(patient.workbench.vault) == body
    patient.work()
    assert patient.appointment(held).status is AppointmentStatus.BOOKED


def test_a_body_from_before_they_were_sealed_is_read_as_it_is(patient: Patient, held: UUID) -> None:
    body = b'{"id": "EV-1"}'
    message = patient.message(pay(patient))
    patient.adapters.the_reader.messages[body] = message

    def store(session: Session, now: datetime) -> None:
        patient.receive_in(session, message, body, now)
        session.scalars(select(PlatformEvent)).one().body = body

    patient.write(store)
    patient.work()
    assert patient.appointment(held).status is AppointmentStatus.BOOKED
