"""What a fairness report needs that no other row tells: how often each rule refused a number of a schedule."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id


class RefusalCount(Base):
    """How often bookings of a schedule were refused with one code. Says nothing of whom."""

    __tablename__ = "refusal_counts"
    __table_args__ = (UniqueConstraint("schedule_id", "code"), CheckConstraint("times > 0", name="times"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id"))
    code: Mapped[str]
    times: Mapped[int]
