"""Who calls. Declared on the blueprint: a login, nobody in particular, or a platform's signature."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from flask import g, request
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from core.identity.login import token_digest
from core.transactions import Overloaded
from miniapp_api.services import services
from models.account import Account, LoginSession, PlatformIdentity, Provider
from models.errors import Unauthenticated

_BEARER = re.compile(r"bearer +([A-Za-z0-9_\-]{20,128})", re.IGNORECASE)


class Auth(StrEnum):
    """What a blueprint asks of its callers."""

    LOGIN = "login"
    NONE = "none"
    SIGNATURE = "signature"


@dataclass(frozen=True)
class Caller:
    """Who is logged in: the account, the login, and the platform identity it came through."""

    account_id: UUID
    session_id: UUID
    identity_id: UUID
    provider: Provider
    app: str


def require_login() -> None:
    """Set the caller of this request from its bearer token.

    Raises: Unauthenticated, Overloaded."""
    digest = token_digest(_token_sent())
    g.caller = services().workbench.transactions.read(lambda session, now: _caller(session, digest, now))


def current_caller() -> Caller:
    """Who is logged in. Raises: LookupError on a route that asks for no login."""
    caller = caller_or_none()
    if caller is None:
        raise LookupError("this route has no login")
    return caller


def caller_or_none() -> Caller | None:
    """Who is logged in, if this route asks for a login."""
    caller: Caller | None = g.get("caller")
    return caller


def refuse_if_moved() -> None:
    """A request that finds nothing may have begun just before its account was joined into another, or parted from it:
    asked again, it looks in the right place. Raises: Overloaded."""
    caller = caller_or_none()
    if caller is None:
        return
    query = select(LoginSession.account_id).where(LoginSession.id == caller.session_id)
    if services().workbench.transactions.read(lambda session, _now: session.scalar(query)) != caller.account_id:
        raise Overloaded()


def _token_sent() -> str:
    match = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        raise Unauthenticated()
    return match[1]


def _caller(session: Session, digest: bytes, now: datetime) -> Caller:
    """One read. A login that ended and an account that closed are the same as none."""
    found = session.execute(_LOGIN, {"digest": digest}).one_or_none()
    if found is None or not found[0].is_live(now=now):
        raise Unauthenticated()
    login, provider, app = found
    return Caller(login.account_id, login.id, login.platform_identity_id, provider, app)


# Made once: every request of a patient begins with it.
_LOGIN = (
    select(LoginSession, PlatformIdentity.provider, PlatformIdentity.app)
    .join(PlatformIdentity, PlatformIdentity.id == LoginSession.platform_identity_id)
    .join(Account, Account.id == LoginSession.account_id)
    .where(
        LoginSession.token_hash == bindparam("digest"),
        PlatformIdentity.account_id == LoginSession.account_id,
        Account.closed_at.is_(None),
        Account.joined_into_id.is_(None),
    )
)
