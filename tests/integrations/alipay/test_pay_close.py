"""Closing an unpaid trade: only what is proven closed frees a number."""

from __future__ import annotations

from typing import Any

import pytest
import responses

from core.ports import CloseOutcome, ProviderRefused, ProviderUnavailable
from integrations.alipay import AlipayGateway

QUERY, CLOSE = "alipay.trade.query", "alipay.trade.close"
NUMBER = "P20261120ABCDEFGHJKLMNPQR2"
TRADE = {"out_trade_no": NUMBER, "trade_no": "2026112022001400000000000001"}


def test_a_close_is_a_close(gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, asked: Any) -> None:
    alipay.success(wire, CLOSE, **TRADE)
    assert gateway.close_payment(NUMBER) is CloseOutcome.CLOSED
    assert asked(wire).biz_content == {"out_trade_no": NUMBER}


@pytest.mark.parametrize(
    "code",
    [
        "ACQ.TRADE_STATUS_ERROR",
        "ACQ.REASON_TRADE_STATUS_INVALID",
        "ACQ.REASON_ILLEGAL_STATUS",
        "ACQ.TRADE_HAS_SUCCESS",
        "ACQ.TRADE_HAS_FINISHED",
        "ACQ.TRADE_HAS_CLOSE",
    ],
)
@pytest.mark.parametrize(
    ("status", "paid_at", "outcome"),
    [
        ("TRADE_SUCCESS", "2026-11-20 10:29:55", CloseOutcome.ALREADY_PAID),
        ("TRADE_CLOSED", "2026-11-20 10:29:55", CloseOutcome.ALREADY_PAID),
        ("TRADE_CLOSED", None, CloseOutcome.CLOSED),
    ],
)
def test_where_a_close_is_refused_for_the_state_the_query_decides(
    *,
    gateway: AlipayGateway,
    wire: responses.RequestsMock,
    alipay: Any,
    paid_trade: dict[str, Any],
    code: str,
    status: str,
    paid_at: str | None,
    outcome: CloseOutcome,
) -> None:
    alipay.failure(wire, CLOSE, code)
    alipay.success(wire, QUERY, **(paid_trade | {"trade_status": status, "send_pay_date": paid_at}))
    assert gateway.close_payment(NUMBER) is outcome


def test_a_trade_that_stays_unpaid_is_not_called_closed(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any
) -> None:
    alipay.failure(wire, CLOSE, "ACQ.TRADE_STATUS_ERROR")
    alipay.success(wire, QUERY, out_trade_no=NUMBER, trade_status="WAIT_BUYER_PAY")
    with pytest.raises(ProviderRefused, match=r"ACQ\.TRADE_STATUS_ERROR"):
        gateway.close_payment(NUMBER)


@pytest.mark.parametrize("told", [{}, {"out_trade_no": "P20261120ABCDEFGHJKLMNPQR3"}])
def test_a_close_that_does_not_say_of_what_frees_nothing(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, told: dict[str, str]
) -> None:
    """Any old success would do, if it were believed: the signature does not cover the question."""
    alipay.success(wire, CLOSE, **told)
    with pytest.raises(ProviderUnavailable):
        gateway.close_payment(NUMBER)
