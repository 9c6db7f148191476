"""Writing journals, each in the transaction of what it tells of. Which two accounts a movement is between stands in one
table; nobody else makes an entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from models.base import new_id
from models.ledger import Journal, JournalKind, LedgerAccount, LedgerEntry
from models.payment import Payment, Refund, RefundStatus

SIDES: Mapping[JournalKind, tuple[LedgerAccount, LedgerAccount]] = {
    JournalKind.PAYMENT_RECEIVED: (LedgerAccount.GATEWAY, LedgerAccount.CHARGE),
    JournalKind.REFUND_DUE: (LedgerAccount.CHARGE, LedgerAccount.RETURNING),
    JournalKind.REFUND_PAID: (LedgerAccount.RETURNING, LedgerAccount.GATEWAY),
    JournalKind.REFUND_BY_HAND: (LedgerAccount.RETURNING, LedgerAccount.DESK),
    JournalKind.REFUND_WITHDRAWN: (LedgerAccount.RETURNING, LedgerAccount.CHARGE),
    JournalKind.FEE_TAKEN: (LedgerAccount.FEES, LedgerAccount.GATEWAY),
    JournalKind.FEE_GIVEN_BACK: (LedgerAccount.GATEWAY, LedgerAccount.FEES),
}
"""Of each kind the account that is debited, and the one that is credited."""

_OF_MOVE = {
    RefundStatus.DUE: JournalKind.REFUND_DUE,
    RefundStatus.SUCCEEDED: JournalKind.REFUND_PAID,
    RefundStatus.CLOSED: JournalKind.REFUND_WITHDRAWN,
}


def post_payment(session: Session, payment: Payment, *, now: datetime) -> None:
    """Of one that has just succeeded. Where nothing came, nothing moved."""
    at = payment.paid_at or now
    if payment.received_fen:
        received = JournalKind.PAYMENT_RECEIVED
        _write(session, [_journal(received, payment, None, payment.received_fen, at=at, now=now)])


def post_refund(session: Session, payment: Payment, refund: Refund, *, now: datetime) -> None:
    """Of one that has just come to its status; most of those move no money."""
    kind = JournalKind.REFUND_BY_HAND if refund.by_hand else _OF_MOVE.get(refund.status)
    if kind is not None:
        at = refund.succeeded_at or now
        _write(session, [_journal(kind, payment, refund, refund.amount_fen, at=at, now=now)])


@dataclass(frozen=True)
class Fee:
    """What the platform took of a payment by a line of its bill, or gave back of that: then it is below zero."""

    payment: Payment
    fen: int
    line_id: UUID
    at: datetime


def post_fees(session: Session, fees: Iterable[Fee], *, now: datetime) -> None:
    """All of a day together: there may be thousands."""
    _write(
        session,
        [
            _journal(
                JournalKind.FEE_TAKEN if one.fen > 0 else JournalKind.FEE_GIVEN_BACK,
                one.payment,
                None,
                abs(one.fen),
                at=one.at,
                now=now,
                subject_id=one.line_id,
            )
            for one in fees
            if one.fen
        ],
    )


def _journal(
    kind: JournalKind,
    payment: Payment,
    refund: Refund | None,
    amount_fen: int,
    *,
    at: datetime,
    now: datetime,
    subject_id: UUID | None = None,
) -> tuple[Journal, list[LedgerEntry]]:
    journal = Journal(
        id=new_id(),
        hospital_id=payment.hospital_id,
        kind=kind,
        subject_id=subject_id or (payment.id if refund is None else refund.id),
        payment_id=payment.id,
        refund_id=None if refund is None else refund.id,
        channel=payment.channel,
        merchant=payment.merchant,
        currency=payment.received_currency or payment.currency,
        at=at,
        posted_at=now,
    )
    sides = zip(SIDES[kind], (amount_fen, -amount_fen), strict=True)
    return journal, [LedgerEntry(id=new_id(), journal_id=journal.id, account=one, amount_fen=fen) for one, fen in sides]


def _write(session: Session, journals: Sequence[tuple[Journal, list[LedgerEntry]]]) -> None:
    session.add_all(journal for journal, _ in journals)
    session.flush()  # the entries point at them
    session.add_all(entry for _, entries in journals for entry in entries)
