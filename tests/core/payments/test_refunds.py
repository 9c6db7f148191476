"""Money back: under one number until the platform has said its last word, however often it must be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest
from families import bundled, family, ids_of, pay
from harness import Patient, beside
from sqlalchemy import select, update
from structlog.testing import capture_logs

from core.payments.refund_desk import Word, say_of_refund
from core.ports import ProviderRefused, ProviderUnavailable, RefundAnswer, RefundOrder, RefundState
from models.charge import ChargeLine, Leg
from models.notice import Notice, NoticeKind
from models.payment import RefundLine, RefundStatus
from models.refund_decision import RefundWay


@pytest.fixture
def cancelled(patient: Patient) -> UUID:
    """Paid and cancelled; the refund is due and not sent."""
    appointment_id = patient.paid()
    patient.cancel(appointment_id)
    return appointment_id


def statuses(patient: Patient) -> list[RefundStatus]:
    return [one.status for one in patient.refunds()]


def sent(patient: Patient) -> list[str]:
    return [number for verb, number in patient.gateway.calls if verb == "open_refund"]


def in_parts(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A family of three has paid at once, and each cancels, at a platform that wants a minute between the parts."""
    monkeypatch.setattr(patient.gateway, "limits", replace(patient.gateway.limits, refunds_apart=timedelta(minutes=1)))
    patient.schedule_id = beside(patient, numbers=4)
    ids = ids_of(bundled(patient, family(patient, 3)))
    pay(patient, ids[0])
    patient.gateway.refund_settles_as = RefundState.SUCCEEDED
    for one in ids:
        patient.cancel(one)


def test_parts_of_one_payment_are_sent_as_far_apart_as_the_platform_wants(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(patient, monkeypatch)
    for done in (1, 2, 3):
        patient.work()
        assert len(sent(patient)) == done
        patient.work(after=timedelta(seconds=60))
        assert len(sent(patient)) == done, "refused it would go to the desk, or slow down all others"
        patient.clock.advance(timedelta(seconds=5))
    assert statuses(patient) == [RefundStatus.SUCCEEDED] * 3
    assert sorted(sent(patient)) == sorted(one.out_refund_no for one in patient.refunds())
    patient.assert_sound()


def test_parts_that_two_people_send_again_lie_apart_as_well(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    in_parts(patient, monkeypatch)
    patient.gateway.refuse_refunds = ProviderRefused("USER_ACCOUNT_ABNORMAL")
    for _ in range(3):
        patient.work(after=timedelta(minutes=2))
    assert statuses(patient) == [RefundStatus.DESK] * 3
    patient.gateway.refuse_refunds, before = None, len(sent(patient))
    patient.clock.advance(timedelta(minutes=2))
    for refund, operator in product(patient.refunds(), ("clerk-1", "clerk-2")):
        word = Word(RefundWay.AGAIN, "账户已恢复", operator)
        patient.write(lambda session, now, of=refund.id, word=word: say_of_refund(session, of, word, now=now))
    for done in (1, 2, 3):
        patient.work()
        assert len(sent(patient)) - before == done
        patient.clock.advance(timedelta(minutes=1, seconds=5))
    assert statuses(patient) == [RefundStatus.SUCCEEDED] * 3
    patient.assert_sound()


def test_first_it_is_due_under_a_number_then_it_is_sent(patient: Patient, cancelled: UUID) -> None:
    (refund,) = patient.refunds()
    assert (refund.status, refund.amount_fen, patient.gateway.refunds) == (RefundStatus.DUE, 5000, {})
    patient.work()
    assert list(patient.gateway.refunds) == [refund.out_refund_no]
    (line,) = patient.read(lambda session: list(session.scalars(select(RefundLine))))
    assert (line.refund_id, line.amount_fen) == (refund.id, 5000)
    patient.assert_sound()


def test_a_refund_may_succeed_at_once(patient: Patient, cancelled: UUID) -> None:
    patient.gateway.refund_settles_as = RefundState.SUCCEEDED
    patient.work()
    (refund,) = patient.refunds()
    assert (refund.status, refund.succeeded_at) == (RefundStatus.SUCCEEDED, patient.clock.now())
    assert [move.to_status for move in patient.moves(refund.id)] == ["due", "succeeded"]
    patient.assert_sound()


def test_without_an_event_the_platform_is_asked_until_it_has_arrived(patient: Patient, cancelled: UUID) -> None:
    patient.work()
    patient.gateway.settle_refund(patient.refunds()[0].out_refund_no, RefundState.SUCCEEDED)
    patient.work(after=timedelta(seconds=21))
    assert statuses(patient) == [RefundStatus.SUCCEEDED]
    assert len(sent(patient)) == 1
    kinds = patient.read(lambda session: list(session.scalars(select(Notice.kind))))
    assert kinds.count(NoticeKind.REFUND_SUCCEEDED) == 1
    patient.assert_sound()


def test_a_short_balance_keeps_it_due_under_the_same_number(patient: Patient, cancelled: UUID) -> None:
    """F-52."""
    patient.gateway.refuse_refunds = ProviderRefused("NOT_ENOUGH", retryable=True)
    for _ in range(4):
        patient.work(after=timedelta(minutes=5))
    (refund,) = patient.refunds()
    assert (refund.status, refund.last_refusal) == (RefundStatus.DUE, "NOT_ENOUGH")
    assert len(sent(patient)) >= 4
    patient.gateway.refuse_refunds = None
    patient.work(after=timedelta(minutes=5))
    assert statuses(patient) == [RefundStatus.PROCESSING]
    assert set(sent(patient)) == {refund.out_refund_no}
    patient.assert_sound()


def test_a_refusal_for_good_goes_to_the_desk_and_is_not_sent_again(patient: Patient, cancelled: UUID) -> None:
    patient.gateway.refuse_refunds = ProviderRefused("TRADE_OVERDUE")
    patient.work()
    patient.gateway.refuse_refunds = None
    patient.work(after=timedelta(days=2))
    (refund,) = patient.refunds()
    assert (refund.status, refund.last_refusal) == (RefundStatus.DESK, "TRADE_OVERDUE")
    assert len(sent(patient)) == 1
    patient.assert_sound()


def test_a_refund_that_was_closed_is_taken_over_by_a_new_number(patient: Patient, cancelled: UUID) -> None:
    """F-54."""
    patient.work()
    patient.hear(patient.gateway.settle_refund(patient.refunds()[0].out_refund_no, RefundState.CLOSED))
    patient.work()
    assert len(patient.gateway.refunds) == 1  # not at once: a platform that closes them all is not flooded
    patient.work(after=timedelta(seconds=2))
    closed, successor = patient.refunds()
    assert (closed.status, successor.status) == (RefundStatus.CLOSED, RefundStatus.PROCESSING)
    assert (successor.replaces_id, successor.amount_fen) == (closed.id, 5000)
    assert successor.out_refund_no != closed.out_refund_no
    assert len(patient.gateway.refunds) == 2
    patient.assert_sound()


def test_what_an_insurer_paid_a_part_of_is_given_back_at_the_desk(patient: Patient) -> None:
    """3.7: settled at the bureau again before anything goes back; nothing is sent to the platform."""
    appointment_id = patient.paid()
    insured = update(ChargeLine).where(ChargeLine.appointment_id == appointment_id).values(leg=Leg.INSURANCE)
    patient.write(lambda session, _now: session.execute(insured))
    patient.cancel(appointment_id)
    patient.work()
    (refund,) = patient.refunds()
    assert refund.status is RefundStatus.DESK
    assert patient.moves(refund.id)[-1].reason == "wanted_by_insurer"
    assert sent(patient) == []
    patient.assert_sound()


def test_an_abnormal_refund_is_not_over(patient: Patient, cancelled: UUID) -> None:
    """F-53."""
    patient.work()
    number = patient.refunds()[0].out_refund_no
    patient.gateway.settle_refund(number, RefundState.ABNORMAL)
    patient.work(after=timedelta(seconds=21))
    assert statuses(patient) == [RefundStatus.ABNORMAL]
    patient.gateway.settle_refund(number, RefundState.SUCCEEDED)
    patient.work(after=timedelta(hours=1))
    assert statuses(patient) == [RefundStatus.SUCCEEDED]
    assert len(sent(patient)) == 1
    patient.assert_sound()


@pytest.mark.parametrize("word", [RefundState.ABNORMAL, RefundState.CLOSED])
def test_a_success_that_the_platform_takes_back_wakes_somebody_and_moves_nothing(
    patient: Patient, cancelled: UUID, word: RefundState
) -> None:
    patient.work()
    number = patient.refunds()[0].out_refund_no
    patient.hear(patient.gateway.settle_refund(number, RefundState.SUCCEEDED))
    patient.work()
    denied = patient.gateway.settle_refund(number, word)
    with capture_logs() as lines:
        patient.hear(denied)
        patient.work()
    assert [one["alarm"] for one in lines if one["event"] == "refund_success_denied"] == [True]
    assert statuses(patient) == [RefundStatus.SUCCEEDED]
    patient.assert_sound()


def test_an_old_word_against_a_success_is_asked_about_and_wakes_nobody(patient: Patient, cancelled: UUID) -> None:
    patient.work()
    number = patient.refunds()[0].out_refund_no
    old = patient.gateway.settle_refund(number, RefundState.ABNORMAL)
    patient.hear(patient.gateway.settle_refund(number, RefundState.SUCCEEDED))
    patient.work()
    with capture_logs() as lines:
        patient.hear(old)
        patient.work()
    assert not [one for one in lines if one.get("alarm")]
    assert patient.gateway.calls[-1] == ("find_refund", number)
    assert statuses(patient) == [RefundStatus.SUCCEEDED]


def test_a_call_that_was_never_sent_leaves_it_due(
    patient: Patient, cancelled: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody_home(_order: RefundOrder) -> None:
        raise ProviderUnavailable("no connection", sent=False)

    monkeypatch.setattr(patient.gateway, "open_refund", nobody_home)
    patient.work()
    assert statuses(patient) == [RefundStatus.DUE]
    monkeypatch.undo()
    patient.work(after=timedelta(seconds=10))
    assert statuses(patient) == [RefundStatus.PROCESSING]
    patient.assert_sound()


def test_a_call_that_never_arrived_is_sent_again_under_its_number(patient: Patient, cancelled: UUID) -> None:
    """Silent before it took the call: unknown, asked, no such number, sent again."""
    patient.gateway.down = "before"
    patient.work()
    assert statuses(patient) == [RefundStatus.UNKNOWN]
    patient.gateway.down = None
    patient.work(after=timedelta(seconds=10))
    patient.work(after=timedelta(seconds=30))
    (refund,) = patient.refunds()
    assert [move.to_status for move in patient.moves(refund.id)] == ["due", "unknown", "due", "processing"]
    assert list(patient.gateway.refunds) == [refund.out_refund_no]
    patient.assert_sound()


def test_after_a_lost_answer_the_number_is_asked_about_and_not_sent_twice(patient: Patient, cancelled: UUID) -> None:
    patient.gateway.down = "after"
    patient.work()
    patient.gateway.down = None
    patient.work(after=timedelta(seconds=10))
    assert statuses(patient) == [RefundStatus.PROCESSING]
    assert len(sent(patient)) == 1
    patient.assert_sound()


def test_an_unknown_refund_is_not_asked_about_before_the_platform_can_know_it(
    patient: Patient, cancelled: UUID
) -> None:
    """Asked at once it may say that it knows no such number, and then the refund would be sent again."""
    patient.gateway.down = "after"
    patient.work()
    patient.work(after=timedelta(seconds=9))
    assert [verb for verb, _number in patient.gateway.calls].count("find_refund") == 0
    patient.work(after=timedelta(seconds=1))
    assert [verb for verb, _number in patient.gateway.calls].count("find_refund") == 1


def refunded_with(patient: Patient, amount_fen: int) -> RefundAnswer:
    """The platform has given another sum back under our number. Returns what an event would say."""
    (number,) = patient.gateway.refunds
    patient.gateway.refunds[number] = replace(
        patient.gateway.refunds[number], state=RefundState.SUCCEEDED, amount_fen=amount_fen
    )
    return patient.gateway.refunds[number]


def told(patient: Patient) -> list[NoticeKind]:
    return patient.read(lambda session: list(session.scalars(select(Notice.kind))))


@pytest.mark.parametrize("heard", [False, True], ids=["asked", "told by an event"])
@pytest.mark.parametrize("amount_fen", [4999, 5001])
def test_a_success_with_another_amount_is_no_success(
    *, patient: Patient, cancelled: UUID, amount_fen: int, heard: bool
) -> None:
    patient.work()
    said = refunded_with(patient, amount_fen)
    if heard:
        patient.hear(said)
        patient.work()
    with capture_logs() as logs:
        patient.work(after=timedelta(seconds=21))
    assert statuses(patient) == [RefundStatus.PROCESSING]
    assert NoticeKind.REFUND_SUCCEEDED not in told(patient)
    assert any(line["event"] == "refund_amount_differs" and line["alarm"] for line in logs)
    refunded_with(patient, 5000)
    patient.work(after=timedelta(hours=1))
    assert statuses(patient) == [RefundStatus.SUCCEEDED]
    assert len(sent(patient)) == 1
    patient.assert_sound()


def test_a_refund_that_succeeds_at_once_with_another_amount_is_not_sent_again(
    patient: Patient, cancelled: UUID
) -> None:
    number = patient.refunds()[0].out_refund_no
    patient.gateway.refunds[number] = RefundAnswer(number, RefundState.SUCCEEDED, 1)
    patient.work()
    patient.work(after=timedelta(hours=1))
    assert statuses(patient) == [RefundStatus.UNKNOWN]
    assert NoticeKind.REFUND_SUCCEEDED not in told(patient)
    assert len(sent(patient)) == 1


def test_a_refund_that_is_not_settled_for_half_an_hour_raises_an_alarm_at_every_look(
    patient: Patient, cancelled: UUID
) -> None:
    patient.work()
    with capture_logs() as early:
        patient.work(after=timedelta(minutes=29))
    with capture_logs() as late:
        patient.work(after=timedelta(minutes=2))
    assert [line for line in early if line["event"] == "refund_not_settled"] == []
    assert [line["alarm"] for line in late if line["event"] == "refund_not_settled"] == [True]


def test_cancelling_twice_gives_back_once(patient: Patient, cancelled: UUID) -> None:
    """A-28."""
    patient.work()
    patient.work(after=timedelta(hours=2))
    assert len(patient.refunds()) == len(patient.gateway.refunds) == 1
    patient.assert_sound()
