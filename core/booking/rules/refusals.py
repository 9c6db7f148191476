"""Refusals of the rules over time (core/booking/rules/limits.py), one class and one stable code each."""

from __future__ import annotations

from models.errors import Conflict


class PeriodLimit(Conflict):
    """As many visits as are allowed in so many days. The facts tell which days; another day outside them will do."""

    code = "period_limit"


class Overlaps(Conflict):
    """Numbers are left, but each at a time at which the person has another appointment."""

    code = "overlaps"


class RebookTooSoon(Conflict):
    """The person let a number of this half day go a moment ago."""

    code = "rebook_too_soon"


class ClosedHours(Conflict):
    code = "closed_hours"
