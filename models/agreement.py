"""A grown-up's own word that an account may book for them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word


class AgreementWay(StrEnum):
    """How the person said it: by a code sent to their own phone, by their own face, or at the desk."""

    PHONE_CODE = "phone_code"
    FACE = "face"
    DESK = "desk"


class AgreementEnd(StrEnum):
    """Why it no longer holds. Whose revoking it was is not told apart: the one who booked is not to read it here."""

    REVOKED = "revoked"
    RENEWED = "renewed"
    OTHER_DOCUMENT = "other_document"
    OTHER_PHONE = "other_phone"
    OWN_PHONE = "own_phone"
    REMOVED = "removed"
    HANDED_OVER = "handed_over"


class Agreement(Base):
    """One act of agreeing, kept when it has ended; at most one of a dependent holds.

    `check_id` is the face check that said it, good for one agreement; `witnessed_by` the operator at the desk.
    """

    __tablename__ = "agreements"
    __table_args__ = (
        Index(
            "uq_agreements_standing",
            "dependent_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index("ix_agreements_dependent", "dependent_id", "given_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    dependent_id: Mapped[UUID] = mapped_column(ForeignKey("dependents.id"))
    version: Mapped[str]
    way: Mapped[AgreementWay] = mapped_column(word(AgreementWay))
    given_at: Mapped[datetime]
    check_id: Mapped[UUID | None] = mapped_column(ForeignKey("identity_checks.id"), unique=True)
    witnessed_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[AgreementEnd | None] = mapped_column(word(AgreementEnd))

    def end(self, why: AgreementEnd, *, at: datetime) -> None:
        """It no longer holds. What has ended already stays as it was."""
        if self.ended_at is None:
            self.ended_at, self.end_reason = at, why
