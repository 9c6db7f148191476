"""Refunds: numbers, totals that are nobody's amount, and statuses that are not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from alipay_side import APP_ID

from core.ports import (
    CardRefund,
    PayeeCard,
    ProviderRefused,
    ProviderUnavailable,
    RefundAnswer,
    RefundOrder,
    RefundState,
)
from integrations.alipay import AlipayGateway

REFUND, QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"
NUMBER, REFUND_NUMBER = "P20261120ABCDEFGHJKLMNPQR2", "R20261120ABCDEFGHJKLMNPQR2"
TAKEN = {"out_trade_no": NUMBER, "trade_no": "2026112022001400000000000001", "fund_change": "Y", "refund_fee": "45.05"}
DONE = {
    "out_trade_no": NUMBER,
    "trade_no": "2026112022001400000000000001",
    "out_request_no": REFUND_NUMBER,
    "refund_amount": "20.00",
    "total_amount": "50.05",
    "refund_status": "REFUND_SUCCESS",
    "gmt_refund_pay": "2026-11-20 10:31:00",
}


def find(gateway: AlipayGateway) -> RefundAnswer:
    return gateway.find_refund(REFUND_NUMBER, out_trade_no=NUMBER)


def test_a_refund_is_asked_for_exactly_and_always_with_its_number(
    gateway: AlipayGateway, refund_order: RefundOrder, wire: responses.RequestsMock, alipay: Any, asked: Any
) -> None:
    alipay.success(wire, REFUND, **TAKEN)
    gateway.open_refund(refund_order)
    assert asked(wire).biz_content == {
        "out_trade_no": NUMBER,
        "out_request_no": REFUND_NUMBER,
        "refund_amount": "20.00",
        "refund_reason": "预约已取消",
    }


def test_a_reason_that_cannot_be_sent_is_left_out(
    gateway: AlipayGateway, refund_order: RefundOrder, wire: responses.RequestsMock, alipay: Any, asked: Any
) -> None:
    alipay.success(wire, REFUND, **TAKEN)
    gateway.open_refund(replace(refund_order, reason="\n"))
    assert "refund_reason" not in asked(wire).biz_content


def test_the_running_total_is_never_taken_for_this_refunds_amount(
    gateway: AlipayGateway, refund_order: RefundOrder, wire: responses.RequestsMock, alipay: Any
) -> None:
    """refund_fee says 45.05 after a second refund of 20.00."""
    alipay.success(wire, REFUND, **TAKEN)
    assert gateway.open_refund(refund_order) == RefundAnswer(REFUND_NUMBER, RefundState.PROCESSING)


def test_a_refund_that_moved_no_money_by_this_call_is_of_unknown_outcome(
    gateway: AlipayGateway, refund_order: RefundOrder, wire: responses.RequestsMock, alipay: Any
) -> None:
    """Called `processing` it would never be sent again, if it came to nothing. Nor is it asked about at once: Alipay
    may not know it yet."""
    alipay.success(wire, REFUND, **(TAKEN | {"fund_change": "N"}))
    with pytest.raises(ProviderUnavailable) as caught:
        gateway.open_refund(refund_order)
    assert caught.value.sent


REFUSED_AGAIN = [
    "ACQ.TRADE_HAS_CLOSE",
    "ACQ.REASON_TRADE_REFUND_FEE_ERR",
    "ACQ.TRADE_STATUS_ERROR",
    "ACQ.TRADE_NOT_ALLOW_REFUND",
    "ACQ.A_CODE_OF_NEXT_YEAR",
]


@pytest.mark.parametrize("code", REFUSED_AGAIN)
def test_a_refused_repeat_of_a_refund_that_was_done_is_that_refund(
    *, gateway: AlipayGateway, refund_order: RefundOrder, wire: responses.RequestsMock, alipay: Any, code: str
) -> None:
    """The first call moved the money and closed the trade; its answer was lost."""
    alipay.failure(wire, REFUND, code)
    alipay.success(wire, QUERY, **DONE)
    told = gateway.open_refund(refund_order)
    assert (told.state, told.amount_fen) == (RefundState.SUCCEEDED, 2000)


@pytest.mark.parametrize("done", [{}, DONE | {"refund_amount": "19.99"}], ids=["nothing", "another amount"])
@pytest.mark.parametrize("code", REFUSED_AGAIN)
def test_a_refused_refund_that_was_not_done_is_refused(
    *,
    gateway: AlipayGateway,
    refund_order: RefundOrder,
    wire: responses.RequestsMock,
    alipay: Any,
    code: str,
    done: dict[str, str],
) -> None:
    alipay.failure(wire, REFUND, code)
    alipay.success(wire, QUERY, **done)
    with pytest.raises(ProviderRefused) as caught:
        gateway.open_refund(refund_order)
    assert (caught.value.code, caught.value.retryable) == (code, False)


@pytest.mark.parametrize("unanswered", ["ACQ.SYSTEM_ERROR", "ACQ.INVALID_PARAMETER", "isv.app-call-limited", None])
def test_a_refused_refund_about_which_nothing_can_be_learned_is_of_unknown_outcome(
    *,
    gateway: AlipayGateway,
    refund_order: RefundOrder,
    wire: responses.RequestsMock,
    alipay: Any,
    unanswered: str | None,
) -> None:
    """With no answer registered the wire itself is down."""
    alipay.failure(wire, REFUND, "ACQ.TRADE_HAS_CLOSE")
    if unanswered is not None:
        alipay.failure(wire, QUERY, unanswered)
    with pytest.raises(ProviderUnavailable) as caught:
        gateway.open_refund(refund_order)
    assert caught.value.sent


def test_a_done_refund_is_told_whole(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, asked: Any
) -> None:
    alipay.success(wire, QUERY, **DONE)
    assert find(gateway) == RefundAnswer(
        REFUND_NUMBER,
        RefundState.SUCCEEDED,
        amount_fen=2000,
        succeeded_at=datetime(2026, 11, 20, 2, 31, tzinfo=UTC),
    )
    assert asked(wire).biz_content == {
        "out_trade_no": NUMBER,
        "out_request_no": REFUND_NUMBER,
        "query_options": ["gmt_refund_pay", "deposit_back_info"],
    }


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"refund_status": ""},
        {"refund_status": None},
        {"out_trade_no": NUMBER, "out_request_no": REFUND_NUMBER, "refund_amount": "20.00", "total_amount": "50.05"},
    ],
)
def test_an_absent_status_is_no_success_whatever_stands_beside_it(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, told: dict[str, Any]
) -> None:
    alipay.success(wire, QUERY, **told)
    assert find(gateway) == RefundAnswer(REFUND_NUMBER, RefundState.NO_SUCH_NUMBER)


@pytest.mark.parametrize("code", ["ACQ.TRADE_NOT_EXIST", "TRADE_NOT_EXIST"])
def test_an_unknown_trade_is_an_answer_to_a_query_only(
    gateway: AlipayGateway, refund_order: RefundOrder, wire: responses.RequestsMock, alipay: Any, code: str
) -> None:
    alipay.failure(wire, QUERY, code)
    alipay.failure(wire, REFUND, code)
    assert find(gateway).state is RefundState.NO_SUCH_NUMBER
    with pytest.raises(ProviderRefused) as caught:
        gateway.open_refund(refund_order)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "change",
    [
        {"refund_status": "REFUND_PART"},
        {"refund_amount": None},
        {"refund_amount": 20},
        {"refund_amount": "20.001"},
        {"out_request_no": None},
        {"out_request_no": "R20261120ABCDEFGHJKLMNPQR3"},
        {"out_trade_no": None},
        {"out_trade_no": "P20261120ABCDEFGHJKLMNPQR3"},
        {"gmt_refund_pay": "2026-13-20 10:31:00"},
        {"deposit_back_info": "S"},
    ],
)
def test_a_proven_refund_that_does_not_fit_is_unknown(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, change: dict[str, Any]
) -> None:
    alipay.success(wire, QUERY, **(DONE | change))
    with pytest.raises(ProviderUnavailable):
        find(gateway)


@pytest.mark.parametrize("told", [{"out_request_no": "R2"}, {"out_trade_no": "P2"}])
def test_an_absent_status_of_another_refund_is_not_ours(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, told: dict[str, Any]
) -> None:
    alipay.success(wire, QUERY, **told)
    with pytest.raises(ProviderUnavailable):
        find(gateway)


@pytest.mark.parametrize(
    ("back", "words"),
    [
        ({"has_deposit_back": "true", "dback_status": "S"}, "已退回银行卡"),
        ({"has_deposit_back": "true", "dback_status": "P"}, "银行卡退回处理中"),
        ({"has_deposit_back": True, "dback_status": "F"}, "银行卡退回失败，已退至支付宝余额"),
        ({"has_deposit_back": "true", "dback_status": "X"}, None),
        ({"has_deposit_back": "false", "dback_status": "S"}, None),
        ({"has_deposit_back": "false"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_last_leg_to_the_bank_card_is_told_in_words(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, back: Any, words: str | None
) -> None:
    alipay.success(wire, QUERY, **(DONE | {"deposit_back_info": back}))
    assert find(gateway).received_account == words


@pytest.mark.parametrize("change", [{"out_trade_no": "P2"}, {"out_trade_no": None}, {"fund_change": None}])
def test_a_taken_refund_must_be_the_one_asked_for(
    *,
    gateway: AlipayGateway,
    refund_order: RefundOrder,
    wire: responses.RequestsMock,
    alipay: Any,
    change: dict[str, Any],
) -> None:
    alipay.success(wire, REFUND, **(TAKEN | change))
    with pytest.raises(ProviderUnavailable):
        gateway.open_refund(refund_order)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"currency": "USD"}, "unsupported_currency"),
        ({"amount_fen": 0}, "invalid_amount"),
        ({"out_refund_no": "R-1"}, "invalid_number"),
        ({"out_refund_no": ""}, "invalid_number"),
        ({"out_trade_no": "P 1"}, "invalid_number"),
    ],
)
def test_a_refund_that_cannot_be_written_is_not_sent(
    gateway: AlipayGateway, refund_order: RefundOrder, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(ProviderRefused) as caught:
        gateway.open_refund(replace(refund_order, **change))
    assert caught.value.code == code


def test_the_limits_are_those_of_the_contract_everybody_has(gateway: AlipayGateway) -> None:
    assert (gateway.limits.shortest_lead.total_seconds(), gateway.limits.refunds_per_payment) == (60, 50)
    assert gateway.limits.refunds_apart.total_seconds() == 3
    assert gateway.counted_as == APP_ID


def test_nothing_is_sent_to_another_card(gateway: AlipayGateway, wire: responses.RequestsMock) -> None:
    assert not gateway.limits.card_banks
    with pytest.raises(ProviderRefused, match="no_such_way"):
        gateway.refund_to_card(CardRefund(REFUND_NUMBER, NUMBER, "1", PayeeCard("ICBC_DEBIT", "6222", "张三")))
    assert not wire.calls
