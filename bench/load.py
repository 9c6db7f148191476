"""The load: a process of its own, with keep-alive connections and prebuilt requests, that only counts.

One thread and one selector, so that it takes as little as possible from the two cores it shares with what it
measures. It ends by itself: after the last request, or when its time is over.
After `ask_for` seconds it asks no more, and waits for what it has asked.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"
_RECEIVE = 65536


class _Connection:
    """One request at a time; `answer` grows until it is whole."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer = b""
        self.asked_at = 0.0

    def ask(self, request: bytes) -> None:
        self.answer = b""
        self.asked_at = time.monotonic()
        self.socket.sendall(request)

    def has_whole_answer(self) -> bool:
        """Read what is there. Raises: ConnectionError where the server hangs up."""
        received = self.socket.recv(_RECEIVE)
        if not received:
            raise ConnectionError
        self.answer += received
        head, found, body = self.answer.partition(_END_OF_HEAD)
        return bool(found) and len(body) >= _body_length(head)


def _body_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(_LENGTH)
    return int(lowered[start + len(_LENGTH) :].split(b"\r\n", 1)[0]) if start >= 0 else 0


def _outcome(answer: bytes) -> str:
    """The status, and the problem code of a refusal."""
    status = answer[9:12].decode()
    if status < "400":
        return status
    try:
        return f"{status} {json.loads(answer.partition(_END_OF_HEAD)[2])['code']}"
    except (ValueError, KeyError):
        return status


class _Load:
    """`last` is when each kind of answer was heard for the last time, in seconds since the beginning."""

    def __init__(self, port: int, connections: int, requests: Iterator[bytes], *, ask_for: float) -> None:
        self.requests = requests
        self.latencies: list[float] = []
        self.answers: Counter[str] = Counter()
        self.last: dict[str, float] = {}
        self._ask_for, self._began = ask_for, 0.0
        self._selector = selectors.DefaultSelector()
        self._connections = [_Connection(port) for _ in range(connections)]
        for connection in self._connections:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def run(self, *, seconds: float) -> float:
        """Work until all is answered or the time is over; how long it took."""
        self._began = time.monotonic()
        busy = sum(self._next(connection) for connection in self._connections)
        while busy and self._passed() < seconds:
            for key, _ in self._selector.select(timeout=1):
                connection: _Connection = key.data
                if connection.has_whole_answer():
                    self._note(connection)
                    busy -= not self._next(connection)
        return self._passed()

    def _note(self, connection: _Connection) -> None:
        outcome = _outcome(connection.answer)
        self.latencies.append(time.monotonic() - connection.asked_at)
        self.answers[outcome] += 1
        self.last[outcome] = self._passed()

    def _next(self, connection: _Connection) -> bool:
        request = next(self.requests, None) if self._passed() < self._ask_for else None
        if request is not None:
            connection.ask(request)
        return request is not None

    def _passed(self) -> float:
        return time.monotonic() - self._began


def http_request(method: str, path: str, *, headers: Sequence[tuple[str, str]] = (), body: str = "") -> str:
    """The whole text of a request; ASCII only."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines) + "\r\n\r\n" + body


def main() -> None:
    """Job: port, connections, requests, times (how many to send in all, over again), ask_for, seconds (at most)."""
    job = json.loads(sys.stdin.readline())
    requests = islice(cycle([request.encode() for request in job["requests"]]), job["times"])
    load = _Load(job["port"], job["connections"], requests, ask_for=job["ask_for"])
    print("ready", flush=True)
    sys.stdin.readline()
    seconds = load.run(seconds=job["seconds"])
    heard = {"seconds": seconds, "latencies": load.latencies, "answers": load.answers, "last": load.last}
    print(json.dumps(heard), flush=True)


if __name__ == "__main__":
    main()
