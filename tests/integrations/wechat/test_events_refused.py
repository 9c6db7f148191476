"""Every way of not being a message of WeChat Pay for us."""

from __future__ import annotations

import json
import traceback
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from core.ports import (
    InvalidSignature,
)
from integrations.wechat import WeChatPayMessageReader

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)

pytestmark = pytest.mark.parametrize("key_mode", ["public_key", "certificate", "mixed"], indirect=True, scope="session")


class ManyHeaders(Mapping[str, str]):
    """Like a framework's headers: a name may come twice, and a look-up by name shows the first."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.pairs = pairs

    def items(self) -> Any:
        return list(self.pairs)

    def __getitem__(self, name: str) -> str:
        return next(value for key, value in self.pairs if key.lower() == name.lower())

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self.pairs])

    def __len__(self) -> int:
        return len(self.pairs)


@pytest.fixture
def payment(wechat_pay: Any, paid_trade: dict[str, Any]) -> bytes:
    return wechat_pay.event(paid_trade, event_type="TRANSACTION.SUCCESS")


@pytest.fixture(autouse=True)
def no_wire(wire: responses.RequestsMock) -> responses.RequestsMock:
    """A reader never calls out, whatever it is sent: any request fails the test."""
    return wire


def expect_refused(act: Any, reason: str) -> None:
    with pytest.raises(InvalidSignature) as caught:
        act()
    assert caught.value.reason == reason
    told = "".join(traceback.format_exception(caught.value))
    assert "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" not in told


# --- the headers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["timestamp", "nonce", "serial", "signature"])
def test_each_signed_header_must_be_there_once(
    reader: WeChatPayMessageReader, wechat_pay: Any, payment: bytes, name: str
) -> None:
    """A-20."""
    missing = wechat_pay.headers(payment, **{name: None})
    expect_refused(lambda: reader.check(missing, payment, now=NOW), "missing_header")
    empty = wechat_pay.headers(payment, **{name: ""})
    expect_refused(lambda: reader.check(empty, payment, now=NOW), "bad_header")
    good = wechat_pay.headers(payment)
    header = f"Wechatpay-{name.title()}"
    twice = ManyHeaders(*good.items(), (header.upper(), good[header]))
    expect_refused(lambda: reader.check(twice, payment, now=NOW), "doubled_header")
    joined = good | {header: f"{good[header]},{good[header]}"}
    expect_refused(lambda: reader.check(joined, payment, now=NOW), "bad_header")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timestamp", "-1"),
        ("timestamp", "1795141800.0"),
        ("timestamp", " 1795141800"),
        ("timestamp", "1795141800\n"),
        ("timestamp", "１７９５１４１８００"),
        ("timestamp", "9" * 400),
        ("nonce", "a\nb"),
        ("nonce", "a b"),
        ("nonce", "n" * 129),
        ("serial", "PUB KEY"),
        ("signature", "~" * 344),
        ("signature", "A" * 3000),
    ],
)
def test_a_header_that_is_not_sane_is_refused(
    reader: WeChatPayMessageReader, wechat_pay: Any, payment: bytes, name: str, value: str
) -> None:
    headers = wechat_pay.headers(payment, **{name: value})
    expect_refused(lambda: reader.check(headers, payment, now=NOW), "bad_header")


@pytest.mark.parametrize(
    "scheme",
    ["", "none", "WECHATPAY2-SM2-WITH-SM3", "wechatpay2-sha256-rsa2048", "HMAC-SHA256", "WECHATPAY2-SHA256-RSA2048 "],
)
def test_a_21_the_sender_does_not_choose_the_scheme(
    reader: WeChatPayMessageReader, wechat_pay: Any, payment: bytes, scheme: str
) -> None:
    """A-21."""
    headers = wechat_pay.headers(payment, signature_type=scheme)
    expect_refused(lambda: reader.check(headers, payment, now=NOW), "signature_type")


def test_a_doubled_scheme_is_refused(reader: WeChatPayMessageReader, wechat_pay: Any, payment: bytes) -> None:
    good = wechat_pay.headers(payment)
    twice = ManyHeaders(*good.items(), ("wechatpay-signature-type", "WECHATPAY2-SHA256-RSA2048"))
    expect_refused(lambda: reader.check(twice, payment, now=NOW), "signature_type")


# --- the signature ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "serial", ["PUB_KEY_ID_0112345678902026112000000000002", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"]
)
def test_an_unknown_serial_is_refused_without_a_call(
    reader: WeChatPayMessageReader, wechat_pay: Any, payment: bytes, serial: str
) -> None:
    headers = wechat_pay.headers(payment, serial=serial)
    expect_refused(lambda: reader.check(headers, payment, now=NOW), "unknown_serial")


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("WECHATPAY/SIGNTEST/" + "A" * 325, "signtest"),
        ("WECHATPAY/SIGNTEST/", "signtest"),
        ("A", "bad_base64"),
        ("AAAA=AAA", "bad_base64"),
        ("A-_A", "bad_base64"),
        ("AAAA", "bad_signature"),
        ("A" * 340 + "AAA=", "bad_signature"),
    ],
)
def test_a_signature_that_proves_nothing_is_refused(
    reader: WeChatPayMessageReader, wechat_pay: Any, payment: bytes, signature: str, reason: str
) -> None:
    headers = wechat_pay.headers(payment, signature=signature)
    expect_refused(lambda: reader.check(headers, payment, now=NOW), reason)


def test_a_message_of_a_stranger_is_refused(reader: WeChatPayMessageReader, stranger: Any, payment: bytes) -> None:
    headers = stranger.headers(payment)
    expect_refused(lambda: reader.check(headers, payment, now=NOW), "bad_signature")


def test_a_body_that_was_parsed_and_written_again_is_refused(
    reader: WeChatPayMessageReader, wechat_pay: Any, payment: bytes
) -> None:
    """A-20."""
    headers = wechat_pay.headers(payment)
    again = json.dumps(json.loads(payment)).encode()
    expect_refused(lambda: reader.check(headers, again, now=NOW), "bad_signature")


# --- the content ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"EV-1"',
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"id":"EV-1","id":"EV-2","event_type":"X","resource":{}}',
        b'{"id":"EV-1","event_type":"TRANSACTION.SUCCESS"}',
        b'{"id":"EV-1","event_type":"TRANSACTION.SUCCESS","resource":[]}',
        b'{"id":7,"event_type":"TRANSACTION.SUCCESS","resource":{"algorithm":"AEAD_AES_256_GCM"}}',
    ],
)
def test_a_proven_body_that_is_no_message_is_refused(
    reader: WeChatPayMessageReader, wechat_pay: Any, body: bytes
) -> None:
    headers = wechat_pay.headers(body)
    expect_refused(lambda: reader.check(headers, body, now=NOW), "unreadable")


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ({"algorithm": "AEAD_SM4_GCM"}, "algorithm"),
        ({"algorithm": "none"}, "algorithm"),
        ({"nonce": "mnopqrstuvwx"}, "sealed"),
        ({"nonce": "abc"}, "sealed"),
        ({"associated_data": "refund"}, "sealed"),
        ({"associated_data": None}, "sealed"),
        ({"ciphertext": "AAAA"}, "sealed"),
        ({"ciphertext": "not base64"}, "sealed"),
        ({"ciphertext": None}, "unreadable"),
    ],
)
def test_a_24_a_resource_that_does_not_open_is_refused(
    reader: WeChatPayMessageReader,
    wechat_pay: Any,
    paid_trade: dict[str, Any],
    resource: dict[str, Any],
    reason: str,
) -> None:
    """A-24."""
    body = wechat_pay.event(paid_trade, event_type="TRANSACTION.SUCCESS", **resource)
    expect_refused(lambda: reader.check(wechat_pay.headers(body), body, now=NOW), reason)
    expect_refused(lambda: reader.read(body), reason)


def test_a_cut_tag_does_not_open(reader: WeChatPayMessageReader, payment: bytes) -> None:
    """A-24."""
    envelope = json.loads(payment)
    sealed = b64decode(envelope["resource"]["ciphertext"])
    for cut in (1, 4, 15, 16):
        envelope["resource"]["ciphertext"] = b64encode(sealed[:-cut]).decode()
        expect_refused(lambda: reader.read(json.dumps(envelope).encode()), "sealed")


def test_the_key_of_another_merchant_does_not_open(
    reader: WeChatPayMessageReader, wechat_pay: Any, paid_trade: dict[str, Any]
) -> None:
    """A-22."""
    other = replace(wechat_pay, apiv3_key="another-merchants-apiv3-key-32by")
    body = other.event(paid_trade, event_type="TRANSACTION.SUCCESS")
    expect_refused(lambda: reader.check(other.headers(body), body, now=NOW), "sealed")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mchid": "1900000001"}, "foreign_merchant"),
        ({"appid": "wx0000000000000000"}, "foreign_app"),
        ({"appid": None}, "foreign_app"),
        ({"mchid": None}, "unreadable"),
        ({"mchid": 1900007291}, "unreadable"),
        ({"trade_state": "SOMETHING_NEW"}, "unreadable"),
        ({"amount": {"total": "5000", "currency": "CNY"}}, "unreadable"),
        ({"amount": {"total": 5000}}, "unreadable"),
        ({"transaction_id": None}, "unreadable"),
    ],
)
def test_a_payment_message_that_is_not_ours_is_refused(
    reader: WeChatPayMessageReader, wechat_pay: Any, paid_trade: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    """A-22, F-47."""
    body = wechat_pay.event(paid_trade | change, event_type="TRANSACTION.SUCCESS")
    expect_refused(lambda: reader.check(wechat_pay.headers(body), body, now=NOW), reason)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mchid": "1900000001"}, "foreign_merchant"),
        ({"mchid": None}, "unreadable"),
        ({"refund_status": None}, "unreadable"),
        ({"refund_status": None, "status": "SUCCESS"}, "unreadable"),
        ({"refund_status": "SOMETHING_NEW"}, "unreadable"),
        ({"amount": {}}, "unreadable"),
    ],
)
def test_a_refund_message_that_is_not_ours_is_refused(
    reader: WeChatPayMessageReader, wechat_pay: Any, refund_notice: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    body = wechat_pay.event(refund_notice | change, event_type="REFUND.SUCCESS")
    expect_refused(lambda: reader.check(wechat_pay.headers(body), body, now=NOW), reason)


def test_another_kind_for_another_merchant_is_refused(reader: WeChatPayMessageReader, wechat_pay: Any) -> None:
    body = wechat_pay.event({"mchid": "1900000001"}, event_type="PAYSCORE.USER_OPEN_SERVICE")
    expect_refused(lambda: reader.check(wechat_pay.headers(body), body, now=NOW), "foreign_merchant")


@pytest.mark.parametrize("plain", [b"", b"[]", b"{", b'{"mchid":"1900007291","mchid":"1900000001"}', b"\xff"])
def test_a_sealed_text_that_is_no_object_is_refused(
    reader: WeChatPayMessageReader, wechat_pay: Any, plain: bytes
) -> None:
    body = wechat_pay.event(plain, event_type="TRANSACTION.SUCCESS")
    expect_refused(lambda: reader.read(body), "unreadable")
