"""A line between a client and a server that loses what it is told to lose."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from threading import Thread
from urllib.parse import urlsplit


class Fate(Enum):
    """What becomes of one request and its answer."""

    ARRIVES = "both arrive"
    REQUEST_LOST = "the server hears nothing"
    ANSWER_LOST = "the server has answered, and the client hears nothing"


@dataclass
class Line:
    """`url` leads to the server. Each connection is one request, whose fate and delay in seconds are asked for."""

    url: str
    fate: Callable[[], Fate]
    delay: Callable[[], float]
    met: list[Fate] = field(default_factory=list)

    def serve(self, client: socket.socket, server: tuple[str, int]) -> None:
        fate = self.fate()
        self.met.append(fate)
        with client:
            time.sleep(self.delay())
            if fate is not Fate.REQUEST_LOST:
                with socket.create_connection(server) as there, suppress(OSError):
                    asking = Thread(target=_pass_on, args=(client, there))
                    asking.start()
                    _pass_on(there, client if fate is Fate.ARRIVES else None)
                    client.shutdown(socket.SHUT_RDWR)
                    asking.join()


def _pass_on(source: socket.socket, to: socket.socket | None) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            if to is not None:
                to.sendall(piece)


@contextmanager
def bad_line(server_url: str, fate: Callable[[], Fate], delay: Callable[[], float] = lambda: 0.0) -> Iterator[Line]:
    """For the length of the block, beside the straight way."""
    parts = urlsplit(server_url)
    server = (str(parts.hostname), int(parts.port or 80))
    threads: list[Thread] = []
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        line = Line(f"http://127.0.0.1:{listener.getsockname()[1]}", fate, delay)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threads.append(Thread(target=line.serve, args=(client, server)))
                    threads[-1].start()

        accepting = Thread(target=accept)
        accepting.start()
        try:
            yield line
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for one in threads:
                one.join()
