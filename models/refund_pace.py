"""How fast the refunds under one number go to its platform."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id


class RefundPace(Base):
    """One row for each number by which a platform counts our calls, which is what stands in `merchant`: it may call for
    several. `next_at` is when all calls that had a turn are made, were they evenly spread; `line_at` is when the last
    of those comes back that had none."""

    __tablename__ = "refund_paces"
    __table_args__ = (UniqueConstraint("provider", "merchant"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str]
    merchant: Mapped[str]
    next_at: Mapped[datetime]
    line_at: Mapped[datetime]
