"""The job that sends a refund under its number, and asks about it until it is settled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.jobs.queue import LeasedJob, backoff
from core.payments.charge_account import ChargeAccount, lock_charge_account
from core.payments.refund_pace import heed, take_turn
from core.payments.refunds import apply_refund_answer, returned_for
from core.ports import PaymentGateway, ProviderRefused, ProviderUnavailable, RefundAnswer, RefundOrder
from core.receipts.red_first import wait_for_red
from core.registry import NotConfigured
from core.workbench import Workbench
from models.appointment import AppointmentStatus
from models.charge import Leg
from models.payment import Payment, Refund, RefundReason, RefundStatus
from models.states import Actor, Cause, CauseKind

Answer = RefundAnswer | ProviderRefused | ProviderUnavailable

log = structlog.get_logger()

# The platform's event comes within seconds; asking is the second leg. Asked sooner after a call, Alipay may not know
# the number yet (alipay.md 1.5), and would have it sent again.
FIRST_LOOK = timedelta(seconds=10)
_SLOW_LOOK = timedelta(hours=1)
TOO_LONG = timedelta(minutes=30)
NO_ACCOUNT = "no_such_merchant"
_HELD_UP = timedelta(seconds=5)
"""A call may be on its way for so long, while the next one is there at once."""
_AFTER_A_CLAIM = frozenset({RefundReason.CANCELLED, RefundReason.RESCHEDULED, RefundReason.SUSPENDED})
_HOSPITAL_LOOK, _HOSPITAL_WAIT = timedelta(minutes=1), timedelta(hours=2)


@dataclass(frozen=True)
class _Call:
    """What is to be said to whom, of rows as they were when its turn was taken."""

    gateway: PaymentGateway
    refund: Refund
    payment: Payment


def push_refund(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """Send a due refund, ask about one that was sent, and come back until it is settled."""
    refund_id = UUID(job.payload["refund_id"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    found = workbench.transactions.write(
        lambda session, now: _take_up(session, workbench, refund_id, now=now, cause=cause)
    )
    if not isinstance(found, _Call):
        return found
    answer = _speak(workbench, found)
    return workbench.transactions.write(lambda session, now: _note(session, found, answer, now=now, cause=cause))


def _take_up(
    session: Session, workbench: Workbench, refund_id: UUID, *, now: datetime, cause: Cause
) -> _Call | datetime | None:
    """When to come back, or None where there is nothing to do."""
    charge_id = session.scalar(select(Refund.charge_id).where(Refund.id == refund_id))
    if charge_id is None:
        return None
    account = lock_charge_account(session, charge_id)
    refund = account.refund(refund_id)
    if refund.status in {RefundStatus.SUCCEEDED, RefundStatus.CLOSED, RefundStatus.DESK}:
        return None
    if refund.status is RefundStatus.DUE:
        if (why := _why_at_desk(session, account, refund)) is not None:
            refund.become(session, RefundStatus.DESK, at=now, cause=cause, reason=why)
            return None
        if (back_at := _waits(session, account, refund, now=now)) is not None:
            return back_at
    return _call(session, workbench, account, refund, now=now)


def _call(
    session: Session, workbench: Workbench, account: ChargeAccount, refund: Refund, *, now: datetime
) -> _Call | datetime:
    """Or when to come back."""
    payment = account.payment(refund.payment_id)
    try:
        gateway = workbench.adapters.gateway_of(payment.channel, payment.merchant, payment.app)
    except NotConfigured:
        log.warning("merchant_not_configured", refund=str(refund.id), merchant=payment.merchant, alarm=True)
        refund.last_refusal = NO_ACCOUNT
        return now + _SLOW_LOOK
    if refund.status is RefundStatus.DUE and (may_go := after_other_parts(account, refund, gateway, now=now)):
        return may_go
    back_at = take_turn(session, gateway, per_second=workbench.refunds_per_second, now=now)
    if back_at is not None:
        return back_at
    refund.asked_at, refund.asked_times = now, refund.asked_times + 1
    return _Call(gateway, refund, payment)


def after_other_parts(
    account: ChargeAccount, refund: Refund, gateway: PaymentGateway, *, now: datetime
) -> datetime | None:
    """When it may be sent, where another part of its payment was sent a moment ago. One that was asked about counts as
    well: nobody keeps which of the two a call was."""
    others = (one for one in account.refunds if one.payment_id == refund.payment_id and one is not refund)
    apart = gateway.limits.refunds_apart
    may_go = [one.asked_at + apart + _HELD_UP for one in others if apart and one.asked_at is not None]
    return max((one for one in may_go if one > now), default=None)


def _why_at_desk(session: Session, account: ChargeAccount, refund: Refund) -> str | None:
    """None where the platform gives it back. Of a bundle, what others come to is no matter of theirs."""
    of = returned_for(session, account, refund) if refund.reason in _AFTER_A_CLAIM else []
    if any(account.is_kept_there(one) for one in of):
        return "kept_by_hospital"
    ids = {one.id for one in of}
    insured = any(line.leg is Leg.INSURANCE for line in account.charge.lines if line.appointment_id in ids)
    return "wanted_by_insurer" if insured else None  # settled at the bureau again first (rules.md 3.7)


def _waits(session: Session, account: ChargeAccount, refund: Refund, *, now: datetime) -> datetime | None:
    """Money out is last: the hospital lets the number go first, and ends its receipt where it wants to. When to look
    again."""
    if refund.reason in _AFTER_A_CLAIM and _waits_for_hospital(account, refund, now=now):
        return now + _HOSPITAL_LOOK
    return wait_for_red(session, account, refund, now=now)


def _waits_for_hospital(account: ChargeAccount, refund: Refund, *, now: datetime) -> bool:
    """But nobody's money waits long for a hospital's system that does not answer."""
    ended = [one for one in account.appointments if one.status is AppointmentStatus.CANCELLED]
    return now - refund.created_at < _HOSPITAL_WAIT and not all(account.is_over_there(one) for one in ended)


def _speak(workbench: Workbench, call: _Call) -> Answer:
    refund, payment = call.refund, call.payment
    try:
        if refund.status is RefundStatus.DUE:
            return call.gateway.open_refund(refund_order(refund, payment))
        return call.gateway.find_refund(refund.out_refund_no, out_trade_no=payment.out_trade_no)
    except (ProviderRefused, ProviderUnavailable) as error:
        heed(workbench, call.gateway, error)
        return error


def refund_order(refund: Refund, payment: Payment) -> RefundOrder:
    """What is sent, and sent again, under its number."""
    return RefundOrder(
        out_refund_no=refund.out_refund_no,
        out_trade_no=payment.out_trade_no,
        amount_fen=refund.amount_fen,
        total_fen=payment.received_fen or payment.amount_fen,
        currency=payment.received_currency or payment.currency,
        reason=_WORDS[refund.reason],
    )


_WORDS = {
    RefundReason.CANCELLED: "预约已取消",
    RefundReason.LATE_PAYMENT: "支付到账时号源已释放",
    RefundReason.SURPLUS: "重复支付退回",
    RefundReason.AMOUNT_DIFFERS: "支付金额与应付金额不符",
    RefundReason.SUSPENDED: "医院停诊",
    RefundReason.RESCHEDULED: "改签退回差价",
    RefundReason.PRICE_LOWERED: "替诊差价退回",
}


def _note(
    session: Session,
    call: _Call,
    answer: Answer,
    *,
    now: datetime,
    cause: Cause,
) -> datetime | None:
    account = lock_charge_account(session, call.refund.charge_id)
    refund = account.refund(call.refund.id)
    if isinstance(answer, ProviderUnavailable):
        if answer.sent and refund.status is RefundStatus.DUE:
            refund.become(session, RefundStatus.UNKNOWN, at=now, cause=cause, reason="no_answer")
    elif isinstance(answer, ProviderRefused):
        _note_refusal(session, refund, answer, now=now, cause=cause)
    else:
        apply_refund_answer(session, account, refund, answer, now=now, cause=cause)
    look_at = _next_look(refund, now=now)
    if look_at is not None and now - refund.created_at > TOO_LONG:
        log.warning("refund_not_settled", refund=str(refund.id), status=str(refund.status), alarm=True)
    return look_at


def _note_refusal(session: Session, refund: Refund, answer: ProviderRefused, *, now: datetime, cause: Cause) -> None:
    """Fixable refusals keep the number and wait; a refusal for good goes to the desk, where two people decide.

    While the outcome of a sent refund is unknown, a refused question decides nothing."""
    refund.last_refusal = answer.code
    log.warning("refund_refused", refund=str(refund.id), refusal=answer.code, alarm=True)
    if not answer.retryable and refund.status is RefundStatus.DUE:
        refund.become(session, RefundStatus.DESK, at=now, cause=cause, reason=answer.code)


def _next_look(refund: Refund, *, now: datetime) -> datetime | None:
    if refund.status in {RefundStatus.SUCCEEDED, RefundStatus.CLOSED, RefundStatus.DESK}:
        return None
    if refund.status is RefundStatus.ABNORMAL:
        return now + _SLOW_LOOK
    if refund.status is RefundStatus.UNKNOWN:
        return now + max(FIRST_LOOK, backoff(refund.asked_times))
    if refund.status is RefundStatus.PROCESSING and refund.asked_times <= 1:
        return now + FIRST_LOOK
    return now + backoff(refund.asked_times)
