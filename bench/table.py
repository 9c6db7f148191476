"""The table: what each line is called, how far it must come, and whether it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.figures import Figure, Stretch, ratio

Figures = Mapping[str, Sequence[Stretch]]

NAMES = {
    "spread": "bookings over HTTP, 1,000 schedules",
    "hot": "bookings over HTTP, one hot schedule",
    "bare": "the same rows in bare SQL",
    "sqlite": "bookings over HTTP, on SQLite",
    "sold_out": "sold-out answers",
    "schedules": "schedules of a department, a week",
    "not_modified": "the same, unchanged since (304)",
    "health": "nothing but a health check",
    "line": "a Flask one-liner",
}
# shared/design: pretix 2026.8 took 34 orders a second at best, in another hour under another load, on a machine where
# the one-liner gave 7,138 answers. Only what is measured beside it makes the two comparable.
PEER_PER_SECOND, PEER_ONE_LINER = 34.0, 7_138.0


@dataclass(frozen=True)
class Row:
    """One figure and its limit: at least that much, or `at_most`."""

    name: str
    figure: float
    limit: float
    at_most: bool = False

    @property
    def holds(self) -> bool:
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit

    @classmethod
    def of_rush(cls, drag: float) -> Row:
        return cls("a rush: the last of 500 numbers / 500 ordinary bookings", drag, 3.0, at_most=True)

    @classmethod
    def of_memory(cls, grown: float) -> Row:
        return cls("memory of the web processes after the rush / before it", grown, 1.3, at_most=True)

    @classmethod
    def of_stored(cls, many: int, with_many: Sequence[Stretch], with_few: Sequence[Stretch]) -> Row:
        return cls(f"bookings with {many:,} stored / with 10,000", ratio(with_many, with_few), 0.8)

    def __str__(self) -> str:
        bound = f"{'at most' if self.at_most else 'at least'} {self.limit:.2f}"
        return f"{self.name:<58}{self.figure:>9.3f}{bound:>16}  {'ok' if self.holds else 'MISSED'}"


def rows(figures: Figures) -> list[Row]:
    """Every row that follows from the rounds. Both sides of each ratio were measured in the same rounds."""
    spread, line = figures["spread"], figures["line"]
    of_line = ratio(spread, line)
    return [
        Row("bookings / the same rows in bare SQL", ratio(spread, figures["bare"]), 0.20),
        Row("bookings / a Flask one-liner", of_line, 0.10),
        Row("bookings / pretix's orders, scaled by the one-liner", of_line * PEER_ONE_LINER / PEER_PER_SECOND, 25.0),
        Row("a booking's p99 / its p50", median(one.tail for one in spread), 6.0, at_most=True),
        Row("one hot schedule / 1,000 schedules", ratio(figures["hot"], spread), 0.8),
        Row("bookings on SQLite / on PostgreSQL", ratio(figures["sqlite"], spread), 0.4),
        Row("sold-out answers / a Flask one-liner", ratio(figures["sold_out"], line), 0.7),
        Row("cached schedules / a Flask one-liner", ratio(figures["schedules"], line), 0.8),
        Row("304 / a Flask one-liner", ratio(figures["not_modified"], line), 0.8),
    ]


def print_figures(figures: Figures) -> None:
    """Medians of the rounds."""
    title = f"medians of {len(figures['spread'])} rounds"
    print(f"\n{title:<42}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}")
    for kind, name in NAMES.items():
        if kind in figures:
            one = Figure.of(figures[kind])
            print(f"{name:<42}{one.per_second:>12,.0f}{one.p50:>10.1f}{one.p99:>10.1f}")


def print_rows(found: Sequence[Row]) -> bool:
    """Whether all hold."""
    print(f"\n{'figure':<58}{'':>9}{'limit':>16}")
    for row in found:
        print(row)
    return all(row.holds for row in found)
