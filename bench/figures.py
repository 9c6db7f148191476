"""What one measured stretch came to, and how several of them become one figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


class BenchFailed(Exception):
    """The run cannot be judged. The message says why, without a path or an address."""


@dataclass(frozen=True)
class Stretch:
    """`seconds` of work; `latencies` of each answer, in seconds; `answers` by status and problem code, and when each of
    them was heard `last`, in seconds since the beginning."""

    seconds: float
    latencies: Sequence[float]
    answers: Counter[str] = field(default_factory=Counter)
    last: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def tail(self) -> float:
        """How many times as long as the middle one the 99th of a hundred takes."""
        return percentile(self.latencies, 0.99) / percentile(self.latencies, 0.50)


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def ratio(ones: Sequence[Stretch], others: Sequence[Stretch]) -> float:
    """Answers per second of the one over those of the other, each pair of one round: the median over the rounds."""
    return median(one.per_second / other.per_second for one, other in zip(ones, others, strict=True))


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
