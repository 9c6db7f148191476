"""A second opinion: wechatpayv3, which shares no line with us, signs the same and opens the same."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
import responses
from wechatpayv3 import WeChatPay, WeChatPayType

from core.ports import PaymentOrder
from integrations.wechat import MerchantAccount, WeChatPayGateway, WeChatPayMessageReader
from integrations.wechat._signing import sign, signed_text


@pytest.fixture(scope="session")
def oracle(merchant: MerchantAccount) -> Any:
    lines = merchant.private_key_pem.strip().splitlines()
    return WeChatPay(
        wechatpay_type=WeChatPayType.MINIPROG,
        mchid=merchant.mchid,
        private_key="".join(lines[1:-1]),
        cert_serial_no=merchant.serial_no,
        apiv3_key=merchant.apiv3_key,
        appid=merchant.appid,
        notify_url="https://api.example.cn/callbacks/wechat-pay/renmin",
        logger=logging.getLogger("oracle"),
        public_key=merchant.public_key_pem,
        public_key_id=merchant.public_key_id,
    )


def test_it_signs_the_pay_sheet_as_we_do(
    oracle: Any, gateway: WeChatPayGateway, order: PaymentOrder, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    wechat_pay.answer(wire, "POST", "/v3/pay/transactions/jsapi", {"prepay_id": "wx20103000"})
    params = gateway.open_payment(order)
    lines = [params[name] for name in ("appId", "timeStamp", "nonceStr", "package")]
    assert params["paySign"] == oracle.sign(lines)


def test_it_signs_a_request_as_we_do(
    *,
    oracle: Any,
    gateway: WeChatPayGateway,
    merchant: MerchantAccount,
    order: PaymentOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
) -> None:
    created = wechat_pay.answer(wire, "POST", "/v3/pay/transactions/jsapi", {"prepay_id": "wx20103000"})
    gateway.open_payment(order)
    request = created.calls[0].request
    value = request.headers["Authorization"]
    stated = dict(re.findall(r'(\w+)="([^"]*)"', value))
    lines = ["POST", "/v3/pay/transactions/jsapi", stated["timestamp"], stated["nonce_str"], request.body.decode()]
    assert stated["signature"] == oracle.sign(lines)
    assert sign(merchant.private_key(), signed_text(*lines)) == stated["signature"]


@pytest.mark.parametrize("kind", ["payment", "refund"])
def test_it_opens_the_message_that_we_open(
    *,
    oracle: Any,
    reader: WeChatPayMessageReader,
    wechat_pay: Any,
    paid_trade: dict[str, Any],
    refund_notice: dict[str, Any],
    kind: str,
) -> None:
    content, event_type = {
        "payment": (paid_trade, "TRANSACTION.SUCCESS"),
        "refund": (refund_notice, "REFUND.SUCCESS"),
    }[kind]
    body = wechat_pay.event(content, event_type=event_type)
    headers = wechat_pay.headers(body)
    theirs = oracle.callback(headers, body.decode())
    ours = reader.check(headers, body, now=wechat_pay.now)
    assert theirs["resource"] == content
    assert theirs["id"] == ours.event_id
    told = ours.trade or ours.refund
    assert told is not None
    assert told.amount_fen in (content["amount"]["total"], content["amount"].get("refund"))
