"""One fill a second for all who ask: no more, no less, and never somebody else's answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from miniapp_api.cacheable import SingleFlight, Tagged
from models.errors import NotFound


class Fills:
    """Counts how often it was asked, and may be held up."""

    def __init__(self) -> None:
        self.count = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.began = threading.Event()
        self._guard = threading.Lock()

    def __call__(self) -> Tagged:
        with self._guard:
            self.count += 1
            number = self.count
        self.began.set()
        assert self.may_go_on.wait(10)
        return Tagged(str(number).encode(), str(number))


def in_threads(number: int, act: Callable[[], Any]) -> list[threading.Thread]:
    threads = [threading.Thread(target=act) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads


def test_within_a_second_it_is_filled_once() -> None:
    flight, fill = SingleFlight(seconds=60), Fills()
    assert [flight.get("a", fill).body for _ in range(3)] == [b"1", b"1", b"1"]
    assert flight.get("b", fill).body == b"2"


def test_after_a_second_it_is_filled_again() -> None:
    flight, fill = SingleFlight(seconds=0), Fills()
    assert [flight.get("a", fill).body for _ in range(3)] == [b"1", b"2", b"3"]


def test_whoever_asks_while_it_is_filled_waits_for_the_same() -> None:
    flight, fill = SingleFlight(seconds=60), Fills()
    fill.may_go_on.clear()
    got: list[bytes] = []
    threads = in_threads(8, lambda: got.append(flight.get("a", fill).body))
    assert fill.began.wait(10)
    assert not got
    fill.may_go_on.set()
    for thread in threads:
        thread.join(10)
    assert got == [b"1"] * 8
    assert fill.count == 1


def test_a_failure_reaches_all_who_waited_and_is_not_remembered() -> None:
    flight, fill = SingleFlight(seconds=60), Fills()
    waiting, failed = threading.Event(), []

    def fail() -> Tagged:
        waiting.wait(10)
        raise NotFound()

    def ask() -> None:
        try:
            flight.get("a", fail)
        except NotFound as error:
            failed.append(error)

    threads = in_threads(4, ask)
    waiting.set()
    for thread in threads:
        thread.join(10)
    assert len(failed) == 4
    assert flight.get("a", fill).body == b"1"


def test_a_slow_fill_holds_nobody_of_the_next_second_up() -> None:
    flight, slow, quick = SingleFlight(seconds=0.01), Fills(), Fills()
    slow.may_go_on.clear()
    [thread] = in_threads(1, lambda: flight.get("a", slow))
    assert slow.began.wait(10)
    deadline = time.monotonic() + 10
    while not quick.count and time.monotonic() < deadline:
        threading.Thread(target=lambda: flight.get("a", quick), daemon=True).start()
        threading.Event().wait(0.02)
    slow.may_go_on.set()
    thread.join(10)
    assert quick.count >= 1


@pytest.mark.parametrize("most", [1, 5])
def test_its_memory_is_bounded(most: int) -> None:
    flight, fill = SingleFlight(seconds=60, most=most), Fills()
    for key in range(20):
        flight.get(key, fill)
    assert len(flight._entries) == most
    assert flight.get(19, fill).body == b"20"
    assert flight.get(0, fill).body == b"21"
