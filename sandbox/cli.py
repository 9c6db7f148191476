"""The command line: start, say where, stop on SIGTERM and SIGINT with exit code 0."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

from sandbox.app import start
from sandbox.config import ConfigError, read_settings


def main(argv: Sequence[str]) -> int:
    """Run until a signal comes. Returns the exit code: 0 stopped, 2 refused to start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    os.umask(0o077)
    # Until there is something to stop: the keys of a first start take a second.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    try:
        settings = read_settings(argv, os.environ)
        running = start(settings)
    except (ConfigError, OSError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # `shutdown` waits for the serving loop, which is this thread: it has to be asked from another one.
        threading.Thread(target=running.server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    pace = f"notice schedule / {settings.time_scale:g}"
    sys.stdout.write(f"sandbox: {running.base_url} ({pace}, state in {settings.home})\n")
    sys.stdout.flush()
    running.serve()
    running.stop()
    return 0
