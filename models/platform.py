"""What platforms sent us (the inbox), what was refused, and the rotating tokens that all processes share."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Document, new_id, word
from models.sealing import Vault

_BEFORE_SEALING = b"{"
"""How a body begins that was stored in clear; a sealed one begins with its version."""


class EventState(StrEnum):
    RECEIVED = "received"
    APPLIED = "applied"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"


class PlatformEvent(Base):
    """A verified message as it came: raw bytes (sealed: some platforms name the payer) and headers, one row per id."""

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

    @staticmethod
    def sealed_body(vault: Vault, record_id: UUID, body: bytes) -> bytes:
        return vault.seal("platform_events.body", record_id, body)

    def opened_body(self, vault: Vault) -> bytes:
        """Raises: SealBroken."""
        kept = bytes(self.body)
        return kept if kept.startswith(_BEFORE_SEALING) else vault.open("platform_events.body", self.id, kept)


class RefusedEvent(Base):
    """A message that nothing proves, kept for inspection, its body sealed. The table is capped and moves nothing."""

    __tablename__ = "refused_events"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str]
    merchant: Mapped[str]
    reason: Mapped[str]
    headers: Mapped[Any] = mapped_column(Document())
    body: Mapped[bytes]
    received_at: Mapped[datetime] = mapped_column(index=True)

    def seal_body(self, vault: Vault, body: bytes) -> None:
        self.body = vault.seal("refused_events.body", self.id, body) if body else b""

    def opened_body(self, vault: Vault) -> bytes:
        """Raises: SealBroken."""
        return vault.open("refused_events.body", self.id, self.body) if self.body else b""


class PlatformToken(Base):
    """A token that a platform rotates, fetched by whoever holds the lease and shared by all."""

    __tablename__ = "platform_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    token_sealed: Mapped[bytes | None]
    expires_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    lease_by: Mapped[str | None]
