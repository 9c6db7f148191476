"""`python -m bench`: bookings per second over HTTP next to the same rows in bare SQL, on one PostgreSQL, in one run.

Exit code 0 where both ratios reach their limits, 1 where one does not or the run cannot be judged, 130 after Ctrl-C.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice

from bench.checks import require_durable, require_health, settle
from bench.figures import BenchFailed, Figure, Stretch
from bench.house import WEB_PROCESSES, House, opened
from bench.measure import CONNECTIONS, Asked, ask_for_health, be_refused, book, book_bare, look_at_schedules, wishes
from bench.seed import Offer, Patient, add_hospital, add_offers, add_patients

ROUNDS, FEWEST_ROUNDS, ENOUGH_SECONDS = 5, 3, 60.0
SCHEDULES = 100
NUMBERS_EACH = 10
BARE_NUMBERS_EACH = 20
WARM_UP = 500
HISTORY = 2_000
SOLD_OUT_NUMBERS = 20
ONLOOKERS = 200
REFUSALS, LOOKS = 500, 2_000
AT_LEAST_OF_BARE = 0.08
AT_LEAST_HOT = 0.5

_SPREAD, _HOT, _BARE = SCHEDULES * NUMBERS_EACH, SCHEDULES * NUMBERS_EACH, SCHEDULES * BARE_NUMBERS_EACH
_MOST = WARM_UP + HISTORY + ROUNDS * (_SPREAD + _HOT + _BARE) + SOLD_OUT_NUMBERS

Kind = str
Figures = dict[Kind, list[Stretch]]


class Run:
    """One run: what was seeded, and what was measured so far."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.figures: Figures = {}
        self.sold = 0
        with house.database.write() as session:
            now = datetime.now(UTC)
            self.hospital = add_hospital(session, now=now)
            self.patients: Iterator[Patient] = iter(add_patients(session, house.vault, _MOST + ONLOOKERS, now=now))

    def offers(self, stage: str, *, schedules: int, numbers: int) -> list[Offer]:
        with self.house.database.write() as session:
            return add_offers(
                session, self.hospital, stage, schedules=schedules, numbers=numbers, now=datetime.now(UTC)
            )

    def wishes(self, stage: str, *, schedules: int, numbers: int) -> list[Asked]:
        """As many as there are numbers: all of them are sold then."""
        asked = wishes(self.patients, self.offers(stage, schedules=schedules, numbers=numbers))
        self.sold += len(asked)
        return asked

    def warm_up(self) -> None:
        """Some bookings of either kind, so that no table is empty and no process is cold when it counts."""
        book(self.house, self.wishes("W", schedules=SCHEDULES, numbers=WARM_UP // SCHEDULES))
        book_bare(self.house, self.wishes("P", schedules=SCHEDULES, numbers=HISTORY // SCHEDULES))

    def rounds(self) -> None:
        """Each round measures all three, in the other order than the one before. On a slow machine there are fewer."""
        stages: list[Callable[[int], None]] = [self._spread, self._hot, self._bare]
        began = time.monotonic()
        for at in range(ROUNDS):
            for stage in stages if at % 2 == 0 else reversed(stages):
                stage(at)
            if at + 1 >= FEWEST_ROUNDS and time.monotonic() - began > ENOUGH_SECONDS:
                break

    def _spread(self, at: int) -> None:
        self._keep("spread", book(self.house, self.wishes(f"S{at}", schedules=SCHEDULES, numbers=NUMBERS_EACH)))

    def _hot(self, at: int) -> None:
        self._keep("hot", book(self.house, self.wishes(f"H{at}", schedules=1, numbers=_HOT)))

    def _bare(self, at: int) -> None:
        asked = self.wishes(f"B{at}", schedules=SCHEDULES, numbers=BARE_NUMBERS_EACH)
        self._keep("bare", book_bare(self.house, asked))

    def look_around(self) -> None:
        """For information: refusals, reading, and the web server's own ceiling."""
        house = self.house
        full = self.wishes("F", schedules=1, numbers=SOLD_OUT_NUMBERS)
        book(house, full, pay="on_site")
        onlookers = list(islice(self.patients, ONLOOKERS))
        read = self.offers("R", schedules=SCHEDULES, numbers=1)
        for _ in range(3):
            self._keep("sold_out", be_refused(house, onlookers, full[0].offer, times=REFUSALS))
            self._keep("schedules", look_at_schedules(house, read, times=LOOKS))
            self._keep("health", ask_for_health(house, times=LOOKS))

    def _keep(self, kind: Kind, stretch: Stretch) -> None:
        self.figures.setdefault(kind, []).append(stretch)


_NAMES = {
    "spread": f"bookings over HTTP, {SCHEDULES} schedules",
    "hot": "bookings over HTTP, one hot schedule",
    "bare": "the same rows in bare SQL",
    "sold_out": "sold-out answers",
    "schedules": "schedules of a department, a week",
    "health": "nothing but a health check",
}


def report(figures: Figures) -> int:
    """Print the table and both ratios; the exit code."""
    title = f"medians of {len(figures['bare'])} rounds"
    done = {kind: Figure.of(stretches) for kind, stretches in figures.items()}
    print(f"\n{title:<42}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}")
    for kind, name in _NAMES.items():
        print(f"{name:<42}{done[kind].per_second:>12,.0f}{done[kind].p50:>10.1f}{done[kind].p99:>10.1f}")
    spread, hot, bare, ceiling = (done[kind].per_second for kind in ("spread", "hot", "bare", "health"))
    print(f"\n{'ratios':<42}{'':>12}{'at least':>20}")
    well = [
        _judge("bookings over HTTP / bare SQL", spread / bare, AT_LEAST_OF_BARE),
        _judge("one hot schedule / 100 schedules", hot / spread, AT_LEAST_HOT),
    ]
    print(f"{'bookings over HTTP / health check':<42}{spread / ceiling:>12.3f}")
    print(f"{'p99 / p50 of a booking':<42}{done['spread'].p99 / done['spread'].p50:>12.1f}")
    return 0 if all(well) else 1


def _judge(name: str, ratio: float, limit: float) -> bool:
    print(f"{name:<42}{ratio:>12.3f}{limit:>20.2f}  {'ok' if ratio >= limit else 'TOO LITTLE'}")
    return ratio >= limit


def measured() -> Figures:
    """The whole run. Raises: BenchFailed."""
    _say("starting PostgreSQL and the web server")
    with opened() as house:
        version = require_durable(house)
        _say(
            f"PostgreSQL {version} with fsync, {WEB_PROCESSES} web processes, {CONNECTIONS} connections; "
            f"rounds of {_SPREAD:,} + {_HOT:,} bookings and {_BARE:,} in bare SQL"
        )
        _say("seeding")
        run = Run(house)
        run.warm_up()
        settle(house)
        _say("measuring")
        run.rounds()
        run.look_around()
        _say("checking")
        require_health(house, sold=run.sold)
        _say(f"every invariant holds, {run.sold:,} numbers sold, each once")
        return run.figures


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {text}", flush=True)


_BEGAN = time.monotonic()


def _stop(_number: int, _frame: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # what follows is the cleaning up
    raise KeyboardInterrupt


def main() -> int:
    """The exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        return report(measured())
    except BenchFailed as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
