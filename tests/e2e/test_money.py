"""`make journey PERSON=money`, with a few people instead of 300: on its own run, a day of payments and its bills."""

from __future__ import annotations

import pytest
from running import run_tool

PLANTED = ("ours_only", "theirs_only", "amount_differs", "duplicate", "state_differs")


@pytest.mark.timeout(1000)
def test_a_day_of_payments_ends_with_every_planted_difference_found_and_named() -> None:
    ran = run_tool("journey.py", PERSON="money", PEOPLE="24")
    printed = ran.stdout + ran.stderr
    assert ran.returncode == 0, printed
    for said in (
        "paid in WeChat and in Alipay: booked",
        "two paid from a browser: by H5: booked; by WAP",
        "付款到账时号源已释放",
        "gave it back by hand",
        "all 24 have",
    ):
        assert said in printed, said
    assert [kind for kind in PLANTED if f"found: {kind}" not in printed] == []
    assert "invariants: 0 broken" in printed
