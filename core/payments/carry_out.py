"""The job that carries out what two people have decided about a refund, once the platform has been asked what it knows.

A refund may be left to people although the platform has it: an answer was lost, or came too late. Whoever would give it
back by hand, or send it again, without asking would give it twice.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.jobs.queue import LeasedJob, backoff
from core.payments.charge_account import ChargeAccount, lock_charge_account
from core.payments.push_refund import FIRST_LOOK, TOO_LONG, Answer, after_other_parts, refund_order
from core.payments.refund_desk import BY_HAND, LEFT_TO_PEOPLE, standing_decision
from core.payments.refund_pace import heed, take_turn_alone
from core.payments.refunds import after_move, apply_refund_answer, push_at
from core.ports import ProviderRefused, ProviderUnavailable, RefundAnswer, RefundState
from core.receipts.red_first import needs_red
from core.registry import NotConfigured
from core.workbench import Workbench
from models.payment import Payment, Refund, RefundStatus
from models.refund_decision import RefundDecision, RefundWay
from models.states import Actor, Cause, CauseKind

log = structlog.get_logger()

_ON_ITS_WAY = frozenset({RefundState.PROCESSING, RefundState.SUCCEEDED})
NOT_TAKEN = frozenset({RefundState.ABNORMAL, RefundState.NO_SUCH_NUMBER})
"""What a platform says of one that was to go to another card, where that has not come to anything, or not yet."""
Said = Answer | NotConfigured


@dataclass(frozen=True)
class _Task:
    refund: Refund
    payment: Payment
    way: RefundWay


def carry_out_refund(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """Ask, then do what was decided, and come back until the platform has answered."""
    refund_id = UUID(job.payload["refund_id"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    found = workbench.transactions.write(lambda session, now: _take_up(session, workbench, refund_id, now=now))
    if not isinstance(found, _Task):
        return found
    said = _ask(workbench, found)
    if isinstance(said, datetime):
        return said
    return workbench.transactions.write(lambda session, now: _note(session, found, said, now=now, cause=cause))


def _take_up(session: Session, workbench: Workbench, refund_id: UUID, *, now: datetime) -> _Task | datetime | None:
    """When to come back, or None where there is nothing to do. Of a call that was made a moment ago the platform may
    not know yet (alipay.md 1.5)."""
    charge_id = session.scalar(select(Refund.charge_id).where(Refund.id == refund_id))
    if charge_id is None:
        return None
    account = lock_charge_account(session, charge_id)
    refund, decision = account.refund(refund_id), standing_decision(session, refund_id)
    if decision is None or not decision.is_in_course:
        return None
    if refund.status not in LEFT_TO_PEOPLE:
        decision.done_at = now  # the platform's word came first
        return None
    if decision.way is RefundWay.AGAIN and needs_red(session, account, refund):
        decision.done_at, refund.last_refusal = now, "red_receipt_first"  # issued since they decided
        return None
    payment = account.payment(refund.payment_id)
    if (back_at := _too_soon(workbench, account, refund, payment, decision.way, now=now)) is not None:
        return back_at
    refund.asked_at, refund.asked_times = now, refund.asked_times + 1
    return _Task(refund, payment, decision.way)


def _too_soon(
    workbench: Workbench, account: ChargeAccount, refund: Refund, payment: Payment, way: RefundWay, *, now: datetime
) -> datetime | None:
    if refund.asked_at is not None and now < refund.asked_at + FIRST_LOOK:
        return refund.asked_at + FIRST_LOOK
    if way is not RefundWay.AGAIN:
        return None
    with suppress(NotConfigured):
        gateway = workbench.adapters.gateway_of(payment.channel, payment.merchant, payment.app)
        return after_other_parts(account, refund, gateway, now=now)
    return None


def _ask(workbench: Workbench, task: _Task) -> Said | datetime:
    """What the platform knows of the number; where it knows nothing, what it says to it when it is sent again. Or when
    to come back, since others have the next turns."""
    payment = task.payment
    try:
        gateway = workbench.adapters.gateway_of(payment.channel, payment.merchant, payment.app)
    except NotConfigured as error:
        return error
    try:
        if (back_at := take_turn_alone(workbench, gateway)) is not None:
            return back_at
        said = gateway.find_refund(task.refund.out_refund_no, out_trade_no=payment.out_trade_no)
        if said.state is not RefundState.NO_SUCH_NUMBER or task.way is not RefundWay.AGAIN:
            return said
        return take_turn_alone(workbench, gateway) or gateway.open_refund(refund_order(task.refund, payment))
    except (ProviderRefused, ProviderUnavailable) as error:
        heed(workbench, gateway, error)
        return error


def _note(session: Session, task: _Task, said: Said, *, now: datetime, cause: Cause) -> datetime | None:
    account = lock_charge_account(session, task.refund.charge_id)
    refund, decision = account.refund(task.refund.id), standing_decision(session, task.refund.id)
    if decision is None or not decision.is_in_course:
        return None
    if refund.status not in LEFT_TO_PEOPLE:
        decision.done_at = now
        return None
    if _is_open(decision.way, said):
        return _later(refund, decision, said, now=now)
    decision.done_at = now
    if isinstance(said, RefundAnswer) and (decision.way is not RefundWay.BY_HAND or said.state in _ON_ITS_WAY):
        follow(session, account, refund, said, now=now, cause=cause)
    elif decision.way is RefundWay.BY_HAND:
        _give_by_hand(session, account, refund, now=now, cause=cause)
    else:
        note_refusal(refund, said)
    return None


def _is_open(way: RefundWay, said: Said) -> bool:
    """Nothing is known yet; of what was sent to a card a moment ago the platform may say so later."""
    if isinstance(said, RefundAnswer):
        return way is RefundWay.TO_CARD and said.state in NOT_TAKEN
    return isinstance(said, ProviderUnavailable) or (isinstance(said, ProviderRefused) and said.retryable)


def _later(refund: Refund, decision: RefundDecision, said: Said, *, now: datetime) -> datetime | None:
    """What was to be sent is left to people anew after a while: whatever they say then, the platform is asked
    first."""
    note_refusal(refund, said)
    is_long = decision.decided_at is not None and now - decision.decided_at > TOO_LONG
    if is_long and decision.way is not RefundWay.BY_HAND:
        decision.done_at = now
        return None
    return now + max(FIRST_LOOK, backoff(refund.asked_times))


def note_refusal(refund: Refund, said: Said) -> None:
    """It has not come to anything, or nobody knows."""
    refund.last_refusal = said.code if isinstance(said, ProviderRefused) else refund.last_refusal
    log.warning("refund_not_carried_out", refund=str(refund.id), said=type(said).__name__, alarm=True)


def follow(
    session: Session, account: ChargeAccount, refund: Refund, answer: RefundAnswer, *, now: datetime, cause: Cause
) -> None:
    """The platform has it: our record goes its way from here on, by way of `processing`."""
    refund.become(session, RefundStatus.PROCESSING, at=now, cause=cause, reason="known_there")
    apply_refund_answer(session, account, refund, answer, now=now, cause=cause)
    push_at(session, refund, now + FIRST_LOOK, now=now)


def _give_by_hand(session: Session, account: ChargeAccount, refund: Refund, *, now: datetime, cause: Cause) -> None:
    refund.by_hand = True
    if refund.status is RefundStatus.ABNORMAL:
        refund.become(session, RefundStatus.DESK, at=now, cause=cause, reason=BY_HAND)
    refund.become(session, RefundStatus.SUCCEEDED, at=now, cause=cause, reason=BY_HAND)
    after_move(session, account, refund, now=now, cause=cause)
