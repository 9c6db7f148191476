"""Certificates of WeChat Pay, fetched, changed and mixed with its public key, against an independent reading (F-58)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from core.ports import (
    CloseOutcome,
    InvalidSignature,
    PaymentOrder,
    PhoneRefused,
    ProviderUnavailable,
    TradeState,
)
from integrations.wechat import (
    MerchantAccount,
    MiniappAccount,
    WeChatPayGateway,
    WeChatPayMessageReader,
    WeChatPhoneProver,
)

NUMBER = "P0000000000000000000000001"


@pytest.fixture
def xiehe(sandbox: Any, wechat_merchants: list[MerchantAccount]) -> MerchantAccount:
    """With certificates alone, and none of them known yet."""
    sandbox.control("merchants/xiehe/keys", mode="certificate")
    return replace(next(one for one in wechat_merchants if one.merchant == "xiehe"), platform_certificates=())


@pytest.fixture
def gulou(sandbox: Any, wechat_merchants: list[MerchantAccount]) -> MerchantAccount:
    sandbox.control("merchants/gulou/keys", mode="mixed", public_key_percent=50)
    return next(one for one in wechat_merchants if one.merchant == "gulou")


@pytest.fixture
def gateway_of(wechat_tokens: Any) -> Callable[[MerchantAccount], WeChatPayGateway]:
    def make(account: MerchantAccount) -> WeChatPayGateway:
        nobody = "http://127.0.0.1:9"
        return WeChatPayGateway(
            account,
            app="patient",
            appid=account.appid,
            tokens=wechat_tokens,
            payment_notify_url=nobody,
            refund_notify_url=nobody,
            timeouts=(2.0, 3.0),
        )

    return make


def calls(sandbox: Any, caller: str) -> int:
    query = {"operation": "pay.certificates", "caller": caller}
    count: int = requests.get(f"{sandbox.base_url}/control/calls", params=query, timeout=10).json()["count"]
    return count


def event(sandbox: Any, account: MerchantAccount, **wanted: Any) -> tuple[dict[str, str], bytes]:
    """A genuine message about a payment, unless it is bent."""
    trade = {
        "mchid": account.mchid,
        "appid": account.appid,
        "out_trade_no": NUMBER,
        "trade_state": "SUCCESS",
        "transaction_id": "4200000000000000000000000001",
        "amount": {"total": 1, "currency": "CNY"},
    }
    told = sandbox.control("notices/forge", merchant=account.merchant, plaintext=trade, **wanted)
    return told["headers"], told["body"].encode()


def is_taken(reader: WeChatPayMessageReader, headers: dict[str, str], body: bytes) -> bool:
    try:
        return reader.check(headers, body, now=datetime.now(UTC)).app == "patient"
    except InvalidSignature:
        return False


# --- certificates alone -----------------------------------------------------------------------------------------------


def test_the_first_call_fetches_them_once_and_all_is_done_with_them(
    *, sandbox: Any, xiehe: MerchantAccount, gateway_of: Any, wechat_order: PaymentOrder, wechat_tokens: Any
) -> None:
    before, gateway = calls(sandbox, "xiehe"), gateway_of(xiehe)
    gateway.open_payment(wechat_order)
    sandbox.control(f"payments/{wechat_order.out_trade_no}/pay")
    assert gateway_of(xiehe).find_payment(wechat_order.out_trade_no).state is TradeState.PAID
    assert gateway.close_payment(wechat_order.out_trade_no) is CloseOutcome.ALREADY_PAID
    assert (calls(sandbox, "xiehe") - before, wechat_tokens.fetches) == (1, 1)


def test_a_message_before_the_first_call_is_refused_and_calls_nobody(
    sandbox: Any, xiehe: MerchantAccount, gateway_of: Any, wechat_tokens: Any
) -> None:
    reader = WeChatPayMessageReader(xiehe, {xiehe.appid: "patient"}, tokens=wechat_tokens)
    before, (headers, body) = calls(sandbox, "xiehe"), event(sandbox, xiehe)
    with pytest.raises(InvalidSignature, match="unknown_serial"):
        reader.check(headers, body, now=datetime.now(UTC))
    assert calls(sandbox, "xiehe") == before
    gateway_of(xiehe).close_payment(NUMBER)
    assert is_taken(reader, headers, body)


@pytest.mark.parametrize(
    "fault", ["bad_signature", "signtest", "stale", "unknown_serial", "unsigned", "forged", "garbled", "cut", "error"]
)
def test_certificates_that_nothing_proves_are_not_used(
    *, sandbox: Any, xiehe: MerchantAccount, gateway_of: Any, wechat_order: PaymentOrder, fault: str, wechat_tokens: Any
) -> None:
    sandbox.misbehave("pay.certificates", fault)
    gateway = gateway_of(xiehe)
    for _ in range(2):
        with pytest.raises(ProviderUnavailable) as caught:
            gateway.open_payment(wechat_order)
        assert not caught.value.sent
    wechat_tokens.kept.clear()  # a minute has gone by
    gateway.open_payment(wechat_order)
    assert len(sandbox.ledger(wechat_order.out_trade_no)) == 1


@pytest.mark.parametrize("fault", ["bad_signature", "signtest", "stale", "unknown_serial", "unsigned", "forged"])
def test_an_answer_that_no_certificate_proves_is_unknown(
    *, sandbox: Any, xiehe: MerchantAccount, gateway_of: Any, wechat_order: PaymentOrder, fault: str
) -> None:
    gateway = gateway_of(xiehe)
    sandbox.misbehave("pay.create", fault)
    with pytest.raises(ProviderUnavailable, match="not proven") as caught:
        gateway.open_payment(wechat_order)
    assert caught.value.sent
    gateway.open_payment(wechat_order)


def test_an_answer_without_a_signature_type_is_proven(
    *, sandbox: Any, xiehe: MerchantAccount, gateway_of: Any, wechat_order: PaymentOrder
) -> None:
    for target in ("pay.certificates", "pay.create"):
        sandbox.misbehave(target, "untyped")
    gateway_of(xiehe).open_payment(wechat_order)


def test_another_certificate_is_looked_up_once_and_taken(
    *, sandbox: Any, xiehe: MerchantAccount, gateway_of: Any, wechat_order: PaymentOrder, wechat_tokens: Any
) -> None:
    gateway = gateway_of(xiehe)
    gateway.open_payment(wechat_order)
    made = sandbox.control("merchants/xiehe/certificates")
    sandbox.control("merchants/xiehe/keys", mode="certificate", certificate_serial=made["serial_no"])
    before = calls(sandbox, "xiehe")
    with pytest.raises(ProviderUnavailable, match="unknown_serial"):  # within a minute nothing is fetched again
        gateway.find_payment(wechat_order.out_trade_no)
    assert calls(sandbox, "xiehe") == before
    (name,) = wechat_tokens.kept  # as if it had been fetched a while ago
    wechat_tokens.kept[name] = wechat_tokens.kept[name].replace('"asked_at": "20', '"asked_at": "19')
    for _ in range(3):
        assert gateway.find_payment(wechat_order.out_trade_no).state is TradeState.UNPAID
    assert calls(sandbox, "xiehe") == before + 1


# --- the switch to the public key -------------------------------------------------------------------------------------


def test_during_the_switch_messages_of_both_kinds_are_taken(
    *, sandbox: Any, gulou: MerchantAccount, wechat_tokens: Any
) -> None:
    reader = WeChatPayMessageReader(gulou, {gulou.appid: "patient"}, tokens=wechat_tokens)
    for kind in ("public_key", "certificate"):
        headers, body = event(sandbox, gulou, signed_with=kind)
        assert is_taken(reader, headers, body)
        crossed = event(sandbox, gulou, signed_with=kind)[0]["Wechatpay-Serial"]
        other = event(sandbox, gulou, signed_with={"public_key": "certificate"}.get(kind, "public_key"), serial=crossed)
        assert not is_taken(reader, *other)
    assert wechat_tokens.fetches == 0


@pytest.mark.parametrize("mode", ["certificate", "mixed", "public_key"])
def test_f_58_a_merchant_with_both_kinds_is_served_before_during_and_after_the_switch(
    *, sandbox: Any, gulou: MerchantAccount, gateway_of: Any, wechat_order: PaymentOrder, mode: str
) -> None:
    """F-58."""
    sandbox.control("merchants/gulou/keys", mode=mode)
    gateway = gateway_of(gulou)
    gateway.open_payment(wechat_order)
    sandbox.control(f"payments/{wechat_order.out_trade_no}/pay")
    assert gateway.find_payment(wechat_order.out_trade_no).state is TradeState.PAID


# --- the phone number -------------------------------------------------------------------------------------------------


def test_a_phone_code_works_once_for_its_own_user_and_app(
    sandbox: Any, miniapps: list[MiniappAccount], wechat_tokens: Any
) -> None:
    sandbox.login_code()
    prover, user = WeChatPhoneProver(miniapps[0], wechat_tokens), "oConformance0001"

    def code(**more: str) -> dict[str, str]:
        return {"code": sandbox.control("phone-codes", open_id=user, phone="13800138000", **more)["code"]}

    proof = code()
    assert prover.read_phone(proof, user=user) == "+8613800138000"
    with pytest.raises(PhoneRefused, match="40029"):
        prover.read_phone(proof, user=user)
    with pytest.raises(PhoneRefused, match="40003"):
        prover.read_phone(code(), user="oSomebodyElse")
    with pytest.raises(PhoneRefused, match="40013"):
        WeChatPhoneProver(miniapps[1], wechat_tokens).read_phone(code(), user=user)
    with pytest.raises(PhoneRefused, match="40029"):
        prover.read_phone({"code": secrets.token_hex(32)}, user=user)
    assert prover.read_phone(code(country_code="852"), user=user) == "+85213800138000"
