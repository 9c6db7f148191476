"""Our WeChat Pay adapter with the cryptography of others at the other end: each proves what the other signs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from answering import Asked, Told
from oracles.wechat_pay import (
    APPID,
    CLOSE,
    FIND,
    FIND_REFUND,
    KEY_ID,
    MCHID,
    NUMBER,
    ODD,
    OPEN,
    OPENID,
    REFUND,
    REFUND_NUMBER,
    TRADE,
    WeChatPay,
    stated,
)
from token_memory import TokenMemory
from wechat_pay_side import platform_certificate, serial_of

from core.ports import (
    CloseOutcome,
    IdKind,
    PaymentOrder,
    ProviderRefused,
    ProviderUnavailable,
    RefundOrder,
    RefundState,
    TradeState,
)
from integrations.wechat import MerchantAccount, WeChatPayGateway

NOTIFY = "https://api.example.cn/callbacks/wechat-pay/renmin"
CERTIFICATES = "GET /v3/certificates"


def gateway_of(account: MerchantAccount) -> WeChatPayGateway:
    urls = {"payment_notify_url": NOTIFY, "refund_notify_url": NOTIFY}
    return WeChatPayGateway(account, app="patient", appid=APPID, tokens=TokenMemory(), **urls)


@pytest.fixture
def gateway(wechat_account: MerchantAccount) -> WeChatPayGateway:
    return gateway_of(wechat_account)


def open_payment(gateway: WeChatPayGateway) -> Any:
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=15)
    return gateway.open_payment(PaymentOrder(NUMBER, 5000, "CNY", ODD, OPENID, IdKind.OPEN_ID, expires_at))


def open_refund(gateway: WeChatPayGateway) -> Any:
    return gateway.open_refund(RefundOrder(REFUND_NUMBER, NUMBER, 2000, 5000, "CNY", ODD))


ACTS: dict[str, Callable[[WeChatPayGateway], Any]] = {
    OPEN: open_payment,
    FIND: lambda gateway: gateway.find_payment(NUMBER),
    CLOSE: lambda gateway: gateway.close_payment(NUMBER),
    REFUND: open_refund,
    FIND_REFUND: lambda gateway: gateway.find_refund(REFUND_NUMBER, out_trade_no=NUMBER),
}


def play_all(gateway: WeChatPayGateway, wechat_pay: WeChatPay) -> None:
    """Every call of the gateway is taken, with what it says to the letter, and every answer is believed."""
    assert open_payment(gateway)["package"] == "prepay_id=wx201410272009395522657a690389285100"
    order = wechat_pay.asked[-1].json
    assert datetime.fromisoformat(order.pop("time_expire")) > datetime.now(UTC)
    assert order == {
        "appid": APPID,
        "mchid": MCHID,
        "description": ODD,
        "out_trade_no": NUMBER,
        "notify_url": NOTIFY,
        "amount": {"total": 5000, "currency": "CNY"},
        "payer": {"openid": OPENID},
    }
    trade = gateway.find_payment(NUMBER)
    assert (trade.state, trade.amount_fen, trade.platform_trade_no) == (TradeState.PAID, 5000, TRADE["transaction_id"])
    assert gateway.close_payment(NUMBER) is CloseOutcome.CLOSED
    for refund in (open_refund(gateway), gateway.find_refund(REFUND_NUMBER, out_trade_no=NUMBER)):
        assert (refund.state, refund.amount_fen) == (RefundState.SUCCEEDED, 2000)
        assert refund.received_account == "招商银行信用卡0403"
    assert wechat_pay.asked[-2].json["reason"] == ODD
    assert [f"{one.method} {one.target}" for one in wechat_pay.asked if "/certificates" not in one.path] == list(ACTS)
    assert len({stated(one)["nonce_str"] for one in wechat_pay.asked}) == len(wechat_pay.asked)


def test_each_request_is_taken_and_each_answer_believed(gateway: WeChatPayGateway, wechat_pay: WeChatPay) -> None:
    play_all(gateway, wechat_pay)
    assert {one.headers["Wechatpay-Serial"] for one in wechat_pay.asked} == {KEY_ID}


def test_a_platform_that_signs_with_a_certificate_is_asked_for_it_and_believed(
    wechat_account: MerchantAccount, wechat_pay: WeChatPay, platform_key: Any
) -> None:
    certificate = platform_certificate(platform_key.key, begins=datetime.now(UTC) - timedelta(days=1))
    wechat_pay.serial = serial_of(certificate)
    told = {
        "serial_no": wechat_pay.serial,
        "effective_time": "2026-01-01T08:00:00+08:00",
        "expire_time": "2031-01-01T08:00:00+08:00",
        "encrypt_certificate": wechat_pay.resource(certificate, "certificate"),
    }
    wechat_pay.answers[CERTIFICATES] = (200, {"data": [told]})
    account = replace(wechat_account, public_key_id=None, public_key_pem=None, platform_certificates=())
    play_all(gateway_of(account), wechat_pay)
    (fetched,) = [one for one in wechat_pay.asked if f"{one.method} {one.target}" == CERTIFICATES]
    assert "Wechatpay-Serial" not in fetched.headers
    assert {one.headers["Wechatpay-Serial"] for one in wechat_pay.asked if one is not fetched} == {wechat_pay.serial}


# --- what is changed on its way ---------------------------------------------------------------------------------------


def other(text: str) -> str:
    """The same but for one bit of one letter, which stays a letter or a digit."""
    return text[:4] + chr(ord(text[4]) ^ 1) + text[5:]


def with_header(name: str, change: Callable[[str], str]) -> Callable[[Told], Told]:
    return lambda told: (told[0], {**told[1], name: change(told[1][name])}, told[2])


CHANGES: dict[str, Callable[[Told], Told]] = {
    "timestamp": with_header("Wechatpay-Timestamp", lambda value: str(int(value) + 1)),
    "nonce": with_header("Wechatpay-Nonce", other),
    "serial": with_header("Wechatpay-Serial", other),
    "signature": with_header("Wechatpay-Signature", other),
    "body": lambda told: (told[0], told[1], told[2].replace(b"1", b"2", 1)),
}
CHANGES_OF = {act: [name for name in CHANGES if (act, name) != (CLOSE, "body")] for act in ACTS}
"""The answer to a close has no body."""


@pytest.mark.parametrize(("act", "change"), [(act, change) for act in ACTS for change in CHANGES_OF[act]])
def test_an_answer_with_a_single_change_is_not_believed(
    gateway: WeChatPayGateway, wechat_pay: WeChatPay, act: str, change: str
) -> None:
    wechat_pay.bend = CHANGES[change]
    with pytest.raises(ProviderUnavailable, match="not proven"):
        ACTS[act](gateway)
    wechat_pay.bend = lambda told: told
    ACTS[act](gateway)


@pytest.mark.parametrize("act", ACTS)
def test_an_answer_signed_by_a_stranger_is_not_believed(
    gateway: WeChatPayGateway, wechat_pay: WeChatPay, strange_key: Any, act: str
) -> None:
    wechat_pay.bend = lambda told: (told[0], wechat_pay.headers(told[2], key=strange_key.private), told[2])
    with pytest.raises(ProviderUnavailable, match="not proven: bad_signature"):
        ACTS[act](gateway)


def test_a_request_with_a_single_change_is_not_taken(
    gateway: WeChatPayGateway, wechat_pay: WeChatPay, strange_key: Any
) -> None:
    """Else nothing above would show that our signatures are right."""
    for act in ACTS.values():
        act(gateway)

    def restated(asked: Asked, name: str, value: str) -> Asked:
        old = asked.headers["Authorization"]
        return replace(asked, headers={**asked.headers, "Authorization": old.replace(stated(asked)[name], value)})

    for asked in wechat_pay.asked:
        told = stated(asked)
        changed = [
            replace(asked, method="PUT"),
            replace(asked, target=asked.target + "?"),
            replace(asked, target=asked.target.replace("/v3", "/v4")),
            replace(asked, body=asked.body + b"\n"),
            restated(asked, "timestamp", str(int(told["timestamp"]) - 1)),
            restated(asked, "nonce_str", other(told["nonce_str"])),
            restated(asked, "signature", other(told["signature"])),
        ]
        if asked.body:
            changed.append(replace(asked, body=asked.body.replace(b"1", b"2", 1)))
        assert wechat_pay.proves(asked)
        assert [wechat_pay.proves(one) for one in changed] == [False] * len(changed)
        assert not replace(wechat_pay, merchant_key=strange_key.public).proves(asked)


def test_a_merchant_whose_key_is_not_registered_is_refused(
    wechat_account: MerchantAccount, wechat_pay: WeChatPay, strange_key: Any
) -> None:
    gateway = gateway_of(replace(wechat_account, private_key_pem=strange_key.private))
    for act in ACTS.values():
        with pytest.raises(ProviderRefused, match="SIGN_ERROR"):
            act(gateway)


# --- the pay sheet ----------------------------------------------------------------------------------------------------


def test_the_phone_proves_the_pay_sheet(gateway: WeChatPayGateway, wechat_pay: WeChatPay, merchant_key: Any) -> None:
    sheet = open_payment(gateway)
    assert set(sheet) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert all(isinstance(value, str) for value in sheet.values())
    assert sheet["signType"] == "RSA"
    assert wechat_pay.oracle.proves_sheet(merchant_key.public, sheet)
    for name in ("appId", "timeStamp", "nonceStr", "package", "paySign"):
        assert not wechat_pay.oracle.proves_sheet(merchant_key.public, sheet | {name: other(sheet[name])}), name
