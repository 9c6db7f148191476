"""Who may use `/control`: whoever holds the token, or, without one, programs of this machine."""

import secrets
from urllib.parse import urlsplit

from flask import request

from sandbox.config import is_loopback
from sandbox.context import this_sandbox
from sandbox.control.body import ControlError


def check_access() -> None:
    """Refuse strangers. Raises: ControlError 401 or 403."""
    token = this_sandbox().settings.token
    if token is not None:
        if not is_same(request.headers.get("Authorization", ""), f"Bearer {token}"):
            raise ControlError(401, "unauthenticated", "Authorization: Bearer <SANDBOX_TOKEN>")
        return
    check_loopback()
    check_origin()


def check_loopback() -> None:
    """Refuse a page that reaches through loopback by a name that resolves to it. Raises: ControlError 403."""
    host = urlsplit(f"//{request.host}").hostname or ""
    if not is_loopback(host):
        raise ControlError(403, "forbidden", "a loopback Host is needed where no token is set")


def check_origin() -> None:
    """Refuse what another site's page sends. Raises: ControlError 403."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise ControlError(403, "forbidden", "cross-site request")


def is_same(given: str, expected: str) -> bool:
    """Compare secrets in constant time."""
    return secrets.compare_digest(given.encode("utf-8", "replace"), expected.encode())
