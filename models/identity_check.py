"""One attempt to prove who a dependent is."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Document, new_id, word
from models.sealing import Vault
from models.states import Cause, Machine, Stateful


class IdentityMethod(StrEnum):
    WECHAT_FACE = "wechat_face"
    ALIPAY_FACE = "alipay_face"
    NAME_MATCH = "name_match"
    PHONE_OTP = "phone_otp"
    ON_SITE = "on_site"
    GUARDIAN = "guardian"


FACE_METHODS = frozenset({IdentityMethod.WECHAT_FACE, IdentityMethod.ALIPAY_FACE})


class IdentityCheckStatus(StrEnum):
    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"
    EXPIRED = "expired"


class IdentityCheck(Stateful, Base):
    """With method, what was matched, by whom and the platform's request id. No image is ever part of it.

    `asked_at` is when the register was asked last, where it is one that costs money for each question; of a face, when
    a start that the platform has not answered was given up. `started_at` is when a platform opened it. By what it is
    known there, and what it is asked with, is erased with its end (F-07).
    """

    __tablename__ = "identity_checks"
    __table_args__ = (Index("ix_identity_checks_pending", "status", "expires_at"),)

    machine = Machine.IDENTITY_CHECK
    moves = {  # noqa: RUF012
        IdentityCheckStatus.PENDING: frozenset(
            {IdentityCheckStatus.PASSED, IdentityCheckStatus.FAILED, IdentityCheckStatus.EXPIRED}
        )
    }

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    dependent_id: Mapped[UUID] = mapped_column(ForeignKey("dependents.id"), index=True)
    method: Mapped[IdentityMethod] = mapped_column(word(IdentityMethod))
    status: Mapped[IdentityCheckStatus] = mapped_column(word(IdentityCheckStatus))
    moved: Mapped[int]
    app: Mapped[str | None]
    platform_identity_id: Mapped[UUID | None] = mapped_column(ForeignKey("platform_identities.id"))
    out_seq_no: Mapped[str | None] = mapped_column(unique=True)
    reference_sealed: Mapped[bytes | None]
    evidence: Mapped[str | None]
    level: Mapped[int]
    reason: Mapped[str | None]
    matched: Mapped[Any | None] = mapped_column(Document())
    checked_by: Mapped[str | None]
    request_id: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]

    @property
    def is_pending(self) -> bool:
        return self.status is IdentityCheckStatus.PENDING

    @property
    def is_face(self) -> bool:
        return self.method in FACE_METHODS

    @property
    def is_asked_for(self) -> bool:
        """A platform knows how it ends, so a job asks while the client is silent."""
        return self.is_face or self.method is IdentityMethod.NAME_MATCH

    @property
    def is_started(self) -> bool:
        """The platform has opened it; before that there is nothing to ask about."""
        return self.started_at is not None

    def start(self, vault: Vault, *, reference: str, evidence: str, at: datetime) -> None:
        """The platform has opened it. Evidence is sealed although it is a digest: name and number are few enough to be
        found by trying."""
        self.started_at = at
        self.reference_sealed = vault.seal("identity_checks.reference", self.id, reference)
        self.evidence = b64encode(vault.seal("identity_checks.evidence", self.id, evidence)).decode()

    def begin(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The attempt is made known, before any platform hears of it."""
        self.enter(session, IdentityCheckStatus.PENDING, at=at, cause=cause)

    def succeed(self, session: Session, *, level: int, matched: Sequence[str], at: datetime, cause: Cause) -> None:
        """Proven to `level`; `matched` names what agreed. Raises: IllegalTransition."""
        self.enter(session, IdentityCheckStatus.PASSED, at=at, cause=cause)
        self.level, self.matched = level, list(matched)
        self._end(at)

    def fail(self, session: Session, *, reason: str, at: datetime, cause: Cause) -> None:
        """Not proven; `reason` is a stable word for the patient. Raises: IllegalTransition."""
        self.enter(session, IdentityCheckStatus.FAILED, at=at, cause=cause, reason=reason)
        self.reason = reason
        self._end(at)

    def expire(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """Its time is over: what comes after that proves nothing. Raises: IllegalTransition."""
        self.enter(session, IdentityCheckStatus.EXPIRED, at=at, cause=cause, reason="expired")
        self.reason = "expired"
        self._end(at)

    def _end(self, at: datetime) -> None:
        """Nobody asks the platform about it any more."""
        self.completed_at = at
        if self.reference_sealed is not None and self.started_at is None:  # a process of a version before opened it
            self.started_at = self.created_at
        self.reference_sealed = self.evidence = None

    def opened_evidence(self, vault: Vault) -> str | None:
        if self.evidence is None:
            return None
        return vault.open_text("identity_checks.evidence", self.id, b64decode(self.evidence))

    def reference(self, vault: Vault) -> str | None:
        if self.reference_sealed is None:
            return None
        return vault.open_text("identity_checks.reference", self.id, self.reference_sealed)
