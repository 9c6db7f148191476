"""The real processes: gunicorn as it serves, and the whole house as `make run` starts it."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from canaries import swallow
from crowd import Town
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from wire import NoAnswer, eventually, over_http

from miniapp_api.config import Config
from miniapp_api.keys import write_keys
from models.database import Database, Timeouts
from models.sealing import Vault

ROOT = Path(__file__).parent.parent
START_SECONDS = 120.0
_PR_SET_PDEATHSIG = 1
_dice = random.SystemRandom()  # not the generator that a test run seeds
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
# A test's own look at a database that others work on may wait.
_PATIENT = Timeouts(lock=20_000, statement=30_000, idle_in_transaction=30_000)


@contextmanager
def blank_postgres(server: URL) -> Iterator[str]:
    """A database of its own on the run's server, gone at the end."""
    name = f"faults_{uuid.uuid4().hex[:12]}"
    _administer(server, f"CREATE DATABASE {name}")
    try:
        yield server.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    finally:
        _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server: URL, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def local_environ(folder: Path, database_url: str, platforms: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The environment of an app on this machine, with its files written."""
    write_keys(folder / "keys.json")
    (folder / "platforms.json").write_text(json.dumps(platforms or {}))
    return {"MODE": "local", "DATA_DIR": str(folder), "DATABASE_URL": database_url}


def vault_of(config: Config) -> Vault:
    return Vault(sealing=config.keys.sealing, hashing=config.keys.hashing)


@contextmanager
def looking_at(url: str) -> Iterator[Database]:
    """The same database, opened by the test."""
    opened = Database(url, timeouts=_PATIENT, pool_size=8)
    try:
        yield opened
    finally:
        opened.close()


# --- gunicorn --------------------------------------------------------------------------------------------------------


@contextmanager
def gunicorn(environ: Mapping[str, str], log: Path) -> Iterator[str]:
    """Two workers, as gunicorn.conf.py has them on PostgreSQL. Gives the base URL."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(512)
        url, handle = f"http://127.0.0.1:{listening.getsockname()[1]}", listening.fileno()
        command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"]
        settings = {**environ, "BIND": f"fd://{handle}", "WEB_PROCESSES": "2"}
        process = _spawn(command, settings, log, keep=(handle,))
    try:
        await_ready(url, process, log)
        eventually(lambda: len(psutil.Process(process.pid).children()) == 2, "two workers")
        yield url
    finally:
        _kill(process)  # nothing of it is worth a graceful end
        swallow(log)


def await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()[-4000:]
        return is_ready(url)

    eventually(answers, f"{url} is ready; {log}", within=START_SECONDS)


def is_ready(url: str) -> bool:
    with suppress(NoAnswer):
        return over_http(url, timeout=5)("GET", "/readyz", None, {}).status == 200
    return False


def _spawn(
    command: Sequence[str], settings: Mapping[str, str], log: Path, *, keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**_environ(), **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=keep,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - it calls nothing that takes a lock
        )


def _environ() -> dict[str, str]:
    """This process's own, without what would move the child elsewhere."""
    ours = {"DATABASE_URL", "DATA_DIR", "API_PORT", "SANDBOX_PORT", "DIRECTORY", "KEYS_FILE", "PLATFORMS_FILE"}
    return {name: value for name, value in os.environ.items() if name not in ours}


def _die_with(parent: int) -> Callable[[], None]:
    def before_exec() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    return before_exec


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# --- the whole house -------------------------------------------------------------------------------------------------


def free_ports(count: int = 2) -> list[int]:
    """Different ones, outside of the range from which the kernel takes the near ends of connections."""
    found: set[int] = set()
    while len(found) < count:
        port = _dice.randrange(12_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return list(found)


@dataclass
class House:
    """One `make run`, seen from outside."""

    process: subprocess.Popen[bytes]
    settings: Mapping[str, str]
    data: Path
    town: Town = field(init=False)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.settings['API_PORT']}"

    @property
    def sandbox(self) -> str:
        return f"http://127.0.0.1:{self.settings['SANDBOX_PORT']}"

    @property
    def database_url(self) -> str:
        return self.settings.get("DATABASE_URL") or f"sqlite:///{self.data / 'yuezhen.db'}"

    def pids(self) -> dict[str, int]:
        with suppress(FileNotFoundError):
            found: dict[str, int] = json.loads((self.data / "pids.json").read_text())
            return found
        return {}

    def kill(self, *names: str) -> None:
        """SIGKILL, at once, to these children and to whatever they started."""
        for pid in [self.pids()[name] for name in names]:
            with suppress(psutil.NoSuchProcess):
                child = psutil.Process(pid)
                for one in (child, *child.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        one.kill()

    def kill_request_process(self) -> None:
        """SIGKILL to the process that serves requests, not to the one that looks after it."""
        with suppress(psutil.NoSuchProcess, KeyError):
            for one in psutil.Process(self.pids()["api"]).children():
                with suppress(psutil.NoSuchProcess):
                    one.kill()

    def await_back(self, name: str, killed: int) -> None:
        """Until the supervisor has started it again."""
        eventually(lambda: self.pids().get(name, killed) != killed, f"{name} is back", within=START_SECONDS)

    def await_ready(self) -> None:
        eventually(lambda: is_ready(self.api), "the API is back", within=START_SECONDS)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the sandbox's /control that must succeed."""
        answer = over_http(self.sandbox)(method, f"/control{path}", body, {})
        assert 200 <= answer.status < 300, answer
        return answer.json

    def operator(self, *command: str) -> subprocess.CompletedProcess[str]:
        """An operator's command, in the surroundings of this run."""
        return self.tool("flask_here.py", *command)

    def tool(self, name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A script of tools/, in the surroundings of this run."""
        return run_tool(name, *arguments, **self.settings, **more)


def run_tool(name: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A script of tools/, with nothing of the surroundings of the tests but this."""
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / name), *arguments],
        env={**_environ(), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@contextmanager
def house(data: Path, database_url: str | None, directory: Path | None = None) -> Iterator[House]:
    """`make run` on ports of its own; on SQLite in `data` where no database is named."""
    data.mkdir(exist_ok=True)
    api_port, sandbox_port = free_ports()
    settings = {"API_PORT": str(api_port), "SANDBOX_PORT": str(sandbox_port), "DATA_DIR": str(data)}
    settings |= {"DATABASE_URL": database_url} if database_url else {}
    settings |= {"DIRECTORY": str(directory)} if directory else {}
    process = _spawn([sys.executable, str(ROOT / "tools" / "run.py")], settings, data / "said.txt")
    try:
        running = House(process, settings, data)
        await_ready(running.api, process, data / "said.txt")
        names = {"run", "sandbox", "api", "worker"}
        eventually(lambda: running.pids().keys() == names, "every child runs", within=START_SECONDS)
        with looking_at(running.database_url) as database:
            running.town = Town(database, _vault(data), over_http(running.api))
            yield running
    finally:
        _end(process)
        swallow(data / "said.txt", *(data / "logs").glob("*"))


def _vault(data: Path) -> Vault:
    return vault_of(Config.from_environ({"MODE": "local", "DATA_DIR": str(data)}))
