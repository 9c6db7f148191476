"""Answers that nothing proves, and a wire that breaks: the outcome is unknown unless nothing was sent."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)

from core.ports import (
    ProviderUnavailable,
)
from integrations.wechat import WeChatPayGateway

HOST = "https://api.mch.weixin.qq.com"
NUMBER = "/v3/pay/transactions/out-trade-no/YZ20261120000001"
QUERY = NUMBER + "?mchid=1900007291"
CLOSE = NUMBER + "/close"

pytestmark = pytest.mark.parametrize("key_mode", ["public_key", "certificate", "mixed"], indirect=True, scope="session")


def expect_unknown(act: Callable[[], Any], match: str | None = None) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable, match=match) as caught:
        act()
    assert caught.value.sent
    return caught.value


# --- what nothing proves ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signature": None}, "missing_header"),
        ({"timestamp": None}, "missing_header"),
        ({"nonce": None}, "missing_header"),
        ({"serial": None}, "missing_header"),
        ({"signature": b64encode(b"x" * 256).decode()}, "bad_signature"),
        ({"signature": "WECHATPAY/SIGNTEST/" + "A" * 325}, "signtest"),
        ({"signature": "WECHATPAY/SIGNTEST/~"}, "bad_header"),
        ({"signature": "A"}, "bad_base64"),
        ({"nonce": "another"}, "bad_signature"),
        ({"serial": "PUB_KEY_ID_other"}, "unknown_serial"),
        ({"serial": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"}, "unknown_serial"),
        ({"signature_type": "WECHATPAY2-SM2-WITH-SM3"}, "signature_type"),
        ({"age": 300}, "stale"),
        ({"age": -300}, "stale"),
    ],
)
def test_an_answer_that_is_not_proven_is_never_success_and_never_failure(
    *,
    call: Any,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    changes: dict[str, Any],
    reason: str,
) -> None:
    method, path, act = call.method, call.path, call.act
    status, body = call.good_status, call.good_body
    wechat_pay.answer(wire, method, path, body, status=status, **changes)
    expect_unknown(act, f"not proven: {reason}$")


def test_an_answer_signed_with_another_key_is_not_proven(
    call: Any, wire: responses.RequestsMock, stranger: Any
) -> None:
    method, path, act = call.method, call.path, call.act
    status, body = call.good_status, call.good_body
    stranger.answer(wire, method, path, body, status=status)
    expect_unknown(act, "bad_signature")


@pytest.mark.parametrize("age", [299, -299, 0])
def test_a_fresh_answer_without_a_signature_type_is_proven(
    call: Any, wire: responses.RequestsMock, wechat_pay: Any, age: int
) -> None:
    method, path, act = call.method, call.path, call.act
    status, body = call.good_status, call.good_body
    wechat_pay.answer(wire, method, path, body, status=status, age=age, signature_type=None)
    act()


def test_another_body_under_a_good_signature_is_not_proven(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, paid_trade: dict[str, Any]
) -> None:
    signed = wechat_pay.headers(json.dumps(paid_trade | {"trade_state": "NOTPAY"}).encode())
    wire.add("GET", HOST + QUERY, body=json.dumps(paid_trade).encode(), headers=signed)
    expect_unknown(lambda: gateway.find_payment("YZ20261120000001"), "bad_signature")


def test_a_second_spelling_of_a_signature_is_not_proven(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    """The last letter of the base64 has four bits that decoding throws away."""
    good = wechat_pay.headers(b"")["Wechatpay-Signature"]
    other = good[:-3] + chr(ord(good[-3]) + 1) + "=="
    assert b64decode(other) == b64decode(good)
    wechat_pay.answer(wire, "POST", CLOSE, b"", status=204, signature=other)
    expect_unknown(lambda: gateway.close_payment("YZ20261120000001"), "bad_base64")


# --- what the wire does -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "sent"),
    [
        (requests.ReadTimeout("slow"), True),
        (requests.ConnectionError(ProtocolError("aborted", ConnectionResetError(104, "reset"))), True),
        (requests.ConnectionError("whatever"), True),
        (requests.exceptions.ChunkedEncodingError("cut"), True),
        (requests.exceptions.SSLError("handshake"), True),
        (ConnectionResetError(104, "reset"), True),
        (requests.ConnectTimeout("no route"), False),
        (requests.ConnectionError(MaxRetryError(None, "/", NewConnectionError(None, "refused"))), False),  # type: ignore[arg-type]
        (requests.ConnectionError(MaxRetryError(None, "/", ConnectTimeoutError("slow"))), False),  # type: ignore[arg-type]
        (
            requests.ConnectionError(MaxRetryError(None, "/", NameResolutionError("h", None, OSError("no name")))),  # type: ignore[arg-type]
            False,
        ),
    ],
)
def test_a_broken_wire_says_whether_the_request_left(
    call: Any, wire: responses.RequestsMock, failure: Exception, sent: bool
) -> None:
    method, path, act = call.method, call.path, call.act
    wire.add(method, HOST + path, body=failure)
    with pytest.raises(ProviderUnavailable) as caught:
        act()
    assert caught.value.sent is sent
    assert caught.value.__cause__ is failure
    assert len(wire.calls) == 1  # nothing is repeated here


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(call: Any, wire: responses.RequestsMock, status: int) -> None:
    method, path, act = call.method, call.path, call.act
    wire.add(method, HOST + path, status=status, headers={"Location": "https://evil.example/v3"})
    expect_unknown(act, "redirect")
    assert len(wire.calls) == 1


def test_a_huge_answer_is_not_read_to_its_end(call: Any, wire: responses.RequestsMock, wechat_pay: Any) -> None:
    method, path, act = call.method, call.path, call.act
    wechat_pay.answer(wire, method, path, b" " * (1024 * 1024 + 1))
    expect_unknown(act, "too large")
