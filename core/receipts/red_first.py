"""The red receipt before the money (先冲红后退款): where a hospital wants it so, nothing that it has issued a receipt
of goes back before that receipt is ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from core.booking.policy_book import policies_for
from core.payments.charge_account import ChargeAccount
from core.payments.refunds import returned_for
from models.appointment import Appointment
from models.hospital import Hospital
from models.payment import Payment, Refund, RefundReason
from models.receipt import Receipt

log = structlog.get_logger()

LOOK = timedelta(hours=1)
"""The red one's arrival sends it at once; this finds a hospital that does not want it any more."""
TOO_LONG = timedelta(days=1)
_OF_WHAT_WAS_SOLD = frozenset(
    {RefundReason.CANCELLED, RefundReason.SUSPENDED, RefundReason.RESCHEDULED, RefundReason.PRICE_LOWERED}
)
"""What comes beyond that (late, paid twice, another sum) no receipt is issued of."""


def wait_for_red(session: Session, account: ChargeAccount, refund: Refund, *, now: datetime) -> datetime | None:
    """When to look again; None where nothing of it waits for a red receipt. The charge is locked by the caller."""
    if not needs_red(session, account, refund):
        refund.awaits_red_since = None
        return None
    refund.awaits_red_since = refund.awaits_red_since or now
    if now - refund.awaits_red_since > TOO_LONG:
        log.warning("refund_awaits_red_receipt", refund=str(refund.id), alarm=True)
    return now + LOOK


def needs_red(session: Session, account: ChargeAccount, refund: Refund) -> bool:
    """Whether a receipt stands that says more than is still paid for, where the hospital wants that one ended first.
    It is about the hospital's books: what it says of the whole house today counts, whatever was sold when."""
    if refund.reason not in _OF_WHAT_WAS_SOLD:
        return False
    standing = standing_receipts(session, account.charge.id)
    of = {one.id for one in _with_replaced(account, returned_for(session, account, refund))} if standing else set()
    if not any(one.appointment_id in of and _says_too_much(account, one) for one in standing):
        return False
    hospital = session.get_one(Hospital, refund.hospital_id)
    return bool(policies_for(session, hospital=hospital).red_receipt_before_refund)


def standing_receipts(session: Session, charge_id: UUID) -> Sequence[Receipt]:
    """The blue ones of a charge that no red one has ended."""
    red = aliased(Receipt)
    query = select(Receipt).outerjoin(red, red.reddens_id == Receipt.id)
    query = query.where(Receipt.charge_id == charge_id, Receipt.reddens_id.is_(None), red.id.is_(None))
    return session.scalars(query.order_by(Receipt.id)).all()


def _with_replaced(account: ChargeAccount, appointments: Sequence[Appointment]) -> list[Appointment]:
    """And those whose place they took, one after the other: the money was paid for the first."""
    found = list(appointments)
    for one in found:
        old = account.replaced_by(one)
        if old is not None and old not in found:
            found.append(old)
    return found


def _says_too_much(account: ChargeAccount, receipt: Receipt) -> bool:
    """More than is left of what its appointment cost. What else is on it, such as an insurer's part, is not ours."""
    lines = [line for line in account.charge.lines if line.appointment_id == receipt.appointment_id]
    cost = sum(line.amount_fen for line in lines if line.amount_fen > 0)
    left = sum(line.amount_fen for line in lines if line.voided_at is None)
    return min(receipt.amount_fen, cost) > left


@dataclass(frozen=True)
class Awaiting:
    """A refund that waits, and what it waits for the end of."""

    refund: Refund
    payment: Payment
    receipts: Sequence[tuple[str, Receipt]]
    """Each with the number of its appointment."""


def list_awaiting_red(session: Session, *, limit: int) -> list[Awaiting]:
    """Those that have waited longest first."""
    query = (
        select(Refund, Payment)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Refund.awaits_red_since.is_not(None))
        .order_by(Refund.awaits_red_since, Refund.id)
    )
    found = session.execute(query.limit(limit)).all()
    return [Awaiting(refund, payment, _numbered(session, refund.charge_id)) for refund, payment in found]


def _numbered(session: Session, charge_id: UUID) -> list[tuple[str, Receipt]]:
    standing = standing_receipts(session, charge_id)
    return [(session.get_one(Appointment, one.appointment_id).number, one) for one in standing]
