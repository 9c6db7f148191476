"""What platforms sent us (the inbox), what was refused, and the rotating tokens that all processes share."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Document, new_id, word


class EventState(StrEnum):
    RECEIVED = "received"
    APPLIED = "applied"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"


class PlatformEvent(Base):
    """A verified message as it came: raw bytes and headers, one row per event id."""

    __tablename__ = "platform_events"
    __table_args__ = (
        UniqueConstraint("provider", "merchant", "event_id"),
        Index("ix_platform_events_open", "state", "received_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str]
    merchant: Mapped[str]
    event_id: Mapped[str]
    kind: Mapped[str]
    headers: Mapped[Any] = mapped_column(Document())
    body: Mapped[bytes]
    digest: Mapped[bytes]
    received_at: Mapped[datetime]
    state: Mapped[EventState] = mapped_column(word(EventState))
    outcome: Mapped[str | None]
    applied_at: Mapped[datetime | None]
    copies: Mapped[int]


class RefusedEvent(Base):
    """A message that nothing proves, kept for inspection. The table is capped and moves nothing."""

    __tablename__ = "refused_events"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str]
    merchant: Mapped[str]
    reason: Mapped[str]
    headers: Mapped[Any] = mapped_column(Document())
    body: Mapped[bytes]
    received_at: Mapped[datetime] = mapped_column(index=True)


class PlatformToken(Base):
    """A token that a platform rotates, fetched by whoever holds the lease and shared by all."""

    __tablename__ = "platform_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    token_sealed: Mapped[bytes | None]
    expires_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    lease_by: Mapped[str | None]
