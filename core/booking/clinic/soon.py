"""The job that looks after everybody who has a number of a suspended half day."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.jobs.queue import enqueue

SETTLE = "settle_suspension"


def settle_suspension_soon(session: Session, schedule_id: UUID, *, now: datetime) -> None:
    """Something has changed for whoever has a number of it, or was offered one."""
    of = str(schedule_id)
    enqueue(session, SETTLE, run_at=now, now=now, dedup=f"{SETTLE}:{of}", schedule_id=of)
