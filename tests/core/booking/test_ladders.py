"""Windows and bans by the hospital's calendar, around midnight, month and year ends and 29 February, wherever the
server stands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.booking.policy import PLATFORM_DEFAULTS, BookingPolicy, InvalidPolicy
from core.booking.strikes.ladders import ban_ends, ladder, restricted_until, window_begins
from core.clock import HOSPITAL_ZONE
from models.strike import UNTIL_APPEAL

TICK = timedelta(microseconds=1)


def at(text: str) -> datetime:
    """An instant by the hospital's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=HOSPITAL_ZONE).astimezone(UTC)


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Shanghai"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the server stands."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("within", "of", "begins"),
    [
        ("month", "2026-12-31T23:59:59.999", "2026-12-01T00:00"),
        ("month", "2027-01-01T00:00", "2027-01-01T00:00"),
        ("month", "2028-02-29T12:00", "2028-02-01T00:00"),
        ("half_year", "2026-06-30T23:59:59.999", "2026-01-01T00:00"),
        ("half_year", "2026-07-01T00:00", "2026-07-01T00:00"),
        ("year", "2026-12-31T23:59:59.999", "2026-01-01T00:00"),
        ("year", "2027-01-01T00:00", "2027-01-01T00:00"),
    ],
)
def test_a_calendar_window_begins_at_the_hospitals_midnight(within: str, of: str, begins: str) -> None:
    assert window_begins(within, at=at(of)) == at(begins)


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("ban", "of", "ends"),
    [
        ("rest_of_month", "2026-12-31T23:59:59.999", "2027-01-01T00:00"),
        ("rest_of_month", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("90d", "2026-12-03T12:00", "2027-03-03T12:00"),
        ("1m", "2027-01-31T08:30", "2027-02-28T08:30"),
        ("1m", "2028-01-31T08:30", "2028-02-29T08:30"),
        ("12m", "2028-02-29T00:10", "2029-02-28T00:10"),
        ("6m", "2026-08-31T23:50", "2027-02-28T23:50"),
    ],
)
def test_a_ban_ends_by_the_hospitals_calendar(ban: str, of: str, ends: str) -> None:
    assert ban_ends(ban, at=at(of)) == at(ends)


def test_only_an_appeal_ends_a_ban_without_an_end() -> None:
    assert ban_ends("until_appeal", at=at("2026-01-01T00:00")) == UNTIL_APPEAL


def test_three_in_ninety_days_to_the_very_instant() -> None:
    steps, third = PLATFORM_DEFAULTS.no_show_ladder or (), at("2026-11-25T12:00")
    first = third - timedelta(days=90)
    assert restricted_until(steps, [first + TICK, third - TICK], third) == third + timedelta(days=90)
    assert restricted_until(steps, [first, third - TICK], third) is None


DISTRICT = (
    {"count": 1, "within": "year", "ban": "30d"},
    {"count": 2, "within": "year", "ban": "60d"},
    {"count": 3, "within": "year", "ban": "90d"},
)


@pytest.mark.parametrize(("earlier", "days"), [(0, 30), (1, 60), (2, 90), (7, 90)])
def test_2_6_the_longest_of_the_steps_that_are_filled(earlier: int, days: int) -> None:
    """A Beijing district hospital (rules.md 2.6)."""
    now = at("2026-11-25T12:00")
    before = [now - timedelta(days=nth + 1) for nth in range(earlier)]
    assert restricted_until(DISTRICT, before, now) == now + timedelta(days=days)


@pytest.mark.parametrize(
    "steps",
    [
        [{"count": 0, "within": "90d", "ban": "90d"}],
        [{"count": 3, "within": "week", "ban": "90d"}],
        [{"count": 3, "within": "90d", "ban": "for_ever"}],
        [{"count": 3, "within": "90d"}],
        [{"count": True, "within": "90d", "ban": "90d"}],
        [{"count": 3, "within": "0d", "ban": "90d"}],
        [{"count": 3, "within": "90d", "ban": "90d"}] * 6,
    ],
)
def test_what_is_no_ladder_is_refused(steps: list[dict[str, Any]]) -> None:
    assert ladder(steps) == "bad_value"
    with pytest.raises(InvalidPolicy):
        BookingPolicy.parse({"no_show_ladder": steps})


@given(st.lists(st.integers(0, 400 * 24 * 60), max_size=8))
def test_more_strikes_never_make_a_ban_shorter(minutes_ago: list[int]) -> None:
    now = at("2028-02-29T12:00")
    before = [now - timedelta(minutes=one) for one in minutes_ago]
    bans = [restricted_until(DISTRICT, before[:nth], now) for nth in range(len(before) + 1)]
    assert bans == sorted(bans, key=lambda one: one or now)
