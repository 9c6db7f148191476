"""The only file that knows both the core's errors and HTTP: any failure → application/problem+json (RFC 9457).

The body never holds a stack trace, SQL or a secret; `instance` is the request id that the log lines carry.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import structlog
from blinker import Namespace
from flask import Flask, Response, g, request
from marshmallow import ValidationError
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.datastructures import LanguageAccept
from werkzeug.exceptions import ClientDisconnected, HTTPException
from werkzeug.http import parse_accept_header

from core.ports import LoginRefused, ProviderError
from core.refusals import NotEligible, Restricted
from core.registry import NotConfigured
from miniapp_api.body import escape_pointer
from miniapp_api.field_words import FIELD_WORDS
from miniapp_api.problems import PROBLEMS, STATUS_CODES, Words
from miniapp_api.restricted_words import why_restricted
from miniapp_api.services import services
from models.errors import DomainError, FieldError, Unauthenticated, ValidationFailed
from models.sealing import SealBroken
from schemas.base import instant_text
from schemas.facts import facts_in_json
from schemas.guards_in_words import why_not_eligible
from schemas.words import Words as Sentences

PROBLEM_TYPE = "application/problem+json"
LANGUAGES = ("zh-CN", "zh", "en")
_MOST_FIELDS = 50
_PROVIDER_CODES: tuple[tuple[type[ProviderError], str], ...] = (
    (LoginRefused, "login_failed"),
    (NotConfigured, "validation_failed"),
    (ProviderError, "provider_unavailable"),
)

problem_sent = Namespace().signal("problem-sent")
"""Sent for every problem with `endpoint` (None for an unknown path) and `code`, so that tests can compare."""

log = structlog.get_logger()


def register(app: Flask) -> None:
    """Answer every failure of `app` from here."""
    app.register_error_handler(DomainError, _refusal)
    app.register_error_handler(ProviderError, _provider_failure)
    app.register_error_handler(ValidationError, _bad_payload)
    app.register_error_handler(HTTPException, _http_failure)
    app.register_error_handler(OperationalError, _database_away)
    app.register_error_handler(PoolTimeout, _database_away)
    for silence in (BlockingIOError, ClientDisconnected):
        app.register_error_handler(silence, _fell_silent)
    app.register_error_handler(SealBroken, _seal_broken)
    app.register_error_handler(Exception, _crash)


def code_of(refusal: type[DomainError] | type[ProviderError]) -> str:
    """The code that a patient sees when this is raised."""
    if issubclass(refusal, DomainError):
        return refusal.code
    return next(code for kind, code in _PROVIDER_CODES if issubclass(refusal, kind))


def title_of(error: DomainError) -> str:
    """One plain sentence in the language of this request: the code's title, or what the facts come to."""
    said = _title(error)
    return said.en if _speaks_english() else said.zh


def sentences_of(error: DomainError) -> Sentences:
    """The same in both languages, with what may be done about it."""
    title, detail = _title(error), _detail(error.code, error.facts, error.retry_at)
    return Sentences(f"{title.zh.rstrip('。')}。{detail.zh}", f"{title.en.rstrip('.')}. {detail.en}")


def _title(error: DomainError) -> Sentences:
    if isinstance(error, NotEligible):
        return why_not_eligible(error.facts)
    row = PROBLEMS[error.code]
    return Sentences(row.zh.title, row.en.title)


def _detail(code: str, facts: Mapping[str, Any], retry_at: datetime | None) -> Sentences:
    """What helps: the code's second sentence, or what the facts come to."""
    by_facts = why_restricted(facts, until=retry_at) if code == Restricted.code else None
    row = PROBLEMS[code]
    return by_facts or Sentences(row.zh.detail, row.en.detail)


def problem(
    code: str,
    *,
    fields: Iterable[FieldError] = (),
    retry_at: datetime | None = None,
    facts: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The reply for one code. `fields` point into the payload; `facts` are for the caller's own eyes."""
    english = _speaks_english()
    errors = [_field(error, english) for error in fields][:_MOST_FIELDS]
    text = document(
        code, english=english, request_id=g.get("request_id", ""), errors=errors, retry_at=retry_at, facts=facts
    )
    response = Response(text, status=PROBLEMS[code].status, content_type=PROBLEM_TYPE)
    response.headers.update(language_headers(english=english))
    if retry_at is not None:
        response.headers["Retry-After"] = retry_after(retry_at, now=_now())
    response.headers.update(headers or {})
    g.problem_code = code
    problem_sent.send(None, endpoint=request.endpoint, code=code)
    return response


def document(
    code: str,
    *,
    english: bool,
    request_id: str,
    errors: list[dict[str, str]] | None = None,
    retry_at: datetime | None = None,
    facts: Mapping[str, Any] | None = None,
) -> bytes:
    """The body of the reply for one code."""
    words, detail = PROBLEMS[code].en if english else PROBLEMS[code].zh, _detail(code, facts or {}, retry_at)
    body: dict[str, Any] = {
        "type": f"urn:yuezhen:problem:{code}",
        "title": words.title,
        "status": PROBLEMS[code].status,
        "detail": detail.en if english else detail.zh,
        "code": code,
        "instance": f"urn:uuid:{request_id}",
    }
    body |= {"errors": errors} if errors else {}
    body |= {"retry_at": instant_text(retry_at)} if retry_at else {}
    body |= {"facts": facts_in_json(facts)} if facts else {}
    # A caller's own key may stand in a pointer; a half character in it must not break the reply.
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")


def language_headers(*, english: bool) -> dict[str, str]:
    return {"Content-Language": "en" if english else "zh-CN", "Vary": "Accept-Language"}


def retry_after(retry_at: datetime, *, now: datetime) -> str:
    """Whole seconds, as the header has them."""
    return str(max(1, math.ceil((retry_at - now).total_seconds())))


@lru_cache(maxsize=256)
def prefers_english(accept_language: str) -> bool:
    """Whether a caller who sends this header is answered in English."""
    wanted = parse_accept_header(accept_language, LanguageAccept)
    return wanted.best_match(LANGUAGES, default="zh-CN") == "en"


def flatten(messages: Mapping[Any, Any] | list[Any], *, at: str = "#") -> list[FieldError]:
    """marshmallow's nested messages as a list of pointers and codes."""
    if isinstance(messages, list):
        return [
            error
            for message in messages
            for error in (
                [FieldError(at, _code_word(message))] if isinstance(message, str) else flatten(message, at=at)
            )
        ]
    return [
        error
        for key, inner in messages.items()
        for error in flatten(inner, at=at if key == "_schema" else f"{at}/{escape_pointer(str(key))}")
    ]


def _code_word(message: str) -> str:
    return message if message.isidentifier() and message.islower() else "invalid"


def _field(error: FieldError, english: bool) -> dict[str, str]:
    detail = error.detail or FIELD_WORDS.get(error.code, (error.code, error.code))[english]
    return {"pointer": error.pointer, "code": error.code, "detail": detail}


def _refusal(error: DomainError) -> Response:
    return problem(
        error.code,
        fields=error.errors if isinstance(error, ValidationFailed) else (),
        retry_at=error.retry_at,
        facts=error.facts,
        headers={"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else None,
    )


def _provider_failure(error: ProviderError) -> Response:
    log.warning("provider_failed", kind=type(error).__name__, exc_info=error)
    return problem(code_of(type(error)))


def _bad_payload(error: ValidationError) -> Response:
    return problem("validation_failed", fields=flatten(error.messages))


def _http_failure(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return Response(status=status, headers=_own_headers(error))
    fallback = "malformed_request" if status < 500 else "internal_error"
    return problem(STATUS_CODES.get(status, fallback), headers=_own_headers(error))


def _own_headers(error: HTTPException) -> dict[str, str]:
    """Allow and Retry-After belong to the answer; its HTML type does not."""
    return {name: value for name, value in error.get_headers() if name.lower() != "content-type"}


def _database_away(error: SQLAlchemyError) -> Response:
    """Outside of a transaction, as when the clock is asked: what is in one becomes Overloaded there."""
    log.error("database_away", exc_info=error)
    return problem("overloaded")


def _fell_silent(_error: BlockingIOError | ClientDisconnected) -> Response:
    """The client stopped in the middle of its body; `gunicorn.conf.py` says how long is too long. Where werkzeug counts
    what it reads, it takes a silence for a hanging up, after which nobody hears the answer anyway."""
    return problem("request_timeout")


def _seal_broken(error: SealBroken) -> Response:
    """A key is wrong or missing, or a row was tampered with: a person has to look. The trace says where it was met."""
    log.error("seal_broken", reason=error.reason, key_id=error.key_id, alarm=True, exc_info=error)
    return problem("internal_error")


def _crash(error: Exception) -> Response:
    log.error("crashed", exc_info=error)
    return problem("internal_error")


def _words(code: str) -> Words:
    row = PROBLEMS[code]
    return row.en if _speaks_english() else row.zh


def _speaks_english() -> bool:
    return prefers_english(request.headers.get("Accept-Language", ""))


def _now() -> datetime:
    try:
        return services().workbench.transactions.clock.now()
    except SQLAlchemyError:  # the database is away: the machine's own clock is good enough to say "later"
        return datetime.now(UTC)
