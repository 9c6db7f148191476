"""The supervisor of `make run`, with children that only sleep."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

TOOLS = Path(__file__).parent.parent.parent / "tools"
SUPERVISOR = """
import os, sys
from pathlib import Path
from typing import TypeVar
import children
children._STOP_SECONDS = 1.0
folder, *command = sys.argv[1:]
folder = Path(folder)
kept = children.Children(environ=os.environ, cwd=folder, logs=folder, pids=folder / "pids.json", say=print)
kept.keep("child", command)
kept.watch()
kept.stop()
"""
SLEEP = "import time; time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
PARENT = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).pid, flush=True); {SLEEP}"

T = TypeVar("T")
Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a supervisor whose one child runs the given code."""
    running: list[subprocess.Popen[bytes]] = []

    def _start(code: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", SUPERVISOR, str(tmp_path), sys.executable, "-c", code]
        running.append(subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(TOOLS)}))
        return running[-1]

    yield _start
    for process in running:
        process.kill()
        process.wait()


def _until(look: Callable[[], T]) -> T:
    deadline = time.monotonic() + 20
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def _pids(folder: Path) -> dict[str, int]:
    try:
        found: dict[str, int] = json.loads((folder / "pids.json").read_text())
    except FileNotFoundError:
        return {}
    return found


def _child(folder: Path) -> int:
    return _until(lambda: _pids(folder).get("child", 0))


def _is_gone(pid: int) -> bool:
    """Gone, or dead and only not yet buried by whoever adopted it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_killed_child_comes_back_and_the_file_names_it(start: Start, tmp_path: Path) -> None:
    supervisor = start(SLEEP)
    first = _child(tmp_path)
    os.kill(first, signal.SIGKILL)
    second = _until(lambda: _pids(tmp_path).get("child", first) != first and _pids(tmp_path)["child"])
    assert not _is_gone(second)
    assert _pids(tmp_path) == {"run": supervisor.pid, "child": second}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_stop_it_takes_its_children_along(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    supervisor = start(SLEEP)
    child = _child(tmp_path)
    supervisor.send_signal(number)
    assert supervisor.wait(20) == 0
    assert _is_gone(child)
    assert not (tmp_path / "pids.json").exists()


def test_a_child_that_does_not_listen_is_killed(start: Start, tmp_path: Path) -> None:
    supervisor = start(DEAF)
    child = _child(tmp_path)
    _until(lambda: psutil.Process(child).status() == psutil.STATUS_SLEEPING)
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert _is_gone(child)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
@pytest.mark.parametrize("code", [SLEEP, DEAF])
def test_no_orphan_is_left_even_when_it_is_killed_itself(start: Start, tmp_path: Path, code: str) -> None:
    supervisor = start(code)
    child = _child(tmp_path)
    supervisor.kill()
    _until(lambda: _is_gone(child))


def test_what_a_killed_child_had_started_goes_with_it(start: Start, tmp_path: Path) -> None:
    start(PARENT)
    child = _child(tmp_path)
    log = tmp_path / "child.log"
    grandchild = int(_until(lambda: log.exists() and log.read_text().strip()))
    os.kill(child, signal.SIGKILL)
    _until(lambda: _is_gone(grandchild))


def test_a_child_that_dies_at_once_is_tried_less_and_less_often(start: Start, tmp_path: Path) -> None:
    start("import time; print(time.monotonic(), flush=True); raise SystemExit(3)")
    log = tmp_path / "child.log"
    _until(lambda: log.exists() and len(log.read_text().split()) >= 4)
    starts = [float(moment) for moment in log.read_text().split()]
    assert starts[3] - starts[2] > starts[1] - starts[0]
