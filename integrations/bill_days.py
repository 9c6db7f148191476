"""What both wallets' bills have in common: a day is one of China's, and a broken download is fetched once more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from core.ports import BillEntry, BillUnreadable, FundEntry

ZONE = ZoneInfo("Asia/Shanghai")
MOST_DOWNLOAD_BYTES = 64 * 1024 * 1024
DOWNLOAD_TIMEOUTS = (2.0, 58.0)
_MOST_LETTERS = 128
_MOST_FEN, _MOST_MOVED_FEN = 2**31 - 1, 10**13
"""Of one payment or refund, and of one movement of the account, which may be the withdrawal of a month."""

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
    """Raises: BillUnreadable."""
    if not all(map(_may_be_kept, entries)):
        raise BillUnreadable("a line holds what is no number and no amount")
    if any(one.at.astimezone(ZONE).date() != day for one in entries):
        raise BillUnreadable("a line is of another day")
    return entries


def _may_be_kept(entry: BillEntry | FundEntry) -> bool:
    """No database keeps a NUL in a text, nor more than its columns are wide."""
    most_fen = _MOST_FEN if isinstance(entry, BillEntry) else _MOST_MOVED_FEN
    values = [getattr(entry, one.name) for one in fields(entry)]
    texts = [one for one in values if isinstance(one, str)]
    sums = [one for one in values if isinstance(one, int)]
    fitting = all(one.isprintable() and len(one) <= _MOST_LETTERS for one in texts)
    return fitting and all(abs(one) <= most_fen for one in sums)
