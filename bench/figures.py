"""What one measured stretch came to, and how several of them become one figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median


class BenchFailed(Exception):
    """The run cannot be judged. The message says why, without a path or an address."""


@dataclass(frozen=True)
class Stretch:
    """`seconds` of work; `latencies` of each answer, in seconds; `answers` by status and problem code."""

    seconds: float
    latencies: Sequence[float]
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


def together(stretches: Sequence[tuple[float, float, Sequence[float]]]) -> Stretch:
    """One stretch of several processes that worked at the same time: (began, ended, latencies) of each."""
    began, ended = min(one[0] for one in stretches), max(one[1] for one in stretches)
    return Stretch(ended - began, [latency for one in stretches for latency in one[2]])


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass(frozen=True)
class Figure:
    """Medians over the rounds: answers per second, and milliseconds."""

    per_second: float
    p50: float
    p99: float

    @classmethod
    def of(cls, stretches: Sequence[Stretch]) -> Figure:
        return cls(
            per_second=median(one.per_second for one in stretches),
            p50=1000 * median(percentile(one.latencies, 0.50) for one in stretches),
            p99=1000 * median(percentile(one.latencies, 0.99) for one in stretches),
        )
