"""Who calls. Declared on the blueprint: a login, nobody in particular, or a platform's signature."""

from __future__ import annotations

import re
from enum import StrEnum

from flask import g, request
from sqlalchemy import select

from core.identity.caller import Caller, find_caller
from core.transactions import Overloaded
from miniapp_api.services import services
from models.account import LoginSession
from models.errors import Unauthenticated

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
    query = select(LoginSession.account_id).where(LoginSession.id == caller.session_id)
    found = services().workbench.transactions.find(query, {})
    if found is None or found.account_id != caller.account_id:
        raise Overloaded()


def _token_sent() -> str:
    match = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        raise Unauthenticated()
    return match[1]
