"""Where somebody's money is, in words: in every state, for every reason, with dates of the hospital's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import cast

import pytest

from models.payment import Refund, RefundReason, RefundStatus
from schemas.refunds_in_words import where_it_is

SINCE = datetime(2026, 11, 22, 16, 5, tzinfo=UTC)
DONE = datetime(2026, 11, 23, 1, 7, tzinfo=UTC)


@dataclass
class Sent:
    status: RefundStatus
    reason: RefundReason = RefundReason.CANCELLED
    amount_fen: int = 2505
    created_at: datetime = SINCE
    succeeded_at: datetime | None = None
    by_hand: bool = False
    awaits_red_since: datetime | None = None
    was_abnormal: bool = False

    def __post_init__(self) -> None:
        if self.status is RefundStatus.SUCCEEDED:
            self.succeeded_at = DONE


def said(sent: Sent) -> tuple[str, str]:
    words = where_it_is(cast("Refund", sent))
    return words.zh, words.en


@pytest.mark.parametrize(("status", "reason"), list(product(RefundStatus, RefundReason)))
def test_every_state_and_reason_is_told_with_a_date_and_the_sum(status: RefundStatus, reason: RefundReason) -> None:
    zh, en = said(Sent(status, reason))
    dates = ("2026年11月23日 09:07", "23 November 2026, 09:07") if status is RefundStatus.SUCCEEDED else (
        "2026年11月23日 00:05", "23 November 2026, 00:05"
    )  # fmt: skip
    assert (dates[0] in zh, dates[1] in en) == (True, True)
    assert ("25.05 元" in zh, "25.05 yuan" in en) == (True, True)
    assert "{" not in zh + en


def test_no_two_states_or_reasons_are_told_alike() -> None:
    assert len({said(Sent(status)) for status in RefundStatus}) == len(RefundStatus)
    assert len({said(Sent(RefundStatus.DUE, reason)) for reason in RefundReason}) == len(RefundReason)


def test_only_what_has_been_given_back_by_hand_is_told_so() -> None:
    by_hand, not_yet = Sent(RefundStatus.SUCCEEDED, by_hand=True), Sent(RefundStatus.DESK, by_hand=True)
    assert said(by_hand)[0].endswith("已于2026年11月23日 09:07由医院退还。")
    assert said(not_yet) == said(Sent(RefundStatus.DESK))


@pytest.mark.parametrize("status", list(RefundStatus))
def test_what_could_not_arrive_where_it_was_paid_from_is_never_said_to_go_there(status: RefundStatus) -> None:
    """However it went on: to another card of the payer's, or as somebody has seen to it in the platform's console."""
    zh, en = said(Sent(status, was_abnormal=True))
    is_elsewhere = status in {RefundStatus.PROCESSING, RefundStatus.SUCCEEDED}
    assert ("付款人的另一账户" in zh, "another account of whoever paid" in en) == (is_elsewhere, is_elsewhere)
    if is_elsewhere:
        assert ("原路" in zh, "the way it was paid" in en) == (False, False)
        assert said(Sent(status, was_abnormal=True, by_hand=True))[0].endswith("由医院退还。") is (
            status is RefundStatus.SUCCEEDED
        )


def test_one_that_waits_for_the_red_receipt_is_told_so() -> None:
    waits = Sent(RefundStatus.DUE, awaits_red_since=DONE)
    zh, en = said(waits)
    assert "自2026年11月23日 00:05起办理" in zh, "since when it is due counts"
    assert ("财政电子票据" in zh, "医院正在开具红字票据" in zh) == (True, True)
    assert "red receipt first" in en
    assert said(waits) != said(Sent(RefundStatus.DUE))


def test_an_even_sum_has_its_fen() -> None:
    assert "退款 20.00 元" in said(Sent(RefundStatus.DUE, amount_fen=2000))[0]
