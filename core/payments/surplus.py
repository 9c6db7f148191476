"""What a charge keeps beyond the claims that stand."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from core.payments.charge_account import ChargeAccount
from core.payments.refunds import due_refund
from models.payment import RefundReason
from models.states import Cause


def return_surplus(
    session: Session, account: ChargeAccount, *, reason: RefundReason, now: datetime, cause: Cause
) -> None:
    """Give back whatever is kept beyond the claims that stand, of the newest payments first."""
    over = account.surplus_fen
    for payment in reversed(account.payments):
        part = max(min(over, account.kept_fen(payment)), 0)
        due_refund(session, account, payment, reason=reason, now=now, cause=cause, amount_fen=part)
        over -= part
