"""Replies that are the same for everybody: an ETag on each, and one fill a second where many ask at once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, current_app, request
from marshmallow import Schema
from sqlalchemy.orm import Session

from core.idempotency import StoredReply
from miniapp_api.command import dump, respond
from miniapp_api.services import services

_SHARED_SECONDS = 1
_MOST_ENTRIES = 256
EXTENSION = "yuezhen-shared-replies"
SHARED = "yuezhen.shared"
"""Under which name `ready.py` finds in a request's environment what was shared."""

Look = Callable[[Session, datetime], Any]


def reading_public(look: Look, schema: Schema, *, seconds: int) -> Response:
    """As `reading`, for what anybody may keep for `seconds` and then ask about by its ETag.

    Raises: what `look` raises, Overloaded."""
    return _conditional(_tagged(look, schema), f"public, max-age={seconds}")


def reading_private(look: Look, schema: Schema) -> Response:
    """As `reading`, with an ETag, for a reply that tells where somebody is. Raises: as `reading_public`."""
    return _conditional(_tagged(look, schema), "private, no-cache")


def reading_shared(key: Hashable, look: Look, schema: Schema) -> Response:
    """As `reading_public`, filled at most once a second in this process, however many ask: the others wait for it.

    What it tells is up to a second old, and a moment more while it is filled anew (`ready.py`): nothing may be decided
    by it. Raises: as `reading_public`."""
    flight: SingleFlight = current_app.extensions.setdefault(EXTENSION, SingleFlight())
    tagged, until = flight.find(key, lambda: _tagged(look, schema))
    route = request.url_rule
    request.environ[SHARED] = Shared(route.rule if route else "", flight, tagged, until)
    return _conditional(tagged, f"public, max-age={_SHARED_SECONDS}")


@dataclass(frozen=True)
class Tagged:
    """The bytes of a reply with their fingerprint, both made once."""

    body: bytes
    etag: str


class SingleFlight:
    """A memory of one second: per key one caller fills it, and whoever asks meanwhile gets the same.

    A failure reaches all who waited for it, and is not remembered."""

    def __init__(self, *, seconds: float = _SHARED_SECONDS, most: int = _MOST_ENTRIES) -> None:
        self._seconds, self._most = seconds, most
        self._guard = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[float, Future[Tagged]]] = OrderedDict()

    def get(self, key: Hashable, fill: Callable[[], Tagged]) -> Tagged:
        """Raises: what `fill` raises."""
        return self.find(key, fill)[0]

    def find(self, key: Hashable, fill: Callable[[], Tagged]) -> tuple[Tagged, float]:
        """And until when (`time.monotonic()`) others get it. Raises: what `fill` raises."""
        with self._guard:
            until, standing = self._entries.get(key, (0.0, None))
            if standing is not None and time.monotonic() < until:
                mine = None
            else:
                until, standing = self._place(key)
                mine = standing
        if mine is not None:
            self._fill(key, mine, fill)
        return standing.result(), until

    def _place(self, key: Hashable) -> tuple[float, Future[Tagged]]:
        """Under the guard. The oldest entries make room."""
        entry = time.monotonic() + self._seconds, Future[Tagged]()
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)
        return entry

    def _fill(self, key: Hashable, future: Future[Tagged], fill: Callable[[], Tagged]) -> None:
        try:
            future.set_result(fill())
        except BaseException as error:
            with self._guard:
                if self._entries.get(key, (0.0, None))[1] is future:
                    del self._entries[key]
            future.set_exception(error)


@dataclass(frozen=True)
class Shared:
    """What `flight` gives to whoever asks that route before `until` (`time.monotonic()`)."""

    route: str
    flight: SingleFlight
    tagged: Tagged
    until: float


def _tagged(look: Look, schema: Schema) -> Tagged:
    body = services().workbench.transactions.read(lambda session, now: dump(schema, look(session, now)))
    return Tagged(body, hashlib.sha256(body).hexdigest()[:32])


def _conditional(tagged: Tagged, cache_control: str) -> Response:
    response = respond(StoredReply(200, tagged.body))
    response.headers["Cache-Control"] = cache_control
    response.set_etag(tagged.etag)
    response.make_conditional(request)
    return response
