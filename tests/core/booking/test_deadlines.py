"""Until when a number is sold and until when it can be given back, as real hospitals have it (`tests/profiles.py`),
around awkward days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest
from profiles import PROFILES, Keys

from core.booking.policy import BookingPolicy
from core.booking.terms import CompiledTerms, compile_terms
from core.catalog.calendar import WorkCalendar
from core.clock import HOSPITAL_ZONE
from models.calendar import DayKind

# The National Day week of 2026 and the Saturday that is worked for it.
CALENDAR = WorkCalendar(
    {date(2026, 10, day): DayKind.HOLIDAY for day in range(1, 8)} | {date(2026, 10, 10): DayKind.WORKDAY}
)


pytestmark = pytest.mark.usefixtures("server_zone")


def compiled(day: date, *, starts: str, keys: Keys) -> CompiledTerms:
    starts_at = datetime.combine(day, time.fromisoformat(starts), HOSPITAL_ZONE).astimezone(UTC)
    return compile_terms(
        [BookingPolicy.parse(dict(keys))],
        department_id=UUID(int=7),
        visit_date=day,
        starts_at=starts_at,
        last_segment_starts_at=starts_at + timedelta(hours=3),
        working_days_before=CALENDAR.working_days_before,
    )


def here(said: datetime) -> str:
    return f"{said.astimezone(HOSPITAL_ZONE):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("profile", "day", "starts", "until"),
    [
        ("SEED", "2026-12-01", "08:00", "2026-12-01 00:00"),
        ("SEED", "2027-01-01", "08:00", "2027-01-01 00:00"),
        ("SEED", "2028-02-29", "08:00", "2028-02-29 00:00"),
        ("JS_1M", "2028-03-01", "08:00", "2028-03-01 00:00"),
        ("JLTCM", "2027-01-01", "13:00", "2027-01-01 00:00"),
        ("BJ114", "2028-03-01", "08:00", "2028-02-29 15:00"),
        ("BJ_SELF", "2027-01-01", "08:00", "2026-12-31 17:00"),
        ("SZ_PLAT", "2027-03-01", "08:00", "2027-02-28 15:00"),
        ("HUAXI", "2028-03-01", "08:00", "2028-02-28 00:00"),
        ("PUMCH114", "2026-09-28", "08:00", "2026-09-25 14:00"),
        ("PUMCH114", "2026-10-08", "08:00", "2026-09-30 14:00"),
        ("BJ_LADDER", "2026-10-12", "08:00", "2026-10-10 16:00"),
        ("CZ", "2026-09-22", "08:00", "2026-09-21 15:00"),
        ("ZSYY_SH", "2026-10-09", "08:00", "2026-10-08 00:00"),
        ("SH_2CAMPUS", "2026-10-09", "08:00", "2026-09-30 00:00"),
        ("JSFY", "2026-12-01", "08:00", "2026-12-01 11:00"),
        ("JSFY", "2026-12-01", "11:59", "2026-12-01 11:00"),
        ("JSFY", "2026-12-01", "12:00", "2026-12-01 16:00"),
        ("JS_28", "2028-02-29", "00:10", "2028-02-28 23:40"),
        ("JS_28/expert", "2026-12-01", "08:00", "2026-11-30 20:00"),
        ("NB", "2026-12-01", "08:00", "2026-11-30 00:00"),
        ("NB/own WeChat", "2026-12-01", "08:00", "2026-12-01 00:00"),
        ("NB/some doctors", "2026-12-01", "08:00", "2026-11-23 12:00"),  # as soon as it is released
        ("NJ12320/南医大眼科", "2026-12-01", "08:00", "2026-11-24 00:00"),
    ],
)  # fmt: skip
def test_until_when_it_can_be_given_back(profile: str, day: str, starts: str, until: str) -> None:
    assert here(compiled(date.fromisoformat(day), starts=starts, keys=PROFILES[profile]).cancel_before) == until, (
        profile
    )


@pytest.mark.parametrize(
    ("profile", "day", "starts", "until"),
    [
        ("SEED", "2026-12-01", "08:00", "2026-12-01 10:30"),
        ("CZ", "2027-01-01", "08:00", "2027-01-01 00:00"),
        ("BJ_SELF", "2026-12-01", "08:00", "2026-12-01 10:30"),
        ("BJ_SELF", "2026-12-01", "14:00", "2026-12-01 16:00"),
        ("NJ12320", "2028-03-01", "08:00", "2028-02-29 12:00"),
        ("NJ12320/鼓楼医院", "2026-12-01", "08:00", "2026-11-30 16:30"),
        ("NJ12320/儿童医院", "2026-12-01", "08:00", "2026-11-30 18:00"),
        ("BJ114", "2027-01-01", "08:00", "2026-12-31 15:00"),
        ("PUMCH114", "2026-09-28", "08:00", "2026-09-25 14:00"),  # Friday for Monday
        ("BJ_LADDER", "2026-12-01", "08:00", "2026-11-30 16:00"),
        ("ZJ_HOSP", "2026-12-01", "08:00", "2026-11-30 17:00"),
        ("ZJ_HOSP/province", "2026-12-01", "08:00", "2026-11-30 15:00"),
    ],
)  # fmt: skip
def test_until_when_it_is_sold(profile: str, day: str, starts: str, until: str) -> None:
    assert here(compiled(date.fromisoformat(day), starts=starts, keys=PROFILES[profile]).closes_at) == until, profile
