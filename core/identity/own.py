"""What belongs to the account that asks. Another's record is simply not found."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Update, bindparam, select
from sqlalchemy.orm import Session, selectinload

from core.transactions import Overloaded
from models.account import LoginSession
from models.base import table_of
from models.errors import NotFound, Unauthenticated
from models.identity_check import IdentityCheck
from models.person import Dependent
from models.prepared import rows_of

_LOGINS = table_of(LoginSession)
_LOGIN_NOW = (
    select(_LOGINS.c.account_id, _LOGINS.c.revoked_at)
    .where(_LOGINS.c.id == bindparam("login_id"))
    .with_for_update(read=True)
)


def require_own_login(session: Session, *, login_id: UUID, account_id: UUID) -> None:
    """That the login still leads to the account, and does until the end of this transaction: it may have ended since
    the request was let in, or gone to another account by a join or its undoing.

    Taken last, after every other lock. Raises: Unauthenticated, Overloaded where it leads elsewhere."""
    (login,) = rows_of(session, _LOGIN_NOW, {"login_id": login_id})
    _refuse_unless_own(login, account_id)


def update_as_own_login(
    session: Session, change: Update, given: Mapping[str, Any], *, login_id: UUID, account_id: UUID
) -> None:
    """As `require_own_login`, with a change of a row that is locked already, on PostgreSQL in one round trip. `change`
    is made once and used again. Raises: as `require_own_login`."""
    if session.get_bind().dialect.name != "postgresql":
        session.execute(change, given)
        require_own_login(session, login_id=login_id, account_id=account_id)
        return
    (login,) = rows_of(session, _with_login(change), {**given, "login_id": login_id})
    _refuse_unless_own(login, account_id)


def _refuse_unless_own(login: Any, account_id: UUID) -> None:
    if login.revoked_at is not None:
        raise Unauthenticated()
    if login.account_id != account_id:
        raise Overloaded()


@lru_cache(maxsize=8)
def _with_login(change: Update) -> Select[UUID, Any]:
    login = _LOGIN_NOW.cte("login")
    return select(login.c.account_id, login.c.revoked_at).add_cte(change.cte("change"))


def dependents_of(account_id: UUID) -> Select[Dependent]:
    """The account's dependents that are not archived, each with its document."""
    return (
        select(Dependent)
        .where(Dependent.account_id == account_id, Dependent.archived_at.is_(None))
        .options(selectinload(Dependent.identifier))
    )


def own_dependent(session: Session, *, account_id: UUID, dependent_id: UUID) -> Dependent:
    """Raises: NotFound."""
    found = session.scalars(dependents_of(account_id).where(Dependent.id == dependent_id)).one_or_none()
    if found is None:
        raise NotFound()
    return found


def own_check(session: Session, *, account_id: UUID, check_id: UUID) -> IdentityCheck:
    """Raises: NotFound."""
    found = session.scalars(
        select(IdentityCheck).where(IdentityCheck.id == check_id, IdentityCheck.account_id == account_id)
    ).one_or_none()
    if found is None:
        raise NotFound()
    return found
