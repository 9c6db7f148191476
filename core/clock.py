"""The one clock of every rule: the database's in production, injected in tests. No SQL rule calls now()."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import text

from models.database import Database

HOSPITAL_ZONE = ZoneInfo("Asia/Shanghai")
_MEASURE_EVERY = 5.0
_JUMP = timedelta(seconds=1)

log = structlog.get_logger()


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware, in UTC."""


def hospital_day(instant: datetime) -> date:
    """The calendar day at the hospital."""
    return instant.astimezone(HOSPITAL_ZONE).date()


class DatabaseClock:
    """The database's clock, followed by offset so that asking costs no round trip.

    The offset is measured every few seconds. The clock never runs backwards: after a jump back it stands still until
    time has caught up, and the jump is logged as an alarm. On SQLite the file has no clock: the machine's is used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._guard = threading.Lock()
        self._offset = timedelta(0)
        self._measured_at: float | None = None
        self._last = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        if not self._database.is_sqlite and self._is_due():
            self._measure()
        with self._guard:
            present = datetime.now(UTC) + self._offset
            self._last = max(self._last, present)
            return self._last

    def _is_due(self) -> bool:
        with self._guard:
            started = time.monotonic()
            if self._measured_at is not None and started - self._measured_at < _MEASURE_EVERY:
                return False
            self._measured_at = started  # taken by this thread: the others go on with the old offset meanwhile
            return True

    def _measure(self) -> None:
        with self._database.engine.connect() as connection:
            before = datetime.now(UTC)
            theirs: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            after = datetime.now(UTC)
        offset = theirs.astimezone(UTC) - (before + (after - before) / 2)
        with self._guard:
            drift = offset - self._offset
            if abs(drift) > _JUMP:
                log.warning("clock_jumped", seconds=round(drift.total_seconds(), 3))
            self._offset = offset


def day_begins(day: date) -> datetime:
    """Midnight at the hospital, with which the day begins."""
    return datetime.combine(day, datetime.min.time(), HOSPITAL_ZONE).astimezone(UTC)


def next_day_begins(*, now: datetime) -> datetime:
    """The coming midnight at the hospital, when what is counted by the day begins anew."""
    return day_begins(hospital_day(now) + timedelta(days=1))
