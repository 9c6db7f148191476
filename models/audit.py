"""Who did what to whom: acts of operators, and what was handed out of an account. No personal data in clear."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Document, new_id


class AuditEntry(Base):
    """`account_id` and `dependent_id` say whose data it was about: its holder may read of it (rules.md L-05, L-15)."""

    __tablename__ = "audit_entries"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    purpose: Mapped[str]
    result: Mapped[str]
    facts: Mapped[Any | None] = mapped_column(Document())
    account_id: Mapped[UUID | None] = mapped_column(index=True)
    dependent_id: Mapped[UUID | None] = mapped_column(index=True)

    @property
    def grant_id(self) -> UUID | None:
        """The grant under which another account did it, if one did."""
        named = (self.facts or {}).get("grant_id")
        return None if named is None else UUID(named)
