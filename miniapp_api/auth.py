"""Who calls. Declared on the blueprint: a login, nobody in particular, or a platform's signature."""

from __future__ import annotations

import re
from enum import StrEnum

from flask import g, request
from sqlalchemy import bindparam, select

from core.identity.caller import Caller, find_caller
from core.transactions import Overloaded
from miniapp_api.services import services
from models.account import LoginSession
from models.errors import Unauthenticated

_LED_TO = select(LoginSession.account_id).where(LoginSession.id == bindparam("login_id"))
_BEARER = re.compile(r"bearer +([A-Za-z0-9_\-]{20,128})", re.IGNORECASE)


class Auth(StrEnum):
    """What a blueprint asks of its callers."""

    LOGIN = "login"
    NONE = "none"
    SIGNATURE = "signature"


def require_login() -> None:
    """Set the caller of this request from its bearer token.

    Raises: Unauthenticated, Overloaded."""
    found = find_caller(services().workbench.transactions, _token_sent())
    if found is None:
        raise Unauthenticated()
    g.caller = found


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
    found = services().workbench.transactions.find(_LED_TO, {"login_id": caller.session_id})
    if found is None or found.account_id != caller.account_id:
        raise Overloaded()


def bearer_in(authorization: str) -> str | None:
    """The token that such a header carries."""
    match = _BEARER.fullmatch(authorization)
    return None if match is None else match[1]


def _token_sent() -> str:
    token = bearer_in(request.headers.get("Authorization", ""))
    if token is None:
        raise Unauthenticated()
    return token
