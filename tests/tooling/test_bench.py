"""The reckoning of the bench: nothing here is timed."""

from __future__ import annotations

import pytest

from bench.figures import Stretch, ratio
from bench.stacks import Profile
from bench.table import NAMES, Row, rows


def _per_second(answers: int, *, seconds: float = 1.0, latencies: list[float] | None = None) -> Stretch:
    return Stretch(seconds, latencies or [0.01] * answers)


@pytest.mark.parametrize(
    ("figure", "at_most", "holds"),
    [(0.19, False, False), (0.2, False, True), (0.21, False, True), (0.2, True, True), (0.21, True, False)],
)
def test_a_limit_is_reached_on_the_spot(figure: float, at_most: bool, holds: bool) -> None:
    row = Row("one", figure, 0.2, at_most=at_most)
    assert row.holds is holds
    assert str(row).endswith("ok" if holds else "MISSED")


def test_a_ratio_is_taken_within_each_round() -> None:
    """Ten times as slow in one round, for both: the ratio is what it is in every round."""
    ones, others = (
        [_per_second(20), _per_second(2), _per_second(30)],
        [_per_second(100), _per_second(10), _per_second(150)],
    )
    assert ratio(ones, others) == pytest.approx(0.2)


def test_a_round_that_lacks_a_side_is_no_ratio() -> None:
    with pytest.raises(ValueError, match="longer"):
        ratio([_per_second(1)], [_per_second(1), _per_second(1)])


def test_a_tail_is_its_own_latencies() -> None:
    assert _per_second(0, latencies=[0.01] * 98 + [0.05] * 2).tail == pytest.approx(5)


def test_every_row_says_which_two_it_compares() -> None:
    """Only bookings are slow: what is measured by them is missed, and nothing else."""
    figures = {kind: [_per_second(1000)] for kind in NAMES}
    figures |= {"spread": [_per_second(90)], "hot": [_per_second(90)]}
    missed = [row.name for row in rows(figures) if not row.holds]
    assert missed == [
        "bookings / the same rows in bare SQL",
        "bookings / a Flask one-liner",
        "bookings / pretix's orders, scaled by the one-liner",
    ]


def test_a_peer_is_scaled_by_what_the_machine_gives_now() -> None:
    """850 bookings beside 7,138 answers of the one-liner are 25 times 34 orders, on a machine ten times as slow too."""
    figures = {kind: [_per_second(7138)] for kind in NAMES}
    fast = rows(figures | {"spread": [_per_second(850)]})
    slow = rows(figures | {"spread": [_per_second(85)], "line": [_per_second(714)]})
    assert [row.figure for row in fast if "pretix" in row.name] == pytest.approx([25])
    assert [row.figure for row in slow if "pretix" in row.name] == pytest.approx([25], rel=1e-2)


def test_a_profile_counts_a_function_once_in_a_stack_and_names_our_rooms() -> None:
    book, claim, execute = (
        "book (core/booking/book.py:1)",
        "claim (core/booking/claim.py:1)",
        "execute (psycopg/cursor.py:1)",
    )
    seen = Profile.of(
        [
            f"run (threading.py:1);{book};{claim};{claim};{execute} 6",
            f"run (threading.py:1);{book} 3",
            "submit (concurrent/futures/thread.py:1) 1",
        ]
    )
    assert seen.samples == 10
    assert seen.largest_own(1) == [(execute, 0.6)]
    assert seen.largest_packages(3) == [("psycopg", 0.6), ("core/", 0.3), ("Python's own library", 0.1)]
    assert seen.largest_of_ours(10) == [(claim, 0.6)], "what is in nearly every sample tells nothing"
