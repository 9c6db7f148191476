"""A web server of the run: ours, or the Flask one-liner, both gunicorn as `gunicorn.conf.py` wants it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from bench.figures import BenchFailed
from bench.processes import end, spawn

WEB_PROCESSES = 2
_READY_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_RATES = {"RATE_LIMIT_ADDRESS": "900000000/minute", "RATE_LIMIT_ACCOUNT": "900000000/minute"}


@dataclass(frozen=True)
class Web:
    """`pid` is gunicorn's own process; those that answer are its children."""

    port: int
    pid: int

    def workers(self) -> list[int]:
        """The processes that answer. Linux only."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def resident_bytes(self) -> int:
        """What the processes that answer hold in memory, all together."""
        return sum(_resident_bytes(pid) for pid in self.workers())


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def our_web(folder: Path, url: str) -> Iterator[Web]:
    """The application over `url`, with its keys in `folder`. Raises: BenchFailed."""
    with _served(folder, url, config="gunicorn.conf.py", app="wsgi:app", ready="/readyz") as web:
        yield web


@contextmanager
def one_liner_web(folder: Path, url: str) -> Iterator[Web]:
    """`url` is only named, so that it gets as many processes. Raises: BenchFailed."""
    with _served(folder, url, config="bench/one_liner_gunicorn.py", app="bench.one_liner:app", ready="/") as web:
        yield web


@contextmanager
def _served(folder: Path, url: str, *, config: str, app: str, ready: str) -> Iterator[Web]:
    port = _free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", config, app]
    with (folder / f"{app}.log").open("wb") as log:
        server = spawn(command, output=log, environ=_environ(folder, url, port))
        try:
            _wait_until_ready(server, port, ready)
            yield Web(port, server.pid)
        finally:
            end(server)


def _environ(folder: Path, url: str, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "MODE": "local",
        "DATA_DIR": str(folder),
        "DATABASE_URL": url,
        "BIND": f"127.0.0.1:{port}",
        "API_PORT": str(port),
        "WEB_PROCESSES": str(WEB_PROCESSES),
        **_RATES,  # everybody comes from one address here
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(server: subprocess.Popen[bytes], port: int, path: str) -> None:
    """Raises: BenchFailed."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if _status(path, port) == 200:
                return
        except OSError:
            pass
        time.sleep(_LOOK_SECONDS)
    raise BenchFailed("the web server did not become ready: does `make run` work?")


def _status(path: str, port: int) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
