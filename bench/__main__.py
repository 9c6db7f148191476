"""`python -m bench [--rounds 5] [--rush-minutes 2]`: what one run can do, each figure beside its limit.

Exit code 0 where every row keeps to its limit, 1 where one does not or the run cannot be judged, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
import time

from bench.checks import require_durable
from bench.figures import Stretch
from bench.house import House, one_liner, opened, opened_on_sqlite
from bench.measure import CONNECTIONS
from bench.outset import run_through
from bench.rush import NUMBERS, PEOPLE, Rush
from bench.stages import BARE_PER_ROUND, PER_ROUND, ROUNDS, Run
from bench.table import Row, print_figures, print_rows, rows
from bench.web import WEB_PROCESSES

_BEGAN = time.monotonic()


def main() -> bool:
    """Whether every row holds. Raises: BenchFailed."""
    rounds, minutes = _asked()
    _say("starting databases and web servers")
    with opened() as house, one_liner(house) as line, opened_on_sqlite() as sqlite:
        version = require_durable(house)
        _say(
            f"PostgreSQL {version} with fsync, {WEB_PROCESSES} web processes, {CONNECTIONS} connections; "
            f"rounds of {PER_ROUND:,} + {PER_ROUND:,} bookings and {BARE_PER_ROUND:,} in bare SQL"
        )
        _say("seeding")
        run = Run(house, line, sqlite, rounds=rounds)
        run.warm_up()
        at_first = house.web.resident_bytes()
        _say("measuring")
        run.rounds()
        _say(f"a rush of {PEOPLE:,} people on {NUMBERS} numbers")
        rush = run.rush()
        _say(f"the same people for {minutes:g} minutes more")
        grown = _grown(run, house, at_first, minutes)
        _say("checking")
        sold = run.check()
        _say(f"every invariant holds, {sold:,} numbers sold, each once")
    print_figures(run.figures)
    _print_rush(rush)
    return print_rows([*rows(run.figures), Row.of_rush(rush.drag), Row.of_memory(grown)])


def _grown(run: Run, house: House, at_first: int, minutes: float) -> float:
    stretch = run.rush_on(60 * minutes)
    at_last = house.web.resident_bytes()
    _say(f"{_told(stretch)}; the web processes: {at_first >> 20} MB at first, {at_last >> 20} MB now")
    return at_last / at_first


def _asked() -> tuple[int, float]:
    """How many rounds, and how many minutes the rush goes on."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"at most (default: {ROUNDS})")
    parser.add_argument("--rush-minutes", type=float, default=2.0, help="how long the rush goes on (default: 2)")
    asked = parser.parse_args()
    return asked.rounds, asked.rush_minutes


def _print_rush(rush: Rush) -> None:
    print(
        f"\nrush: the last number after {rush.last_number_after:.1f} s, everybody answered after "
        f"{rush.stretch.seconds:.1f} s ({_told(rush.stretch)})"
    )


def _told(stretch: Stretch) -> str:
    return ", ".join(f"{count:,} × {answer}" for answer, count in stretch.answers.most_common())


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(run_through(main))
