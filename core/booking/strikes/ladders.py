"""Ladders: so many strikes within a window cost so long a time without new bookings. Data, one list for each kind.

    {"count": 3, "within": "90d", "ban": "90d"}

`within` is rolling days or months up to the strike (`90d`, `3m`), or the calendar's `month`, `half_year` or `year` in
which it falls. `ban` counts days or months from the strike on, or lasts for the `rest_of_month`, or `until_appeal`. All
of it by the hospital's calendar; every end is half-open.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from core.clock import HOSPITAL_ZONE, day_begins, hospital_day
from models.strike import UNTIL_APPEAL

_SPAN = re.compile(r"([1-9][0-9]{0,2})([dm])", re.ASCII)
_WINDOWS, _BANS = ("month", "half_year", "year"), ("rest_of_month", "until_appeal")
_MOST_STEPS = 5


def ladder(value: Any) -> str | None:
    """a list of at most 5 steps {count, within, ban}: 1 to 20, 90d 3m month half_year year, 90d 3m rest_of_month
    until_appeal"""
    if not isinstance(value, list) or not all(isinstance(step, dict) for step in value):
        return "bad_type"
    fits = len(value) <= _MOST_STEPS and all(_is_step(step) for step in value)
    return None if fits else "bad_value"


def _is_step(step: Mapping[str, Any]) -> bool:
    if step.keys() != {"count", "within", "ban"}:
        return False
    count, within, ban = step["count"], step["within"], step["ban"]
    counts = isinstance(count, int) and not isinstance(count, bool) and 1 <= count <= 20
    return counts and _is_word(within, _WINDOWS) and _is_word(ban, _BANS)


def _is_word(value: Any, words: tuple[str, ...]) -> bool:
    return isinstance(value, str) and (value in words or _SPAN.fullmatch(value) is not None)


def restricted_until(steps: Iterable[Mapping[str, Any]], earlier: Sequence[datetime], at: datetime) -> datetime | None:
    """What the strike at `at` comes to, with the `earlier` ones that still count: the longest ban of all steps that it
    fills, None where it fills none."""
    ends = [
        ban_ends(step["ban"], at=at)
        for step in steps
        if 1 + sum(window_begins(step["within"], at=at) <= one <= at for one in earlier) >= step["count"]
    ]
    return max(ends, default=None)


def window_begins(within: str, *, at: datetime) -> datetime:
    """The first instant that counts. Rolling, a strike is over when exactly the window has passed since."""
    today = hospital_day(at)
    if within == "month":
        return day_begins(today.replace(day=1))
    if within == "half_year":
        return day_begins(date(today.year, 1 if today.month <= 6 else 7, 1))
    if within == "year":
        return day_begins(date(today.year, 1, 1))
    return _moved(at, within, -1) + timedelta(microseconds=1)


def ban_ends(ban: str, *, at: datetime) -> datetime:
    """The first instant at which one may book again."""
    if ban == "until_appeal":
        return UNTIL_APPEAL
    if ban == "rest_of_month":
        today = hospital_day(at)
        return day_begins(_month_later(today.replace(day=1), 1))
    return _moved(at, ban, +1)


def _moved(at: datetime, span: str, sign: int) -> datetime:
    found = _SPAN.fullmatch(span)
    if found is None:
        raise ValueError(f"no span: {span}")
    many = sign * int(found[1])
    if found[2] == "d":
        return at + timedelta(days=many)
    there = at.astimezone(HOSPITAL_ZONE)
    return datetime.combine(_month_later(there.date(), many), there.time(), HOSPITAL_ZONE).astimezone(at.tzinfo)


def _month_later(day: date, months: int) -> date:
    """The same day of another month, or its last one: a month from 31 January ends on 28 or 29 February."""
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
