"""What may be put right without anybody: our record follows what the platform says now, and money that no appointment
stands behind goes back. Everything else waits for two people."""

from __future__ import annotations

import time
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.payments.charge_account import ChargeAccount, lock_charge_account
from core.payments.refunds import apply_refund_answer
from core.payments.settle import apply_trade_answer
from core.payments.surplus import return_surplus
from core.ports import ProviderError, RefundAnswer, TradeAnswer
from core.reconciliation.desk import lock_difference
from core.reconciliation.match import PAYMENT, REFUND, compare, open_differences
from core.reconciliation.ours import Merchant, ours_of_line
from core.workbench import Workbench
from models.payment import Payment, Refund, RefundReason
from models.reconciliation import BillDay, BillLine, Difference, DifferenceEnd, DifferenceKind
from models.states import Cause

log = structlog.get_logger()

_LONGEST_SECONDS = 900.0
SAFE = frozenset({DifferenceKind.STATE_DIFFERS, DifferenceKind.ORPHAN})


def repair_differences(workbench: Workbench, provider: str, merchant: str, *, cause: Cause) -> None:
    """Try each of a merchant's open differences that is safe to repair, and end those that agree afterwards. Of a
    platform that answers too slowly the rest is left for another time."""
    whose = Merchant(provider, merchant, workbench.adapters)
    waiting = workbench.transactions.read(lambda session, _now: open_differences(session, provider, merchant))
    until = time.monotonic() + _LONGEST_SECONDS
    for one in waiting:
        if one.kind not in SAFE or time.monotonic() > until:
            continue
        try:
            _repair(workbench, whose, one, cause=cause)
        except ProviderError as error:
            log.info("difference_not_repaired", difference=str(one.id), error=type(error).__name__)


def _repair(workbench: Workbench, whose: Merchant, one: Difference, *, cause: Cause) -> None:
    """Raises: ProviderError."""
    found = workbench.transactions.read(lambda session, _now: _records(session, whose, one))
    if found is None:
        return
    payment, refund = found
    answer = _ask(workbench, payment, refund)

    def step(session: Session, now: datetime) -> None:
        account = lock_charge_account(session, payment.charge_id)
        if one.kind is DifferenceKind.ORPHAN:
            if not _may_be_back_already(session, account, payment, answer):
                return_surplus(session, account, reason=RefundReason.SURPLUS, now=now, cause=cause)
        elif isinstance(answer, TradeAnswer):
            kept = account.payment(payment.id)
            apply_trade_answer(session, workbench.adapters, account, kept, answer, now=now, cause=cause)
        elif refund is not None:
            apply_refund_answer(session, account, account.refund(refund.id), answer, now=now, cause=cause)
        session.flush()
        _end_where_it_agrees(session, whose, one, now=now)

    workbench.transactions.write(step)


def _may_be_back_already(
    session: Session, account: ChargeAccount, payment: Payment, answer: TradeAnswer | RefundAnswer
) -> bool:
    """The platform, or any bill, tells of a refund of this charge that is none of ours: of one that was lost here, or
    made by hand in its console. Another one would give the money twice, and how much is left nobody tells us."""
    ours = {one.out_refund_no for one in account.refunds if not one.by_hand}
    numbers = [one.out_trade_no for one in account.payments]
    told = session.scalars(
        select(BillLine.out_refund_no).where(BillLine.out_trade_no.in_(numbers), BillLine.kind == REFUND)
    )
    of_payment = [one for one in account.refunds if one.payment_id == payment.id]
    is_unexplained = isinstance(answer, TradeAnswer) and answer.given_back and not of_payment
    return is_unexplained or any(one not in ours for one in told)


def _records(session: Session, whose: Merchant, one: Difference) -> tuple[Payment, Refund | None] | None:
    """The payment, and the refund where the difference is about one."""
    if one.entry == PAYMENT:
        query = select(Payment).where(Payment.merchant == whose.merchant, Payment.out_trade_no == one.number)
        payment = session.scalars(query).one_or_none()
        return None if payment is None or not whose.has(payment) else (payment, None)
    refund = session.scalars(select(Refund).where(Refund.out_refund_no == one.number)).one_or_none()
    payment = None if refund is None else session.get_one(Payment, refund.payment_id)
    return None if payment is None or not whose.has(payment) else (payment, refund)


def _ask(workbench: Workbench, payment: Payment, refund: Refund | None) -> TradeAnswer | RefundAnswer:
    """Raises: ProviderError."""
    gateway = workbench.adapters.gateway_of(payment.channel, payment.merchant, payment.app)
    if refund is None:
        return gateway.find_payment(payment.out_trade_no)
    return gateway.find_refund(refund.out_refund_no, out_trade_no=payment.out_trade_no)


def _end_where_it_agrees(session: Session, whose: Merchant, one: Difference, *, now: datetime) -> None:
    number = BillLine.out_trade_no if one.entry == PAYMENT else BillLine.out_refund_no
    query = (
        select(BillLine, BillDay.day)
        .join(BillDay, BillDay.id == BillLine.bill_day_id)
        .where(BillDay.provider == whose.provider, BillDay.merchant == whose.merchant)
        .where(number == one.number, BillLine.kind == one.entry)
        .order_by(BillDay.day, BillLine.place)
    )
    found = [compare(ours_of_line(session, whose, line), day, line) for line, day in session.execute(query)]
    if all(other is None or other.kind not in {one.kind, DifferenceKind.AMOUNT_DIFFERS} for other in found):
        lock_difference(session, one.id).end(DifferenceEnd.REPAIRED, at=now)
