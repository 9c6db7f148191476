"""What an account may do for another account's dependents: asked at every use, and held while something is done.

A grant follows its person: where a join archived the dependent in favour of another one, it is that one's until the
join is undone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, aliased

from core.locks import hold_grant, lock_grants
from core.rights.access import GRANT_HOLDER, ONESELF, AccessAction, AccessPurpose, note_access
from models.appointment import Appointment
from models.errors import NotFound
from models.grant import EndedBy, Grant, Scope
from models.payment import Payment
from models.person import Dependent

_NAMED = aliased(Dependent)


@dataclass(frozen=True)
class Granted:
    """A live grant, and whom it is about as its granter has them now."""

    grant: Grant
    dependent: Dependent


@dataclass(frozen=True)
class Use:
    """What a grant was used for. `about` names the appointment or schedule."""

    grant: Grant
    action: AccessAction
    about: UUID | None = None


def granted_to(session: Session, account_id: UUID, *, now: datetime) -> list[Granted]:
    """Every live grant that the account holds, the oldest first."""
    return [Granted(*row) for row in session.execute(_live(account_id, now).order_by(Grant.id))]


def granted_dependent(
    session: Session, *, account_id: UUID, dependent_id: UUID, scope: Scope, now: datetime
) -> Granted:
    """Another account's dependent, for whom this one holds a grant of that scope. Raises: NotFound."""
    query = _live(account_id, now).where(Dependent.id == dependent_id, has(scope))
    row = session.execute(query.order_by(Grant.id.desc()).limit(1)).one_or_none()
    if row is None:
        raise NotFound()
    return Granted(*row)


def hold_live(session: Session, grant: Grant, *, now: datetime) -> None:
    """That it is still in force, and stays so until this transaction ends: whoever ends it waits, and whoever comes
    after that finds it ended. Raises: NotFound."""
    hold_grant(session, Grant.id == grant.id, in_force(now))


def in_force(now: datetime) -> ColumnElement[bool]:
    """Half-open: the instant of the end itself is too late."""
    return Grant.ended_at.is_(None) & (Grant.accepted_at <= now) & (Grant.to_at > now)


def has(scope: Scope) -> ColumnElement[bool]:
    columns: dict[Scope, Any] = {Scope.SEE: Grant.may_see, Scope.BOOK: Grant.may_book, Scope.PAY: Grant.may_pay}
    found: ColumnElement[bool] = columns[scope].is_(True)
    return found


def note_uses(session: Session, uses: Iterable[Use], *, now: datetime) -> None:
    """For the granter to read."""
    for use in uses:
        facts = {"grant_id": str(use.grant.id)} | ({} if use.about is None else {"about": str(use.about)})
        _note(session, use.grant, use.action, actor=GRANT_HOLDER, result="done", facts=facts, now=now)


def note_grant(session: Session, grant: Grant, action: AccessAction, *, actor: str, result: str, now: datetime) -> None:
    """What became of the grant itself."""
    _note(session, grant, action, actor=actor, result=result, facts={"grant_id": str(grant.id)}, now=now)


def end_grants(session: Session, *which: ColumnElement[bool], by: EndedBy, now: datetime) -> list[Grant]:
    """End those of them that have not ended, at once: what is being done under one is done before."""
    ended = lock_grants(session, Grant.ended_at.is_(None), *which)
    actor = GRANT_HOLDER if by is EndedBy.HOLDER else ONESELF
    for grant in ended:
        grant.end(by=by, at=max(now, _last_use(session, grant, now=now)))
        note_grant(session, grant, AccessAction.GRANT_ENDED, actor=actor, result=str(by), now=now)
    session.flush()
    return ended


def _last_use(session: Session, grant: Grant, *, now: datetime) -> datetime:
    """With the grant locked. What had it first may have begun a moment after whoever ends it."""
    booked = session.scalar(select(func.max(Appointment.created_at)).where(Appointment.grant_id == grant.id))
    paid = session.scalar(select(func.max(Payment.created_at)).where(Payment.grant_id == grant.id))
    return max(booked or now, paid or now)


def _live(account_id: UUID, now: datetime) -> Select[Grant, Dependent]:
    stands = func.coalesce(_NAMED.merged_into_id, _NAMED.id)
    return (
        select(Grant, Dependent)
        .join(_NAMED, _NAMED.id == Grant.dependent_id)
        .join(Dependent, Dependent.id == stands)
        .where(Grant.account_id == account_id, in_force(now))
        # While both accounts are one, there is nobody to grant anything to.
        .where(Dependent.archived_at.is_(None), Dependent.account_id != account_id)
        .execution_options(populate_existing=True)
    )


def _note(
    session: Session,
    grant: Grant,
    action: AccessAction,
    *,
    actor: str,
    result: str,
    facts: dict[str, str],
    now: datetime,
) -> None:
    note_access(
        session,
        actor=actor,
        action=action,
        purpose=AccessPurpose.DELEGATION,
        dependent_id=grant.dependent_id,
        result=result,
        facts=facts,
        now=now,
    )
