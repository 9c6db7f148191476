"""The ledger: double entry, in whole fen, and only ever added to. Payments and refunds say what stands; these rows say
how each fen came to stand there, so that either can be held against the other."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, event
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word
from models.payment import Channel


class LedgerAccount(StrEnum):
    """Where money stands. A debit is above zero."""

    GATEWAY = "gateway"
    """With the platform, for the hospital's merchant account: a debit is money there."""
    CHARGE = "charge"
    """Received for a charge and not on its way back: a credit."""
    RETURNING = "returning"
    """Owed back to the patient, and not yet there: a credit."""
    FEES = "fees"
    """What the platform took for itself: a debit."""
    DESK = "desk"
    """What the hospital has given back by itself: a credit."""


class JournalKind(StrEnum):
    PAYMENT_RECEIVED = "payment_received"
    REFUND_DUE = "refund_due"
    REFUND_PAID = "refund_paid"
    REFUND_BY_HAND = "refund_by_hand"
    REFUND_WITHDRAWN = "refund_withdrawn"
    """The platform closed its number; what is due is due under another."""
    FEE_TAKEN = "fee_taken"
    FEE_GIVEN_BACK = "fee_given_back"


class Journal(Base):
    """One movement of money, told once: of a payment, or of the refund that it names.

    `subject_id` is what moved: the payment, the refund, or the line of a bill. `at` is when money moved at the
    platform, as far as it says, `posted_at` when it was written here."""

    __tablename__ = "journals"
    __table_args__ = (
        UniqueConstraint("kind", "subject_id"),
        Index("ix_journals_merchant", "merchant", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    kind: Mapped[JournalKind] = mapped_column(word(JournalKind))
    subject_id: Mapped[UUID]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.id"), index=True)
    channel: Mapped[Channel] = mapped_column(word(Channel))
    merchant: Mapped[str]
    currency: Mapped[str]
    at: Mapped[datetime]
    posted_at: Mapped[datetime]


class LedgerEntry(Base):
    """One side of a journal: a debit above zero, a credit below. Those of a journal come to zero."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        UniqueConstraint("journal_id", "account"),
        CheckConstraint("amount_fen <> 0", name="amount"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    journal_id: Mapped[UUID] = mapped_column(ForeignKey("journals.id"))
    account: Mapped[LedgerAccount] = mapped_column(word(LedgerAccount))
    amount_fen: Mapped[int]


class LedgerIsWritten(Exception):
    """Somebody wanted to change what stands in the books: a mistake there is put right by another journal."""


@event.listens_for(Journal, "before_update")
@event.listens_for(LedgerEntry, "before_update")
@event.listens_for(Journal, "before_delete")
@event.listens_for(LedgerEntry, "before_delete")
def _refuse(*_: Any) -> None:
    raise LedgerIsWritten()
