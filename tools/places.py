"""Where one run listens and what it keeps, checked before anything is started."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class CannotRun(Exception):
    """What is missing or in the way, in words for whoever typed `make run`."""


@dataclass(frozen=True)
class Places:
    """Ports on loopback, the data folder, the database, and the folder with the hospitals to load."""

    api_port: int
    sandbox_port: int
    data_dir: Path
    database_url: str
    directory: Path

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def sandbox(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, root: Path) -> Places:
        """An empty value counts as none, since `make` passes them on. Raises: CannotRun."""
        data_dir = Path(environ.get("DATA_DIR") or root / "data-local").absolute()
        return cls(
            api_port=_port(environ, "API_PORT", 8000),
            sandbox_port=_port(environ, "SANDBOX_PORT", 8100),
            data_dir=data_dir,
            database_url=environ.get("DATABASE_URL") or f"sqlite:///{data_dir / 'yuezhen.db'}",
            directory=Path(environ.get("DIRECTORY") or root / "data" / "sample").absolute(),
        )

    def environ(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """What the children see. Settings of another deployment in this shell do not leak in."""
        kept = {name: value for name, value in inherited.items() if not name.startswith("SANDBOX_")}
        return kept | {
            "MODE": "local",
            "API_PORT": str(self.api_port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "DATA_DIR": str(self.data_dir),
            "DATABASE_URL": self.database_url,
            "KEYS_FILE": str(self.data_dir / "keys.json"),
            "PLATFORMS_FILE": str(self.data_dir / "platforms.json"),
            "PUBLIC_BASE_URL": self.api,
            "BIND": f"127.0.0.1:{self.api_port}",
            "PYTHONUNBUFFERED": "1",
            # A proxy of this machine has no business between two of its processes.
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    @contextmanager
    def taken(self) -> Iterator[None]:
        """The folder for this run alone, and both ports free. Raises: CannotRun."""
        if self.api_port == self.sandbox_port:
            raise CannotRun("API_PORT and SANDBOX_PORT must differ.")
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.data_dir / "logs").mkdir(mode=0o700, exist_ok=True)
            lock = (self.data_dir / "run.lock").open("w")
        except OSError as error:
            raise CannotRun(f"{self.data_dir} (DATA_DIR) cannot be written: {error.strerror}.") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CannotRun(f"{self.data_dir} is in use by another run: choose another DATA_DIR.") from None
            _require_free("API_PORT", self.api_port)
            _require_free("SANDBOX_PORT", self.sandbox_port)
            yield


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise CannotRun(f"{name} must be a port number from 1 to 65535.")
    return int(text)


def _require_free(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError as error:
            raise CannotRun(
                f"Port {port} is not free ({error.strerror}): stop what uses it, or choose another one,"
                f" for example `make run {name}={port + 1000}`."
            ) from None
