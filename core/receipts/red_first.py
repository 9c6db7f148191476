"""The red receipt before the money (先冲红后退款): where a hospital wants it so, nothing that it has issued a receipt
of goes back before that receipt is ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.charge_lines import CHEAPER_DOCTOR, sold_for_fen
from core.booking.policy_book import policies_for
from core.payments.charge_account import ChargeAccount, look_at_charge
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
    """Whether the hospital has to end a receipt first."""
    return bool(to_redden(session, account, refund))


def to_redden(session: Session, account: ChargeAccount, refund: Refund) -> list[Receipt]:
    """Those that have to be ended first, where the hospital wants it so. It is about the hospital's books: what it says
    of the whole house today counts, whatever was sold when."""
    found = standing_against(session, account, refund)
    if not found:
        return []
    hospital = session.get_one(Hospital, refund.hospital_id)
    return found if policies_for(session, hospital=hospital).red_receipt_before_refund else []


def standing_against(session: Session, account: ChargeAccount, refund: Refund) -> list[Receipt]:
    """Whatever the hospital wants: the blue ones that no red one has ended, of what is given back, and that say more
    than is still paid for. One that was issued anew since it was due says what it says with that knowledge: what is on
    it beyond our money nobody here can tell."""
    if refund.reason not in _OF_WHAT_WAS_SOLD:
        return []
    receipts = session.scalars(select(Receipt).where(Receipt.charge_id == account.charge.id).order_by(Receipt.id)).all()
    ended = {one.reddens_id for one in receipts}
    standing = [one for one in receipts if not one.is_red and one.id not in ended]
    if not standing:
        return []
    since = _due_since(account, refund)
    of = {one.id for one in _with_replaced(account, _given_back(session, account, refund, since=since))}
    anew = {one.appointment_id for one in receipts if one.is_red and one.kept_at >= since}
    asked = [one for one in standing if one.kept_at < since or one.appointment_id not in anew]
    return [one for one in asked if one.appointment_id in of and _says_too_much(account, one)]


def read_account(session: Session, charge_id: UUID) -> ChargeAccount:
    """As much of it as is asked of here; nothing of it is locked."""
    refunds = select(Refund).where(Refund.charge_id == charge_id).order_by(Refund.id)
    return replace(look_at_charge(session, charge_id), refunds=list(session.scalars(refunds)))


def _due_since(account: ChargeAccount, refund: Refund) -> datetime:
    """Of one in the place of another that the platform closed: since that one was."""
    while refund.replaces_id is not None:
        refund = account.refund(refund.replaces_id)
    return refund.created_at


def _given_back(session: Session, account: ChargeAccount, refund: Refund, *, since: datetime) -> list[Appointment]:
    """A lower price is no line's money: it is of those that became cheaper, and had not ended when it was due."""
    if refund.reason is not RefundReason.PRICE_LOWERED:
        return returned_for(session, account, refund)
    less = [line for line in account.charge.lines if line.legal_basis == CHEAPER_DOCTOR]
    lowered = {line.appointment_id for line in less if line.voided_at is None or line.voided_at >= since}
    return [one for one in account.appointments if one.id in lowered]


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
    left = sum(line.amount_fen for line in lines if line.voided_at is None)
    return min(receipt.amount_fen, sold_for_fen(lines)) > left


@dataclass(frozen=True)
class Awaiting:
    """A refund that waits, and what it waits for the end of."""

    refund: Refund
    payment: Payment
    receipts: Sequence[tuple[str, Receipt]]
    """Each with the number of its appointment. None where nothing holds it any more, and its job has yet to see so."""


def list_awaiting_red(session: Session, *, limit: int) -> list[Awaiting]:
    """Those that have waited longest first."""
    query = (
        select(Refund, Payment)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Refund.awaits_red_since.is_not(None))
        .order_by(Refund.awaits_red_since, Refund.id)
    )
    found = session.execute(query.limit(limit)).all()
    return [Awaiting(refund, payment, _numbered(session, refund)) for refund, payment in found]


def _numbered(session: Session, refund: Refund) -> list[tuple[str, Receipt]]:
    account = read_account(session, refund.charge_id)
    numbers = {one.id: one.number for one in account.appointments}
    return [(numbers[one.appointment_id], one) for one in to_redden(session, account, refund)]
