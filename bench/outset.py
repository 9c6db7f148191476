"""How each command of the bench ends: in order, whatever happens, and with an exit code that says how."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from bench.figures import BenchFailed


def run_through(main: Callable[[], bool]) -> int:
    """0 where `main` says that all is well, 1 where not or where it cannot be judged, 130 after Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        return 0 if main() else 1
    except BenchFailed as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return 130


def _stop(_number: int, _frame: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # what follows is the cleaning up
    raise KeyboardInterrupt
