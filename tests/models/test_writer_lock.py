"""One writer at a time: in the order they came, across processes, and no longer than its holder lives."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.writer_lock import FairLock, WriterLock

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from models.writer_lock import WriterLock
with WriterLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.readline()
"""


def wait_until(true: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.002)


@contextmanager
def another_process_holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.kill()
        holder.communicate()


def is_held(path: Path) -> bool:
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def test_waiting_threads_are_served_in_the_order_they_came() -> None:
    lock, served = FairLock(), list[int]()

    def write(number: int) -> None:
        lock.acquire()
        served.append(number)
        lock.release()

    lock.acquire()
    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for number, thread in enumerate(threads):
        thread.start()
        wait_until(lambda number=number: len(lock._line) > number)  # type: ignore[misc]
    lock.release()
    for thread in threads:
        thread.join(20)
    assert served == list(range(20))


def test_one_that_comes_later_does_not_slip_in_between() -> None:
    """Handing over never lets the lock go: who asks while others wait stands in line behind them."""
    lock, served = FairLock(), list[str]()

    def write(name: str, then: int) -> None:
        lock.acquire()
        served.append(name)
        if then:
            threading.Thread(target=write, args=(f"{name} again", then - 1)).start()
            wait_until(lambda: len(lock._line) >= waiting)
        lock.release()

    lock.acquire()
    waiting = 3
    for number in range(waiting):
        threading.Thread(target=write, args=(str(number), 0 if number else 1)).start()
        wait_until(lambda number=number: len(lock._line) > number)  # type: ignore[misc]
    lock.release()
    wait_until(lambda: len(served) == waiting + 1)
    assert served == ["0", "1", "2", "0 again"]


def test_a_free_lock_is_free_again_after_use(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "writer")
    with pytest.raises(KeyError), lock.held():
        raise KeyError("the transaction failed")
    with lock.held():
        assert is_held(tmp_path / "writer")
    assert not is_held(tmp_path / "writer")


def test_another_process_is_waited_for(tmp_path: Path) -> None:
    path, entered = tmp_path / "writer", threading.Event()

    def write() -> None:
        with WriterLock(path).held():
            entered.set()

    with another_process_holding(path) as holder:
        waiting = threading.Thread(target=write)
        waiting.start()
        assert is_held(path)
        assert not entered.is_set()
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert entered.wait(20)
    waiting.join(20)


def test_a_killed_holder_frees_it(tmp_path: Path) -> None:
    path = tmp_path / "writer"
    with another_process_holding(path) as holder:
        assert is_held(path)
        holder.kill()
        holder.wait(20)
        with WriterLock(path).held():
            assert is_held(path)
