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
        given = request.headers.get("Authorization", "")
        if not secrets.compare_digest(given.encode("utf-8", "replace"), f"Bearer {token}".encode()):
            raise ControlError(401, "unauthenticated", "Authorization: Bearer <SANDBOX_TOKEN>")
        return
    # Without a token the only wall is loopback, and a browser's page could reach through it: by a name that resolves
    # to 127.0.0.1, or by a cross-site form.
    host = urlsplit(f"//{request.host}").hostname or ""
    if not is_loopback(host):
        raise ControlError(403, "forbidden", "a loopback Host is needed where no token is set")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise ControlError(403, "forbidden", "cross-site request")
