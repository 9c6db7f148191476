"""Child processes of a run: apart from the terminal, and gone when this process is gone, however it went."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from bench.figures import BenchFailed

ROOT = Path(__file__).resolve().parent.parent
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_STOP_SECONDS = 12.0


def spawn(
    command: Sequence[str],
    *,
    output: int | IO[bytes],
    environ: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    errors: int | IO[bytes] = subprocess.STDOUT,
) -> subprocess.Popen[bytes]:
    """Start `command` at the root of the checkout, in a session of its own."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=None if environ is None else dict(environ),
        stdin=stdin,
        stdout=output,
        stderr=errors,
        start_new_session=True,  # a Ctrl-C reaches only this process, which ends the others in order
        preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - this process has one thread
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to stop; whoever does not listen is killed, with all that it started."""
    if process.poll() is None:
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _die_with(parent: int) -> Callable[[], None]:
    def _before_exec() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    return _before_exec


class Crew:
    """Helpers that each get a job (JSON), say that they are ready, begin together, and answer with JSON."""

    def __init__(self, module: str, jobs: Sequence[Mapping[str, Any]]) -> None:
        self._helpers = [
            spawn(
                [sys.executable, "-m", module],
                output=subprocess.PIPE,
                stdin=subprocess.PIPE,
                errors=subprocess.DEVNULL,
            )
            for _ in jobs
        ]
        self._jobs = jobs

    def work(self) -> list[Any]:
        """Raises: BenchFailed where a helper ended without an answer."""
        try:
            for helper, job in zip(self._helpers, self._jobs, strict=True):
                _tell(helper, json.dumps(job))
            for helper in self._helpers:
                _hear(helper)
            for helper in self._helpers:
                _tell(helper, "go")
            return [json.loads(_hear(helper)) for helper in self._helpers]
        finally:
            for helper in self._helpers:
                end(helper)


def _tell(helper: subprocess.Popen[bytes], line: str) -> None:
    assert helper.stdin is not None
    with suppress(BrokenPipeError):
        helper.stdin.write(line.encode() + b"\n")
        helper.stdin.flush()


def _hear(helper: subprocess.Popen[bytes]) -> bytes:
    assert helper.stdout is not None
    line = helper.stdout.readline()
    if not line:
        raise BenchFailed("a helper process ended early")
    return line
