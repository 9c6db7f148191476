"""A port of ours that takes the messages of a payment platform, and keeps what its reader made of each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.ports import InvalidSignature, MessageReader, PlatformMessage, Reply


@dataclass(frozen=True)
class Delivery:
    """One message as it came: what was read in it, or why it was refused."""

    path: str
    headers: dict[str, str]
    body: bytes
    message: PlatformMessage | None
    reason: str | None


@dataclass
class Mailbox:
    """Answers as our callback route does: with the reader's own words."""

    reader: MessageReader
    url: str = ""
    deliveries: queue.Queue[Delivery] = field(default_factory=queue.Queue)

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        try:
            message = self.reader.check(headers, body, now=datetime.now(UTC))
        except InvalidSignature as error:
            self.deliveries.put(Delivery(path, headers, body, None, error.reason))
            return self.reader.refused()
        self.deliveries.put(Delivery(path, headers, body, message, None))
        return self.reader.accepted()

    def next(self) -> Delivery:
        return self.deliveries.get(timeout=20)


@contextmanager
def collecting(reader: MessageReader) -> Iterator[Mailbox]:
    """A mailbox that listens at `url`, and at any path below it."""
    box = Mailbox(reader)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = box.receive(self.path, dict(self.headers.items()), body)
            self.send_response(reply.status)
            if reply.body:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            """Nothing to print."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        box.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()
