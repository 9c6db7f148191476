"""Counting over a sliding window for all processes together, in Redis. While Redis is away each counts for itself.

Redis holds nothing but these counters, each for two lengths of its window; who loses them forgives what was used.
"""

from __future__ import annotations

import threading
import time

import structlog
from limits import RateLimitItem
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from miniapp_api.windows import SlidingWindow

_PATIENCE_SECONDS = 0.25  # a patient must not wait for a counter
_AWAY_SECONDS = 5.0

log = structlog.get_logger()


class SharedCounters:
    """A Redis for counters, and whether it has answered of late. Opens no connection before the first count."""

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool.from_url(
            url.replace("redis+unix:", "unix:", 1),
            socket_timeout=_PATIENCE_SECONDS,
            socket_connect_timeout=_PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._limiter = SlidingWindowCounterRateLimiter(
            RedisStorage(url, connection_pool=self._pool, key_prefix="yuezhen-limits")
        )
        self._guard = threading.Lock()
        self._away_until = 0.0

    def use(self, limit: RateLimitItem, name: str, key: str) -> float | None:
        """As `SlidingWindow.use`; None while Redis does not answer, which is asked again every few seconds."""
        with self._guard:
            if time.monotonic() < self._away_until:
                return None
        try:
            if self._limiter.hit(limit, name, key):
                return 0.0
            return max(1.0, self._limiter.get_window_stats(limit, name, key).reset_time - time.time())
        except RedisError as error:
            with self._guard:
                self._away_until = time.monotonic() + _AWAY_SECONDS
            log.warning("redis_away", kind=type(error).__name__)
            return None

    def close(self) -> None:
        """Let go of every connection."""
        self._pool.disconnect()


class SharedWindow:
    """At most so many of each key in any window, whichever process is asked."""

    def __init__(self, counters: SharedCounters, limit: RateLimitItem, name: str) -> None:
        self._counters, self._limit, self._name = counters, limit, name
        self._own = SlidingWindow(limit.amount, limit.get_expiry())

    def use(self, key: str) -> float:
        """Count one of `key` and return 0, or count nothing and return how many seconds to wait."""
        wait = self._counters.use(self._limit, self._name, key)
        return self._own.use(key) if wait is None else wait
