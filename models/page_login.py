"""A login of a web page on its way: out to the platform and back, then over to the page that asked for it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id


class PageLoginAttempt(Base):
    """A browser that was sent to the platform. Of its `state` and its cookie only the digests are kept.

    `target` is the page of ours that it goes to afterwards, checked before it was stored.
    """

    __tablename__ = "page_login_attempts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    app: Mapped[str]
    state_hash: Mapped[bytes] = mapped_column(unique=True)
    browser_hash: Mapped[bytes]
    target: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class Handoff(Base):
    """A one-time code by which a page logs in as a platform identity. Only its digest is kept."""

    __tablename__ = "handoffs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    code_hash: Mapped[bytes] = mapped_column(unique=True)
    platform_identity_id: Mapped[UUID] = mapped_column(ForeignKey("platform_identities.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
