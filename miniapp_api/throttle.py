"""At most so many a second, in one app of this process."""

from __future__ import annotations

import threading
import time


class Throttle:
    """Admits up to `per_second` calls in each second of the machine's clock."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._guard = threading.Lock()
        self._second, self._admitted = 0, 0

    def admits(self) -> bool:
        second = int(time.monotonic())
        with self._guard:
            if second != self._second:
                self._second, self._admitted = second, 0
            self._admitted += 1
            return self._admitted <= self._per_second
