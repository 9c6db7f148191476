"""A day of a bill is one of China's calendar, and every instant belongs to one of them alone."""

import re
from datetime import date, datetime, time, timedelta

from sandbox.clock import CHINA

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def day_named(text: object) -> date | None:
    """`2026-11-20`; None for another form or a day that does not exist."""
    if not isinstance(text, str) or DAY.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def day_of(instant: float) -> date:
    """The day that an instant belongs to."""
    return datetime.fromtimestamp(instant, CHINA).date()


def begin(day: date, hour: int = 0) -> float:
    """When a day begins, or that hour of it."""
    return datetime.combine(day, time(hour), CHINA).timestamp()


def end(day: date) -> float:
    """The first instant that is not the day's any more."""
    return begin(day + timedelta(days=1))
