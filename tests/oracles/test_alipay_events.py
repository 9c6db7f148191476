"""What Alipay's own SDK signs as Alipay does, to our reader of its events and to our application gateway."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from alipay_side import APP_ID, NUMBER, REFUND_NUMBER, SELLER_ID, as_alipay_writes
from oracles.alipay import ODD, TRADE_NO, Alipay

from core.ports import InvalidSignature, MessageKind, PlatformMessage, TradeState
from integrations.alipay import AlipayAccount, AlipayAppGateway, AlipayMessageReader

BILLS = [{"amount": "50.05", "fundChannel": "ALIPAYACCOUNT", "link": "https://example.cn/a?b=c&d", "text": '“\\"}{'}]
PAID = {
    "gmt_create": "2026-11-20 10:29:00",
    "charset": "utf-8",
    "gmt_payment": "2026-11-20 10:29:55",
    "notify_time": "2026-11-20 10:29:56",
    "subject": ODD,
    "buyer_open_id": "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5",
    "passback_params": quote_plus("merchantBizType=挂号&x=1"),
    "version": "1.0",
    "notify_id": "2026112000222102956000010000000001",
    "fund_bill_list": as_alipay_writes(BILLS),
    "notify_type": "trade_status_sync",
    "out_trade_no": NUMBER,
    "total_amount": "50.05",
    "trade_status": "TRADE_SUCCESS",
    "trade_no": TRADE_NO,
    "app_id": APP_ID,
    "sign_type": "RSA2",
    "seller_id": SELLER_ID,
}
GIVEN_BACK = PAID | {"gmt_refund": "2026-11-20 10:31:00.123", "refund_fee": "20.00", "out_biz_no": REFUND_NUMBER}
CHECK = {
    "service": "alipay.service.check",
    "biz_content": "<XML><AppId><![CDATA[" + APP_ID + "]]></AppId><EventType><![CDATA[verifygw]]></EventType></XML>",
    "charset": "utf-8",
    "sign_type": "RSA2",
}


@pytest.fixture
def reader(alipay_account: AlipayAccount) -> AlipayMessageReader:
    return AlipayMessageReader(alipay_account)


def check(reader: AlipayMessageReader, body: bytes) -> PlatformMessage:
    return reader.check({}, body, now=datetime.now(UTC))


def test_a_payment_and_a_refund_are_read(reader: AlipayMessageReader, alipay: Alipay) -> None:
    message = check(reader, alipay.form(PAID))
    assert (message.kind, message.event_id) == (MessageKind.PAYMENT, PAID["notify_id"])
    assert message.trade is not None
    assert (message.trade.state, message.trade.amount_fen, message.trade.funding) == (
        TradeState.PAID,
        5005,
        "ALIPAYACCOUNT",
    )
    message = check(reader, alipay.form(GIVEN_BACK))
    assert message.kind is MessageKind.REFUND
    assert message.refund is not None
    assert message.refund.out_refund_no == REFUND_NUMBER


def test_no_field_can_change(reader: AlipayMessageReader, alipay: Alipay) -> None:
    fields = dict(parse_qsl(alipay.form(PAID).decode(), keep_blank_values=True))
    check(reader, urlencode(fields).encode())
    for name in PAID:
        changed = fields | {name: fields[name] + "1"}
        with pytest.raises(InvalidSignature, match="signature_type" if name == "sign_type" else "bad_signature"):
            check(reader, urlencode(changed).encode())
        if fields[name] and name != "sign_type":
            without = {key: value for key, value in fields.items() if key != name}
            with pytest.raises(InvalidSignature, match="bad_signature"):
                check(reader, urlencode(without).encode())
    with pytest.raises(InvalidSignature, match="bad_signature"):
        check(reader, urlencode(fields | {"more": "1"}).encode())


def test_no_letter_of_a_signature_can_change(reader: AlipayMessageReader, alipay: Alipay) -> None:
    fields = dict(parse_qsl(alipay.form(PAID).decode(), keep_blank_values=True))
    sign = fields["sign"]
    for place, letter in enumerate(sign):
        changed = sign[:place] + chr(ord(letter) ^ 1) + sign[place + 1 :]
        with pytest.raises(InvalidSignature):
            check(reader, urlencode(fields | {"sign": changed}).encode())


def test_a_stranger_is_not_believed(
    reader: AlipayMessageReader, alipay: Alipay, strange_key: Any, merchant_key: Any
) -> None:
    for key in (strange_key, merchant_key):
        with pytest.raises(InvalidSignature, match="bad_signature"):
            check(reader, alipay.form(PAID, key=key.private))


def test_an_event_signed_by_the_rule_of_the_application_gateway_is_none(
    reader: AlipayMessageReader, alipay: Alipay
) -> None:
    """The SDK tries both rules on everything; ours are one for each place."""
    with pytest.raises(InvalidSignature, match="bad_signature"):
        check(reader, alipay.form(PAID, with_type=True))


def test_the_application_gateway_is_checked_and_its_answer_is_proven(
    alipay_account: AlipayAccount, alipay: Alipay, strange_key: Any, merchant_key: Any
) -> None:
    app = AlipayAppGateway(alipay_account)
    text = app.answer(alipay.form(CHECK, with_type=True)).body.decode()
    content, sign = re.search(r"<response>(.*)</response>", text), re.search(r"<sign>(.*)</sign>", text)
    assert content is not None
    assert sign is not None
    assert "<success>true</success>" in content[1]
    assert alipay.proves_text(content[1], sign[1], by=merchant_key.public)
    assert not alipay.proves_text(content[1] + " ", sign[1], by=merchant_key.public)
    for wrong in (alipay.form(CHECK), alipay.form(CHECK, with_type=True, key=strange_key.private)):
        with pytest.raises(InvalidSignature, match="bad_signature"):
            app.answer(wrong)
    assert len(b64decode(sign[1])) == 256
