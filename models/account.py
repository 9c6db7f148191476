"""Who logs in: an account, the platform identities it is known by, its login sessions and its consents."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word
from models.sealing import ERASED, Vault


class Provider(StrEnum):
    """The ways to log in (api.md). One without a configured adapter is refused."""

    WECHAT_MINIAPP = "wechat_miniapp"
    WECHAT_OFFICIAL = "wechat_official"
    ALIPAY_MINIAPP = "alipay_miniapp"
    HANDOFF = "handoff"


class IdKind(StrEnum):
    OPEN_ID = "open_id"
    UNION_ID = "union_id"
    USER_ID = "user_id"


class Purpose(StrEnum):
    """What a consent is for. `service` and `sensitive_identity` are the account's, the others name a dependent."""

    SERVICE = "service"
    SENSITIVE_IDENTITY = "sensitive_identity"
    FACE = "face"
    HEALTH = "health"
    MINOR = "minor"


PHONE_HASH = "accounts.phone"
"""The purpose under which phones of accounts are found by keyed hash."""

DEPENDENT_PURPOSES = frozenset({Purpose.FACE, Purpose.HEALTH, Purpose.MINOR})


class Account(Base):
    """Who logs in. What is booked hangs on it and on nothing of a platform.

    One that was joined into another is empty: nothing hangs on it, and nobody logs into it by itself. Its row in
    `account_joins` says how it came to that; a reference in this column would have SQLite rebuild the table.
    `phone_proven_by_id` is the identity at whose login the phone was proven.
    """

    __tablename__ = "accounts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    phone_sealed: Mapped[bytes | None]
    phone_hash: Mapped[bytes | None] = mapped_column(index=True)
    phone_hash_key: Mapped[int | None]
    phone_masked: Mapped[str | None]
    phone_proven_at: Mapped[datetime | None]
    joined_into_id: Mapped[UUID | None] = mapped_column(index=True)
    phone_proven_by_id: Mapped[UUID | None]

    def has_proven_phone_within(self, age: timedelta, *, now: datetime) -> bool:
        return self.phone_proven_at is not None and now < self.phone_proven_at + age

    @property
    def has_phone(self) -> bool:
        return self.phone_sealed is not None

    def seal_phone(self, vault: Vault, phone: str, *, masked: str, proven_at: datetime, proven_by: UUID) -> None:
        """`phone` in E.164, as the platform of an identity has vouched for it."""
        digest = vault.keyed_hash(PHONE_HASH, phone)
        self.phone_hash, self.phone_hash_key = digest.digest, digest.key_id
        self.phone_sealed = vault.seal("accounts.phone", self.id, phone)
        self.phone_masked, self.phone_proven_at, self.phone_proven_by_id = masked, proven_at, proven_by

    def hand_phone_to(self, other: Account, vault: Vault) -> None:
        """The proof is the other account's, and none is left here."""
        phone = self.phone(vault)
        masked, proven_at, proven_by = self.phone_masked, self.phone_proven_at, self.phone_proven_by_id
        if phone is None or masked is None or proven_at is None or proven_by is None:
            return
        other.seal_phone(vault, phone, masked=masked, proven_at=proven_at, proven_by=proven_by)
        self._forget_phone()

    def close(self, *, at: datetime) -> None:
        """Nobody logs into it any more, and its phone is gone."""
        self.closed_at = at
        self._forget_phone()

    def _forget_phone(self) -> None:
        self.phone_sealed = self.phone_hash = self.phone_hash_key = self.phone_masked = None
        self.phone_proven_at = self.phone_proven_by_id = None

    def phone(self, vault: Vault) -> str | None:
        return None if self.phone_sealed is None else vault.open_text("accounts.phone", self.id, self.phone_sealed)


class PlatformIdentity(Base):
    """An id that a platform knows the account by, found by keyed hash of (provider, app, kind, id).

    `found_by_id` is the identity by whose login it came to an account that stood already: the two belong together.
    """

    __tablename__ = "platform_identities"
    __table_args__ = (UniqueConstraint("provider", "app", "kind", "subject_hash_key", "subject_hash"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    provider: Mapped[Provider] = mapped_column(word(Provider))
    app: Mapped[str]
    kind: Mapped[IdKind] = mapped_column(word(IdKind))
    subject_hash: Mapped[bytes]
    subject_hash_key: Mapped[int]
    subject_sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    found_by_id: Mapped[UUID | None] = mapped_column(index=True)

    @staticmethod
    def hash_purpose(provider: str, app: str, kind: IdKind) -> str:
        """The same id at another app or provider is another identity, so both are part of the digest."""
        return f"platform_identity/{provider}/{app}/{kind}"

    def seal_subject(self, vault: Vault, subject: str, *, hash_key: int | None = None) -> None:
        """`hash_key` is the hashing key in use; without it the vault's own active one is meant."""
        purpose = self.hash_purpose(self.provider, self.app, self.kind)
        digest = vault.keyed_hash(purpose, subject, key_id=hash_key)
        self.subject_hash, self.subject_hash_key = digest.digest, digest.key_id
        self.subject_sealed = vault.seal("platform_identities.subject", self.id, subject)

    def forget(self) -> None:
        """The platform's id is erased: whoever logs in with it begins anew."""
        self.subject_sealed, self.subject_hash = ERASED, os.urandom(len(self.subject_hash))

    def subject(self, vault: Vault) -> str:
        return vault.open_text("platform_identities.subject", self.id, self.subject_sealed)


class LoginSession(Base):
    """One login. The token itself is never stored; its digest finds the row, and revoking is at once."""

    __tablename__ = "login_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    platform_identity_id: Mapped[UUID] = mapped_column(ForeignKey("platform_identities.id"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Consent(Base):
    """One act of consenting or withdrawing, kept for ever; the newest row of a purpose counts.

    `given_by_id` is the identity that was logged in.
    """

    __tablename__ = "consents"
    __table_args__ = (Index("ix_consents_latest", "account_id", "purpose", "dependent_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    dependent_id: Mapped[UUID | None] = mapped_column(ForeignKey("dependents.id"))
    purpose: Mapped[Purpose] = mapped_column(word(Purpose))
    version: Mapped[str]
    granted: Mapped[bool]
    provider: Mapped[Provider] = mapped_column(word(Provider))
    at: Mapped[datetime]
    given_by_id: Mapped[UUID | None]
