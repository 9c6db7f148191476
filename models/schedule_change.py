"""What a hospital did to a half day that stands: suspended it, gave it to another doctor, moved it, closed it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Document, new_id, word


class ChangeKind(StrEnum):
    SUSPENDED = "suspended"
    SUBSTITUTED = "substituted"
    MOVED = "moved"
    CLOSED = "closed"
    REOPENED = "reopened"


class ScheduleChange(Base):
    """One act, written with what it changed: the `version` that it gave the schedule, which begins as version 0.

    `was` are the values that it put others in the place of. `reason` is for the hospital; no patient is shown it.
    """

    __tablename__ = "schedule_changes"
    __table_args__ = (UniqueConstraint("schedule_id", "version"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id"))
    version: Mapped[int]
    kind: Mapped[ChangeKind] = mapped_column(word(ChangeKind))
    reason: Mapped[str]
    operator: Mapped[str]
    was: Mapped[Any] = mapped_column(Document())
    at: Mapped[datetime]
