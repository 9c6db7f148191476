"""The transport over real sockets: what a mock cannot show."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from core.ports import ProviderUnavailable
from integrations.transport import MOST_ANSWER_BYTES, Transport, strict_object

Talk = Callable[[socket.socket], None]


class Server:
    """Accepts connections and lets `talk` misbehave on each."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections = 0
        self.heard = b""
        self.talk: Talk = lambda connection: None
        self.threads: list[threading.Thread] = []
        self.done = threading.Event()
        self.main = threading.Thread(target=self._run)
        self.main.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            thread.start()
            self.threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        with closing(connection):
            try:
                self.talk(connection)
            except OSError:
                return

    def hear(self, connection: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionError
            head += piece
        self.heard += head
        return head

    def close(self) -> None:
        self.done.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in [self.main, *self.threads]:
            thread.join(10)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(timeouts=(0.5, 0.5), secret_urls=True)
    yield made
    made._session.close()


def answer(body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def test_a_connection_is_used_again(server: Server, transport: Transport) -> None:
    def talk(connection: socket.socket) -> None:
        while True:
            server.hear(connection)
            connection.sendall(answer(b'{"n":1}'))

    server.talk = talk
    for _ in range(5):
        assert transport.exchange("GET", server.url).body == b'{"n":1}'
    assert server.connections == 1
    transport._session.close()


def test_a_chunked_answer_is_read_whole(server: Server, transport: Transport) -> None:
    def talk(connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    server.talk = talk
    assert transport.exchange("GET", server.url).body == b"abcde"


def test_a_cookie_is_not_kept(server: Server, transport: Transport) -> None:
    def talk(connection: socket.socket) -> None:
        while True:
            server.hear(connection)
            connection.sendall(answer(b"{}", "Set-Cookie: a=b\r\n"))

    server.talk = talk
    transport.exchange("GET", server.url)
    transport.exchange("GET", server.url)
    assert b"cookie" not in server.heard.lower()
    transport._session.close()


def test_a_packed_answer_is_not_unpacked(server: Server, transport: Transport) -> None:
    packed = gzip.compress(b"\0" * (4 * MOST_ANSWER_BYTES))

    def talk(connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(answer(packed, "Content-Encoding: gzip\r\n"))

    server.talk = talk
    assert transport.exchange("GET", server.url).body == packed


def silent(server: Server, connection: socket.socket) -> None:
    server.hear(connection)
    server.done.wait(60)


def reset(server: Server, connection: socket.socket) -> None:
    server.hear(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def hung_up(server: Server, connection: socket.socket) -> None:
    server.hear(connection)


def cut(server: Server, connection: socket.socket) -> None:
    server.hear(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def cut_chunk(server: Server, connection: socket.socket) -> None:
    server.hear(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{")


def bad_chunk(server: Server, connection: socket.socket) -> None:
    server.hear(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{")


def stalled(server: Server, connection: socket.socket) -> None:
    cut(server, connection)
    server.done.wait(60)


def trickle(server: Server, connection: socket.socket) -> None:
    """Each byte comes before the read timeout; all of them never would."""
    cut(server, connection)
    while not server.done.wait(0.1):
        connection.sendall(b" ")


def endless(server: Server, connection: socket.socket) -> None:
    server.hear(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


def not_http(server: Server, connection: socket.socket) -> None:
    server.hear(connection)
    connection.sendall(b"220 mail.example ESMTP\r\n\r\n")


def many_headers(server: Server, connection: socket.socket) -> None:
    server.hear(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n")


@pytest.mark.parametrize(
    "misbehave",
    [silent, reset, hung_up, cut, cut_chunk, bad_chunk, stalled, trickle, endless, not_http, many_headers],
)
def test_f_36_a_server_that_misbehaves_is_unavailable_and_was_reached(
    server: Server, transport: Transport, misbehave: Callable[[Server, socket.socket], None]
) -> None:
    """F-36, F-37."""
    server.talk = lambda connection: misbehave(server, connection)
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable) as caught:
        transport.exchange("POST", f"{server.url}/x", params={"secret": "HUSH"}, body=b"{}")
    assert caught.value.sent
    assert time.monotonic() - began < 20
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert server.connections == 1


def test_a_closed_port_was_never_reached(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ProviderUnavailable) as caught:
        transport.exchange("POST", f"http://127.0.0.1:{port}/")
    assert not caught.value.sent


def test_an_unknown_name_was_never_reached(transport: Transport) -> None:
    """F-33."""
    with pytest.raises(ProviderUnavailable) as caught:
        transport.exchange("POST", "http://nowhere.invalid/")
    assert not caught.value.sent


def test_the_log_of_urllib3_shows_no_query(
    server: Server, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    def talk(connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(answer(b"{}"))

    server.talk = talk
    with caplog.at_level(logging.DEBUG):
        transport.exchange("GET", f"{server.url}/sns", params={"secret": "HUSH"})
    assert b"HUSH" in server.heard
    assert "/sns" in caplog.text
    assert "HUSH" not in caplog.text
    transport._session.close()


def test_the_environment_does_not_choose_a_proxy(
    server: Server, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    def talk(connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(answer(b"{}"))

    server.talk = talk
    assert transport.exchange("GET", server.url).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"7",
        b"[{}]",
        b'{"a":1}x',
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' * 100_000,
        b'{"a":' + b"9" * 10_000 + b"}",
    ],
)
def test_only_one_plain_object_is_read(body: bytes) -> None:
    with pytest.raises(ValueError):
        strict_object(body)
    assert strict_object(b' {"a": "\xe5\xbc\xa0", "b": null}\n') == {"a": "张", "b": None}
