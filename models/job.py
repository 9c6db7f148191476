"""Deferred work as rows, written in the transaction that makes it due."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Document, new_id


class Job(Base):
    """One piece of work. `lease_no` fences: only the holder of the newest lease may finish it.

    `dedup` keeps one open job per subject; a dead one stands aside, visible to operators.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index(
            "ix_jobs_ready",
            "run_at",
            "id",
            postgresql_where=text("done_at IS NULL AND dead_at IS NULL"),
            sqlite_where=text("done_at IS NULL AND dead_at IS NULL"),
        ),
        Index(
            "uq_jobs_open_dedup",
            "dedup",
            unique=True,
            postgresql_where=text("done_at IS NULL AND dead_at IS NULL"),
            sqlite_where=text("done_at IS NULL AND dead_at IS NULL"),
        ),
        Index(
            "ix_jobs_dead",
            "dead_at",
            postgresql_where=text("dead_at IS NOT NULL"),
            sqlite_where=text("dead_at IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    payload: Mapped[Any] = mapped_column(Document())
    dedup: Mapped[str | None]
    run_at: Mapped[datetime]
    created_at: Mapped[datetime]
    attempts: Mapped[int]
    lease_no: Mapped[int]
    lease_until: Mapped[datetime | None]
    lease_by: Mapped[str | None]
    last_error: Mapped[str | None]
    done_at: Mapped[datetime | None]
    dead_at: Mapped[datetime | None]


class PeriodicJob(Base):
    """When a periodic job is next due. Moved by one conditional update, so one worker of many fires it."""

    __tablename__ = "periodic_jobs"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    next_at: Mapped[datetime]
