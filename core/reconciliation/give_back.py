"""Paid orders of which only the bill knows, as after a restore to an older state (F-28), sent back by two people.

Who they were for nobody can say, so no number is booked for them. Nor are they sent back by themselves: a payment that
is none of ours may be another system's on the same merchant number. Our books never had that money, and get none of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.jobs.queue import LeasedJob, backoff, enqueue
from core.numbers import TRADE_NUMBER, refund_number
from core.payments.push_refund import FIRST_LOOK, TOO_LONG
from core.payments.refund_desk import DeskRefusal
from core.payments.refund_pace import heed, take_turn_alone
from core.ports import (
    PaymentGateway,
    ProviderRefused,
    ProviderUnavailable,
    RefundAnswer,
    RefundOrder,
    RefundState,
    TradeState,
)
from core.reconciliation.desk import lock_difference, standing_return
from core.reconciliation.match import PAYMENT
from core.registry import NotConfigured
from core.workbench import Workbench
from models.base import new_id
from models.bill_return import BillReturn, ReturnOutcome
from models.operators import is_same_name
from models.payment import Payment
from models.reconciliation import BillDay, BillLine, Difference, DifferenceEnd, DifferenceKind

log = structlog.get_logger()

GIVE_BACK = "give_back_unknown"
_REASON = "订单无对应预约"
_OURS = re.compile(TRADE_NUMBER)
_LET_LIE = timedelta(days=3)


def returns_of(session: Session, differences: Sequence[Difference]) -> dict[UUID, BillReturn]:
    """By difference, the newest that anybody has proposed of it."""
    ids = [one.id for one in differences]
    query = select(BillReturn).where(BillReturn.difference_id.in_(ids)).order_by(BillReturn.id)
    return {one.difference_id: one for one in session.scalars(query)}


@dataclass(frozen=True)
class _Unanswered:
    """Nothing is known; `sent`: the platform may have taken the refund."""

    sent: bool = False


Said = RefundAnswer | ReturnOutcome | ProviderRefused | _Unanswered


def say_give_back(session: Session, difference_id: UUID, *, operator: str, why: str, now: datetime) -> bool:
    """One of the two people that it takes; whether it is decided now, and will be sent back (`give_back_unknown`).

    Raises: NotFound, DeskRefusal."""
    found = lock_difference(session, difference_id)
    line, standing = _line_of(session, found), standing_return(session, found)
    if standing is None:
        session.add(_proposal(found, line, operator=operator, why=why, now=now))
        session.flush()
        return False
    if standing.is_in_course:
        raise DeskRefusal("being_carried_out")
    if is_same_name(standing.first_by, operator):
        standing.why, standing.proposed_at = why, now
        return False
    standing.agree(operator, why, at=now)
    session.flush()
    of = str(standing.id)
    enqueue(session, GIVE_BACK, run_at=now, now=now, dedup=f"{GIVE_BACK}:{of}", return_id=of)
    return True


def _line_of(session: Session, difference: Difference) -> BillLine:
    """What the bill has of it. Raises: DeskRefusal."""
    if difference.ended_at is not None:
        raise DeskRefusal("ended")
    is_unknown = (difference.kind, difference.entry) == (DifferenceKind.THEIRS_ONLY, PAYMENT)
    if not is_unknown or "ours" in difference.facts:  # ours by its number, under another trade of the platform
        raise DeskRefusal("not_unknown_money")
    if _OURS.fullmatch(difference.number) is None:
        raise DeskRefusal("not_our_number")  # another system's, on the same merchant number
    query = (
        select(BillLine)
        .join(BillDay, BillDay.id == BillLine.bill_day_id)
        .where(BillLine.out_trade_no == difference.number, BillLine.kind == PAYMENT)
        .where(BillDay.provider == difference.provider, BillDay.merchant == difference.merchant)
        .order_by(BillDay.day, BillLine.place)
    )
    line = session.scalars(query.limit(1)).first()
    if line is None or line.state != "paid":
        raise DeskRefusal("not_paid")
    return line


def _proposal(difference: Difference, line: BillLine, *, operator: str, why: str, now: datetime) -> BillReturn:
    return BillReturn(
        id=new_id(),
        difference_id=difference.id,
        provider=difference.provider,
        merchant=difference.merchant,
        out_trade_no=difference.number,
        out_refund_no=refund_number(now=now),
        amount_fen=line.amount_fen,
        currency=line.currency,
        why=why,
        first_by=operator,
        proposed_at=now,
        asked_times=0,
        may_be_sent=False,
    )


@dataclass(frozen=True)
class _Task:
    """What is to be sent back, as it was when it was taken up."""

    of: BillReturn
    is_known: bool


def give_back_unknown(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """Ask, send, and come back until the platform has given it back or will not."""
    return_id = UUID(job.payload["return_id"])
    found = workbench.transactions.write(lambda session, now: _take_up(session, return_id, now=now))
    if not isinstance(found, _Task):
        return found
    said = ReturnOutcome.KNOWN_HERE if found.is_known else _ask(workbench, found.of)
    if isinstance(said, datetime):
        return said
    return workbench.transactions.write(lambda session, now: _note(session, return_id, said, now=now))


def _take_up(session: Session, return_id: UUID, *, now: datetime) -> _Task | datetime | None:
    """When to come back, or None where there is nothing to do."""
    found = _lock(session, return_id)
    if found is None or not found.is_in_course:
        return None
    if found.asked_at is not None and now < found.asked_at + FIRST_LOOK:
        return found.asked_at + FIRST_LOOK
    found.asked_at, found.asked_times = now, found.asked_times + 1
    known = select(Payment.id).where(Payment.out_trade_no == found.out_trade_no)  # numbers are nobody else's
    return _Task(found, session.scalars(known).first() is not None)


def _ask(workbench: Workbench, of: BillReturn) -> Said | datetime:
    """What the platform knows of the refund; where it knows nothing and has the money, what it says to it when it is
    sent. Or when to come back, since others have the next turns."""
    try:
        gateway = workbench.adapters.gateway_at(of.provider, of.merchant)
    except NotConfigured:
        return _Unanswered()
    if (back_at := take_turn_alone(workbench, gateway)) is not None:
        return back_at
    try:
        said = gateway.find_refund(of.out_refund_no, out_trade_no=of.out_trade_no)
        if said.state is not RefundState.NO_SUCH_NUMBER:
            return said
        trade = gateway.find_payment(of.out_trade_no)
    except (ProviderRefused, ProviderUnavailable) as error:  # a refused question decides nothing
        heed(workbench, gateway, error)
        return _Unanswered()
    there = (trade.state, trade.given_back, trade.amount_fen, trade.currency)
    if there != (TradeState.PAID, False, of.amount_fen, of.currency):
        return ReturnOutcome.NOT_THERE
    return _send(workbench, gateway, of)


def _send(workbench: Workbench, gateway: PaymentGateway, of: BillReturn) -> Said | datetime:
    order = RefundOrder(of.out_refund_no, of.out_trade_no, of.amount_fen, of.amount_fen, of.currency, _REASON)
    try:
        return take_turn_alone(workbench, gateway) or gateway.open_refund(order)
    except ProviderRefused as error:
        heed(workbench, gateway, error)
        return error
    except ProviderUnavailable as error:
        heed(workbench, gateway, error)
        return _Unanswered(sent=error.sent)


def _note(session: Session, return_id: UUID, said: Said, *, now: datetime) -> datetime | None:
    found = _lock(session, return_id)
    if found is None or not found.is_in_course:
        return None
    outcome = _outcome(said)
    if isinstance(said, ProviderRefused):
        found.last_refusal = said.code
    known_there = isinstance(said, RefundAnswer) or (isinstance(said, _Unanswered) and said.sent)
    found.may_be_sent = found.may_be_sent or known_there
    if outcome is None and not found.may_be_sent and now - (found.decided_at or now) > _LET_LIE:
        outcome = ReturnOutcome.REFUSED  # it has no answer, or always the same: two people may say so anew
    if outcome is None:
        if now - (found.decided_at or now) > TOO_LONG:
            log.warning("money_not_given_back", number=found.out_trade_no, said=type(said).__name__, alarm=True)
        return now + max(FIRST_LOOK, backoff(found.asked_times))
    found.end(outcome, at=now)
    if outcome in {ReturnOutcome.RETURNED, ReturnOutcome.KNOWN_HERE}:
        session.get_one(Difference, found.difference_id).end(DifferenceEnd.REPAIRED, at=now)
    if outcome is not ReturnOutcome.RETURNED:
        log.warning("money_not_given_back", number=found.out_trade_no, outcome=str(outcome), alarm=True)
    return None


def _outcome(said: Said) -> ReturnOutcome | None:
    """None while it is not settled."""
    if isinstance(said, ReturnOutcome):
        return said
    if isinstance(said, ProviderRefused):
        return None if said.retryable else ReturnOutcome.REFUSED
    return _SETTLED.get(said.state) if isinstance(said, RefundAnswer) else None


_SETTLED = {
    RefundState.SUCCEEDED: ReturnOutcome.RETURNED,
    RefundState.ABNORMAL: ReturnOutcome.REFUSED,
    RefundState.CLOSED: ReturnOutcome.REFUSED,
}


def _lock(session: Session, return_id: UUID) -> BillReturn | None:
    query = select(BillReturn).where(BillReturn.id == return_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()
