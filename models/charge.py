"""What is due, in lines that each belong to an appointment and a leg."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, new_id, word


class FeeKind(StrEnum):
    REGISTRATION = "registration"
    CONSULTATION = "consultation"
    DISCOUNT = "discount"


class Leg(StrEnum):
    SELF_PAY = "self_pay"
    INSURANCE = "insurance"


class ChargeLine(Base):
    """One thing that is due. A line whose claim has ended is void: money kept for it goes back."""

    __tablename__ = "charge_lines"
    __table_args__ = (CheckConstraint("amount_fen >= 0 OR kind = 'discount'", name="amount"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    charge_id: Mapped[UUID] = mapped_column(ForeignKey("charges.id"), index=True)
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointments.id"), index=True)
    kind: Mapped[FeeKind] = mapped_column(word(FeeKind))
    leg: Mapped[Leg] = mapped_column(word(Leg))
    amount_fen: Mapped[int]
    legal_basis: Mapped[str]
    voided_at: Mapped[datetime | None]


class Charge(Base):
    __tablename__ = "charges"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    currency: Mapped[str]
    created_at: Mapped[datetime]

    lines: Mapped[list[ChargeLine]] = relationship(lazy="raise_on_sql", order_by=ChargeLine.id)

    @property
    def due_fen(self) -> int:
        """What the live lines come to."""
        return sum(line.amount_fen for line in self.lines if line.voided_at is None)

    def void(self, appointment_id: UUID, *, at: datetime) -> None:
        """The appointment's claim has ended: nothing is due for it any more."""
        for line in self.lines:
            if line.appointment_id == appointment_id and line.voided_at is None:
                line.voided_at = at
