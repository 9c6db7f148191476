"""Having what is open at a platform closed by a job."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from core.jobs.queue import enqueue
from core.payments.charge_account import ChargeAccount


def close_soon(session: Session, account: ChargeAccount, *, now: datetime) -> None:
    """Have every open prepay of the charge that nothing waits for closed at its platform by a job."""
    charge_id = str(account.charge.id)
    enqueue(session, "close_payments", run_at=now, now=now, dedup=f"close_payments:{charge_id}", charge_id=charge_id)
