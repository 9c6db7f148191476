"""Counting over a sliding window in the memory of this process, without a thread of its own.

Two neighbouring windows are kept. The older one counts by the share of it that still lies within one window's length
from now. When a window is over both move on, so that forgetting costs nothing, however many have asked.
"""

from __future__ import annotations

import threading
import time
from math import floor


class SlidingWindow:
    """At most `amount` of each key in any `seconds`."""

    def __init__(self, amount: int, seconds: int) -> None:
        self._amount, self._seconds = amount, seconds
        self._guard = threading.Lock()
        self._number = 0
        self._before: dict[str, int] = {}
        self._now: dict[str, int] = {}

    def use(self, key: str) -> float:
        """Count one of `key` and return 0, or count nothing and return how many seconds to wait."""
        with self._guard:
            number, share = divmod(time.time() / self._seconds, 1)
            self._move_on(int(number))
            before, counted = self._before.get(key, 0), self._now.get(key, 0)
            if floor(before * (1 - share) + counted) < self._amount:
                self._now[key] = counted + 1
                return 0.0
            return self._wait(before, counted, left=(1 - share) * self._seconds)

    def _move_on(self, number: int) -> None:
        if number != self._number:
            self._before = self._now if number == self._number + 1 else {}
            self._now, self._number = {}, number

    def _wait(self, before: int, counted: int, *, left: float) -> float:
        """Until the older window lets go of one more, or the younger one ends: whichever comes first."""
        waits = [left] if counted else []
        if before:
            waits.append(left % (self._seconds / before))
        return max(1.0, min(waits, default=1.0))
