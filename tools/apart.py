"""A run of its own for a journey that closes a day: sandbox, API and worker in a fresh folder on free ports, gone at
the end. What `make run` keeps is not touched; a day can be closed only once there."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_READY_SECONDS = 120.0
_STOP_SECONDS = 30.0
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class DidNotStart(Exception):
    """In the words of what was started."""


@contextmanager
def run_apart(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """What a journey's environment must be to mean this run. Raises: DidNotStart."""
    with tempfile.TemporaryDirectory(prefix="yuezhen-") as folder:
        api, sandbox = _free_ports()
        own = {**environ, "API_PORT": str(api), "SANDBOX_PORT": str(sandbox), "DATA_DIR": folder, "DATABASE_URL": ""}
        with (Path(folder) / "run.log").open("w+") as log:
            run = subprocess.Popen(
                [sys.executable, str(_HERE / "run.py")], env=own, stdout=log, stderr=log, start_new_session=True
            )
            try:
                _await(run, f"http://127.0.0.1:{api}/readyz", Path(log.name))
                yield own
            finally:
                run.terminate()
                run.wait(_STOP_SECONDS)


def _free_ports() -> tuple[int, int]:
    """Two, outside of the range from which the kernel takes the near ends of connections."""
    found = set[int]()
    while len(found) < 2:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return found.pop(), found.pop()


def _await(run: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Raises: DidNotStart."""
    deadline = time.monotonic() + _READY_SECONDS
    while run.poll() is None and time.monotonic() < deadline:
        try:
            with _direct.open(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise DidNotStart(log.read_text(errors="replace"))
