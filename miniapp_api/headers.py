"""Every request gets an id, and every reply the headers that keep it private and harmless."""

from __future__ import annotations

import re

import structlog
from flask import Flask, Response, g, request

from miniapp_api.config import Config
from models.base import new_id

REQUEST_ID = "X-Request-Id"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_ONE_YEAR = "max-age=31536000; includeSubDomains"


def always_sent(config: Config) -> dict[str, str]:
    """With every reply, but for the request id."""
    return _SECURITY | ({"Strict-Transport-Security": _ONE_YEAR} if config.is_production else {})


def register(app: Flask, config: Config) -> None:
    """A route that sets one of these headers itself keeps its own."""
    added = always_sent(config)

    def _finish(response: Response) -> Response:
        for name, value in added.items():
            response.headers.setdefault(name, value)
        response.headers[REQUEST_ID] = g.get("request_id", "")
        return response

    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    context = request_context(request.headers.get(REQUEST_ID, ""))
    g.request_id = context["request_id"]
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**context)


def request_context(sent: str) -> dict[str, str]:
    """What every line of a request carries. The id is ours; a sane one that was sent along is only logged, so that both
    sides can be matched."""
    context = {"request_id": str(new_id())}
    if _SANE_ID.fullmatch(sent):
        context["caller_request_id"] = sent
    return context
