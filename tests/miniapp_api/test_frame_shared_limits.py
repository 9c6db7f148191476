"""A-52 with Redis: all processes count together, and nobody waits for a Redis that is away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from limits import parse
from redis import Redis
from redis.exceptions import RedisError
from running import free_ports
from sqlalchemy.engine import URL

from miniapp_api import shared_windows
from miniapp_api.app import App
from miniapp_api.config import Config
from miniapp_api.limits import Limits
from miniapp_api.shared_windows import SharedCounters, SharedWindow


@pytest.fixture
def database_url(sqlite_url: URL) -> str:
    return str(sqlite_url)


@dataclass
class Server:
    """A real redis-server that can fall silent, die and come back."""

    program: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        settings = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen([self.program, *settings], stdout=subprocess.DEVNULL)
        with Redis.from_url(self.url) as looking:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with suppress(RedisError):  # not yet listening, or still loading
                    looking.ping()
                    return
                time.sleep(0.02)
        raise AssertionError("redis-server did not start")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def signal(self, which: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(which)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Server]:
    program = shutil.which("redis-server")
    if program is None:
        reason = "there is no redis-server on this machine"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; in CI these tests must run", pytrace=False)
        pytest.skip(reason)
    server = Server(program, free_ports(1)[0], tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def opened() -> Iterator[Callable[[str], SharedCounters]]:
    """Counters as a process of their own has them."""
    made: list[SharedCounters] = []

    def make(url: str) -> SharedCounters:
        made.append(SharedCounters(url))
        return made[-1]

    yield make
    for counters in made:
        counters.close()


Opened = Callable[[str], SharedCounters]


def window(counters: SharedCounters, rate: str = "3/minute", name: str = "address") -> SharedWindow:
    return SharedWindow(counters, parse(rate), name)


def test_processes_count_together(redis: Server, opened: Opened) -> None:
    one, other = window(opened(redis.url)), window(opened(redis.url))
    assert [one.use("a"), other.use("a"), one.use("a")] == [0, 0, 0]
    assert 1 <= other.use("a") <= 60
    assert other.use("b") == 0


def test_what_is_counted_apart_stays_apart(redis: Server, opened: Opened) -> None:
    counters = opened(redis.url)
    assert window(counters, "1/minute", "address").use("a") == 0
    assert window(counters, "1/minute", "login").use("a") == 0


def test_twenty_at_once_get_no_more_than_the_limit(redis: Server, opened: Opened) -> None:
    windows = [window(opened(redis.url), "5/minute") for _ in range(4)]
    start = threading.Barrier(20)

    def ask(nth: int) -> bool:
        start.wait()
        return windows[nth % 4].use("a") == 0

    with ThreadPoolExecutor(20) as pool:
        admitted = sum(pool.map(ask, range(20)))
    assert admitted == 5


def test_a_counter_is_forgotten_after_two_windows(redis: Server, opened: Opened) -> None:
    window(opened(redis.url)).use("192.0.2.1")
    with Redis.from_url(redis.url) as looking:
        lives = [looking.ttl(key) for key in looking.keys("*")]
    assert lives
    assert all(0 < seconds <= 120 for seconds in lives)


def test_without_redis_each_process_counts_for_itself_and_with_it_again_together(
    redis: Server, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_windows, "_AWAY_SECONDS", 0.2)
    one, other = window(opened(redis.url), "2/minute"), window(opened(redis.url), "2/minute")
    assert [one.use("a"), other.use("a")] == [0, 0]
    redis.kill()
    assert [one.use("a"), one.use("a"), other.use("a"), other.use("a")] == [0, 0, 0, 0]
    assert one.use("a") >= 1
    assert other.use("a") >= 1
    redis.start()
    time.sleep(0.3)
    assert [one.use("b"), other.use("b")] == [0, 0]
    assert one.use("b") >= 1


def test_a_redis_that_hangs_costs_one_moment_and_not_one_for_each_request(redis: Server, opened: Opened) -> None:
    """F-36."""
    asked = window(opened(redis.url), "50/minute")
    asked.use("a")
    redis.signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert [asked.use("a") for _ in range(20)] == [0] * 20
        assert time.monotonic() - begun < 2
    finally:
        redis.signal(signal.SIGCONT)


def test_a_patient_is_limited_over_all_processes_and_served_without_redis(
    redis: Server, make_app: Callable[[Config], App], environ: dict[str, str], database_url: str
) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis.url, "RATE_LIMIT_ADDRESS": "2/minute"}
    config = Config.from_environ(environ | settings)
    assert redis.url not in repr(config)
    clients: list[FlaskClient] = [make_app(config).test_client() for _ in range(2)]

    def ask(client: FlaskClient) -> int:
        return client.get("/api/v1/time").status_code

    assert [ask(clients[0]), ask(clients[1]), ask(clients[0]), ask(clients[1])] == [200, 200, 429, 429]
    redis.kill()
    assert [ask(clients[0]), ask(clients[0]), ask(clients[0])] == [200, 200, 429]
    for client in clients:
        limits: Limits = client.application.extensions["yuezhen-limits"]
        assert isinstance(limits.address, SharedWindow)
        limits.address._counters.close()
