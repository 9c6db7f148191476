"""The table of holidays runs out unless somebody loads the next year (rules.md 2.1.8): that is told early."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.policy import PLATFORM_DEFAULTS, BookingPolicy
from core.catalog.calendar import WorkCalendar
from core.clock import hospital_day
from models.policy import BookingPolicyRow, PolicyLevel

_AHEAD = timedelta(days=30)
"""How long before the first half day beyond the table is published that is said."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Coverage:
    """`until` is the last day that the table tells, None where not even today's year is told; `needed` should be."""

    until: date | None
    needed: date

    @property
    def runs_out(self) -> bool:
        return self.until is None or self.until < self.needed


def calendar_coverage(session: Session, *, window_days: int, now: datetime) -> Coverage:
    """`window_days` are published ahead at least; a policy may release earlier."""
    documents = session.scalars(
        select(BookingPolicyRow.document).where(BookingPolicyRow.level != PolicyLevel.SCHEDULE)  # of one day alone
    )
    policies = [PLATFORM_DEFAULTS, *(BookingPolicy.parse(document) for document in documents)]
    window = max(window_days, *(1 + (policy.release_days_before or 0) for policy in policies))
    today = hospital_day(now)
    return Coverage(
        until=WorkCalendar.read(session).covered_until(today), needed=today + timedelta(days=window) + _AHEAD
    )


def warn_where_calendar_ends(session: Session, now: datetime, *, window_days: int) -> None:
    coverage = calendar_coverage(session, window_days=window_days, now=now)
    if coverage.runs_out:
        log.warning("calendar_runs_out", until=str(coverage.until), needed=str(coverage.needed), alarm=True)
