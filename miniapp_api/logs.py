"""Logs: one JSON object a line for everything, ours and the libraries', with masking as the last step.

Masked by key (names, tokens, openids …) and by pattern (resident IDs, mobile numbers, bearer tokens, openids), after
tracebacks were written out, so that nothing slips past inside one. Line breaks and control characters are escaped.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from flask import Flask, Response, g, request
from structlog.typing import EventDict, Processor

from miniapp_api.auth import caller_or_none

MASK = "[masked]"
_HANDLER = "yuezhen"
_OWN_KEYS = frozenset({"level", "logger", "timestamp", "request_id"})
_SHORTEST_SECRET = 11
_SECRET_KEY = re.compile(
    r"token|authorization|cookie|open_?id|union_?id|phone|mobile|secret|password|passwd|api_?v3_?key|private_?key"
    r"|session_?key|id_?number|id_?card|cert_?(no|name)|address|email|insurance|complaint|allerg"
    r"|^(name|code|js_code|otp|sign|signature|body|payload|payer|subject|client_params|url|query)$|_name$",
    re.IGNORECASE,
)
_UUID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
_BIRTH = r"(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_PATTERNS = (
    # No word boundaries: a number may be glued to a quote, a letter or a Chinese character.
    re.compile(rf"(?<!\d)[1-9]\d{{5}}{_BIRTH}\d{{3}}[\dXx](?!\d)"),
    re.compile(r"(?<!\d)(?:00)?(?:86)?1[3-9]\d{9}(?!\d)"),
    re.compile(r"(?<![0-9A-Za-z])(?:86[ -]?)?1[3-9]\d[ -]\d{4}[ -]\d{4}(?![0-9A-Za-z])"),
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=\-]+"),
    # An openid, and a token of ours: 28 and 43 letters that no word has.
    re.compile(r"(?<![A-Za-z0-9_-])o[A-Za-z0-9_-]{27}(?![A-Za-z0-9_-])"),
    re.compile(
        r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-]))(?=[A-Za-z_-]*\d)(?=[a-z0-9_-]*[A-Z])(?=[A-Z0-9_-]*[a-z])"
        r"[A-Za-z0-9_-]{43}"
    ),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
    re.compile(r"(?i)((?:token|secret|code|session_key|openid|sign|signature)=)[^&\s\"']+"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    # What a failed statement was given, and the row that PostgreSQL tells beside it.
    re.compile(r"(\[parameters: )[^\n]*"),
    re.compile(r"(DETAIL: +)[^\n]*"),
)

_ACCESS = "miniapp_api.access"
_access = logging.getLogger(_ACCESS)


def configure(level: str) -> None:
    """Send every logger of the process through one handler to stderr. Doing it again changes the level only."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    root = logging.getLogger()
    if all(handler.name != _HANDLER for handler in root.handlers):
        handler = _Stderr()
        handler.name = _HANDLER
        handler.setFormatter(formatter(shared))
        root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells at each look where it looks
    logging.captureWarnings(True)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is now, not to what it was when logging began."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: TextIO) -> None:
        """Given by the base class; stays without effect."""


class _Written(str):
    """A whole line, made by `request_line`."""

    __slots__ = ()


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Writes out what is not written yet."""

    def format(self, record: logging.LogRecord) -> str:
        return record.msg if isinstance(record.msg, _Written) else super().format(record)


def formatter(shared: list[Processor]) -> logging.Formatter:
    """The one way from an event to a line, but for those of `request_line`."""
    return _Formatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            mask,
            structlog.processors.JSONRenderer(),
        ],
    )


def mask(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """The last step before a line is written. What this file puts into a line itself is left alone."""
    return {key: value if key in _OWN_KEYS else _by_key(key, value) for key, value in event.items()}


def _by_key(key: str, value: Any) -> Any:
    if value is not None and _SECRET_KEY.search(key):
        return MASK
    return _masked(value)


def _masked(value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        masked = _text(str(value))
        return masked if MASK in masked else value
    if isinstance(value, Mapping):
        return {str(key): _by_key(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(inner) for inner in value]
    return _text(str(value))


def _text(text: str) -> str:
    """Ids of ours pass untouched, even where their digits look like a telephone."""
    if _UUID.fullmatch(text) or (len(text) < _SHORTEST_SECRET and not {"=", ":"} & set(text)):
        return text
    parts = _UUID.split(text)
    return "".join(part if position % 2 else _without_secrets(part) for position, part in enumerate(parts))


def _without_secrets(text: str) -> str:
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1{MASK}" if pattern.groups else MASK, text)
    return text


def register(app: Flask) -> None:
    """One line for each request: its route and never its path, who asked, what came of it and how long it took."""
    app.before_request(_start)
    app.after_request(_finish)


def _start() -> None:
    g.started = time.monotonic()


def _finish(response: Response) -> Response:
    caller = caller_or_none()
    request_line(
        request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        problem_code=g.get("problem_code"),
        started=g.started,
        account_id=str(caller.account_id) if caller else None,
        context=structlog.contextvars.get_contextvars(),
    )
    return response


def request_line(
    method: str,
    *,
    route: str | None,
    status: int,
    problem_code: str | None,
    started: float,
    account_id: str | None,
    context: Mapping[str, Any],
) -> None:
    """The line of one request. There is one for each, so that it is written out here and masked only where it must be:
    route, code and id are words of ours, a method of no kind is not repeated, and `context`, which holds what the
    caller sent, goes through `mask` as everywhere. `started` is a `time.monotonic()`."""
    if not _access.isEnabledFor(logging.INFO):
        return
    line = {
        "method": method if method in _METHODS else "other",
        "route": route,
        "status": status,
        "problem_code": problem_code,
        "ms": round((time.monotonic() - started) * 1000, 1),
        "account_id": account_id,
        "event": "request",
        **mask(None, "", dict(context)),
        "level": "info",
        "logger": _ACCESS,
        "timestamp": f"{datetime.now(UTC).replace(tzinfo=None).isoformat()}Z",
    }
    text = _Written(json.dumps(line))
    _access.handle(_access.makeRecord(_ACCESS, logging.INFO, __file__, 0, text, (), None))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
