"""Two accounts becoming one: the first yes, the second one, what was carried over, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.account import Provider
from models.base import Base, Document, new_id, word
from models.states import Cause, Machine, Stateful


class JoinStatus(StrEnum):
    ASKED = "asked"
    JOINED = "joined"
    UNDONE = "undone"
    EXPIRED = "expired"


class JoinReason(StrEnum):
    """What shows that both are one's own: a phone that both have proven, or a platform that names one person."""

    PHONE = "phone"
    UNION_ID = "union_id"


class AccountJoin(Stateful, Base):
    """One account asked, the other was asked; the older one is kept and the other emptied into it.

    `carried` names every row that came over, by table: undoing gives back exactly these, and what hangs on them since.
    """

    __tablename__ = "account_joins"
    __table_args__ = (
        Index("ix_account_joins_asking", "asking_account_id"),
        Index("ix_account_joins_asked", "asked_account_id"),
        Index(
            "uq_account_joins_emptied",
            "emptied_account_id",
            unique=True,
            postgresql_where=text("status = 'joined'"),
            sqlite_where=text("status = 'joined'"),
        ),
    )

    machine = Machine.ACCOUNT_JOIN
    moves = {  # noqa: RUF012
        JoinStatus.ASKED: frozenset({JoinStatus.JOINED, JoinStatus.EXPIRED}),
        JoinStatus.JOINED: frozenset({JoinStatus.UNDONE}),
    }

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    reason: Mapped[JoinReason] = mapped_column(word(JoinReason))
    status: Mapped[JoinStatus] = mapped_column(word(JoinStatus))
    moved: Mapped[int]
    asking_account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    asked_account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    asking_wallet: Mapped[Provider] = mapped_column(word(Provider))
    asked_wallet: Mapped[Provider] = mapped_column(word(Provider))
    phone_masked: Mapped[str | None]
    asked_at: Mapped[datetime]
    asked_until: Mapped[datetime]
    kept_account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    emptied_account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"))
    carried: Mapped[Any | None] = mapped_column(Document())
    joined_at: Mapped[datetime | None]
    undo_before: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]

    def is_waiting(self, *, now: datetime) -> bool:
        """One yes was said, and the other may still come."""
        return self.status is JoinStatus.ASKED and now < self.asked_until

    def may_be_undone(self, *, now: datetime) -> bool:
        """Half-open: the instant itself is too late."""
        return self.status is JoinStatus.JOINED and self.undo_before is not None and now < self.undo_before

    def other_than(self, account_id: UUID) -> UUID:
        return self.asked_account_id if account_id == self.asking_account_id else self.asking_account_id

    def wallet_of(self, account_id: UUID) -> Provider:
        return self.asking_wallet if account_id == self.asking_account_id else self.asked_wallet

    def ask(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The first yes."""
        self.enter(session, JoinStatus.ASKED, at=at, cause=cause)

    def expire(self, session: Session, *, why: str, at: datetime, cause: Cause) -> None:
        """No second yes will come. Raises: IllegalTransition."""
        self.enter(session, JoinStatus.EXPIRED, at=at, cause=cause, reason=why)

    def join(
        self,
        session: Session,
        *,
        kept: UUID,
        emptied: UUID,
        carried: Mapping[str, list[str]],
        undo_before: datetime,
        at: datetime,
        cause: Cause,
    ) -> None:
        """The second yes, or a platform's word: both are one from now on. Raises: IllegalTransition."""
        self.enter(session, JoinStatus.JOINED, at=at, cause=cause, reason=self.reason)
        self.kept_account_id, self.emptied_account_id = kept, emptied
        self.carried, self.joined_at, self.undo_before = dict(carried), at, undo_before

    def undo(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """Raises: IllegalTransition."""
        self.enter(session, JoinStatus.UNDONE, at=at, cause=cause)
        self.undone_at = at
