"""Clients on thin lines, in front of the app as it is served: behind a proxy that buffers, and without one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from running import blank_postgres, gunicorn, is_ready, local_environ
from sqlalchemy.engine import URL
from wire import eventually, over_http

from migrations import upgrade

THIN = 100
"""More than three for each thread of the two processes, in place of 500."""
AT_ONCE = 5.0
"""Seconds within which somebody on a good line is served, whatever else the machine has to do."""
BODY_TIMEOUT = 2
"""Seconds of silence in a body after which the proxy gives up; ten where it is real."""
CONF = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_header_timeout {timeout}s;
    client_body_timeout {timeout}s;
    proxy_request_buffering on;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass {upstream}; }}
    }}
}}
"""


@pytest.fixture(scope="module")
def served(postgres_server: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two processes of 16 threads."""
    folder = tmp_path_factory.mktemp("thin")
    with blank_postgres(postgres_server) as database_url:
        upgrade(database_url)
        with gunicorn(local_environ(folder, database_url), folder / "log") as base_url:
            yield base_url


@pytest.fixture
def proxy(served: str, tmp_path: Path) -> Iterator[str]:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx is not here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    conf = tmp_path / "nginx.conf"
    conf.write_text(CONF.format(folder=tmp_path, port=port, upstream=served, timeout=BODY_TIMEOUT))
    process = subprocess.Popen([program, "-p", tmp_path, "-c", conf], stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: is_ready(url), "the proxy passes on")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


@dataclass
class Slow:
    """One client in the middle of its request."""

    connection: socket.socket

    def trickles(self) -> None:
        """Two kilobytes in a second, if it is called ten times in one."""
        self.connection.sendall(b" " * 200)

    def hears(self) -> bytes:
        self.connection.settimeout(60)
        return self.connection.recv(200)


def slow(url: str, stack: ExitStack, count: int) -> list[Slow]:
    """Each has sent its head and a little of a long body."""
    parts = urlsplit(url)
    head = "POST /api/v1/sessions HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
    found = []
    for _ in range(count):
        connection = socket.create_connection((str(parts.hostname), int(parts.port or 80)), timeout=30)
        found.append(Slow(stack.enter_context(connection)))
        connection.sendall(head.encode() + b"Content-Length: 16000\r\n\r\n" + b" " * 200)
    return found


def waits(url: str) -> float:
    """How long somebody on a good line waits."""
    began = time.monotonic()
    assert over_http(url)("GET", "/readyz", None, {}).status == 200
    return time.monotonic() - began


def test_f_31_thin_lines_hold_no_thread_behind_a_proxy_that_buffers(proxy: str) -> None:
    with ExitStack() as stack:
        thin = slow(proxy, stack, THIN)
        waited = []
        for _ in range(30):
            for one in thin:
                one.trickles()
            waited.append(waits(proxy))
            time.sleep(0.1)
    assert max(waited) < AT_ONCE


def test_f_31_a_body_that_is_late_is_given_up(proxy: str) -> None:
    """The proxy hangs up on whoever falls silent in the middle, and nobody else notices."""
    with ExitStack() as stack:
        (silent,) = slow(proxy, stack, 1)
        assert waits(proxy) < AT_ONCE
        assert silent.hears() == b""


def test_f_31_without_a_proxy_whoever_is_silent_for_ten_seconds_gives_the_thread_back(served: str) -> None:
    """More than there are threads in both processes say no more: each is told so, and then all threads are there
    again."""
    with ExitStack() as stack:
        for one in slow(served, stack, 33):
            assert one.hears().startswith(b"HTTP/1.1 408 ")
        assert waits(served) < AT_ONCE
