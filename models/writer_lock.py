"""The one writer of SQLite: a fair queue inside the process, then a lock file between processes.

SQLite lets writers poll for its lock, and the unlucky one meets "database is locked". Waiting in line instead is
fair, and the busy timeout behind it is never reached.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FairLock:
    """Serves waiting threads in the order they came."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._line: deque[threading.Event] = deque()

    def acquire(self) -> None:
        with self._guard:
            if not self._held and not self._line:
                self._held = True
                return
            turn = threading.Event()
            self._line.append(turn)
        turn.wait()

    def release(self) -> None:
        with self._guard:
            if self._line:
                self._line.popleft().set()  # handed over without ever being free: nobody can slip in between
            else:
                self._held = False


class WriterLock:
    """Hold it for the whole of a writing transaction. Not reentrant: one transaction does not open another."""

    def __init__(self, path: Path) -> None:
        self._line = FairLock()
        self._path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        self._line.acquire()
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)  # closing lets the file lock go, also when the process dies
        finally:
            self._line.release()
