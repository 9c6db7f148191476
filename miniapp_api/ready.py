"""Ready replies: in front of Flask, for exactly those open GETs that Flask answered by `reading_shared` within the last
second. Once it is over, one caller has Flask fill it anew, and the others get the old reply for a moment more: no crowd
queues in Flask every second for what is made once.

Whoever asks for the same path and query meanwhile gets the bytes and the headers that Flask sent, or its 304, with a
request id of their own and a line of their own in the log, and it counts against the limit of their address.

It fills nothing, decides nothing, knows no login and reads no body. All that it does not know for certain goes on to
Flask untouched: another method, a header that asks for a part or for a state, an address past its limit.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.http import is_resource_modified

from miniapp_api.cacheable import EXTENSION, SHARED, Shared
from miniapp_api.headers import REQUEST_ID, request_context
from miniapp_api.limits import is_address_past_limit
from miniapp_api.logs import request_line

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Key = tuple[str, str]
Head = tuple[str, list[tuple[str, str]]]

_MOST_ENTRIES = 256
_OTHER_CONDITIONS = frozenset(
    {"HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE", "HTTP_RANGE"}
)
_STATUSES = {"200": 200, "304": 304}
_MOMENT = 0.25
"""Seconds that a fill may take before everybody waits for it."""


@dataclass(frozen=True)
class _Ready:
    """One reply, by status the heads that Flask gave it so far, and the turn to have it filled anew. That is not given
    back: another reply follows, or its moment passes."""

    shared: Shared
    heads: dict[int, Head] = field(default_factory=dict)
    turn: threading.Lock = field(default_factory=threading.Lock)


class ReadyReplies:
    """The layer, and its memory of a second."""

    def __init__(self, app: Flask, inner: WSGIApplication) -> None:
        self._app, self._inner = app, inner
        self._guard = threading.Lock()
        self._ready: OrderedDict[Key, _Ready] = OrderedDict()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.monotonic()
        key = _key(environ)
        if key is None:
            return self._inner(environ, start_response)
        ready = self._ready.get(key)
        if ready is None or not self._is_live(ready, started):
            return self._ask(key, environ, start_response)
        status = _status(environ, ready.shared.tagged.etag)
        head = ready.heads.get(status)
        if head is None or is_address_past_limit(self._app, environ):
            return self._ask(key, environ, start_response)
        context = request_context(environ.get("HTTP_X_REQUEST_ID", ""))
        start_response(
            head[0], [(name, value if name != REQUEST_ID else context["request_id"]) for name, value in head[1]]
        )
        request_line(
            "GET",
            route=ready.shared.route,
            status=status,
            problem_code=None,
            started=started,
            account_id=None,
            context=context,
        )
        return [ready.shared.tagged.body] if status == 200 else []

    def _is_live(self, ready: _Ready, at: float) -> bool:
        if ready.shared.flight is not self._app.extensions.get(EXTENSION):
            return False
        late = at - ready.shared.until
        return late < 0 or (late < _MOMENT and not ready.turn.acquire(blocking=False))

    def _ask(self, key: Key, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Let Flask answer, and remember its head where what it sent was shared."""
        heads: list[Head] = []

        def hear(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
            heads.append((status, list(headers)))
            return start_response(status, headers, *more)

        body = self._inner(environ, hear)
        shared = environ.get(SHARED)
        if shared is not None and heads:
            self._keep(key, shared, heads[-1])
        return body

    def _keep(self, key: Key, shared: Shared, head: Head) -> None:
        status = _STATUSES.get(head[0][:3])
        if status is None:
            return
        with self._guard:
            ready = self._ready.get(key)
            if ready is None or ready.shared.tagged is not shared.tagged:
                ready = self._ready[key] = _Ready(shared)
                self._ready.move_to_end(key)
            ready.heads[status] = head
            while len(self._ready) > _MOST_ENTRIES:
                self._ready.popitem(last=False)


def register(app: Flask) -> None:
    """Put the layer in front of `app`, behind whatever tells addresses apart."""
    app.wsgi_app = ReadyReplies(app, app.wsgi_app)  # type: ignore[method-assign]


def _key(environ: WSGIEnvironment) -> Key | None:
    if environ["REQUEST_METHOD"] != "GET" or environ.get("SCRIPT_NAME") or not _OTHER_CONDITIONS.isdisjoint(environ):
        return None
    return environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")


def _status(environ: WSGIEnvironment, etag: str) -> int:
    asked, own = environ.get("HTTP_IF_NONE_MATCH"), f'"{etag}"'
    return 200 if asked is None or (asked != own and is_resource_modified(environ, own)) else 304
