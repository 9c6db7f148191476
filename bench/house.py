"""One throwaway house on loopback: a database that waits for its disk, and our web server in front of it.

The database is a PostgreSQL of its own, or a file of SQLite.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import BenchFailed
from bench.processes import ROOT, end, spawn
from bench.web import Web, one_liner_web, our_web
from migrations import upgrade
from miniapp_api.keys import read_keys, write_keys
from models.database import Database, Timeouts
from models.sealing import Vault

_GONE_SECONDS = 20.0
_LOOK_SECONDS = 0.1
# Seeding and checking read and write more at once than a patient does.
_UNHURRIED = Timeouts(lock=60_000, statement=120_000, idle_in_transaction=120_000)
_IDLE = "import sys; sys.stdin.read()"


@dataclass(frozen=True)
class House:
    """What the parts of a run need to know. `database` is for looking after it, not for measuring."""

    web: Web
    url: str
    database: Database
    vault: Vault

    @property
    def port(self) -> int:
        return self.web.port


@contextmanager
def opened(*, timeouts: Timeouts = _UNHURRIED) -> Iterator[House]:
    """On PostgreSQL. Everything started here is ended and removed when the block ends, however it ends.

    Raises: BenchFailed."""
    with _house(lambda folder: _postgres(folder / "postgres"), timeouts) as house:
        yield house


@contextmanager
def opened_on_sqlite() -> Iterator[House]:
    """As `opened`, on a file. Raises: BenchFailed."""
    with _house(_sqlite, _UNHURRIED) as house:
        yield house


@contextmanager
def one_liner(beside: House) -> Iterator[Web]:
    """The Flask one-liner on as many processes as `beside` has. Raises: BenchFailed."""
    folder = Path(tempfile.mkdtemp(prefix="yuezhen-bench-"))
    try:
        with one_liner_web(folder, beside.url) as web:
            yield web
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _house(start: Callable[[Path], AbstractContextManager[str]], timeouts: Timeouts) -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="yuezhen-bench-"))
    try:
        with start(folder) as url:
            upgrade(url)
            write_keys(folder / "keys.json")
            (folder / "platforms.json").write_text("{}")
            keys = read_keys(folder / "keys.json")
            database = Database(url, timeouts=timeouts)
            try:
                with our_web(folder, url) as web:
                    yield House(web, url, database, Vault(sealing=keys.sealing, hashing=keys.hashing))
            finally:
                database.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'bench.db'}"


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
