"""Each state of a payment and of a refund meets each thing that a platform may say or leave unsaid: it moves along the
tables of the plan, or nothing moves and the log has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from happenings import in_hand
from harness import REQUEST, Patient
from sqlalchemy import select
from structlog.testing import capture_logs

from core.payments.close import close_one, write_answer
from core.payments.inbox import apply_event
from core.payments.open import PaymentIntent
from core.payments.push_refund import push_refund
from core.ports import (
    CloseOutcome,
    ProviderRefused,
    ProviderUnavailable,
    RefundAnswer,
    RefundState,
    TradeAnswer,
    TradeState,
)
from models.errors import DomainError
from models.payment import Payment, PaymentStatus, Refund, RefundStatus
from models.platform import PlatformEvent

ON_ONE_DATABASE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

PAYMENT = """
                         | created   | pending   | unknown   | closed    | failed    | succeeded
    opened               | pending   | pending   | pending   | closed    | failed    | succeeded
    refused for good     | failed    | failed    | failed    | closed    | failed    | succeeded
    refused for now      | created   | created   | created   | closed    | failed    | succeeded
    no answer            | unknown   | pending   | unknown   | closed    | failed    | succeeded
    closed               | closed    | closed    | closed    | closed    | failed    | succeeded
    closing: paid        | succeeded | succeeded | succeeded | succeeded | succeeded | succeeded
    asked: paid          | succeeded | succeeded | succeeded | succeeded | succeeded | succeeded
    asked: unpaid        | pending   | pending   | pending   | closed    | failed    | succeeded
    asked: closed        | closed    | closed    | closed    | closed    | failed    | succeeded
    asked: failed        | failed    | failed    | failed    | closed    | failed    | succeeded
    asked: no such number| created   | created   | created   | closed    | failed    | succeeded
    told: paid           | succeeded | succeeded | succeeded | succeeded | succeeded | succeeded
    told: unpaid         | pending   | pending   | pending   | closed    | failed    | succeeded
    told: closed         | closed    | closed    | closed    | closed    | failed    | succeeded
    told: failed         | failed    | failed    | failed    | closed    | failed    | succeeded
    told: no such number | created   | created   | created   | closed    | failed    | succeeded
"""
REFUND = """
                         | due        | processing | unknown    | abnormal   | desk       | closed | succeeded
    sent: processing     | processing | processing | processing | processing | desk       | closed | succeeded
    sent: succeeded      | succeeded  | succeeded  | succeeded  | succeeded  | desk       | closed | succeeded
    sent: abnormal       | abnormal   | abnormal   | abnormal   | abnormal   | desk       | closed | succeeded
    sent: closed         | closed     | closed     | closed     | abnormal   | desk       | closed | succeeded
    sent: no such number | due        | processing | due        | abnormal   | desk       | closed | succeeded
    refused for good     | desk       | processing | unknown    | abnormal   | desk       | closed | succeeded
    refused for now      | due        | processing | unknown    | abnormal   | desk       | closed | succeeded
    no answer            | unknown    | processing | unknown    | abnormal   | desk       | closed | succeeded
    told: processing     | processing | processing | processing | processing | processing | closed | succeeded
    told: succeeded      | succeeded  | succeeded  | succeeded  | succeeded  | succeeded  | closed | succeeded
    told: abnormal       | abnormal   | abnormal   | abnormal   | abnormal   | desk       | closed | succeeded
    told: closed         | closed     | closed     | closed     | abnormal   | desk       | closed | succeeded
    told: no such number | due        | processing | due        | abnormal   | desk       | closed | succeeded
"""


SETTLED = {"closed", "failed", "succeeded"}


def cells(plan: str) -> Iterator[Any]:
    head, *lines = ([word.strip() for word in line.split("|")] for line in plan.strip("\n").splitlines())
    for event, *targets in lines:
        for state, to in zip(head[1:], targets, strict=True):
            yield pytest.param(state, event, to, id=f"{state}, {event}")


@dataclass
class Platform:
    """Its answers are what the test says, whoever asks."""

    patient: Patient
    patch: pytest.MonkeyPatch

    def answers(self, verb: str, answer: object) -> None:
        def call(*_: object, **__: object) -> object:
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.patch.setattr(self.patient.gateway, verb, call)

    def tells(self, said: TradeAnswer | RefundAnswer) -> None:
        """In a message that is applied at once."""
        self.patient.hear(said)
        newest = select(PlatformEvent.id).order_by(PlatformEvent.id.desc()).limit(1)
        event_id = self.patient.read(lambda session: session.scalars(newest).one())
        apply_event(self.patient.workbench, in_hand("apply_event", platform_event_id=event_id))


@pytest.fixture
def platform(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> Platform:
    return Platform(patient, monkeypatch)


def logged(lines: Sequence[Mapping[str, Any]], event: str) -> int:
    return len([line for line in lines if line["event"] == event])


# --- payments


def opened(patient: Patient) -> None:
    assert patient.open_payment(patient.book()) is None


def created(patient: Patient) -> None:
    patient.intend(patient.book())


def unknown(patient: Patient) -> None:
    patient.gateway.down = "before"
    assert patient.open_payment(patient.book()) is not None
    patient.gateway.down = None


def closed(patient: Patient) -> None:
    """Its hold is over."""
    opened(patient)
    patient.work(after=timedelta(minutes=15))


def failed(patient: Patient) -> None:
    opened(patient)
    (payment,) = patient.payments()
    failure = TradeAnswer(payment.out_trade_no, TradeState.FAILED)
    write_answer(patient.workbench, payment, failure, cause=REQUEST)


PAYMENTS: dict[str, Callable[[Patient], object]] = {
    "created": created,
    "pending": opened,
    "unknown": unknown,
    "closed": closed,
    "failed": failed,
    "succeeded": Patient.paid,
}


def trade(payment: Payment, word: str) -> TradeAnswer:
    said = TradeAnswer(payment.out_trade_no, TradeState(word.replace(" ", "_")))
    if said.state is not TradeState.PAID:
        return said
    return replace(said, amount_fen=5000, currency="CNY", platform_trade_no="T1", paid_at=payment.created_at)


OPENING = {
    "opened": {"prepay": "for it"},
    "refused for good": ProviderRefused("PARAM_ERROR"),
    "refused for now": ProviderRefused("FREQUENCY_LIMITED", retryable=True),
    "no answer": ProviderUnavailable("silent", sent=True),
}
FOUND = {"refused for good": "failed", "refused for now": "no such number"}
"""What the platform answers when it is asked after such a refusal, as far as it goes."""
SAID_BY = {"succeeded": "paid"}
CLOSING = {"closed": CloseOutcome.CLOSED, "closing: paid": CloseOutcome.ALREADY_PAID}


def meet_payment(platform: Platform, payment: Payment, event: str) -> None:
    """`payment` as it was when the platform was called."""
    patient, (how, _, word) = platform.patient, event.partition(": ")
    if event in OPENING:
        platform.answers("open_payment", OPENING[event])
        platform.answers("find_payment", trade(payment, "no such number"))
        with suppress(DomainError):
            patient.finish_opening(
                PaymentIntent(payment.id, payment.charge_id, payment.channel, patient.payer, payment)
            )
        return
    if event in CLOSING:
        platform.answers("close_payment", CLOSING[event])
        platform.answers("find_payment", trade(payment, "paid"))
        answer = close_one(patient.gateway, payment, now=patient.clock.now())
        assert answer is not None
        write_answer(patient.workbench, payment, answer, cause=REQUEST)
    elif how == "asked":
        write_answer(patient.workbench, payment, trade(payment, word), cause=REQUEST)
    else:
        platform.answers("find_payment", trade(payment, word))
        platform.tells(trade(payment, word))


@ON_ONE_DATABASE
@pytest.mark.parametrize(("state", "event", "to"), list(cells(PAYMENT)))
def test_a_payment_follows_the_table(platform: Platform, state: str, event: str, to: str) -> None:
    patient = platform.patient
    PAYMENTS[state](patient)
    (payment,) = patient.payments()
    assert payment.status == state
    with capture_logs() as lines:
        meet_payment(platform, payment, event)
    assert [one.status for one in patient.payments()] == [to]
    stayed = len(patient.moves(payment.id)) == payment.moved
    assert stayed == (to == state)
    word = FOUND.get(event) or event.rpartition(": ")[2]
    nothing_new = word in {SAID_BY.get(state, state), "opened", "no answer"}
    assert logged(lines, "payment_word_out_of_order") == (stayed and state in SETTLED and not nothing_new)
    denied = state == "succeeded" and event.startswith("told") and word != "paid"
    assert [line["alarm"] for line in lines if line["event"] == "paid_payment_denied"] == [True] * denied
    patient.assert_sound()


# --- refunds


def due(patient: Patient) -> None:
    patient.cancel(patient.paid())


def processing(patient: Patient) -> None:
    due(patient)
    patient.work()


def lost(patient: Patient) -> None:
    due(patient)
    patient.gateway.down = "before"
    patient.work()
    patient.gateway.down = None


def settled_as(state: RefundState) -> Callable[[Patient], None]:
    def step(patient: Patient) -> None:
        processing(patient)
        patient.hear(patient.gateway.settle_refund(patient.refunds()[0].out_refund_no, state))
        patient.work()

    return step


def at_desk(patient: Patient) -> None:
    due(patient)
    patient.gateway.refuse_refunds = ProviderRefused("TRADE_OVERDUE")
    patient.work()
    patient.gateway.refuse_refunds = None


REFUNDS: dict[str, Callable[[Patient], None]] = {
    "due": due,
    "processing": processing,
    "unknown": lost,
    "abnormal": settled_as(RefundState.ABNORMAL),
    "desk": at_desk,
    "closed": settled_as(RefundState.CLOSED),
    "succeeded": settled_as(RefundState.SUCCEEDED),
}


def meet_refund(platform: Platform, refund: Refund, event: str) -> None:
    how, _, word = event.partition(": ")
    answer = OPENING.get(event)
    if answer is None:
        answer = RefundAnswer(refund.out_refund_no, RefundState(word.replace(" ", "_")), refund.amount_fen)
    if how == "told":
        assert isinstance(answer, RefundAnswer)
        platform.answers("find_refund", answer)
        platform.tells(answer)
        return
    platform.answers("open_refund", answer)
    platform.answers("find_refund", answer)
    push_refund(platform.patient.workbench, in_hand("push_refund", refund_id=refund.id))


@ON_ONE_DATABASE
@pytest.mark.parametrize(("state", "event", "to"), list(cells(REFUND)))
def test_a_refund_follows_the_table(platform: Platform, state: str, event: str, to: str) -> None:
    patient = platform.patient
    REFUNDS[state](patient)
    refund = patient.refunds()[0]
    assert refund.status == state
    with capture_logs() as lines:
        meet_refund(platform, refund, event)
    after = patient.refunds()
    assert after[0].status == to
    assert len(patient.moves(refund.id)) - refund.moved == (to != state)
    assert [one.replaces_id for one in after[1:]] == [refund.id] * (to == "closed")
    how, _, word = event.partition(": ")
    against = how == "told" and to == state and word not in {state, "no such number"}
    denied = against and state == "succeeded" and word in {"abnormal", "closed"}
    assert logged(lines, "refund_success_denied") == denied
    late = (against and not denied) + (state == "abnormal" and event == "sent: closed")
    assert logged(lines, "refund_word_out_of_order") == late
    patient.assert_sound()


# --- the tables are whole


def test_every_state_meets_every_word() -> None:
    for plan, ways, states, words in (
        (PAYMENT, ("asked", "told"), PaymentStatus, TradeState),
        (REFUND, ("sent", "told"), RefundStatus, RefundState),
    ):
        walked = {(param.values[0], param.values[1]) for param in cells(plan)}
        said = {f"{way}: {word.replace('_', ' ')}" for way in ways for word in words}
        assert {(str(state), event) for state in states for event in said} <= walked
