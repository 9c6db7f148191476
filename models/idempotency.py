"""One row per Idempotency-Key of an account: who is at work on it, and the first success, sealed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word


class KeyState(StrEnum):
    RUNNING = "running"
    DONE = "done"


class IdempotencyKey(Base):
    """`fingerprint` is a keyed hash of route and body; `step` is what a command with a call has already intended."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        UniqueConstraint("account_id", "key"),
        Index("ix_idempotency_keys_expires", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    key: Mapped[str]
    fingerprint: Mapped[bytes]
    state: Mapped[KeyState] = mapped_column(word(KeyState))
    lease_until: Mapped[datetime | None]
    step: Mapped[str | None]
    reply_status: Mapped[int | None]
    reply_sealed: Mapped[bytes | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
