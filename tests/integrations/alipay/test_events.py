"""Events about trades: what each tells, and what none may tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest

from core.ports import (
    InvalidSignature,
    MessageKind,
    PlatformMessage,
    RefundAnswer,
    RefundState,
    Reply,
    TradeState,
)
from integrations.alipay import AlipayAccount, AlipayMessageReader

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)
NUMBER, REFUND_NUMBER = "P20261120ABCDEFGHJKLMNPQR2", "R20261120ABCDEFGHJKLMNPQR2"
EVENT_ID = "2026112000222102956000010000000001"
PARTIAL = {"gmt_refund": "2026-11-20 10:31:00.123", "refund_fee": "20.00", "out_biz_no": REFUND_NUMBER}


PROOFS = {"missing_sign", "signature_type", "bad_base64", "bad_signature"}
"""What is asked of an event when it comes, and not again when what was stored is read."""


def told(reader: AlipayMessageReader, body: bytes) -> PlatformMessage:
    return reader.check({}, body, now=NOW)


def refused(reader: AlipayMessageReader, body: bytes) -> str:
    with pytest.raises(InvalidSignature) as caught:
        told(reader, body)
    assert (caught.value.__cause__, str(caught.value)) == (None, caught.value.reason)
    if caught.value.reason not in PROOFS:
        with pytest.raises(InvalidSignature, match=caught.value.reason):
            reader.read(body)
    return caught.value.reason


# --- what an event tells ----------------------------------------------------------------------------------------------


def test_a_payment_is_told_whole(reader: AlipayMessageReader, alipay: Any, event: dict[str, str]) -> None:
    message = told(reader, alipay.form(event))
    assert (message.event_id, message.kind) == (EVENT_ID, MessageKind.PAYMENT)
    assert (message.merchant, message.app) == ("renmin", "patient")
    assert message.trade is not None
    assert (message.trade.out_trade_no, message.trade.state) == (NUMBER, TradeState.PAID)
    assert (message.trade.amount_fen, message.trade.currency) == (5005, "CNY")
    assert message.trade.platform_trade_no == "2026112022001400000000000001"
    assert message.trade.paid_at == datetime(2026, 11, 20, 2, 29, 55, tzinfo=UTC)
    assert message.trade.funding == "ALIPAYACCOUNT"
    assert "074a1C" not in repr(message)


@pytest.mark.parametrize(
    ("status", "paid_at", "state"),
    [
        ("TRADE_SUCCESS", "2026-11-20 10:29:55", TradeState.PAID),
        ("TRADE_FINISHED", "2026-11-20 10:29:55", TradeState.PAID),
        ("TRADE_FINISHED", "", TradeState.PAID),
        ("TRADE_CLOSED", "", TradeState.CLOSED),
        ("TRADE_CLOSED", "2026-11-20 10:29:55", TradeState.PAID),
        ("WAIT_BUYER_PAY", "", TradeState.UNPAID),
    ],
)
def test_each_status_of_a_payment(
    *, reader: AlipayMessageReader, alipay: Any, event: dict[str, str], status: str, paid_at: str, state: TradeState
) -> None:
    message = told(reader, alipay.form(event | {"trade_status": status, "gmt_payment": paid_at}))
    assert message.kind is MessageKind.PAYMENT
    assert message.trade is not None
    assert message.trade.state is state
    assert message.trade.given_back is (status == "TRADE_CLOSED" and state is TradeState.PAID)


@pytest.mark.parametrize("status", ["TRADE_SUCCESS", "TRADE_CLOSED", "TRADE_FINISHED"])
@pytest.mark.parametrize("left_out", [(), ("gmt_refund",), ("refund_fee",)])
def test_a_refund_that_still_says_success_is_never_a_payment(
    *, reader: AlipayMessageReader, alipay: Any, event: dict[str, str], status: str, left_out: tuple[str, ...]
) -> None:
    """Read as a payment it would confirm again what was just given back. Its total is nobody's amount."""
    fields = event | PARTIAL | {"trade_status": status}
    message = told(reader, alipay.form({name: value for name, value in fields.items() if name not in left_out}))
    assert (message.kind, message.trade) == (MessageKind.REFUND, None)
    assert message.refund == RefundAnswer(REFUND_NUMBER, RefundState.PROCESSING)
    assert message.summary["out_trade_no"] == NUMBER


def test_a_refund_without_its_number_goes_by_that_of_its_trade(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str]
) -> None:
    """Nobody of us gave it: as a refund of an unknown number it raises an alarm."""
    message = told(reader, alipay.form(event | PARTIAL | {"out_biz_no": ""}))
    assert (message.kind, message.trade) == (MessageKind.REFUND, None)
    assert message.refund == RefundAnswer(NUMBER, RefundState.PROCESSING)


@pytest.mark.parametrize("nothing", ["0", "0.00", "0.0", "00.00"])
def test_a_refund_of_nothing_is_none(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str], nothing: str
) -> None:
    assert told(reader, alipay.form(event | {"refund_fee": nothing})).kind is MessageKind.PAYMENT
    dated = event | PARTIAL | {"refund_fee": nothing}
    assert told(reader, alipay.form(dated)).kind is MessageKind.REFUND


@pytest.mark.parametrize("something", ["0.01", "-0.00", "0.00.1", "nothing", "1"])
def test_whatever_is_not_nothing_tells_of_a_refund(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str], something: str
) -> None:
    assert told(reader, alipay.form(event | {"refund_fee": something})).kind is MessageKind.REFUND


def test_another_kind_of_event_is_taken_and_nothing_else(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str]
) -> None:
    message = told(reader, alipay.form(event | {"notify_type": "servicemarket_order_notify"}))
    assert (message.kind, message.trade, message.event_id) == (MessageKind.OTHER, None, EVENT_ID)


def test_a_stored_event_is_read_when_the_key_that_proved_it_is_gone(
    reader: AlipayMessageReader, account: AlipayAccount, alipay: Any, stranger: Any, event: dict[str, str]
) -> None:
    """The job that applies it may come after a new key: the money of a proven event would be quarantined for ever."""
    body = alipay.form(event)
    today = AlipayMessageReader(replace(account, alipay_public_key_pem=stranger.public_pem()))
    assert today.read(body) == told(reader, body)
    assert refused(today, body) == "bad_signature"


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=25), timedelta(days=400), -timedelta(days=1)])
def test_an_event_does_not_grow_old(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str], age: timedelta
) -> None:
    assert reader.check({}, alipay.form(event), now=NOW + age).event_id == EVENT_ID


def test_what_stands_in_headers_counts_for_nothing(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str]
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=GBK", "X-Sign": "x"}
    assert reader.check(headers, alipay.form(event), now=NOW).event_id == EVENT_ID


@pytest.mark.parametrize("empty", ["body", "gmt_close", "passback_params"])
def test_an_empty_field_is_not_signed_and_not_there(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str], empty: str
) -> None:
    assert told(reader, alipay.form(event | {empty: ""})).event_id == EVENT_ID


def test_the_two_replies_are_seven_bytes_and_four(reader: AlipayMessageReader) -> None:
    assert reader.accepted() == Reply(200, b"success", "text/plain")
    assert reader.refused() == Reply(200, b"fail", "text/plain")


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"app_id": "2021004100000009"}, "foreign_app"),
        ({"seller_id": "2088100200300409"}, "foreign_seller"),
        ({"app_id": ""}, "unreadable"),
        ({"seller_id": ""}, "unreadable"),
        ({"notify_id": ""}, "unreadable"),
        ({"notify_type": ""}, "unreadable"),
        ({"out_trade_no": ""}, "unreadable"),
        ({"trade_status": "SOMETHING_NEW"}, "unreadable"),
        ({"trade_status": ""}, "unreadable"),
        ({"total_amount": "50.055"}, "unreadable"),
        ({"total_amount": "5e1"}, "unreadable"),
        ({"total_amount": ""}, "unreadable"),
        ({"trade_no": ""}, "unreadable"),
        ({"gmt_payment": "today"}, "unreadable"),
        ({"gmt_payment": "2026-02-30 00:00:00"}, "unreadable"),
        ({"charset": "GBK"}, "unreadable"),
        ({"notify_id": "9" * 129}, "unreadable"),
    ],
)
def test_a_proven_event_that_is_not_ours_or_does_not_fit_is_refused(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str], change: dict[str, str], reason: str
) -> None:
    assert refused(reader, alipay.form(event | change)) == reason


def test_a_second_merchants_valid_signature_is_not_ours(
    account: AlipayAccount, alipay: Any, stranger: Any, event: dict[str, str]
) -> None:
    """A-22."""
    other = AlipayMessageReader(replace(account, alipay_public_key_pem=stranger.public_pem()))
    body = alipay.form(event)
    assert refused(other, body) == "bad_signature"
    foreign = AlipayMessageReader(replace(account, merchant="xiehe", seller_id="2088100200300409"))
    assert refused(foreign, body) == "foreign_seller"


@pytest.mark.parametrize("sign_type", ["RSA", "RSA2 ", "rsa2", "none", "HMAC"])
def test_a_21_the_posted_algorithm_is_never_followed(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str], sign_type: str
) -> None:
    """A-21: it is not signed."""
    assert refused(reader, alipay.form(event | {"sign_type": sign_type})) == "signature_type"


def test_an_absent_algorithm_is_ours(reader: AlipayMessageReader, alipay: Any, event: dict[str, str]) -> None:
    fields = {name: value for name, value in event.items() if name != "sign_type"}
    assert told(reader, alipay.form(fields)).event_id == EVENT_ID


def test_a_signature_of_sha_1_is_none(reader: AlipayMessageReader, alipay: Any, event: dict[str, str]) -> None:
    assert refused(reader, alipay.form(event, sha1=True)) == "bad_signature"


def test_a_signature_by_the_rule_of_requests_is_none(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str]
) -> None:
    assert refused(reader, alipay.form(event, sign_type=True)) == "bad_signature"


@pytest.mark.parametrize("sign", ["", None])
def test_an_event_without_a_signature_is_refused(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str], sign: str | None
) -> None:
    """A-20."""
    fields = event if sign is None else event | {"sign": sign}
    body = "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items()).encode()
    assert refused(reader, body) == "missing_sign"


@pytest.mark.parametrize("name", ["out_trade_no", "sign", "total_amount", "sign_type", "seller_id"])
def test_a_field_twice_is_refused_even_with_equal_values(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str], name: str
) -> None:
    """A-11: two readers could each believe another one."""
    body = alipay.form(event)
    piece = next(one for one in body.split(b"&") if one.startswith(name.encode() + b"="))
    assert refused(reader, body + b"&" + piece) == "doubled_field"
    assert refused(reader, piece + b"&" + body) == "doubled_field"


@pytest.mark.parametrize(
    ("spell", "reason"),
    [
        (lambda body: body.replace(b"%2B", b"%2b").replace(b"%3A", b"%3a"), "unreadable"),
        (lambda body: body.replace(b"&", b";"), "unreadable"),
        (lambda body: body + b"&", "unreadable"),
        (lambda body: b"&" + body, "unreadable"),
        (lambda body: body + b"\n", "unreadable"),
        (lambda body: b"\xef\xbb\xbf" + body, "unreadable"),
        (lambda body: body.replace(b"+", b" "), "unreadable"),
        (lambda body: body.replace(b"app_id", b"app%5Fid"), "unreadable"),
        (lambda body: body + b"&flag", "unreadable"),
        (lambda body: body + b"&a=b=c", "unreadable"),
        (lambda body: body + b"&a=%zz", "unreadable"),
        (lambda body: body + b"&a=%C3%28", "unreadable"),
        (lambda body: body + b"".join(b"&f%d=" % at for at in range(100)), "unreadable"),
        (lambda body: b"{}", "unreadable"),
        (lambda body: b"", "unreadable"),
    ],
)
def test_a_form_in_another_spelling_is_refused(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str], spell: Any, reason: str
) -> None:
    assert refused(reader, spell(alipay.form(event))) == reason


def test_a_field_is_not_hidden_inside_the_one_before_it(
    reader: AlipayMessageReader, alipay: Any, event: dict[str, str]
) -> None:
    """The signed text of `receipt_amount=…&refund_fee=…` is one text, wherever the form cuts it: a refund's event
    would pass for a payment's."""
    body = alipay.form(event | {"refund_fee": "20.00"})
    merged = body.replace(b"&refund_fee=20.00", b"").replace(
        b"receipt_amount=50.05", b"receipt_amount=50.05%26refund_fee%3D20.00"
    )
    assert refused(reader, merged) == "ambiguous"
