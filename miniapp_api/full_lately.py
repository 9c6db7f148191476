"""Wishes of which this process said within the last second that nothing is left for them.

What is remembered is a hint, never an answer: that everything else about such a wish was in order a moment ago.
`miniapp_api/full_at_once.py` asks the database about whoever wishes the same.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast

from flask import current_app

from core.refusals import SoldOut
from models.errors import DomainError

EXTENSION = "yuezhen-full-lately"
_SECONDS = 1.0
_MOST_WISHES = 1_000
_OF_ONE_PATIENT = frozenset({"complaint", "visit_card_id"})


class FullLately:
    """By what was wished, whoever it was for: how that was refused, and until when (`time.monotonic()`) it counts."""

    def __init__(self, *, seconds: float = _SECONDS) -> None:
        self.seconds = seconds
        self._guard = threading.Lock()
        self._said: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._until = 0.0

    def is_empty(self) -> bool:
        """Whether nothing was said within the last second."""
        return time.monotonic() >= self._until

    def code_said(self, wish: Mapping[str, Any]) -> str | None:
        """How whoever wished the same was refused within the last second."""
        code, until = self._said.get(_shape(wish), ("", 0.0))
        return code if time.monotonic() < until else None

    def remember(self, wish: Mapping[str, Any], refusal: DomainError) -> None:
        """`wish` is the body of a request that was in order."""
        if not _OF_ONE_PATIENT.isdisjoint(wish):
            return
        if "segment_starts_at" in wish and not isinstance(refusal, SoldOut):
            return  # what may return is counted of the whole half day
        with self._guard:
            shape, self._until = _shape(wish), time.monotonic() + self.seconds
            self._said[shape] = refusal.code, self._until
            self._said.move_to_end(shape)
            while len(self._said) > _MOST_WISHES:
                self._said.popitem(last=False)


def full_lately() -> FullLately:
    """Of the app that serves this request."""
    return cast(FullLately, current_app.extensions[EXTENSION])


def _shape(wish: Mapping[str, Any]) -> str:
    """Letter by letter what was sent, but for whom: 1500 is not 1500.0, of which only one may be in order."""
    return json.dumps({name: value for name, value in wish.items() if name != "dependent_id"}, sort_keys=True)
