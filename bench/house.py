"""One throwaway house: a PostgreSQL that waits for its disk, and our web server in front of it, on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from bench.figures import BenchFailed
from bench.processes import ROOT, end, spawn
from migrations import upgrade
from miniapp_api.keys import read_keys, write_keys
from models.database import Database, Timeouts
from models.sealing import Vault

WEB_PROCESSES = 2
_READY_SECONDS = 60.0
_GONE_SECONDS = 20.0
_LOOK_SECONDS = 0.1
# Seeding and checking read and write more at once than a patient does.
_UNHURRIED = Timeouts(lock=60_000, statement=120_000, idle_in_transaction=120_000)
_RATES = {"RATE_LIMIT_ADDRESS": "900000000/minute", "RATE_LIMIT_ACCOUNT": "900000000/minute"}
_IDLE = "import sys; sys.stdin.read()"


@dataclass(frozen=True)
class House:
    """What the parts of a run need to know. `database` is for looking after it, not for measuring."""

    port: int
    url: str
    database: Database
    vault: Vault


@contextmanager
def opened() -> Iterator[House]:
    """Everything started here is ended and removed when the block ends, however it ends.

    Raises: BenchFailed."""
    folder = Path(tempfile.mkdtemp(prefix="yuezhen-bench-"))
    try:
        with _postgres(folder / "postgres") as url:
            upgrade(url)
            write_keys(folder / "keys.json")
            (folder / "platforms.json").write_text("{}")
            keys = read_keys(folder / "keys.json")
            database = Database(url, timeouts=_UNHURRIED)
            try:
                with _web(folder, url) as port:
                    yield House(port, url, database, Vault(sealing=keys.sealing, hashing=keys.hashing))
            finally:
                database.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """The server lives as long as its owner, which is a process that does nothing."""
    owner = spawn([sys.executable, "-c", _IDLE], output=subprocess.DEVNULL, stdin=subprocess.PIPE)
    try:
        command = [sys.executable, "tools/embedded_postgres.py", str(folder), str(owner.pid), "--durable"]
        started = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False, timeout=60
        )
        if started.returncode:
            raise BenchFailed("PostgreSQL did not start")
        yield started.stdout.strip()
    finally:
        end(owner)
        _wait_until_gone(folder)


def _wait_until_gone(folder: Path) -> None:
    deadline = time.monotonic() + _GONE_SECONDS
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


@contextmanager
def _web(folder: Path, url: str) -> Iterator[int]:
    port = _free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"]
    with (folder / "web.log").open("wb") as log:
        server = spawn(command, output=log, environ=_environ(folder, url, port))
        try:
            _wait_until_ready(server, port)
            yield port
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


def _wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    """Raises: BenchFailed."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if _status("/readyz", port) == 200:
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
