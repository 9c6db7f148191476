"""Partner mode and payments from a browser, with the cryptography of others at the other end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from alipay_side import NUMBER as ALIPAY_NUMBER
from alipay_side import SELLER_ID
from oracles.alipay import ODD as ALIPAY_ODD
from oracles.alipay import TRADE_NO, Alipay
from oracles.wechat_pay import (
    APPID,
    FIND_REFUND,
    MCHID,
    NUMBER,
    ODD,
    OPENID,
    REFUND,
    REFUND_NUMBER,
    REFUNDED,
    TRADE,
    WeChatPay,
)
from token_memory import TokenMemory

from core.ports import (
    CloseOutcome,
    IdKind,
    InvalidSignature,
    MessageKind,
    PaymentOrder,
    ProviderRefused,
    RefundOrder,
    RefundState,
    TradeState,
)
from integrations.alipay import AlipayAccount, AlipayWapGateway, AlipayWapReturn
from integrations.wechat import MerchantAccount, WeChatH5Gateway, WeChatPayGateway, WeChatPayMessageReader

SUB, SUB_APPID = "1900000109", "wx8888888888888888"
NOTIFY = "https://api.example.cn/callbacks/wechat-pay/fuyou"
RETURN = "https://hospital.example/callbacks/alipay-return/renmin"
PARTNER = "/v3/pay/partner/transactions"
IDS = f"sp_mchid={MCHID}&sub_mchid={SUB}"
TOLD = {name: value for name, value in TRADE.items() if name not in ("appid", "mchid", "payer")} | {
    "sp_appid": APPID,
    "sp_mchid": MCHID,
    "sub_appid": SUB_APPID,
    "sub_mchid": SUB,
    "payer": {"sp_openid": "oUpF8uMEb4qRXf22hE3X68TekukE", "sub_openid": OPENID},
}
PLACE = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx2016121516420242444321ca0631331346&package=1"
ANSWERS: dict[str, tuple[int, Any]] = {
    f"POST {PARTNER}/jsapi": (200, {"prepay_id": "wx201410272009395522657a690389285100"}),
    f"POST {PARTNER}/h5": (200, {"h5_url": PLACE}),
    "POST /v3/pay/transactions/h5": (200, {"h5_url": PLACE}),
    f"GET {PARTNER}/out-trade-no/{NUMBER}?{IDS}": (200, TOLD),
    f"POST {PARTNER}/out-trade-no/{NUMBER}/close": (204, None),
    REFUND: (200, REFUNDED),
    f"{FIND_REFUND}?sub_mchid={SUB}": (200, REFUNDED),
}


@pytest.fixture
def partner(wechat_account: MerchantAccount, wechat_pay: WeChatPay) -> MerchantAccount:
    wechat_pay.answers = dict(ANSWERS)
    return replace(wechat_account, merchant="fuyou", sub_mchid=SUB, sub_appids=(SUB_APPID,), h5=True)


def gateway_of(
    account: MerchantAccount, kind: type[WeChatPayGateway] = WeChatPayGateway, appid: str = SUB_APPID
) -> WeChatPayGateway:
    urls = {"payment_notify_url": NOTIFY, "refund_notify_url": NOTIFY}
    return kind(account, app="patient", appid=appid, tokens=TokenMemory(), **urls)


def order(**changes: Any) -> PaymentOrder:
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=15)
    return replace(PaymentOrder(NUMBER, 5000, "CNY", ODD, OPENID, IdKind.OPEN_ID, expires_at), **changes)


def refund(gateway: WeChatPayGateway) -> Any:
    return gateway.open_refund(RefundOrder(REFUND_NUMBER, NUMBER, 2000, 5000, "CNY", ODD))


def test_a_partner_speaks_for_its_sub_merchant_and_is_believed(
    partner: MerchantAccount, wechat_pay: WeChatPay, merchant_key: Any
) -> None:
    gateway = gateway_of(partner)
    sheet = gateway.open_payment(order())
    asked = wechat_pay.asked[-1].json
    assert (asked["sp_appid"], asked["sp_mchid"]) == (APPID, MCHID)
    assert (asked["sub_appid"], asked["sub_mchid"], asked["payer"]) == (SUB_APPID, SUB, {"sub_openid": OPENID})
    assert sheet["appId"] == SUB_APPID
    assert wechat_pay.oracle.proves_sheet(merchant_key.public, sheet)
    assert gateway.find_payment(NUMBER).state is TradeState.PAID
    assert gateway.close_payment(NUMBER) is CloseOutcome.CLOSED
    assert wechat_pay.asked[-1].json == {"sp_mchid": MCHID, "sub_mchid": SUB}
    assert refund(gateway).state is RefundState.SUCCEEDED
    assert wechat_pay.asked[-1].json["sub_mchid"] == SUB
    assert gateway.find_refund(REFUND_NUMBER, out_trade_no=NUMBER).state is RefundState.SUCCEEDED


def test_a_partner_whose_key_is_not_registered_is_refused(
    partner: MerchantAccount, wechat_pay: WeChatPay, strange_key: Any
) -> None:
    gateway = gateway_of(replace(partner, private_key_pem=strange_key.private))
    for act in (lambda: gateway.open_payment(order()), lambda: refund(gateway)):
        with pytest.raises(ProviderRefused, match="SIGN_ERROR"):
            act()


@pytest.mark.parametrize("of_partner", [False, True])
def test_a_payment_from_a_browser_is_taken_and_leads_to_the_place_that_was_signed(
    partner: MerchantAccount, wechat_account: MerchantAccount, wechat_pay: WeChatPay, of_partner: bool
) -> None:
    account, appid = (partner, SUB_APPID) if of_partner else (wechat_account, APPID)
    gateway = gateway_of(account, WeChatH5Gateway, appid)
    assert gateway.open_payment(order(client_ip="::ffff:203.0.113.7")) == {"h5_url": PLACE}
    asked = wechat_pay.asked[-1].json
    assert asked["scene_info"] == {"payer_client_ip": "203.0.113.7", "h5_info": {"type": "Wap"}}
    assert "payer" not in asked


@pytest.mark.parametrize("change", [{}, {"sub_mchid": "1900000110"}, {"sp_mchid": "1900000110"}])
def test_what_is_sealed_and_signed_about_a_sub_merchant_is_read_at_its_own_door_alone(
    partner: MerchantAccount, wechat_pay: WeChatPay, change: dict[str, str]
) -> None:
    reader = WeChatPayMessageReader(partner, {SUB_APPID: "patient"}, tokens=TokenMemory())
    body = wechat_pay.event("TRANSACTION.SUCCESS", wechat_pay.resource(TOLD | change, "transaction"))
    headers = wechat_pay.headers(body)
    if change:
        with pytest.raises(InvalidSignature, match="foreign_merchant"):
            reader.check(headers, body, now=datetime.now(UTC))
        return
    message = reader.check(headers, body, now=datetime.now(UTC))
    assert (message.kind, message.app) == (MessageKind.PAYMENT, "patient")
    assert message.trade is not None
    assert (message.trade.out_trade_no, message.trade.amount_fen) == (NUMBER, 5000)


# --- Alipay's cashier in a browser


def test_the_link_to_the_cashier_has_the_signature_of_the_sdk(alipay_account: AlipayAccount, alipay: Alipay) -> None:
    gateway = AlipayWapGateway(alipay_account, notify_url=NOTIFY, return_url=RETURN)
    wanted = order(out_trade_no=ALIPAY_NUMBER, description=ALIPAY_ODD, payer="")
    query = dict(parse_qsl(urlsplit(gateway.open_payment(wanted)["url"]).query, strict_parsing=True))
    assert query["method"] == "alipay.trade.wap.pay"
    assert alipay.sdk("remade", fields=query)["fields"] == query
    for name in ("return_url", "notify_url"):
        changed = query | {name: query[name] + "/"}
        assert alipay.sdk("remade", fields=changed)["fields"] != changed, name
    assert alipay.asked == []


def test_who_comes_back_brings_what_the_sdk_has_signed(
    alipay_account: AlipayAccount, alipay: Alipay, strange_key: Any
) -> None:
    told = {
        "app_id": alipay_account.app_id,
        "auth_app_id": alipay_account.app_id,
        "charset": "utf-8",
        "method": "alipay.trade.wap.pay.return",
        "out_trade_no": ALIPAY_NUMBER,
        "seller_id": SELLER_ID,
        "sign_type": "RSA2",
        "timestamp": "2026-11-20 10:29:56",
        "total_amount": "50.05",
        "trade_no": TRADE_NO,
        "version": "1.0",
    }
    page = AlipayWapReturn(alipay_account)
    page.check(alipay.form(told))
    with pytest.raises(InvalidSignature):
        page.check(alipay.form(told, key=strange_key.private))
    with pytest.raises(InvalidSignature):
        page.check(alipay.form(told).replace(b"50.05", b"50.06"))
    with pytest.raises(InvalidSignature):
        page.check(urlencode(told).encode())
