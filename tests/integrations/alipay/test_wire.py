"""How a call is written, and which answers are believed."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ports import PaymentOrder, ProviderUnavailable
from integrations.alipay import AlipayAccount, AlipayGateway
from integrations.alipay._answers import read_answer
from integrations.alipay._signing import utc_now, verify

QUERY = "alipay.trade.query"
NODE = "alipay_trade_query_response"
GATEWAY = "https://openapi.alipay.com/gateway.do"


def expect_unknown(act: Callable[[], Any], match: str | None = None) -> None:
    with pytest.raises(ProviderUnavailable, match=match) as caught:
        act()
    assert caught.value.sent
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


# --- what goes out ----------------------------------------------------------------------------------------------------


def test_the_common_fields_stand_in_the_query_and_all_else_in_the_body(
    gateway: AlipayGateway, order: PaymentOrder, wire: responses.RequestsMock, alipay: Any, asked: Any
) -> None:
    alipay.success(wire, "alipay.trade.create", out_trade_no=order.out_trade_no, trade_no="1")
    gateway.open_payment(order)
    sent, request = asked(wire), wire.calls[0].request
    assert set(sent.query) == {
        *("app_id", "method", "charset", "sign_type", "sign", "timestamp", "version", "notify_url"),
    }
    assert set(sent.body) == {"biz_content"}
    assert (sent.query["charset"], sent.query["sign_type"], sent.query["version"]) == ("utf-8", "RSA2", "1.0")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded;charset=utf-8"
    assert request.method == "POST"


def test_a_call_is_signed_over_all_its_fields_with_its_sign_type(
    *,
    gateway: AlipayGateway,
    order: PaymentOrder,
    wire: responses.RequestsMock,
    alipay: Any,
    app_key: RSAPrivateKey,
    asked: Any,
) -> None:
    alipay.success(wire, "alipay.trade.create", out_trade_no=order.out_trade_no, trade_no="1")
    gateway.open_payment(order)
    fields = asked(wire).query | asked(wire).body
    sign = fields.pop("sign")
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    assert "sign_type=RSA2" in text
    verify([app_key.public_key()], text.encode(), sign)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 11, 20, 2, 30, tzinfo=UTC), "2026-11-20 10:30:00"),
        (datetime(2026, 12, 31, 16, 0, 0, 999999, tzinfo=UTC), "2027-01-01 00:00:00"),
    ],
)
def test_the_stamp_is_the_wall_clock_of_gmt_8(
    *, account: AlipayAccount, wire: responses.RequestsMock, alipay: Any, asked: Any, instant: datetime, text: str
) -> None:
    gateway = AlipayGateway(account, notify_url="https://h.example/n", clock=lambda: instant)
    alipay.failure(wire, QUERY, "ACQ.TRADE_NOT_EXIST")
    gateway.find_payment("P1")
    assert asked(wire).query["timestamp"] == text
    assert utc_now().utcoffset() is not None


def test_another_gateway_may_be_configured(account: AlipayAccount, alipay: Any, wire: responses.RequestsMock) -> None:
    gateway = AlipayGateway(
        replace(account, gateway="http://127.0.0.1:9/alipay/gateway.do"), notify_url="https://h.example/n"
    )
    told = '{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}'
    wire.add("POST", "http://127.0.0.1:9/alipay/gateway.do", body=alipay.body(NODE, told))
    gateway.find_payment("P1")


def test_no_log_and_no_trace_holds_the_call(
    gateway: AlipayGateway, order: PaymentOrder, wire: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    wire.add("POST", GATEWAY, body=requests.ReadTimeout("SECRET url"))
    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderUnavailable) as caught:
        gateway.open_payment(order)
    assert (caught.value.__cause__, caught.value.__context__, caught.value.sent) == (None, None, True)
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert not [secret for secret in (order.payer, "SECRET", "sign=") if secret in told]


# --- what comes in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [201, 202, 400, 403, 404, 429, 500, 502, 503])
def test_an_answer_with_another_status_is_somebody_elses(
    call: Any, wire: responses.RequestsMock, alipay: Any, answer_with: Any, status: int
) -> None:
    body = alipay.body(call.method.replace(".", "_") + "_response", '{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}')
    answer_with(wire, call.method, body, status=status)
    expect_unknown(call.act, f"HTTP {status}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>SECRET</html>",
        b"null",
        b"[]",
        b"{}",
        b'{"sign":"AA=="}',
        b'{"NODE":7,"sign":"AA=="}',
        b'{"NODE":null,"sign":"AA=="}',
        b'{"NODE":[{}],"sign":"AA=="}',
        b'{"NODE":{},"sign":7}',
        b'{"NODE":{},"sign":{"SECRET":"AA=="}}',
        b'{"NODE":{"code":"10000"},"NODE":{"code":"10000"}}',
        b'{"NODE":{"code":"10000"},"error_response":{"code":"40002"}}',
        b'{"NODE":{"code":"10000"}',
        b'{"NODE":{"code":"10000"}}}',
        b'{"NODE":{"code":"10000"}} SECRET',
        b'{"NODE":{"code":"10000"',
        b'{"NODE":"unterminated',
        b'{"other_response":{"code":"10000"}}',
        b'\xef\xbb\xbf{"NODE":{"code":"10000"}}',
    ],
)
def test_an_answer_that_cannot_be_read_is_unknown(
    call: Any, wire: responses.RequestsMock, answer_with: Any, body: bytes
) -> None:
    node = call.method.replace(".", "_") + "_response"
    answer_with(wire, call.method, body.replace(b"NODE", node.encode()))
    expect_unknown(call.act)


@pytest.mark.parametrize(
    "value",
    [
        '{"code":"10000","code":"10000"}',
        '{"code":"10000","deep":{"a":1,"a":2}}',
        '{"code":"10000","n":NaN}',
        '{"code":"10000",}',
        '{"code":"1000\\x"}',
    ],
)
def test_a_proven_answer_that_is_not_strict_json_is_unknown(
    call: Any, wire: responses.RequestsMock, alipay: Any, value: str
) -> None:
    alipay.answer(wire, call.method, value)
    expect_unknown(call.act, "unreadable")


def test_a_strangers_signature_is_none(
    call: Any, wire: responses.RequestsMock, alipay: Any, stranger: Any, compact: Any
) -> None:
    value = compact({"code": "10000", "msg": "Success", **call.good})
    alipay.answer(wire, call.method, value, sign=stranger.signature(value))
    expect_unknown(call.act, "bad_signature")


@pytest.mark.parametrize("sign", ["AAAA", "AAA", "not base64", "A" * 10_000, " "])
def test_a_signature_that_is_none_proves_nothing(
    call: Any, wire: responses.RequestsMock, alipay: Any, sign: str
) -> None:
    alipay.answer(wire, call.method, {"code": "40004", "sub_code": "ACQ.TRADE_NOT_EXIST"}, sign=sign)
    expect_unknown(call.act)


def test_a_node_after_the_signed_one_is_not_smuggled_in(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, answer_with: Any, compact: Any
) -> None:
    """Spelled with an escape it is the same name for a reader of JSON."""
    signed = '{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}'
    false = compact({"code": "10000", "out_trade_no": "P1", "trade_status": "TRADE_CLOSED"})
    again = NODE.replace("query", "\\u0071uery")
    body = f'{{"{NODE}":{signed},"sign":"{alipay.signature(signed)}","{again}":{false}}}'.encode()
    answer_with(wire, QUERY, body)
    expect_unknown(lambda: gateway.find_payment("P1"), "cannot be read")


@pytest.mark.parametrize("subject", ["unpaired } brace", "{{{", '\\" and }', "斜杠/ 和 ] 号", '"sign":"x"'])
def test_braces_and_quotes_in_a_text_move_no_border(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, paid_trade: dict[str, Any], subject: str
) -> None:
    alipay.success(wire, QUERY, **paid_trade, subject=subject)
    assert gateway.find_payment(paid_trade["out_trade_no"]).amount_fen == 5005


def test_an_encrypted_answer_is_proven_with_its_quotes_and_opened(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, paid_trade: dict[str, Any]
) -> None:
    alipay.answer(wire, QUERY, '"' + alipay.sealed({"code": "10000", **paid_trade}) + '"')
    assert gateway.find_payment(paid_trade["out_trade_no"]).amount_fen == 5005


def test_an_encrypted_answer_signed_without_its_quotes_is_not_proven(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, paid_trade: dict[str, Any]
) -> None:
    sealed = alipay.sealed({"code": "10000", **paid_trade})
    alipay.answer(wire, QUERY, f'"{sealed}"', sign=alipay.signature(sealed))
    expect_unknown(lambda: gateway.find_payment(paid_trade["out_trade_no"]), "bad_signature")


@pytest.mark.parametrize("sealed", ["AAAA", "", "!", "A" * 43 + "="])
def test_a_seal_that_does_not_open_is_unknown(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, sealed: str
) -> None:
    alipay.answer(wire, QUERY, f'"{sealed}"')
    expect_unknown(lambda: gateway.find_payment("P1"))


def test_without_a_key_nothing_sealed_is_opened(
    account: AlipayAccount, wire: responses.RequestsMock, alipay: Any
) -> None:
    gateway = AlipayGateway(replace(account, aes_key=None), notify_url="https://h.example/n")
    alipay.answer(wire, QUERY, '"' + alipay.sealed({"code": "10000"}) + '"')
    expect_unknown(lambda: gateway.find_payment("P1"))


# --- any change -------------------------------------------------------------------------------------------------------


def outcome(gateway: AlipayGateway, answer_with: Any, body: bytes) -> Any:
    """What a changed answer leads to: a state, or a refusal to believe it."""
    with responses.RequestsMock() as wire:
        answer_with(wire, QUERY, body)
        try:
            return gateway.find_payment("P20261120ABCDEFGHJKLMNPQR2")
        except ProviderUnavailable:
            return None


@pytest.fixture(scope="module")
def body(alipay: Any, compact: Any, paid_trade: dict[str, Any]) -> bytes:
    made: bytes = alipay.body(NODE, compact({"code": "10000", "msg": "Success", **paid_trade}))
    return made


def test_every_byte_of_a_signed_answer_counts(gateway: AlipayGateway, answer_with: Any, body: bytes) -> None:
    assert outcome(gateway, answer_with, body) is not None
    for place, byte in enumerate(body):
        changed = body[:place] + bytes([byte ^ 1]) + body[place + 1 :]
        assert outcome(gateway, answer_with, changed) is None, (place, changed[place : place + 20])


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_change_of_one_byte_is_refused(
    account: AlipayAccount, answer_with: Any, body: bytes, data: st.DataObject
) -> None:
    gateway = AlipayGateway(account, notify_url="https://h.example/n")
    place = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != body[place]))
    changed = body[:place] + bytes([byte]) + body[place + 1 :]
    assert outcome(gateway, answer_with, changed) is None


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200) | st.text(alphabet='{}[]",:\\ anode1', max_size=60).map(str.encode))
def test_no_body_raises_anything_but_a_value_error(body: bytes) -> None:
    try:
        read_answer(body, "node")
    except ValueError:
        return
    assert b"node" in body or b"error_response" in body or b"\\u" in body
