"""The HTTP server: one thread for each connection, HTTP/1.1 keep-alive, the raw request target, and the socket itself.

Not werkzeug's: that one closes every connection, and the scripted faults (a connection cut before, in the middle of, or
instead of an answer) need the socket.
"""

import io
import logging
import socket
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication, WSGIEnvironment

log = logging.getLogger("sandbox.server")
TRANSPORT = "sandbox.transport"
RAW_TARGET = "sandbox.raw_target"
IDLE_SECONDS = 60
DRAIN_SECONDS = 5
SLOW_PIECES = 8


@dataclass(frozen=True)
class Transport:
    """How a finished answer leaves: `drop` (not at all), `cut` (half the body), `slow` (in pieces over `seconds`)."""

    mode: str
    seconds: float = 0.0


class Handler(BaseHTTPRequestHandler):
    """Turns one HTTP request into one call of the WSGI application."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def serve(self) -> None:
        """Read the body, run the application, send its answer in one piece."""
        with self.server.counted():
            body = self._read_body()
            if body is None:
                return
            environ = self._environ(body)
            status, headers, answer = run_application(self.server.application, environ)
            self._send(status, headers, answer, environ.get(TRANSPORT))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve

    def _read_body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding") is not None:
            return self._refused("411 Length Required")
        lengths = self.headers.get_all("Content-Length") or ["0"]
        if len(lengths) != 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            return self._refused("400 Bad Request")
        if int(lengths[0]) > self.server.body_limit:
            return self._refused("413 Content Too Large")
        body = self.rfile.read(int(lengths[0]))
        if len(body) < int(lengths[0]):
            self.close_connection = True
            return None
        return body

    def _refused(self, status: str) -> bytes | None:
        # The body was not read, so the connection cannot be used for another request.
        self.close_connection = True
        self._send(status, [("Content-Type", "text/plain; charset=utf-8")], status.encode(), None)
        return None

    def _environ(self, body: bytes) -> WSGIEnvironment:
        path, _, query = self.path.partition("?")
        host, port = self.server.server_address[:2]
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port),
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_PROTOCOL": self.request_version,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            RAW_TARGET: self.path,
        }
        for name in set(self.headers.keys()):
            key = name.upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                # A doubled header becomes one value with a comma: a doubled Authorization then names a field twice.
                environ[f"HTTP_{key}"] = ",".join(self.headers.get_all(name) or [])
        return environ

    def _send(self, status: str, headers: list[tuple[str, str]], body: bytes, transport: Transport | None) -> None:
        if transport is not None and transport.mode == "drop":
            self.close_connection = True
            return
        number, _, reason = status.partition(" ")
        lines = [f"HTTP/1.1 {number} {reason}", f"Date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in headers if name.lower() not in ("content-length", "date")]
        if number != "204":
            lines.append(f"Content-Length: {len(body)}")
        if self.close_connection or transport is not None:
            self.close_connection = True
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        self._write(head, b"" if self.command == "HEAD" or number == "204" else body, transport)

    def _write(self, head: bytes, body: bytes, transport: Transport | None) -> None:
        if transport is None:
            self.wfile.write(head + body)
        elif transport.mode == "cut":
            self.wfile.write(head + body[: len(body) // 2])
        else:
            self.wfile.write(head)
            size = max(1, -(-len(body) // SLOW_PIECES))
            for start in range(0, len(body), size):
                self.server.stopping.wait(transport.seconds / SLOW_PIECES)
                self.wfile.write(body[start : start + size])

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: targets carry secrets and tokens in their query."""


class Server(ThreadingHTTPServer):
    """The listening socket and its open connections."""

    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(
        self, host: str, port: int, application: WSGIApplication, body_limit: int, stopping: threading.Event
    ) -> None:
        self.application = application
        self.body_limit = body_limit
        self.stopping = stopping
        self._watch = threading.Condition()
        self._open: set[socket.socket] = set()
        self._running = 0
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host.strip("[]"), port), Handler)

    def server_bind(self) -> None:
        """Bind without the name lookup of http.server, which can hang where names do not resolve."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def counted(self) -> "_Counted":
        """Count a request in progress."""
        return _Counted(self)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Remember each connection, so that stopping can close the idle ones."""
        connection, address = super().get_request()
        with self._watch:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Forget and close a connection."""
        with self._watch:
            self._open.discard(request)
            self._watch.notify_all()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""
        if not isinstance(sys.exception(), OSError):
            log.exception("request failed")

    def change_running(self, by: int) -> None:
        """Note that a request began or ended."""
        with self._watch:
            self._running += by
            self._watch.notify_all()

    def drain(self) -> None:
        """Stop listening, let running requests finish, then close what is idle."""
        self.server_close()
        deadline = time.monotonic() + DRAIN_SECONDS
        with self._watch:
            self._watch.wait_for(lambda: self._running == 0, timeout=max(0.0, deadline - time.monotonic()))
            idle = list(self._open)
        for connection in idle:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        with self._watch:
            self._watch.wait_for(lambda: not self._open, timeout=1.0)


class _Counted:
    def __init__(self, server: Server) -> None:
        self._server = server

    def __enter__(self) -> None:
        self._server.change_running(1)

    def __exit__(self, *_: object) -> None:
        self._server.change_running(-1)


def run_application(application: WSGIApplication, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
    """Call a WSGI application and collect its whole answer."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    pieces: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
        started.append((status, headers))
        return pieces.append

    answer = application(environ, start_response)
    try:
        pieces.extend(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
    status, headers = started[-1]
    return status, headers, b"".join(pieces)
