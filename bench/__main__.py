"""`python -m bench`: what one run can do, each figure beside what it is measured by, and its limit.

Exit code 0 where every row keeps to its limit, 1 where one does not or the run cannot be judged, 130 after Ctrl-C.
"""

from __future__ import annotations

import sys
import time

from bench.checks import require_durable, require_health, settle
from bench.house import one_liner, opened
from bench.measure import CONNECTIONS
from bench.outset import run_through
from bench.stages import BARE_PER_ROUND, PER_ROUND, Run
from bench.table import Figures, print_figures, print_rows, rows
from bench.web import WEB_PROCESSES


def measured() -> Figures:
    """The whole run. Raises: BenchFailed."""
    _say("starting PostgreSQL and the web servers")
    with opened() as house, one_liner(house) as line:
        version = require_durable(house)
        _say(
            f"PostgreSQL {version} with fsync, {WEB_PROCESSES} web processes, {CONNECTIONS} connections; "
            f"rounds of {PER_ROUND:,} + {PER_ROUND:,} bookings and {BARE_PER_ROUND:,} in bare SQL"
        )
        _say("seeding")
        run = Run(house, line)
        run.warm_up()
        settle(house)
        _say("measuring")
        run.rounds()
        _say("checking")
        require_health(house, sold=run.sold)
        _say(f"every invariant holds, {run.sold:,} numbers sold, each once")
        return run.figures


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {text}", flush=True)


_BEGAN = time.monotonic()


def main() -> bool:
    """Whether every row holds. Raises: BenchFailed."""
    figures = measured()
    print_figures(figures)
    return print_rows(rows(figures))


if __name__ == "__main__":
    sys.exit(run_through(main))
