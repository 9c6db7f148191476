"""`make run` as a whole: it comes up from nothing, brings back what is killed, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import pytest
from catalog_folder import Folder

ROOT = Path(__file__).parent.parent.parent
NAMES = {"run", "sandbox", "api", "worker"}
PATIENCE = 120.0


@dataclass
class House:
    """One run: its process, its folder and its port."""

    process: subprocess.Popen[bytes]
    data: Path
    port: int

    def pids(self) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads((self.data / "pids.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def wait_until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert self.process.poll() is None, (self.data / "said.txt").read_text()
            assert time.monotonic() < deadline, (self.data / "said.txt").read_text()
            time.sleep(0.05)

    def everybody(self) -> list[psutil.Process]:
        """Every process of the run, itself first."""
        run = psutil.Process(self.process.pid)
        return [run, *run.children(recursive=True)]


Start = Callable[[], House]


@pytest.fixture
def start(tmp_path: Path, blank_url: str) -> Iterator[Start]:
    """Starts a run in the test's folder, on the test's database, with a small directory; again and again."""
    directory, data = tmp_path / "directory", tmp_path / "data"
    directory.mkdir()
    data.mkdir()
    Folder(directory).write()
    houses: list[House] = []

    def _start() -> House:
        port, sandbox_port = _free_ports()
        settings = {
            "API_PORT": str(port), "SANDBOX_PORT": str(sandbox_port), "DATA_DIR": str(data),
            "DATABASE_URL": blank_url, "DIRECTORY": str(directory),
        }  # fmt: skip
        with (data / "said.txt").open("wb") as said:
            houses.append(House(_spawned(settings, said), data, port))
        houses[-1].wait_until(houses[-1].is_ready)
        houses[-1].wait_until(lambda: houses[-1].pids().keys() == NAMES)
        return houses[-1]

    yield _start
    for house in houses:
        house.process.kill()
        house.process.wait()


def _spawned(settings: dict[str, str], said: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(ROOT / "tools" / "run.py")]
    return subprocess.Popen(command, env=os.environ | settings, stdout=said, stderr=subprocess.STDOUT)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _are_gone(processes: list[psutil.Process]) -> bool:
    return all(not one.is_running() or one.status() == psutil.STATUS_ZOMBIE for one in processes)


def test_it_brings_back_what_is_killed_and_stops_cleanly(start: Start) -> None:
    house = start()
    for name in ("keys.json", "platforms.json"):
        assert stat.S_IMODE((house.data / name).stat().st_mode) == 0o600
    keys = (house.data / "keys.json").read_bytes()
    for name in ("worker", "api"):
        killed = house.pids()[name]
        os.kill(killed, signal.SIGKILL)
        house.wait_until(lambda name=name, killed=killed: house.pids().get(name, killed) != killed)
    house.wait_until(house.is_ready)

    everybody = house.everybody()
    house.process.send_signal(signal.SIGINT)
    assert house.process.wait(60) == 0
    assert _are_gone(everybody[1:])
    assert not (house.data / "pids.json").exists()

    again = start()
    assert (again.data / "keys.json").read_bytes() == keys


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
@pytest.mark.parametrize("blank_url", ["postgres"], indirect=True)  # where gunicorn has the most processes
def test_nothing_outlives_it_even_when_it_is_killed(start: Start) -> None:
    house = start()
    everybody = house.everybody()
    assert len(everybody) >= len(NAMES) + 2
    house.process.kill()
    house.process.wait()
    deadline = time.monotonic() + 20
    while not _are_gone(everybody):
        assert time.monotonic() < deadline, everybody
        time.sleep(0.02)
