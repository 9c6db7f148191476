"""What we have of what a bill tells of, read at once for all of its lines: a day may have ten thousand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, bindparam, column, select, text
from sqlalchemy.orm import Session

from core.invariants_of_money import OF_MONEY
from core.payments.charge_account import look_at_charge
from core.registry import Adapters, NotConfigured
from models.bill_return import BillReturn
from models.ledger import Journal
from models.payment import Channel, Payment, Refund
from models.reconciliation import BillLine


@dataclass(frozen=True)
class Merchant:
    """One merchant account at one platform."""

    provider: str
    merchant: str
    adapters: Adapters

    def has(self, payment: Payment) -> bool:
        """Whether the payment went through it."""
        return payment.merchant == self.merchant and self.takes(payment.channel, payment.app)

    def takes(self, channel: Channel, app: str) -> bool:
        """Whether what is paid so comes to it: one name may stand at two platforms."""
        try:
            return self.adapters.gateway_of(channel, self.merchant, app).provider == self.provider
        except NotConfigured:
            return False


@dataclass(frozen=True)
class Ours:
    """By our numbers. `keeps_too_much` are the charges of which something is kept for no appointment that stands,
    `posted` the lines that stand in the books, `sent_back` what
    people had sent back of payments that only bills know: of which order, and in fen, by its refund number."""

    payments: Mapping[str, Payment]
    refunds: Mapping[str, Refund]
    keeps_too_much: frozenset[UUID]
    posted: frozenset[UUID]
    sent_back: Mapping[str, tuple[str, int]]


_SUSPECTS = (
    text(
        OF_MONEY["kept_money_is_what_is_due"] + " AND EXISTS (SELECT 1 FROM payments q JOIN bill_lines b "
        "ON b.out_trade_no = q.out_trade_no WHERE q.charge_id = c.id AND b.bill_day_id = :day)"
    )
    .bindparams(bindparam("day", type_=Uuid()))
    .columns(column("id", Uuid()))
)


def ours_of_day(session: Session, whose: Merchant, bill_day_id: UUID) -> Ours:
    """Of all lines of a day's bill."""
    suspects = set(session.scalars(_SUSPECTS, {"day": bill_day_id}))
    return _ours(session, whose, BillLine.bill_day_id == bill_day_id, suspects)


def ours_of_line(session: Session, whose: Merchant, line: BillLine) -> Ours:
    query = select(Payment.charge_id).where(
        Payment.merchant == whose.merchant, Payment.out_trade_no == line.out_trade_no
    )
    return _ours(session, whose, BillLine.id == line.id, set(session.scalars(query)))


def _ours(session: Session, whose: Merchant, lines: ColumnElement[bool], suspects: set[UUID]) -> Ours:
    payments = session.scalars(
        select(Payment)
        .join(BillLine, BillLine.out_trade_no == Payment.out_trade_no)
        .where(lines, Payment.merchant == whose.merchant)
    ).unique()
    found = {one.out_trade_no: one for one in payments if whose.has(one)}
    refunds = session.execute(
        select(Refund, Payment)
        .join(BillLine, BillLine.out_refund_no == Refund.out_refund_no)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(lines)
    )
    posted = session.scalars(select(Journal.subject_id).join(BillLine, BillLine.id == Journal.subject_id).where(lines))
    sent_back = session.execute(
        select(BillReturn.out_refund_no, BillReturn.out_trade_no, BillReturn.amount_fen)
        .join(BillLine, BillLine.out_refund_no == BillReturn.out_refund_no)
        .where(lines, BillReturn.provider == whose.provider, BillReturn.merchant == whose.merchant)
    )
    return Ours(
        payments=found,
        refunds={refund.out_refund_no: refund for refund, payment in refunds if whose.has(payment)},
        keeps_too_much=frozenset(one for one in suspects if _keeps_too_much(session, one)),
        posted=frozenset(posted),
        sent_back={one.out_refund_no: (one.out_trade_no, one.amount_fen) for one in sent_back},
    )


def _keeps_too_much(session: Session, charge_id: UUID) -> bool:
    account = look_at_charge(session, charge_id)
    account.refunds = list(session.scalars(select(Refund).where(Refund.charge_id == charge_id)))
    return account.surplus_fen > 0
