"""The gateway against a WeChat Pay that behaves."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from core.ports import (
    CloseOutcome,
    PaymentOrder,
    ProviderRefused,
    RefundOrder,
    TradeAnswer,
    TradeState,
)
from integrations.wechat import MerchantAccount, WeChatPayGateway

CREATE = "/v3/pay/transactions/jsapi"
NUMBER = "/v3/pay/transactions/out-trade-no/YZ20261120000001"
QUERY = NUMBER + "?mchid=1900007291"
CLOSE = NUMBER + "/close"
AUTHORIZATION = re.compile(
    r'WECHATPAY2-SHA256-RSA2048 mchid="1900007291",nonce_str="([0-9A-F]{32})",timestamp="([0-9]{10})",'
    r'serial_no="408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB",signature="([^"]+)"'
)


def verify(key: RSAPrivateKey, signature: str, *lines: str | bytes) -> None:
    text = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
    key.public_key().verify(b64decode(signature), text, PKCS1v15(), SHA256())


def sent_body(answer: responses.BaseResponse) -> Any:
    return json.loads(answer.calls[-1].request.body or b"")


def test_an_order_is_sent_signed_and_without_anything_unknown(
    gateway: WeChatPayGateway,
    order: PaymentOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    merchant_key: RSAPrivateKey,
) -> None:
    created = wechat_pay.answer(wire, "POST", CREATE, {"prepay_id": "wx20103000"})
    gateway.open_payment(order)
    request = created.calls[0].request
    assert json.loads(request.body) == {
        "appid": "wxd678efh567hg6787",
        "mchid": "1900007291",
        "description": "人民医院 心内科 挂号费",
        "out_trade_no": "YZ20261120000001",
        "time_expire": "2026-11-20T10:45:00+08:00",
        "notify_url": "https://api.example.cn/callbacks/wechat-pay/renmin",
        "amount": {"total": 5000, "currency": "CNY"},
        "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
    }
    found = AUTHORIZATION.fullmatch(request.headers["Authorization"])
    assert found is not None
    nonce, stamp, signature = found.groups()
    verify(merchant_key, signature, "POST", CREATE, stamp, nonce, request.body)
    expected = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "Wechatpay-Serial": "PUB_KEY_ID_0112345678902026112000000000001",
    }
    assert {name: request.headers[name] for name in expected} == expected
    assert request.headers["User-Agent"]


def test_the_pay_sheet_gets_signed_parameters(
    gateway: WeChatPayGateway,
    order: PaymentOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    merchant_key: RSAPrivateKey,
) -> None:
    wechat_pay.answer(wire, "POST", CREATE, {"prepay_id": "wx20103000"})
    params = gateway.open_payment(order)
    assert set(params) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert (params["signType"], params["package"]) == ("RSA", "prepay_id=wx20103000")
    assert params["timeStamp"] == "1795141800"
    verify(merchant_key, params["paySign"], *(params[name] for name in ("appId", "timeStamp", "nonceStr", "package")))


def test_an_equal_order_is_sent_byte_for_byte_again(
    gateway: WeChatPayGateway, order: PaymentOrder, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    created = wechat_pay.answer(wire, "POST", CREATE, {"prepay_id": "wx20103000"})
    gateway.open_payment(order)
    gateway.open_payment(replace(order))
    first, second = (call.request for call in created.calls)
    assert first.body == second.body
    assert first.headers["Authorization"] != second.headers["Authorization"]  # WeChat refuses a nonce it has seen


@pytest.mark.parametrize(
    ("description", "sent"),
    [
        ("挂号费😀", "挂号费"),
        ("𠮷田医生 挂号费", "田医生 挂号费"),
        ("😀😀", "预约挂号"),
        ("", "预约挂号"),
        ("号" * 200, "号" * 127),
        ("😀" * 100 + "号" * 127, "号" * 127),
        ("a\ud800b", "ab"),
    ],
)
def test_a_description_is_cut_to_what_wechat_takes(
    *,
    gateway: WeChatPayGateway,
    order: PaymentOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    description: str,
    sent: str,
) -> None:
    created = wechat_pay.answer(wire, "POST", CREATE, {"prepay_id": "wx20103000"})
    gateway.open_payment(replace(order, description=description))
    assert sent_body(created)["description"] == sent


def test_the_path_is_signed_without_the_prefix_of_the_base_url(
    *,
    merchant: MerchantAccount,
    tokens: Any,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    merchant_key: RSAPrivateKey,
) -> None:
    gateway = WeChatPayGateway(
        replace(merchant, base_url="http://127.0.0.1:8100/wechat-pay/"),
        app="yuezhen",
        appid=merchant.appid,
        tokens=tokens,
        payment_notify_url="http://127.0.0.1:8000/callbacks/wechat-pay/renmin",
        refund_notify_url="http://127.0.0.1:8000/callbacks/wechat-refund/renmin",
        clock=lambda: wechat_pay.now,
    )
    url = f"http://127.0.0.1:8100/wechat-pay{CLOSE}"
    closed = wire.add("POST", url, status=204, headers=wechat_pay.headers(b""))
    assert gateway.close_payment("YZ20261120000001") is CloseOutcome.CLOSED
    request = closed.calls[0].request
    found = AUTHORIZATION.fullmatch(request.headers["Authorization"])
    assert found is not None
    nonce, stamp, signature = found.groups()
    verify(merchant_key, signature, "POST", CLOSE, stamp, nonce, request.body)


def test_a_query_signs_its_query_string(
    gateway: WeChatPayGateway,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    paid_trade: dict[str, Any],
    merchant_key: RSAPrivateKey,
) -> None:
    asked = wechat_pay.answer(wire, "GET", QUERY, paid_trade)
    gateway.find_payment("YZ20261120000001")
    found = AUTHORIZATION.fullmatch(asked.calls[0].request.headers["Authorization"])
    assert found is not None
    nonce, stamp, signature = found.groups()
    verify(merchant_key, signature, "GET", QUERY, stamp, nonce, "")


def test_a_paid_order_is_told_whole(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, paid_trade: dict[str, Any]
) -> None:
    wechat_pay.answer(wire, "GET", QUERY, paid_trade)
    assert gateway.find_payment("YZ20261120000001") == TradeAnswer(
        out_trade_no="YZ20261120000001",
        state=TradeState.PAID,
        amount_fen=5000,
        currency="CNY",
        platform_trade_no="4200001234202611201234567890",
        paid_at=datetime(2026, 11, 20, 2, 29, 55, tzinfo=UTC),
        funding="CMC_CREDIT",
    )


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("SUCCESS", TradeState.PAID),
        ("REFUND", TradeState.PAID),
        ("NOTPAY", TradeState.UNPAID),
        ("USERPAYING", TradeState.UNPAID),
        ("CLOSED", TradeState.CLOSED),
        ("REVOKED", TradeState.CLOSED),
        ("PAYERROR", TradeState.UNPAID),
    ],
)
def test_a_trade_state_is_read_from_the_table(
    *,
    gateway: WeChatPayGateway,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    paid_trade: dict[str, Any],
    word: str,
    state: TradeState,
) -> None:
    wechat_pay.answer(wire, "GET", QUERY, paid_trade | {"trade_state": word})
    told = gateway.find_payment("YZ20261120000001")
    assert (told.state, told.given_back) == (state, word == "REFUND")


def test_an_unpaid_order_lacks_the_paid_half(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    content = {
        "appid": "wxd678efh567hg6787",
        "mchid": "1900007291",
        "out_trade_no": "YZ20261120000001",
        "trade_state": "NOTPAY",
        "success_time": None,
        "bank_type": "",
        "amount": {"total": 5000},
        "a_new_field": {"of": "next year"},
    }
    wechat_pay.answer(wire, "GET", QUERY, content)
    assert gateway.find_payment("YZ20261120000001") == TradeAnswer("YZ20261120000001", TradeState.UNPAID)


def test_a_close_is_a_signed_204(gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any) -> None:
    closed = wechat_pay.answer(wire, "POST", CLOSE, b"", status=204)
    assert gateway.close_payment("YZ20261120000001") is CloseOutcome.CLOSED
    assert sent_body(closed) == {"mchid": "1900007291"}


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize(
    "number", ["", "YZ001", "x" * 65, "YZ|000001", "YZ*000001", "YZ/../0001", "订单000001", "YZ0001\n"]
)
def test_a_number_that_would_break_the_signature_is_never_sent(
    gateway: WeChatPayGateway, order: PaymentOrder, refund_order: RefundOrder, number: str
) -> None:
    for attempt in (
        lambda: gateway.open_payment(replace(order, out_trade_no=number)),
        lambda: gateway.find_payment(number),
        lambda: gateway.close_payment(number),
        lambda: gateway.open_refund(replace(refund_order, out_trade_no=number)),
        lambda: gateway.open_refund(replace(refund_order, out_refund_no=number)),
        lambda: gateway.find_refund(number, out_trade_no=order.out_trade_no),
    ):
        with pytest.raises(ProviderRefused, match="invalid_number"):
            attempt()


def test_the_limits_are_those_of_the_platform(gateway: WeChatPayGateway) -> None:
    assert gateway.limits.shortest_lead == timedelta(minutes=1)
    assert (gateway.limits.refunds_per_payment, gateway.limits.refunds_apart) == (50, timedelta(minutes=1))
    assert (gateway.channel, gateway.provider) == ("wechat_jsapi", "wechat_pay")
    assert (gateway.merchant, gateway.app) == ("renmin", "yuezhen")
