"""Booking rules as data: one document per level. Which key wins is decided in core/booking/policy.py."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Document, new_id, word


class PolicyLevel(StrEnum):
    """From wide to narrow; per key the narrowest wins."""

    PLATFORM = "platform"
    HOSPITAL = "hospital"
    DEPARTMENT = "department"
    DOCTOR = "doctor"
    SCHEDULE = "schedule"


class RequiredField(StrEnum):
    """What a hospital may want of a patient beyond name, document, phone and relationship."""

    ADDRESS = "address"
    EMAIL = "email"
    INSURANCE_NUMBER = "insurance_number"
    HOSPITAL_CARD = "hospital_card"


class RescheduleScope(StrEnum):
    """How near the new number must be to the old one, all of them within one hospital."""

    DOCTOR = "doctor"
    DEPARTMENT = "department"
    HOSPITAL = "hospital"


class VisitKind(StrEnum):
    """初诊, 复诊: whether the person was seen there lately."""

    FIRST = "first"
    RETURN = "return"


class VisitScope(StrEnum):
    """Where an earlier visit was that makes the next one a return visit."""

    DEPARTMENT = "department"
    HOSPITAL = "hospital"


class BookingPolicyRow(Base):
    """The document in force for one subject; `subject` is its code, empty for the platform."""

    __tablename__ = "booking_policies"
    __table_args__ = (UniqueConstraint("level", "subject"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    level: Mapped[PolicyLevel] = mapped_column(word(PolicyLevel))
    subject: Mapped[str]
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    version: Mapped[int]
    document: Mapped[Any] = mapped_column(Document())
    updated_at: Mapped[datetime]
