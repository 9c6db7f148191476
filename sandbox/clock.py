"""The sandbox's clock for lifetimes (codes, tokens, orders, schedules); signed stamps never use it.

It is real time plus an offset that `/control/clock` moves, so that an expiry of hours can be tested at once. Signatures
are stamped and checked with real time always: a client compares them with its own clock.
"""

import time
from datetime import UTC, datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))


class Clock:
    """Real time plus an offset in seconds."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def now(self) -> float:
        """Seconds since 1970, moved by the offset."""
        return time.time() + self.offset


def real_now() -> int:
    """Whole seconds of real time: what a signature is stamped with."""
    return int(time.time())


def china_time(instant: float) -> str:
    """`2018-06-08T10:34:56+08:00`, as the platform writes instants (protocol section 4.4)."""
    return datetime.fromtimestamp(int(instant), CHINA).isoformat()


def utc_time(instant: float) -> str:
    """RFC 3339 in UTC with milliseconds, as `/control` writes instants."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
