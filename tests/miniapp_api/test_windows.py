"""Counting over a sliding window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from miniapp_api.windows import SlidingWindow

MINUTE = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(MINUTE, tick=False) as moved:
        yield moved


def used(window: SlidingWindow, key: str, times: int) -> int:
    """How many of so many were let through."""
    return sum(not window.use(key) for _ in range(times))


def test_so_many_and_no_more(clock: time_machine.Coordinates) -> None:
    window = SlidingWindow(3, 60)
    assert used(window, "a", 5) == 3
    assert used(window, "b", 5) == 3


def test_the_end_of_a_window_does_not_let_twice_as_many_through(clock: time_machine.Coordinates) -> None:
    window = SlidingWindow(10, 60)
    clock.shift(59)
    assert used(window, "a", 20) == 10
    clock.shift(1)
    assert used(window, "a", 20) == 0
    clock.shift(30)
    assert used(window, "a", 20) == 5


def test_whoever_was_away_for_long_begins_anew(clock: time_machine.Coordinates) -> None:
    window = SlidingWindow(10, 60)
    assert used(window, "a", 20) == 10
    clock.shift(timedelta(seconds=120))
    assert used(window, "a", 20) == 10


def test_the_wait_leads_to_where_one_is_let_through(clock: time_machine.Coordinates) -> None:
    window = SlidingWindow(10, 60)
    clock.shift(30)
    assert used(window, "a", 10) == 10
    wait = window.use("a")
    assert wait == 30
    clock.shift(60)  # in the middle of the next window half of the ten count
    assert used(window, "a", 20) == 5
    wait = window.use("a")
    assert 1 <= wait <= 30
    clock.shift(wait)
    assert used(window, "a", 1) == 1


def test_what_is_over_is_forgotten(clock: time_machine.Coordinates) -> None:
    window = SlidingWindow(10, 60)
    for at in range(1000):
        window.use(str(at))
    clock.shift(120)
    window.use("a")
    assert len(window._before) + len(window._now) == 1
