"""Many questions, one look: each gets its own answer, seen after it asked, and nobody is left waiting."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from core.gathered import A, Gathered, Q, _Waiting
from core.transactions import Overloaded

PEOPLE = 40


class Looks:
    """Waits at each look until it is let go on, and remembers what was asked in each."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.go_on = threading.Semaphore(0)

    def __call__(self, asked: Sequence[int]) -> list[int]:
        self.asked.append(list(asked))
        assert self.go_on.acquire(timeout=10)
        return [one * 10 for one in asked]

    def await_looks(self, number: int) -> None:
        wait_until(lambda: len(self.asked) >= number)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def crowd() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(PEOPLE)


def test_whoever_asks_during_a_look_is_served_by_the_next_one(crowd: ThreadPoolExecutor) -> None:
    looks = Looks()
    gathered = Gathered[int, int](looks)
    first = crowd.submit(gathered.ask, 1)
    looks.await_looks(1)
    others = [crowd.submit(gathered.ask, one) for one in range(2, 9)]
    wait_until(lambda: len(gathered._waiting) == 7)
    assert not any(one.done() for one in others)
    looks.go_on.release(2)
    assert first.result(10) == 10
    assert [one.result(10) for one in others] == [one * 10 for one in range(2, 9)]
    assert looks.asked[0] == [1]
    assert sorted(looks.asked[1]) == list(range(2, 9))
    looks.go_on.release()
    assert gathered.ask(9) == 90  # and the turn is free again


def test_nobody_is_answered_by_what_was_seen_before_they_asked(crowd: ThreadPoolExecutor) -> None:
    clock = count()

    def look(asked: Sequence[int]) -> list[int]:
        seen = next(clock)
        time.sleep(random.uniform(0, 0.002))
        return [seen for _ in asked]

    gathered = Gathered[int, int](look)

    def ask(at: int) -> bool:
        asked_at = next(clock)
        return gathered.ask(at) > asked_at

    assert all(crowd.map(ask, range(20 * PEOPLE)))


def test_each_gets_their_own_answer_and_many_share_a_look(crowd: ThreadPoolExecutor) -> None:
    looks: list[int] = []

    def look(asked: Sequence[int]) -> list[str]:
        looks.append(len(asked))
        return [f"for {one}" for one in asked]

    gathered = Gathered[int, str](look)
    asked = range(30 * PEOPLE)
    assert list(crowd.map(gathered.ask, asked)) == [f"for {one}" for one in asked]
    assert sum(looks) == len(asked)
    assert len(looks) < len(asked) / 4


@pytest.mark.parametrize("failure", [RuntimeError, SystemExit])
def test_a_failure_is_heard_by_all_of_that_look_and_by_nobody_else(
    crowd: ThreadPoolExecutor, failure: type[BaseException]
) -> None:
    looks = Looks()

    def look(asked: Sequence[int]) -> list[int]:
        answers = looks(asked)
        if 2 in asked:
            raise failure("away")
        return answers

    gathered = Gathered[int, int](look)
    first = crowd.submit(gathered.ask, 1)
    looks.await_looks(1)
    others: list[Future[int]] = [crowd.submit(gathered.ask, one) for one in (2, 3)]
    wait_until(lambda: len(gathered._waiting) == 2)
    looks.go_on.release(2)
    assert first.result(10) == 10
    for one in others:
        assert isinstance(one.exception(10), failure)
    looks.go_on.release()
    assert gathered.ask(4) == 40


def test_a_look_that_answers_too_few_fails_for_all(crowd: ThreadPoolExecutor) -> None:
    gathered = Gathered[int, int](lambda asked: [])
    with pytest.raises(ValueError, match="argument"):
        gathered.ask(1)
    with pytest.raises(ValueError, match="argument"):
        gathered.ask(2)


def test_nobody_waits_for_ever_on_a_look_that_does_not_come_back(crowd: ThreadPoolExecutor) -> None:
    """Whoever waits gives up, also the one whose turn would be next, and the next to come has the turn."""
    looks = Looks()
    gathered = Gathered[int, int](looks, seconds=0.2)
    first = crowd.submit(gathered.ask, 1)
    looks.await_looks(1)
    others = [crowd.submit(gathered.ask, one) for one in (2, 3)]
    for one in others:
        assert isinstance(one.exception(10), Overloaded)
    assert not gathered._waiting
    looks.go_on.release(2)
    assert first.result(10) == 10
    assert gathered.ask(4) == 40
    assert looks.asked == [[1], [4]]


class CalledTooLate(threading.Semaphore):
    """Whoever sleeps on it wakes up because their time is over, in the moment in which they are called."""

    def __init__(self) -> None:
        super().__init__(1)
        self._is_called = threading.Event()

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        if timeout is None:
            return super().acquire(blocking)
        assert self._is_called.wait(10)
        return False

    def release(self, n: int = 1) -> None:
        super().release(n)
        self._is_called.set()


class AlwaysLate(_Waiting[Q, A]):
    def __init__(self, question: Q) -> None:
        super().__init__(question)
        called: Any = CalledTooLate()
        self.called = called
        self.called.acquire()


def test_whoever_gives_up_in_the_moment_of_their_turn_takes_it_and_in_that_of_their_answer_has_it(
    crowd: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.gathered._Waiting", AlwaysLate)
    looks = Looks()
    gathered = Gathered[int, int](looks)
    first = crowd.submit(gathered.ask, 1)
    looks.await_looks(1)
    others = [crowd.submit(gathered.ask, one) for one in (2, 3)]
    wait_until(lambda: len(gathered._waiting) == 2)
    looks.go_on.release(2)
    assert [one.result(10) for one in (first, *others)] == [10, 20, 30]
    assert [sorted(one) for one in looks.asked] == [[1], [2, 3]]
    assert not gathered._is_looking


def test_whoever_gives_up_takes_nobodys_turn_with_them(crowd: ThreadPoolExecutor) -> None:
    """Looks take about as long as people wait: turns are given while some give up, and whoever does not is answered."""

    def look(asked: Sequence[int]) -> list[int]:
        time.sleep(random.uniform(0.001, 0.006))
        return list(asked)

    gathered = Gathered[int, int](look, seconds=0.004)
    told = [crowd.submit(gathered.ask, at) for at in range(30 * PEOPLE)]
    gave_up = [isinstance(one.exception(20), Overloaded) for one in told]
    assert all(over or one.result() == at for at, (one, over) in enumerate(zip(told, gave_up, strict=True)))
    assert gathered.ask(7) == 7
    assert not gathered._is_looking
