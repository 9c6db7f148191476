"""Asking back: nothing rests on a platform's messages alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.jobs.queue import LeasedJob
from core.payments.close import close_one, may_be_opened, write_answer
from core.payments.views import of_account
from core.ports import PaymentGateway, ProviderError, TradeAnswer, TradeState
from core.workbench import Workbench
from models.errors import NotFound
from models.payment import LIVE_PAYMENT, Payment
from models.states import Actor, Cause, CauseKind

log = structlog.get_logger()

FIRST_ASK = timedelta(seconds=5)
_STEPS = tuple(timedelta(seconds=one) for one in (5, 10, 15, 30, 60, 120, 300, 600, 1800))
_NOT_SOONER = timedelta(seconds=5)


def ask_payment(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """Ask the platform about a payment whose event has not come; again and again, slower and slower, until it is
    settled. Once its time to pay is over, an unpaid number is closed rather than asked about."""
    payment_id = UUID(job.payload["payment_id"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    payment = workbench.transactions.write(lambda session, now: _note_asking(session, payment_id, now))
    if payment is None:
        return None
    gateway = workbench.adapters.gateway_of(payment.channel, payment.merchant, payment.app)
    now = workbench.transactions.clock.now()
    answer = _answer(gateway, payment, over=now >= payment.expires_at, now=now)
    if answer is not None:
        write_answer(workbench, payment, answer, cause=cause)
    if not workbench.transactions.read(lambda session, _now: _is_live(session, payment_id)):
        return None
    return now + _STEPS[min(payment.asked_times, len(_STEPS)) - 1]


def _note_asking(session: Session, payment_id: UUID, now: datetime) -> Payment | None:
    return session.scalars(
        update(Payment)
        .where(Payment.id == payment_id, Payment.status.in_(LIVE_PAYMENT))
        .values(asked_at=now, asked_times=Payment.asked_times + 1)
        .returning(Payment)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _is_live(session: Session, payment_id: UUID) -> bool:
    return (
        session.scalar(select(Payment.id).where(Payment.id == payment_id, Payment.status.in_(LIVE_PAYMENT))) is not None
    )


def _answer(gateway: PaymentGateway, payment: Payment, *, over: bool, now: datetime) -> TradeAnswer | None:
    try:
        answer = gateway.find_payment(payment.out_trade_no)
    except ProviderError as error:
        log.info("payment_not_answered", payment=str(payment.id), error=type(error).__name__)
        return None
    if answer.state is TradeState.NO_SUCH_NUMBER and may_be_opened(gateway, payment, now=now):
        return None
    if over and answer.state in {TradeState.UNPAID, TradeState.NO_SUCH_NUMBER}:
        return close_one(gateway, payment, now=now)
    return answer


def look_at_payment(workbench: Workbench, *, payment_id: UUID, account_id: UUID, cause: Cause) -> None:
    """A patient waits: ask the platform now, at most every few seconds per payment.

    Raises: NotFound."""
    payment = workbench.transactions.write(lambda session, now: _take_turn(session, payment_id, account_id, now))
    if payment is None:
        return
    gateway = workbench.adapters.gateway_of(payment.channel, payment.merchant, payment.app)
    answer = _answer(gateway, payment, over=False, now=workbench.transactions.clock.now())
    if answer is not None:
        write_answer(workbench, payment, answer, cause=cause)


def _take_turn(session: Session, payment_id: UUID, account_id: UUID, now: datetime) -> Payment | None:
    """One caller in five seconds may ask. The job's own pace does not change. Raises: NotFound."""
    own = (Payment.id == payment_id) & of_account(account_id)
    if session.scalar(select(Payment.id).where(own)) is None:
        raise NotFound()
    return session.scalars(
        update(Payment)
        .where(
            own,
            Payment.status.in_(LIVE_PAYMENT),
            func.coalesce(Payment.asked_at, Payment.created_at) <= now - _NOT_SOONER,
        )
        .values(asked_at=now)
        .returning(Payment)
        .execution_options(populate_existing=True)
    ).one_or_none()
