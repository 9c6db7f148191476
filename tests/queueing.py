"""The job table at hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from core.jobs.queue import (
    LeasedJob,
    enqueue,
    lease_ready,
)
from core.transactions import Transactions
from models.job import Job

MILLISECOND = timedelta(milliseconds=1)
PAUSES = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)


def add(transactions: Transactions, *, after: timedelta = timedelta(0), kind: str = "x", **more: Any) -> None:
    transactions.write(lambda session, now: enqueue(session, kind, run_at=now + after, now=now, **more))


def lease(transactions: Transactions, *, limit: int = 100, worker: str = "w", **room: int) -> list[LeasedJob]:
    """`room` by kind of job."""
    return transactions.write(lambda session, now: lease_ready(session, worker=worker, limit=limit, room=room, now=now))


def rows(transactions: Transactions) -> list[Job]:
    return transactions.read(lambda session, _now: list(session.scalars(select(Job).order_by(Job.run_at, Job.id))))
