"""What both wallets' bills have in common: a day is one of China's, and a broken download is fetched once more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from core.ports import BillEntry, BillUnreadable, FundEntry

ZONE = ZoneInfo("Asia/Shanghai")
MOST_DOWNLOAD_BYTES = 64 * 1024 * 1024
DOWNLOAD_TIMEOUTS = (2.0, 58.0)

T = TypeVar("T", BillEntry, FundEntry)


def days_after(day: date, days: int, at: time = time()) -> datetime:
    """That time of the day so many days later."""
    return datetime.combine(day + timedelta(days=days), at, ZONE)


def fetch_of_day(day: date, fetch: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
    """What `fetch` gives, from a second try where the first was unreadable or of another day.

    Raises: BillUnreadable, and what `fetch` raises.
    """
    try:
        return _of_day(day, fetch())
    except BillUnreadable:
        return _of_day(day, fetch())


def _of_day(day: date, entries: tuple[T, ...]) -> tuple[T, ...]:
    if any(one.at.astimezone(ZONE).date() != day for one in entries):
        raise BillUnreadable("a line is of another day")
    return entries
