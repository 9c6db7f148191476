"""How gunicorn serves: threads for requests that wait on a database or a platform, processes where the database
allows more than one writer."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import sys
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog

from core.keys.settle import settle_keys

_local = os.environ.get("MODE") == "local"
_postgres = os.environ.get("DATABASE_URL", "").startswith("postgres")
_shm = Path("/dev/shm")  # noqa: S108 - gunicorn makes a private file in it
_cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
_PR_SET_PDEATHSIG = 1
_SILENCE_SECONDS = 10

bind = os.environ.get("BIND", f"127.0.0.1:{os.environ.get('API_PORT', '8000')}")
worker_class = "gthread"
# A process for each core it may run on (docs/performance.md). SQLite: one process, one writer queue.
workers = int(os.environ.get("WEB_PROCESSES") or max(2, _cores)) if _postgres else 1
threads = 16
# Longer than the longest chain of calls to a platform that one request makes.
timeout = 60
graceful_timeout = 8 if _local else 30
keepalive = 65
control_socket_disable = True
# No client of ours comes near these; what is longer is refused before anything of ours reads it.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
logger_class = "miniapp_api.gunicorn_logs.Logger"
# The heartbeat file must not wait for a disk.
worker_tmp_dir = str(_shm) if os.access(_shm, os.W_OK) else None


def when_ready(server: Any) -> None:
    """A client that stops in the middle of its request gives its thread back: accepted sockets inherit the limit.

    One byte every few seconds still gets through, so the proxy in front must buffer request bodies."""
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _SILENCE_SECONDS, 0))


def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
    """Whoever fell silent in the middle has been told so. Nothing more is waited for of that request, or its thread
    would wait once more as long for the rest of it."""
    if resp is not None and resp.status_code == HTTPStatus.REQUEST_TIMEOUT:
        with suppress(OSError):
            environ["gunicorn.socket"].shutdown(socket.SHUT_RD)


def post_fork(arbiter: Any, worker: Any) -> None:
    """Where the arbiter is killed outright its workers end with it at once, and let go of the port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != arbiter.pid:
            os.kill(os.getpid(), signal.SIGKILL)


def post_worker_init(worker: Any) -> None:
    """Look at the keys before the first request. Where the database is away, readiness and whoever writes look."""
    worker.wsgi.extensions["yuezhen-refused"].start()
    workbench = worker.wsgi.extensions["yuezhen"].workbench
    try:
        settle_keys(workbench)
    except Exception:
        structlog.get_logger().warning("keys_not_looked_at", exc_info=True)


def worker_exit(server: Any, worker: Any) -> None:
    """What was refused since it was last written down."""
    if getattr(worker, "wsgi", None) is not None:
        worker.wsgi.extensions["yuezhen-refused"].write()
