"""Having what is open at a platform closed by a job."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core.jobs.queue import enqueue
from core.payments.charge_account import ChargeAccount
from models.job import Job


def close_soon(session: Session, account: ChargeAccount, *, now: datetime) -> None:
    """Have every open prepay of the charge that nothing waits for closed at its platform by a job."""
    close_charge_soon(session, account.charge.id, now=now)


def close_charge_soon(session: Session, charge_id: UUID, *, now: datetime) -> None:
    """As `close_soon`; and have the numbers that are withheld for it let go."""
    enqueue(session, "close_payments", run_at=now, now=now, dedup=_name(charge_id), charge_id=str(charge_id))


def is_closing(session: Session, charge_id: UUID) -> bool:
    """Whether its job has not come to an end."""
    open_job = exists().where(Job.dedup == _name(charge_id), Job.done_at.is_(None), Job.dead_at.is_(None))
    return bool(session.scalar(select(open_job)))


def _name(charge_id: UUID) -> str:
    return f"close_payments:{charge_id}"
