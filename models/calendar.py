"""Days that are not what their weekday says: public holidays, and weekends that are worked in exchange (调休)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, word


class DayKind(StrEnum):
    HOLIDAY = "holiday"
    WORKDAY = "workday"


class CalendarDay(Base):
    """One exception, as the State Council announced it; `name` is the festival's. Other days go by their weekday."""

    __tablename__ = "calendar_days"

    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[DayKind] = mapped_column(word(DayKind))
    name: Mapped[str]
