"""What counts against a person who did not come, or gave numbers back: each with its evidence, none for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Document, new_id, word
from models.sealing import Vault
from models.states import Cause, Machine, Stateful

UNTIL_APPEAL = datetime(9999, 1, 1, tzinfo=UTC)
"""No end of its own: the hospital decides."""


class StrikeKind(StrEnum):
    NO_SHOW = "no_show"
    LATE_CANCEL = "late_cancel"
    CANCEL = "cancel"


class Lift(StrEnum):
    """Why a strike counts no longer."""

    SEEN = "seen"
    """They were there after all, with this number or with another one of that day."""
    USED_AGAIN = "used_again"
    """Somebody else came with the number that was given back late."""
    APPEAL = "appeal"
    SUSPENDED = "suspended"
    """The clinic did not take place, as the hospital said afterwards."""


class Strike(Base):
    """One for an appointment, of the person whatever account booked. Lifted, it counts no longer and stays on record.

    `at` is the instant from which windows count: the end of the half day that was missed, or the cancelling.
    `restricts_until` is set where this strike filled a step of the ladder; it is half-open. `platform_wide` strikes
    count and restrict at every hospital whose number is sold under terms that have its strikes so, and at their own.

    From `paused_at` on it does not count until its appeal is decided: the hospital has not answered it in time.
    """

    __tablename__ = "strikes"
    __table_args__ = (Index("ix_strikes_person", "person_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointments.id"), unique=True)
    kind: Mapped[StrikeKind] = mapped_column(word(StrikeKind))
    platform_wide: Mapped[bool]
    at: Mapped[datetime]
    evidence: Mapped[Any] = mapped_column(Document())
    restricts_until: Mapped[datetime | None]
    lifted_at: Mapped[datetime | None]
    lifted_why: Mapped[Lift | None] = mapped_column(word(Lift))
    paused_at: Mapped[datetime | None]

    @property
    def counts(self) -> bool:
        return self.lifted_at is None and self.paused_at is None

    def lift(self, why: Lift, *, at: datetime) -> None:
        """It counts no longer; what was lifted already stays as it was."""
        if self.lifted_at is None:
            self.lifted_at, self.lifted_why = at, why
            self.paused_at = self.restricts_until = None

    def pause(self, *, at: datetime) -> None:
        """It restricts nobody until its appeal is decided."""
        if self.counts:
            self.paused_at, self.restricts_until = at, None

    def resume(self) -> None:
        self.paused_at = None


class AppealStatus(StrEnum):
    OPEN = "open"
    GRANTED = "granted"
    REJECTED = "rejected"


class StrikeAppeal(Stateful, Base):
    """What a patient says against a strike, once, and what the hospital answers. Both are free text about somebody.

    It is to be decided before `decide_by`. A strike that is lifted, for whatever reason, has its appeal granted.
    """

    __tablename__ = "strike_appeals"
    __table_args__ = (
        Index("ix_strike_appeals_open", "status", "decide_by"),
        CheckConstraint("(status = 'open') = (decided_at IS NULL)", name="decided"),
    )

    machine = Machine.STRIKE_APPEAL
    moves = {  # noqa: RUF012
        AppealStatus.OPEN: frozenset({AppealStatus.GRANTED, AppealStatus.REJECTED}),
    }

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    strike_id: Mapped[UUID] = mapped_column(ForeignKey("strikes.id"), unique=True)
    status: Mapped[AppealStatus] = mapped_column(word(AppealStatus))
    moved: Mapped[int]
    text_sealed: Mapped[bytes | None]
    answer_sealed: Mapped[bytes | None]
    filed_at: Mapped[datetime]
    decide_by: Mapped[datetime]
    decided_at: Mapped[datetime | None]

    def file(self, session: Session, vault: Vault, text: str, *, at: datetime, cause: Cause) -> None:
        self.text_sealed = vault.seal("strike_appeals.text", self.id, text)
        self.enter(session, AppealStatus.OPEN, at=at, cause=cause)
        self.filed_at = at

    def grant(self, session: Session, *, reason: str, at: datetime, cause: Cause) -> None:
        """The strike is lifted. Raises: IllegalTransition."""
        self.enter(session, AppealStatus.GRANTED, at=at, cause=cause, reason=reason)
        self.decided_at = at

    def reject(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The strike counts on. Raises: IllegalTransition."""
        self.enter(session, AppealStatus.REJECTED, at=at, cause=cause)
        self.decided_at = at

    def seal_answer(self, vault: Vault, answer: str) -> None:
        self.answer_sealed = vault.seal("strike_appeals.answer", self.id, answer)

    def text(self, vault: Vault) -> str | None:
        """None once it is erased."""
        return None if self.text_sealed is None else vault.open_text("strike_appeals.text", self.id, self.text_sealed)

    def answer(self, vault: Vault) -> str | None:
        sealed = self.answer_sealed
        return None if sealed is None else vault.open_text("strike_appeals.answer", self.id, sealed)
