"""Two hospitals within an hour: nobody is refused for it, but it is told (rules.md 2.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.booking.case import Case


@dataclass(frozen=True)
class TravelGap:
    """Another open appointment of the patient at another hospital, less than `minutes` from some time of this half
    day."""

    starts_at: datetime
    ends_at: datetime
    minutes: int


def travel_gaps(case: Case) -> Iterator[TravelGap]:
    """Only of appointments of the accounts that ask: what others booked for the person is not theirs to know."""
    schedule, minutes = case.schedule, case.terms.travel_gap_minutes
    gap = timedelta(minutes=minutes)
    for one in case.of_person:
        if one.hospital_id == schedule.hospital_id or one.account_id not in case.own_accounts:
            continue
        if one.starts_at < schedule.ends_at + gap and schedule.starts_at < one.ends_at + gap:
            yield TravelGap(one.starts_at, one.ends_at, minutes)
