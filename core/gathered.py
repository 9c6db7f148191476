"""Many who ask at one moment are answered by one look.

Whoever asks first waits a moment for company, and whoever asks while a look is under way waits for the next one. That
begins after they asked: nobody is answered by what was seen before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

_MOMENT = 0.002
"""Seconds. Nobody notices them, and under load a look serves nearly as many as there are threads."""


class _Waiting(Generic[Q, A]):
    """One question. Whoever asked sleeps on `called` until it is answered, or theirs is the turn to look for all."""

    __slots__ = ("answer", "called", "error", "question")

    def __init__(self, question: Q) -> None:
        self.question = question
        self.called = threading.Lock()
        self.called.acquire()
        self.answer: list[A] = []
        self.error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        return bool(self.answer) or self.error is not None


class Gathered(Generic[Q, A]):
    """`look` answers several questions, in their order."""

    def __init__(self, look: Callable[[Sequence[Q]], Sequence[A]]) -> None:
        self._look = look
        self._guard = threading.Lock()
        self._waiting: list[_Waiting[Q, A]] = []
        self._is_looking = False

    def ask(self, question: Q) -> A:
        """Raises: what `look` raises, which all of its questions hear."""
        mine = _Waiting[Q, A](question)
        with self._guard:
            self._waiting.append(mine)
            is_first, self._is_looking = not self._is_looking, True
        if not is_first:
            mine.called.acquire()
        if not mine.is_over:
            self._look_for_all()
        if mine.error is not None:
            raise mine.error
        return mine.answer[0]

    def _look_for_all(self) -> None:
        """Answer everybody who waits by now, oneself among them, and give the turn to one of those who came since."""
        time.sleep(_MOMENT)
        with self._guard:
            asked, self._waiting = self._waiting, []
        try:
            answers = self._look([one.question for one in asked])
            for one, answer in zip(asked, answers, strict=True):
                one.answer = [answer]
        except BaseException as error:
            for one in asked:
                one.error = error
        with self._guard:
            following = self._waiting[:1]
            self._is_looking = bool(following)
        for one in (*following, *asked):
            one.called.release()
