"""In front of Flask: whoever asks for a number of a half day of which this process said within the last second that
nothing is left (`miniapp_api/full_lately.py`) is looked at by one statement, which also looks at their login and
serves all who ask at that moment (`core/booking/nothing_left.py`), and hears so again. In the minute of a release that
is most of what is asked.

They get the bytes and headers that Flask would send, with a request id and a line in the log of their own, and count
against the limits and in the fairness report as they would there. All that cannot be told for certain goes on to Flask.
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from flask import Flask
from structlog import get_logger
from structlog.contextvars import clear_contextvars

from core.booking.nothing_left import Asking, Full, still_full
from core.booking.rules.evaluation import full
from core.gathered import Gathered
from core.identity.login import token_digest
from core.json_objects import each_once
from core.transactions import Transactions
from miniapp_api import errors
from miniapp_api.auth import bearer_in
from miniapp_api.command import is_key
from miniapp_api.config import Config
from miniapp_api.full_lately import EXTENSION, FullLately
from miniapp_api.headers import REQUEST_ID, always_sent, request_context
from miniapp_api.limits import is_address_past_limit, limits_of
from miniapp_api.logs import request_line
from miniapp_api.refused import EXTENSION as REFUSED
from miniapp_api.services import EXTENSION as SERVICES
from models.errors import DomainError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = get_logger()

_ROUTE = "/api/v1/appointments"
_JSON = frozenset({"application/json", "application/json;charset=utf-8", "application/json; charset=utf-8"})
_LONGEST = 2_000
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class _Refused(NamedTuple):
    account_id: UUID
    schedule_id: UUID
    refusal: DomainError
    retry_after: str | None


class FullAtOnce:
    """The layer."""

    def __init__(self, app: Flask, inner: WSGIApplication, config: Config) -> None:
        self._app, self._inner = app, inner
        self._lately: FullLately = app.extensions[EXTENSION]
        self._always = list(always_sent(config).items())
        self._gathered = Gathered(self._look_for_all)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.monotonic()
        if self._lately.is_empty() or not _may_ask(environ):
            return self._inner(environ, start_response)
        try:
            refused = self._look(environ)
        except Exception:  # whatever it is, Flask has an answer
            log.warning("not_said_at_once", exc_info=True)
            refused = None
        if refused is None:
            return self._inner(environ, start_response)
        return self._tell(refused, environ, start_response, started=started)

    def _look(self, environ: WSGIEnvironment) -> _Refused | None:
        """Raises: Overloaded, SQLAlchemyError."""
        clear_contextvars()
        token, key = bearer_in(environ.get("HTTP_AUTHORIZATION", "")), environ.get("HTTP_IDEMPOTENCY_KEY", "")
        if token is None or not is_key(key) or is_address_past_limit(self._app, environ):
            return None
        wish = _wish_in(_read(environ))
        code = None if wish is None else self._lately.code_said(wish)
        if wish is None or code is None:
            return None
        schedule_id, now = UUID(wish["schedule_id"]), self._transactions.clock.now()
        found = self._gathered.ask(Asking(token_digest(token), key, schedule_id, UUID(wish["dependent_id"])))
        refusal = None if found is None else full(found.left, now=now)
        if found is None or refusal is None or refusal.code != code:
            return None
        if limits_of(self._app).account.use(str(found.account_id)):
            return None
        wait = None if refusal.retry_at is None else errors.retry_after(refusal.retry_at, now=now)
        return _Refused(found.account_id, schedule_id, refusal, wait)

    def _look_for_all(self, asked: Sequence[Asking]) -> list[Full | None]:
        """Raises: Overloaded, SQLAlchemyError."""
        return still_full(self._transactions, asked)

    @property
    def _transactions(self) -> Transactions:
        transactions: Transactions = self._app.extensions[SERVICES].workbench.transactions
        return transactions

    def _tell(
        self, refused: _Refused, environ: WSGIEnvironment, start_response: StartResponse, *, started: float
    ) -> list[bytes]:
        refusal, context = refused.refusal, request_context(environ.get("HTTP_X_REQUEST_ID", ""))
        english, request_id = errors.prefers_english(environ.get("HTTP_ACCEPT_LANGUAGE", "")), context["request_id"]
        body = errors.document(
            refusal.code, english=english, request_id=request_id, retry_at=refusal.retry_at, facts=refusal.facts
        )
        self._app.extensions[REFUSED].count(refused.schedule_id, refusal.code)
        start_response(
            "409 CONFLICT",
            [
                ("Content-Type", errors.PROBLEM_TYPE),
                ("Content-Length", str(len(body))),
                *errors.language_headers(english=english).items(),
                *([] if refused.retry_after is None else [("Retry-After", refused.retry_after)]),
                *self._always,
                (REQUEST_ID, request_id),
            ],
        )
        request_line(
            "POST",
            route=_ROUTE,
            status=409,
            problem_code=refusal.code,
            started=started,
            account_id=str(refused.account_id),
            context=context,
        )
        return [body]


def register(app: Flask, config: Config) -> None:
    """Put the layer in front of `app`, behind whatever tells addresses apart."""
    app.extensions[EXTENSION] = FullLately()
    app.wsgi_app = FullAtOnce(app, app.wsgi_app, config)  # type: ignore[method-assign]


def _may_ask(environ: WSGIEnvironment) -> bool:
    """Whether it looks like a booking and nothing else, with a short body of a known length."""
    length = environ.get("CONTENT_LENGTH", "")
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ.get("PATH_INFO") == _ROUTE
        and not environ.get("SCRIPT_NAME")
        and not environ.get("QUERY_STRING")
        and environ.get("CONTENT_TYPE", "").lower() in _JSON
        and "HTTP_CONTENT_ENCODING" not in environ
        and "HTTP_TRANSFER_ENCODING" not in environ
        and length.isascii()
        and length.isdigit()
        and 0 < int(length) <= _LONGEST
    )


def _read(environ: WSGIEnvironment) -> bytes:
    """The body, which Flask can read again: as it was, or as the failure that it ended with."""
    try:
        body: bytes = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    except OSError as error:
        environ["wsgi.input"] = _Broken(error)
        return b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body


class _Broken(io.RawIOBase):
    """A body that could not be read, for whoever tries again."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        raise self._error


def _wish_in(body: bytes) -> dict[str, Any] | None:
    """What was sent, where it is an object with each key once that names whom it is for."""
    try:
        wish = json.loads(body.decode(), object_pairs_hook=each_once)
    except (ValueError, RecursionError):
        return None
    if not isinstance(wish, dict):
        return None
    ids = (wish.get("dependent_id"), wish.get("schedule_id"))
    return wish if all(isinstance(one, str) and _ID.fullmatch(one) for one in ids) else None
