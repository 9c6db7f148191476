"""Child processes that are looked after: started apart from the terminal, started again when they die, and gone
when this process is gone, however it went."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_STEADY_SECONDS = 10.0
_STOP_SECONDS = 15.0
_LOOK_SECONDS = 0.1
_LOG_BYTES = 20 * 1024 * 1024

Say = Callable[[str], None]


@dataclass
class Child:
    """One process that should always run. `pause` is how long to wait before the next start, in seconds."""

    name: str
    command: Sequence[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = _FIRST_PAUSE

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Children:
    """The children of one run. `pids` is a JSON file that always names the living ones."""

    def __init__(self, *, environ: Mapping[str, str], cwd: Path, logs: Path, pids: Path, say: Say) -> None:
        self._environ, self._cwd, self._logs, self._pids, self._say = dict(environ), cwd, logs, pids, say
        self._children: list[Child] = []
        self._stop_asked = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)

    @property
    def stop_asked(self) -> bool:
        return self._stop_asked

    def log_of(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def run(self, name: str, command: Sequence[str]) -> bool:
        """Run something that ends. Returns whether it ended well; what it wrote is in its log."""
        process = self._spawn(command, self.log_of(name))
        while process.poll() is None:
            if self._stop_asked:
                _end(process)
            time.sleep(_LOOK_SECONDS / 2)
        return process.returncode == 0

    def keep(self, name: str, command: Sequence[str]) -> Child:
        """Start something that should run for as long as this process does."""
        child = Child(name, command, self.log_of(name))
        self._children.append(child)
        self._start(child)
        return child

    def watch(self) -> None:
        """Start again what died, until somebody asks to stop."""
        while not self._stop_asked:
            self.look_after()
            time.sleep(_LOOK_SECONDS)

    def look_after(self) -> None:
        """One look at each child."""
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._mourn(child, now)
            elif child.process is None and now >= child.start_at:
                self._start(child)

    def stop(self) -> None:
        """End all of them; the first one serves the others and goes last. Whoever does not listen is killed."""
        living = [child.process for child in self._children if child.process is not None]
        for process in living[1:]:
            process.terminate()
        for process in (*living[1:], *living[:1]):
            _end(process)
        self._pids.unlink(missing_ok=True)

    def _start(self, child: Child) -> None:
        child.process = self._spawn(child.command, child.log)
        child.started_at = time.monotonic()
        self._note()

    def _mourn(self, child: Child, now: float) -> None:
        assert child.process is not None
        _kill_group(child.process.pid)
        steady = now - child.started_at > _STEADY_SECONDS
        child.pause = _FIRST_PAUSE if steady else min(child.pause * 2, _LONGEST_PAUSE)
        child.start_at = now + child.pause
        self._say(f"{child.name} ended ({_how(child.process.returncode)}), starting it again; its log: {child.log}")
        child.process = None
        self._note()

    def _spawn(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self._cwd,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C at the terminal reaches only this process, which ends them in order
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - this process has one thread
            )

    def _note(self) -> None:
        pids = {child.name: child.process.pid for child in self._children if child.process is not None}
        draft = self._pids.with_suffix(".new")
        draft.write_text(json.dumps({"run": os.getpid()} | pids, indent=2) + "\n")
        draft.replace(self._pids)

    def _ask_to_stop(self, _number: int, _frame: object) -> None:
        self._stop_asked = True


def _die_with(parent: int) -> Callable[[], None]:
    def _before_exec() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    return _before_exec


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    _kill_group(process.pid)
    process.wait()


def _kill_group(leader: int) -> None:
    """What a dead leader left behind (its session bears its pid)."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _how(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
