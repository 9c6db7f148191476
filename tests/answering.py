"""A platform on the wire for tests of clients: it answers each path as it was told, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    raw_query: str
    body: bytes
    target: str = ""
    """Path and query in their raw spelling: what is signed where a request is."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Told = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body of an answer."""


@dataclass
class Platform:
    """Answers are used in turn; the last one of a path stands."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, deque[tuple[int, bytes]]] = field(default_factory=lambda: defaultdict(deque))

    def answer(self, path: str, *contents: Any, status: int = 200) -> None:
        for content in contents:
            body = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
            self.answers[path].append((status, body))

    def asked_at(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    def take(self, asked: Asked) -> Told:
        self.asked.append(asked)
        answers = self.answers[asked.path]
        status, content = (answers.popleft() if len(answers) > 1 else answers[0]) if answers else (404, b"")
        return status, {"Content-Type": "text/plain"}, content


@contextmanager
def platform() -> Iterator[Platform]:
    """Listens on a free port of the loopback until the end of the block."""
    told = Platform()
    with serving(told.take) as told.url:
        yield told


@contextmanager
def serving(take: Callable[[Asked], Told]) -> Iterator[str]:
    """Answers each request as `take` says, on a free port of the loopback; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            headers = dict(self.headers.items())
            status, told, content = take(Asked(self.command, parts.path, query, parts.query, body, self.path, headers))
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            for name, value in told.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _handle

        def log_message(self, *_: Any) -> None:
            """The test's output is for the test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
