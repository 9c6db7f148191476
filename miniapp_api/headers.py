"""Every request gets an id, and every reply the headers that keep it private and harmless."""

from __future__ import annotations

import re

import structlog
from flask import Flask, Response, g, request

from miniapp_api.config import Config
from models.base import new_id

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_ONE_YEAR = "max-age=31536000; includeSubDomains"


def register(app: Flask, config: Config) -> None:
    """A route that sets one of these headers itself keeps its own."""
    added = _SECURITY | ({"Strict-Transport-Security": _ONE_YEAR} if config.is_production else {})

    def _finish(response: Response) -> Response:
        for name, value in added.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-Id"] = g.get("request_id", "")
        return response

    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    """The id is ours; a sane one that was sent along is only logged, so that both sides can be matched."""
    g.request_id = str(new_id())
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    sent = request.headers.get("X-Request-Id", "")
    if _SANE_ID.fullmatch(sent):
        structlog.contextvars.bind_contextvars(caller_request_id=sent)
