"""Who calls, by the token of a login: every request of a patient begins with this one statement."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, select

from core.identity.login import token_digest
from core.transactions import Transactions
from models.account import Account, LoginSession, PlatformIdentity, Provider
from models.base import table_of


class Caller(NamedTuple):
    """Who is logged in: the account, the login, and the platform identity it came through."""

    account_id: UUID
    session_id: UUID
    identity_id: UUID
    provider: Provider
    app: str


def find_caller(transactions: Transactions, token: str) -> Caller | None:
    """Whose login it is. None where there is none, where it ended (`expires_at` is the first instant that it is not
    good for), and where its account closed or was joined into another. Raises: Overloaded."""
    row = transactions.find(_LOGIN, {"digest": token_digest(token), "now": transactions.clock.now()})
    return None if row is None else Caller(*row)


_LOGINS, _IDENTITIES, _ACCOUNTS = (table_of(one) for one in (LoginSession, PlatformIdentity, Account))


def good_logins(*columns: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """`columns` of the logins that are good at `now`, and of their identities."""
    return (
        select(*columns)
        .join_from(_LOGINS, _IDENTITIES, _IDENTITIES.c.id == _LOGINS.c.platform_identity_id)
        .join(_ACCOUNTS, _ACCOUNTS.c.id == _LOGINS.c.account_id)
        .where(
            _LOGINS.c.revoked_at.is_(None),
            _LOGINS.c.expires_at > bindparam("now"),
            _IDENTITIES.c.account_id == _LOGINS.c.account_id,
            _ACCOUNTS.c.closed_at.is_(None),
            _ACCOUNTS.c.joined_into_id.is_(None),
        )
    )


_LOGIN = good_logins(
    _LOGINS.c.account_id, _LOGINS.c.id, _LOGINS.c.platform_identity_id, _IDENTITIES.c.provider, _IDENTITIES.c.app
).where(_LOGINS.c.token_hash == bindparam("digest"))
"""Of the login whose token has the `digest`, at `now`: nothing where it is not good."""
