"""State machines: one moves table each, one event row per move, and one line that assigns `status`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Document, new_id, word
from models.errors import IllegalTransition


class Actor(StrEnum):
    """Who made a move."""

    ACCOUNT = "account"
    OPERATOR = "operator"
    PLATFORM = "platform"
    SYSTEM = "system"


class CauseKind(StrEnum):
    """What made it happen: a request, an inbox row, a job, an operator command."""

    REQUEST = "request"
    PLATFORM_EVENT = "platform_event"
    JOB = "job"
    COMMAND = "command"


@dataclass(frozen=True)
class Cause:
    """Who and what stands behind a move. `id` is the request id, inbox row, job or command it can be traced to."""

    actor: Actor
    kind: CauseKind
    id: str
    actor_id: str | None = None


class Machine(StrEnum):
    APPOINTMENT = "appointment"
    SLOT = "slot"
    PAYMENT = "payment"
    REFUND = "refund"
    HOSPITAL_CLAIM = "hospital_claim"
    IDENTITY_CHECK = "identity_check"
    ACCOUNT_JOIN = "account_join"
    WAITLIST_ENTRY = "waitlist_entry"
    OFFER = "offer"
    STRIKE_APPEAL = "strike_appeal"


class StateEvent(Base):
    """One move of one record. The events replayed in order give the state."""

    __tablename__ = "state_events"
    __table_args__ = (
        UniqueConstraint("record_id", "seq"),
        Index("ix_state_events_cause", "cause_kind", "cause_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    machine: Mapped[Machine] = mapped_column(word(Machine))
    record_id: Mapped[UUID]
    seq: Mapped[int]
    hospital_id: Mapped[UUID | None]
    at: Mapped[datetime]
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    reason: Mapped[str | None]
    actor: Mapped[Actor] = mapped_column(word(Actor))
    actor_id: Mapped[str | None]
    cause_kind: Mapped[CauseKind] = mapped_column(word(CauseKind))
    cause_id: Mapped[str]
    facts: Mapped[Any | None] = mapped_column(Document())


Moves = Mapping[Any, frozenset[Any]]


class Stateful:
    """A record whose `status` moves only along its table, leaving an event row each time.

    Subclasses name their `machine` and `moves`, and offer one verb per move.
    """

    machine: ClassVar[Machine]
    moves: ClassVar[Moves]

    if TYPE_CHECKING:
        id: Mapped[UUID]
        status: Any
        moved: Mapped[int]

    def enter(
        self,
        session: Session,
        status: StrEnum,
        *,
        at: datetime,
        cause: Cause,
        reason: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Move to `status`, or be born in it, and write the event row.

        Raises: IllegalTransition."""
        event = self.move(status, at=at, cause=cause, reason=reason, facts=facts)
        session.add(self)
        session.add(event)

    def move(
        self,
        status: StrEnum,
        *,
        at: datetime,
        cause: Cause,
        reason: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> StateEvent:
        """As `enter`, for whoever writes the record and the returned event row together.

        Raises: IllegalTransition."""
        was = self.status
        if was is not None and status not in self.moves.get(was, frozenset()):
            raise IllegalTransition(self.machine, str(was), str(status))
        self.moved = (self.moved or 0) + 1
        self.status = status
        return StateEvent(
            id=new_id(),
            machine=self.machine,
            record_id=self.id,
            seq=self.moved,
            hospital_id=getattr(self, "hospital_id", None),
            at=at,
            from_status=None if was is None else str(was),
            to_status=str(status),
            reason=reason,
            actor=cause.actor,
            actor_id=cause.actor_id,
            cause_kind=cause.kind,
            cause_id=cause.id,
            facts=dict(facts) if facts else None,
        )
