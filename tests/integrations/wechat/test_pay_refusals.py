"""What WeChat Pay says no to, and what it says that does not fit."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import responses

from core.ports import (
    CloseOutcome,
    PaymentOrder,
    ProviderRefused,
    ProviderUnavailable,
    RefundOrder,
    RefundState,
    TradeState,
)
from integrations.wechat import WeChatPayGateway

HOST = "https://api.mch.weixin.qq.com"
CREATE = "/v3/pay/transactions/jsapi"
NUMBER = "/v3/pay/transactions/out-trade-no/YZ20261120000001"
QUERY = NUMBER + "?mchid=1900007291"
CLOSE = NUMBER + "/close"
REFUND = "/v3/refund/domestic/refunds"
REFUND_QUERY = REFUND + "/YZR20261120000001"


def refuse(wire: responses.RequestsMock, method: str, path: str, status: int, code: str) -> None:
    body = {"code": code, "message": "oSECRET 张三", "detail": {"field": "/payer/openid", "value": "oSECRET"}}
    wire.add(method, HOST + path, json=body, status=status, headers={"Request-ID": "08F7-268512771"})


def expect_unknown(act: Callable[[], Any], match: str | None = None) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable, match=match) as caught:
        act()
    assert caught.value.sent
    return caught.value


# --- what WeChat Pay says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "PARAM_ERROR"),
        (400, "INVALID_REQUEST"),
        (403, "RULE_LIMIT"),
        (403, "TRADE_ERROR"),
        (403, "ACCOUNT_ERROR"),
        (403, "REQUEST_BLOCKED"),
        (403, "USER_ACCOUNT_ABNORMAL"),
        (400, "OPENID_MISMATCH"),
        (400, "A_CODE_OF_NEXT_YEAR"),
    ],
)
def test_a_refusal_is_raised_with_its_code_and_nothing_private(
    call: Any, wire: responses.RequestsMock, status: int, code: str
) -> None:
    method, path, act = call.method, call.path, call.act
    refuse(wire, method, path, status, code)
    with pytest.raises(ProviderRefused) as caught:
        act()
    assert (caught.value.code, caught.value.retryable) == (code, False)
    assert "field /payer/openid request 08F7-268512771" in str(caught.value)
    told = "".join(traceback.format_exception(caught.value))
    assert "oSECRET" not in told
    assert "张三" not in told


@pytest.mark.parametrize(
    ("status", "code", "ours"),
    [
        (429, "FREQUENCY_LIMITED", "FREQUENCY_LIMITED"),
        (429, "RATELIMIT_EXCEEDED", "FREQUENCY_LIMITED"),
        (403, "NOT_ENOUGH", "NOT_ENOUGH"),
        (401, "SIGN_ERROR", "SIGN_ERROR"),
        (400, "APPID_MCHID_NOT_MATCH", "APPID_MCHID_NOT_MATCH"),
        (404, "MCH_NOT_EXISTS", "MCH_NOT_EXISTS"),
        (403, "NO_AUTH", "NO_AUTH"),
    ],
)
def test_a_refusal_for_now_may_be_repeated(
    call: Any, wire: responses.RequestsMock, status: int, code: str, ours: str
) -> None:
    method, path, act = call.method, call.path, call.act
    refuse(wire, method, path, status, code)
    with pytest.raises(ProviderRefused) as caught:
        act()
    assert (caught.value.code, caught.value.retryable) == (ours, True)
    assert caught.value.too_often == (status == 429)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "SYSTEM_ERROR"),
        (400, "SYSTEM_ERROR"),
        (500, "BANK_ERROR"),
        (403, "BIZERR_NEED_RETRY"),
        (500, "BIZERR_NEED_RETRY"),
        (500, "PARAM_ERROR"),
        (503, "PARAM_ERROR"),
        (502, "ORDERPAID"),
        (504, "ORDERNOTEXIST"),
    ],
)
def test_an_inner_error_leaves_the_outcome_unknown(
    call: Any, wire: responses.RequestsMock, status: int, code: str
) -> None:
    method, path, act = call.method, call.path, call.act
    refuse(wire, method, path, status, code)
    expect_unknown(act, "request 08F7-268512771")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
@pytest.mark.parametrize(
    "body", [b"", b"<html>404 Not Found</html>", b"[]", b'{"code":404}', b'{"code":"not found"}', b'{"message":"x"}']
)
def test_an_error_without_a_code_is_somebody_elses_word(
    call: Any, wire: responses.RequestsMock, status: int, body: bytes
) -> None:
    """A proxy's 404 must never free a number whose order may be open."""
    method, path, act = call.method, call.path, call.act
    wire.add(method, HOST + path, body=body, status=status)
    assert expect_unknown(act).too_often == (status == 429)


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("code", ["ORDERPAID", "ORDER_PAID"])
def test_a_paid_order_is_not_opened_and_not_closed(
    gateway: WeChatPayGateway, order: PaymentOrder, wire: responses.RequestsMock, status: int, code: str
) -> None:
    refuse(wire, "POST", CREATE, status, code)
    refuse(wire, "POST", CLOSE, status, code)
    with pytest.raises(ProviderRefused) as caught:
        gateway.open_payment(order)
    assert caught.value.code == "ORDERPAID"
    assert gateway.close_payment(order.out_trade_no) is CloseOutcome.ALREADY_PAID


@pytest.mark.parametrize("code", ["ORDER_CLOSED", "ORDERCLOSED"])
def test_a_closed_order_is_not_opened_and_stays_closed(
    gateway: WeChatPayGateway, order: PaymentOrder, wire: responses.RequestsMock, code: str
) -> None:
    refuse(wire, "POST", CREATE, 400, code)
    refuse(wire, "POST", CLOSE, 400, code)
    with pytest.raises(ProviderRefused) as caught:
        gateway.open_payment(order)
    assert caught.value.code == "ORDER_CLOSED"
    assert gateway.close_payment(order.out_trade_no) is CloseOutcome.CLOSED


@pytest.mark.parametrize(
    ("status", "code"), [(404, "ORDERNOTEXIST"), (400, "ORDER_NOT_EXIST"), (404, "RESOURCE_NOT_EXISTS")]
)
def test_a_number_that_wechat_does_not_know_is_an_answer(
    gateway: WeChatPayGateway, order: PaymentOrder, wire: responses.RequestsMock, status: int, code: str
) -> None:
    refuse(wire, "GET", QUERY, status, code)
    refuse(wire, "POST", CLOSE, status, code)
    assert gateway.find_payment(order.out_trade_no).state is TradeState.NO_SUCH_NUMBER
    assert gateway.close_payment(order.out_trade_no) is CloseOutcome.NO_SUCH_NUMBER


def test_a_refund_that_wechat_does_not_know_is_an_answer_to_a_query_only(
    gateway: WeChatPayGateway, refund_order: RefundOrder, wire: responses.RequestsMock
) -> None:
    refuse(wire, "GET", REFUND_QUERY, 404, "RESOURCE_NOT_EXISTS")
    refuse(wire, "POST", REFUND, 404, "RESOURCE_NOT_EXISTS")
    assert (
        gateway.find_refund(refund_order.out_refund_no, out_trade_no=refund_order.out_trade_no).state
        is RefundState.NO_SUCH_NUMBER
    )
    with pytest.raises(ProviderRefused):
        gateway.open_refund(refund_order)


def test_a_used_number_is_refused(gateway: WeChatPayGateway, order: PaymentOrder, wire: responses.RequestsMock) -> None:
    refuse(wire, "POST", CREATE, 403, "OUT_TRADE_NO_USED")
    with pytest.raises(ProviderRefused) as caught:
        gateway.open_payment(order)
    assert (caught.value.code, caught.value.retryable) == ("OUT_TRADE_NO_USED", False)


# --- what is proven and does not fit ----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'{"prepay_id":"a","prepay_id":"b"}', b"\xff", b"{}"])
def test_a_proven_answer_that_cannot_be_read_is_unknown(
    call: Any, wire: responses.RequestsMock, wechat_pay: Any, body: bytes
) -> None:
    method, path, act = call.method, call.path, call.act
    wechat_pay.answer(wire, method, path, body)
    expect_unknown(act)


def test_a_proven_answer_with_an_unexpected_status_is_unknown(
    call: Any, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    method, path, act = call.method, call.path, call.act
    body = call.good_body
    wechat_pay.answer(wire, method, path, body or b"{}", status=202)
    expect_unknown(act, "HTTP 202")


@pytest.mark.parametrize(
    "change",
    [
        {"trade_state": "SOMETHING_NEW"},
        {"trade_state": None},
        {"transaction_id": None},
        {"transaction_id": 4200001234},
        {"amount": None},
        {"amount": {"total": "5000", "currency": "CNY"}},
        {"amount": {"total": 5000.0, "currency": "CNY"}},
        {"amount": {"total": True, "currency": "CNY"}},
        {"amount": {"total": 0, "currency": "CNY"}},
        {"amount": {"total": -1, "currency": "CNY"}},
        {"amount": {"total": 5000}},
        {"success_time": "yesterday"},
        {"success_time": "2026-11-20T10:29:55"},
        {"out_trade_no": "YZ20261120000002"},
        {"mchid": "1900000001"},
        {"mchid": None},
        {"appid": "wx0000000000000000"},
    ],
)
def test_a_proven_trade_that_does_not_fit_is_unknown(
    gateway: WeChatPayGateway,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    paid_trade: dict[str, Any],
    change: dict[str, Any],
) -> None:
    wechat_pay.answer(wire, "GET", QUERY, paid_trade | change)
    error = expect_unknown(lambda: gateway.find_payment("YZ20261120000001"))
    assert "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "SOMETHING_NEW"},
        {"status": None},
        {"refund_id": None},
        {"amount": {"refund": "2000"}},
        {"amount": {}},
        {"out_refund_no": "YZR20261120000002"},
    ],
)
def test_a_proven_refund_that_does_not_fit_is_unknown(
    *,
    gateway: WeChatPayGateway,
    refund_order: RefundOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    refunded: dict[str, Any],
    change: dict[str, Any],
) -> None:
    wechat_pay.answer(wire, "POST", REFUND, refunded | change)
    wechat_pay.answer(wire, "GET", REFUND_QUERY, refunded | change)
    expect_unknown(lambda: gateway.open_refund(refund_order))
    expect_unknown(lambda: gateway.find_refund(refund_order.out_refund_no, out_trade_no=refund_order.out_trade_no))


def test_a_refund_of_another_payment_is_unknown(
    gateway: WeChatPayGateway,
    refund_order: RefundOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    refunded: dict[str, Any],
) -> None:
    wechat_pay.answer(wire, "POST", REFUND, refunded)
    expect_unknown(lambda: gateway.open_refund(replace(refund_order, out_trade_no="YZ20261120000009")))
