"""Many who ask at one moment are answered by one look.

Whoever asks first waits a moment for company, and whoever asks while a look is under way waits for the next one. That
begins after they asked: nobody is answered by what was seen before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from core.transactions import Overloaded

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

    def __init__(self, look: Callable[[Sequence[Q]], Sequence[A]], *, seconds: float = 3.0) -> None:
        """Nobody waits longer than `seconds` for a look of somebody else's."""
        self._look, self._seconds = look, seconds
        self._guard = threading.Lock()
        self._waiting: list[_Waiting[Q, A]] = []
        self._is_looking = False

    def ask(self, question: Q) -> A:
        """Raises: what `look` raises, which all of its questions hear; Overloaded where a look does not come back."""
        mine = _Waiting[Q, A](question)
        with self._guard:
            self._waiting.append(mine)
            is_first, self._is_looking = not self._is_looking, True
        if not is_first:
            self._await(mine)
        if not mine.is_over:
            self._look_for_all()
        if mine.error is not None:
            raise mine.error
        return mine.answer[0]

    def _await(self, mine: _Waiting[Q, A]) -> None:
        """To be answered, or for the turn; but not for ever on somebody else's connection. Raises: Overloaded."""
        if mine.called.acquire(timeout=self._seconds):
            return
        with self._guard:
            if mine.called.acquire(blocking=False):  # in this moment
                return
            if mine in self._waiting:
                self._waiting.remove(mine)
        raise Overloaded()

    def _look_for_all(self) -> None:
        """Answer everybody who waits by now, oneself among them, and give the turn to one of those who came since."""
        asked: list[_Waiting[Q, A]] = []
        try:
            time.sleep(_MOMENT)
            asked = self._who_waits()
            answers = self._look([one.question for one in asked])
            for one, answer in zip(asked, answers, strict=True):
                one.answer = [answer]
        except BaseException as error:
            asked = asked or self._who_waits()
            for one in asked:
                one.error = error
        with self._guard:  # whoever gives up waiting now sees whether the turn is theirs
            self._is_looking = bool(self._waiting)
            for one in self._waiting[:1]:
                one.called.release()
        for one in asked:
            one.called.release()

    def _who_waits(self) -> list[_Waiting[Q, A]]:
        """All of them, who are served from here on."""
        with self._guard:
            asked, self._waiting = self._waiting, []
        return asked
