"""What others seal and sign as WeChat Pay does, to our reader of its events."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from oracles.wechat_pay import APIV3_KEY, APPID, MCHID, NUMBER, REFUND_NUMBER, REFUNDED, TRADE, WeChatPay
from token_memory import TokenMemory

from core.ports import InvalidSignature, MessageKind, PlatformMessage, RefundState, TradeState
from integrations.wechat import MerchantAccount, WeChatPayMessageReader

PAID, GIVEN_BACK = "TRANSACTION.SUCCESS", "REFUND.SUCCESS"
NOTICE = {name: value for name, value in REFUNDED.items() if name not in ("status", "create_time", "channel")} | {
    "mchid": MCHID,
    "refund_status": "SUCCESS",
    "amount": {"total": 5000, "refund": 2000, "payer_total": 5000, "payer_refund": 2000},
}


@pytest.fixture
def reader(wechat_account: MerchantAccount) -> WeChatPayMessageReader:
    return WeChatPayMessageReader(wechat_account, {APPID: "patient"}, tokens=TokenMemory())


def check(reader: WeChatPayMessageReader, headers: Mapping[str, str], body: bytes) -> PlatformMessage:
    return reader.check(headers, body, now=datetime.now(UTC))


def test_a_payment_and_a_refund_are_read(reader: WeChatPayMessageReader, wechat_pay: WeChatPay) -> None:
    body = wechat_pay.event(PAID, wechat_pay.resource(TRADE, "transaction"))
    message = check(reader, wechat_pay.headers(body), body)
    assert (message.kind, message.event_id, message.app) == (MessageKind.PAYMENT, "EV-2018022511223320873", "patient")
    assert message.trade is not None
    assert (message.trade.state, message.trade.out_trade_no, message.trade.amount_fen) == (
        TradeState.PAID,
        NUMBER,
        5000,
    )
    body = wechat_pay.event(GIVEN_BACK, wechat_pay.resource(NOTICE, "refund"))
    message = check(reader, wechat_pay.headers(body), body)
    assert message.kind is MessageKind.REFUND
    assert message.refund is not None
    assert (message.refund.state, message.refund.out_refund_no, message.refund.amount_fen) == (
        RefundState.SUCCEEDED,
        REFUND_NUMBER,
        2000,
    )


def test_no_bit_of_a_body_can_change(reader: WeChatPayMessageReader, wechat_pay: WeChatPay) -> None:
    body = wechat_pay.event(PAID, wechat_pay.resource(TRADE, "transaction"))
    headers = wechat_pay.headers(body)
    for place, byte in enumerate(body):
        changed = body[:place] + bytes([byte ^ 1 << place % 8]) + body[place + 1 :]
        with pytest.raises(InvalidSignature, match="bad_signature"):
            check(reader, headers, changed)
    check(reader, headers, body)


@pytest.mark.parametrize("name", ["Timestamp", "Nonce", "Serial", "Signature"])
def test_no_letter_of_what_is_signed_beside_it_can_change(
    reader: WeChatPayMessageReader, wechat_pay: WeChatPay, name: str
) -> None:
    body = wechat_pay.event(PAID, wechat_pay.resource(TRADE, "transaction"))
    headers = wechat_pay.headers(body)
    value = headers[f"Wechatpay-{name}"]
    for place, letter in enumerate(value):
        changed = value[:place] + chr(ord(letter) ^ 1) + value[place + 1 :]
        with pytest.raises(InvalidSignature):
            check(reader, {**headers, f"Wechatpay-{name}": changed}, body)
    check(reader, headers, body)


def test_a_stranger_is_not_believed(
    reader: WeChatPayMessageReader, wechat_pay: WeChatPay, strange_key: Any, merchant_key: Any
) -> None:
    body = wechat_pay.event(PAID, wechat_pay.resource(TRADE, "transaction"))
    for key in (strange_key, merchant_key):
        with pytest.raises(InvalidSignature, match="bad_signature"):
            check(reader, wechat_pay.headers(body, key=key.private), body)


def test_what_is_sealed_proves_itself_under_a_good_signature_too(
    reader: WeChatPayMessageReader, wechat_pay: WeChatPay
) -> None:
    resource = wechat_pay.resource(TRADE, "transaction")
    raw = b64decode(resource["ciphertext"])
    bent = [
        b64encode(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]).decode()
        for place in (0, len(raw) // 2, len(raw) - 17, len(raw) - 1)
    ]
    changed = [
        *(resource | {"ciphertext": text} for text in (*bent, b64encode(raw[:-1]).decode())),
        resource | {"nonce": "fdasflkja485"},
        resource | {"associated_data": "refund"},
        wechat_pay.resource(TRADE, "transaction", key=APIV3_KEY[::-1]),
    ]
    for one in changed:
        body = wechat_pay.event(PAID, one)
        with pytest.raises(InvalidSignature, match="sealed"):
            check(reader, wechat_pay.headers(body), body)
