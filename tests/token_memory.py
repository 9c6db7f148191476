"""A TokenStore in memory, for adapters that many threads use and whose tokens end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock


def _utc_now() -> datetime:
    return datetime.now(UTC)


class TokenMemory:
    """Counts in `reads` how often each name was read by those who must not fetch."""

    def __init__(self, clock: Callable[[], datetime] = _utc_now) -> None:
        self.kept: dict[str, str] = {}
        self.reads: dict[str, int] = {}
        self._ends: dict[str, datetime] = {}
        self._clock = clock
        self._fetching = Lock()

    def token(self, name: str, fetch: Callable[[], tuple[str, timedelta]], *, rejected: str | None = None) -> str:
        with self._fetching:
            now = self._clock()
            if name not in self.kept or self.kept[name] == rejected or now >= self._ends.get(name, now):
                self.kept[name], lasts = fetch()
                self._ends[name] = now + lasts
            return self.kept[name]

    def stored(self, name: str) -> str | None:
        self.reads[name] = self.reads.get(name, 0) + 1
        return self.kept.get(name)
