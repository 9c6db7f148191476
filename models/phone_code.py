"""One-time codes sent to phones, and the rows that those who ask for them wait at."""

from __future__ import annotations

import hmac
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.account import PHONE_HASH
from models.base import Base, new_id, word
from models.sealing import Vault

CODE_HASH = "phone_codes.code"
NET_HASH = "phone_codes.net"


class CodePurpose(StrEnum):
    """What a code proves. One that was asked for something is good for nothing else."""

    ACCOUNT_PHONE = "account_phone"
    AGREEMENT = "agreement"
    IDENTITY_CHECK = "identity_check"


class Sending(StrEnum):
    """How far the message came. `unknown`: it may have arrived. `refused`: not to this number. `failed`: to none."""

    STARTED = "started"
    SENT = "sent"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    FAILED = "failed"


class PhoneCode(Base):
    """One code for one account, login, phone and purpose. Nothing of it can be read here: phone, code and the asker's
    network stand as keyed hashes.

    A login may be erased before its codes are, so `login_id` is no reference. `ended_at`: used, replaced or not sent.
    `about_id` is the dependent who is to agree, or the identity check.
    """

    __tablename__ = "phone_codes"
    __table_args__ = (
        Index(
            "uq_phone_codes_live",
            "account_id",
            "purpose",
            "phone_hash",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index("ix_phone_codes_phone", "phone_hash", "created_at"),
        Index("ix_phone_codes_account", "account_id", "created_at"),
        Index("ix_phone_codes_net", "net_hash", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    login_id: Mapped[UUID]
    purpose: Mapped[CodePurpose] = mapped_column(word(CodePurpose))
    hash_key: Mapped[int]
    phone_hash: Mapped[bytes]
    net_hash: Mapped[bytes]
    code_hash: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(index=True)
    expires_at: Mapped[datetime]
    tries: Mapped[int]
    ended_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    sending: Mapped[Sending] = mapped_column(word(Sending))
    provider: Mapped[str | None]
    provider_number: Mapped[str | None]
    about_id: Mapped[UUID | None]

    def hash_all(self, vault: Vault, *, phone: str, net: str, code: str) -> None:
        """`phone` in E.164; `net` names the network that asks."""
        known_by = vault.keyed_hash(PHONE_HASH, phone)
        self.hash_key, self.phone_hash = known_by.key_id, known_by.digest
        self.net_hash = vault.keyed_hash(NET_HASH, net).digest
        self.code_hash = vault.keyed_hash(CODE_HASH, f"{self.id}/{code}").digest


def code_fits(vault: Vault, *, code_id: UUID, code_hash: bytes, guess: str) -> bool:
    """Whether the guess is what was sent."""
    told = [known.digest for known in vault.keyed_hashes(CODE_HASH, f"{code_id}/{guess}")]
    return any(hmac.compare_digest(digest, code_hash) for digest in told)


class GateKind(StrEnum):
    """Whom a gate is for: an account that tries a code, a phone, a network, everybody together."""

    ACCOUNT = "account"
    PHONE = "phone"
    NET = "net"
    EVERYBODY = "everybody"


class CodeGate(Base):
    """A row to be locked: whoever counts what was sent waits here for whoever is about to send."""

    __tablename__ = "code_gates"
    __table_args__ = (UniqueConstraint("kind", "subject_hash"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[GateKind] = mapped_column(word(GateKind))
    subject_hash: Mapped[bytes]
    hash_key: Mapped[int]
    used_at: Mapped[datetime] = mapped_column(index=True)
