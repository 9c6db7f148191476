"""Which keys this database knows, and how far the rotation to newer ones has come. No key is ever stored here."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word


class Ring(StrEnum):
    """What a key is for; no key is ever used for two of these."""

    SEALING = "sealing"
    HASHING = "hashing"
    TICKETS = "tickets"


class VaultKey(Base):
    """A key that something was made with. `proof` is what only this very key makes or opens.

    Of each ring one is `in_use`. For hashing that decides: a document or a platform's id that is new is hashed under
    that key by every process, whatever its own file calls active, or two processes could each make a person of one
    document. A key is wanted until `needed_until`; while that is empty, for good.
    """

    __tablename__ = "vault_keys"
    __table_args__ = (
        UniqueConstraint("ring", "key_id"),
        Index(
            "uq_vault_keys_in_use",
            "ring",
            unique=True,
            postgresql_where=text("in_use"),
            sqlite_where=text("in_use"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    ring: Mapped[Ring] = mapped_column(word(Ring))
    key_id: Mapped[int]
    algorithm: Mapped[str]
    proof: Mapped[bytes]
    in_use: Mapped[bool]
    created_at: Mapped[datetime]
    replaced_at: Mapped[datetime | None]
    needed_until: Mapped[datetime | None]

    def is_needed(self, *, now: datetime) -> bool:
        return self.needed_until is None or now < self.needed_until


class KeyRotation(Base):
    """One way from older keys to `sealing_key` and `hashing_key`, table by table in pieces, as often as it takes until
    a whole pass has found nothing to change.

    `table_name` and `after_id` say where the next piece begins; `changed` counts values since the beginning,
    `pass_changed` and `pass_skipped` rows of this pass, `failed` the values of this pass that do not open.
    """

    __tablename__ = "key_rotations"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    sealing_key: Mapped[int]
    hashing_key: Mapped[int]
    started_at: Mapped[datetime]
    table_name: Mapped[str]
    after_id: Mapped[UUID | None]
    passes: Mapped[int]
    changed: Mapped[int]
    pass_changed: Mapped[int]
    pass_skipped: Mapped[int]
    failed: Mapped[int]
    stopped_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
