"""Half days of which this process said within the last second that nothing is left: whoever asks for the same again is
looked at once (`core/booking/nothing_left.py`), and only where that cannot tell goes the whole way of a booking.

What is remembered is a hint, never an answer: that everything else about such a wish was in order a moment ago.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import replace
from typing import cast
from uuid import UUID

from flask import Flask, current_app

from core.booking.nothing_left import Asking, still_full
from core.booking.rules.evaluation import full
from core.booking.wish import Wish
from core.transactions import Transactions
from miniapp_api.command import key_sent
from models.errors import DomainError

_EXTENSION = "yuezhen-full-lately"
_SECONDS = 1.0
_MOST_WISHES = 1_000
_ANYBODY = UUID(int=0)


class FullLately:
    """By what was wished, whoever it was for: how that was refused, and until when (`time.monotonic()`) it counts."""

    def __init__(self, *, seconds: float = _SECONDS) -> None:
        self.seconds = seconds
        self._guard = threading.Lock()
        self._said: OrderedDict[Wish, tuple[str, float]] = OrderedDict()

    def refuse_again(self, transactions: Transactions, wish: Wish, *, account_id: UUID) -> None:
        """Raises: SoldOut, NumbersInFlight, Overloaded."""
        code, until = self._said.get(_for_anybody(wish), ("", 0.0))
        key = key_sent()
        if key is None or wish.told is not None or wish.visit_card_id is not None or time.monotonic() >= until:
            return
        now = transactions.clock.now()
        left = still_full(transactions, Asking(account_id, key, wish.schedule_id, wish.dependent_id), now=now)
        refusal = None if left is None else full(left, now=now)
        if refusal is not None and refusal.code == code:
            raise refusal

    def remember(self, wish: Wish, refusal: DomainError) -> None:
        with self._guard:
            shape = _for_anybody(wish)
            self._said[shape] = refusal.code, time.monotonic() + self.seconds
            self._said.move_to_end(shape)
            while len(self._said) > _MOST_WISHES:
                self._said.popitem(last=False)


def register(app: Flask) -> None:
    app.extensions[_EXTENSION] = FullLately()


def full_lately() -> FullLately:
    """Of the app that serves this request."""
    return cast(FullLately, current_app.extensions[_EXTENSION])


def _for_anybody(wish: Wish) -> Wish:
    return replace(wish, dependent_id=_ANYBODY, complaint=None, visit_card_id=None)
