"""What one person lets another account do for them: see, book, pay, until when."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word
from models.sealing import Vault

CODE_HASH = "grants.code"


class Scope(StrEnum):
    """`see` the appointments, `book` and cancel them, `pay` for them. Whoever may book may also see."""

    SEE = "see"
    BOOK = "book"
    PAY = "pay"


class GrantState(StrEnum):
    OFFERED = "offered"
    LIVE = "live"
    ENDED = "ended"
    EXPIRED = "expired"


class EndedBy(StrEnum):
    """Who ended it, or what: a newer one took its place, or the person was removed, or an account closed."""

    GRANTER = "granter"
    HOLDER = "holder"
    REPLACED = "replaced"
    REMOVED = "removed"


class Grant(Base):
    """The right of an account, its holder, over somebody who is a dependent of another account.

    The granter is whoever has the dependent. Until the code of the offer was typed there is no holder. It is in force
    from `accepted_at` until before `to_at`, unless it was ended. `accepted_by_id` is the holder's identity that was
    logged in then. Nothing of the code can be read here.
    """

    __tablename__ = "grants"
    __table_args__ = (
        CheckConstraint("may_see OR may_book OR may_pay", name="scope"),
        CheckConstraint("may_see OR NOT may_book", name="book_sees"),
        CheckConstraint("(account_id IS NULL) = (accepted_at IS NULL)", name="holder"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    dependent_id: Mapped[UUID] = mapped_column(ForeignKey("dependents.id"), index=True)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    may_see: Mapped[bool]
    may_book: Mapped[bool]
    may_pay: Mapped[bool]
    code_hash: Mapped[bytes | None] = mapped_column(unique=True)
    offered_at: Mapped[datetime]
    offer_ends_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by_id: Mapped[UUID | None]
    to_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[EndedBy | None] = mapped_column(word(EndedBy))

    @property
    def scopes(self) -> list[Scope]:
        has = {Scope.SEE: self.may_see, Scope.BOOK: self.may_book, Scope.PAY: self.may_pay}
        return [scope for scope, granted in has.items() if granted]

    def state(self, *, now: datetime) -> GrantState:
        if self.ended_at is not None:
            return GrantState.ENDED
        if self.accepted_at is None:
            return GrantState.OFFERED if now < self.offer_ends_at else GrantState.EXPIRED
        return GrantState.LIVE if now < self.to_at else GrantState.EXPIRED

    def hash_code(self, vault: Vault, code: str) -> None:
        self.code_hash = vault.keyed_hash(CODE_HASH, code).digest

    def accept(self, account_id: UUID, *, identity_id: UUID, at: datetime) -> None:
        """The code was typed, and is good for nothing more."""
        self.account_id, self.accepted_by_id, self.accepted_at = account_id, identity_id, at
        self.code_hash = None

    def end(self, *, by: EndedBy, at: datetime) -> None:
        """At once. What has ended stays as it is."""
        if self.ended_at is None:
            self.ended_at, self.ended_by, self.code_hash = at, by, None
