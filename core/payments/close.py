"""Closing what is open at a platform, and writing down what it says."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from core.payments.charge_account import lock_charge_account, look_at_charge
from core.payments.settle import apply_trade_answer
from core.ports import CloseOutcome, PaymentGateway, ProviderError, TradeAnswer, TradeState
from core.refusals import LinkOpen, ProviderDown
from core.registry import NotConfigured
from core.workbench import Workbench
from models.payment import Payment, PaymentStatus
from models.states import Cause

log = structlog.get_logger()

_LONGEST_CALL = timedelta(seconds=30)
"""No call that opens a payment is under way for longer: afterwards a number that is not known will not be."""
_NOTHING_COMES = frozenset({TradeState.CLOSED, TradeState.FAILED})


def close_at_platform(workbench: Workbench, charge_id: UUID, *, cause: Cause, unwanted_only: bool = False) -> None:
    """Ask each platform to close what is open, or only what the charge does not wait for, and write down what it says.
    What stays unanswered stays open."""
    for payment in workbench.transactions.read(
        lambda session, _now: _open_payments(session, charge_id, unwanted_only=unwanted_only)
    ):
        try:
            gateway = workbench.adapters.gateway_of(payment.channel, payment.merchant, payment.app)
        except NotConfigured:
            log.warning("merchant_not_configured", payment=str(payment.id), merchant=payment.merchant, alarm=True)
            continue  # no answer, as from a platform that is away: the cap ends the wait
        answer = close_one(gateway, payment, now=workbench.transactions.clock.now())
        if answer is not None:
            write_answer(workbench, payment, answer, cause=cause)


def _open_payments(session: Session, charge_id: UUID, *, unwanted_only: bool) -> list[Payment]:
    account = look_at_charge(session, charge_id)
    return account.unwanted_payments if unwanted_only else account.live_payments


def close_one(gateway: PaymentGateway, payment: Payment, *, now: datetime) -> TradeAnswer | None:
    """The platform's last word about one number, or None where it gives none.

    A number that the platform does not know counts as closed: no prepay of it was ever handed out. But while the call
    that opens it may be under way, it may be known in a moment, and nobody would close it then: that is no answer. Nor
    is it while a link that was handed out can be opened."""
    try:
        outcome = gateway.close_payment(payment.out_trade_no)
        if outcome is CloseOutcome.ALREADY_PAID:
            return gateway.find_payment(payment.out_trade_no)
    except ProviderError:
        return None
    if outcome is CloseOutcome.NO_SUCH_NUMBER and (
        _may_be_opening(payment, now=now) or may_be_opened(gateway, payment, now=now)
    ):
        return None
    return TradeAnswer(payment.out_trade_no, TradeState.CLOSED)


def _may_be_opening(payment: Payment, *, now: datetime) -> bool:
    called_at = payment.opening_at or payment.created_at
    return payment.status is not PaymentStatus.PENDING and now - called_at < _LONGEST_CALL


def may_be_opened(gateway: PaymentGateway, payment: Payment, *, now: datetime) -> bool:
    """Its payer has a link that the platform has not seen yet."""
    return gateway.limits.by_link and now < payment.expires_at


def why_not_closed(workbench: Workbench, charge_id: UUID) -> LinkOpen | ProviderDown:
    """What is told to whoever wants another way to pay: a link that nobody has opened ends by itself."""
    now = workbench.transactions.clock.now()
    for payment in workbench.transactions.read(
        lambda session, _now: _open_payments(session, charge_id, unwanted_only=False)
    ):
        with suppress(NotConfigured):
            gateway = workbench.adapters.gateway_of(payment.channel, payment.merchant, payment.app)
            if may_be_opened(gateway, payment, now=now):
                return LinkOpen(retry_at=payment.expires_at)
    return ProviderDown()


def write_answer(workbench: Workbench, payment: Payment, answer: TradeAnswer, *, cause: Cause) -> None:
    """Apply an answer in a transaction of its own, under the charge's locks.

    `payment` is the row as it was when the platform was asked. That nothing will come of a number is no news any more
    once it has been sent again since: that call may have opened it."""

    def step(session: Session, now: datetime) -> None:
        account = lock_charge_account(session, payment.charge_id)
        standing = account.payment(payment.id)
        if answer.state in _NOTHING_COMES and standing.opening_at != payment.opening_at:
            return
        apply_trade_answer(session, workbench.adapters, account, standing, answer, now=now, cause=cause)

    workbench.transactions.write(step)
