"""Our WeChat adapters against a sandbox that loses, breaks and forges its answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.ports import (
    CloseOutcome,
    FaceSubject,
    PaymentOrder,
    ProviderRefused,
    ProviderUnavailable,
    RefundOrder,
)
from integrations.wechat import MiniappAccount, WeChatFaceVerifier, WeChatMiniappLogin, WeChatPayGateway

UNPROVEN = ["bad_signature", "signtest", "stale", "unknown_serial", "unsigned", "forged", "garbled", "cut"]
BROKEN = ["drop_before", "drop_after", "error", "error_after"]


SUBJECT = FaceSubject("resident_id", "张三", "310101199801011234", "oConformance0001")


def refund_of(order: PaymentOrder, amount_fen: int) -> RefundOrder:
    number = "R" + secrets.token_hex(12).upper()
    return RefundOrder(number, order.out_trade_no, amount_fen, order.amount_fen, "CNY", "患者退号")


@pytest.mark.parametrize("fault", UNPROVEN + BROKEN)
def test_after_a_lost_answer_the_same_request_does_nothing_twice(
    sandbox: Any, wechat_gateway: WeChatPayGateway, wechat_order: PaymentOrder, fault: str
) -> None:
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("pay.create", lambda: wechat_gateway.open_payment(wechat_order)),
        ("pay.query", lambda: wechat_gateway.find_payment(wechat_order.out_trade_no)),
    ]
    for target, act in steps:
        sandbox.misbehave(target, fault)
        with pytest.raises(ProviderUnavailable) as caught:
            act()
        assert caught.value.sent
        act()
    sandbox.control(f"payments/{wechat_order.out_trade_no}/pay")
    refund = refund_of(wechat_order, 5000)
    sandbox.misbehave("refund.create", fault)
    with pytest.raises(ProviderUnavailable):
        wechat_gateway.open_refund(refund)
    wechat_gateway.open_refund(refund)
    assert [item["kind"] for item in sandbox.ledger(wechat_order.out_trade_no)] == ["trade", "refund"]


# An empty answer has nothing to garble or to cut.
@pytest.mark.parametrize("fault", sorted({*UNPROVEN, *BROKEN} - {"garbled", "cut"}))
def test_a_close_that_was_not_answered_is_unknown(
    sandbox: Any, wechat_gateway: WeChatPayGateway, wechat_order: PaymentOrder, fault: str
) -> None:
    wechat_gateway.open_payment(wechat_order)
    sandbox.misbehave("pay.close", fault)
    with pytest.raises(ProviderUnavailable) as caught:
        wechat_gateway.close_payment(wechat_order.out_trade_no)
    assert caught.value.sent
    assert wechat_gateway.close_payment(wechat_order.out_trade_no) is CloseOutcome.CLOSED


@pytest.mark.parametrize("fault", ["delay", "slow_body"])
def test_a_slow_answer_is_not_waited_for(
    sandbox: Any, wechat_gateway: WeChatPayGateway, wechat_order: PaymentOrder, fault: str
) -> None:
    sandbox.misbehave("pay.create", fault, seconds=30)
    began = datetime.now(UTC)
    with pytest.raises(ProviderUnavailable) as caught:
        wechat_gateway.open_payment(wechat_order)
    assert caught.value.sent
    assert datetime.now(UTC) - began < timedelta(seconds=20)
    wechat_gateway.open_payment(wechat_order)


def test_a_refusal_for_now_may_be_repeated(
    sandbox: Any, wechat_gateway: WeChatPayGateway, wechat_order: PaymentOrder
) -> None:
    sandbox.misbehave("pay.create", "rate_limited")
    with pytest.raises(ProviderRefused) as caught:
        wechat_gateway.open_payment(wechat_order)
    assert caught.value.retryable
    wechat_gateway.open_payment(wechat_order)


@pytest.mark.parametrize("fault", ["garbled", "cut", "drop_before", "drop_after", "error", "rate_limited"])
def test_a_login_that_was_not_answered_is_unavailable(sandbox: Any, miniapps: list[MiniappAccount], fault: str) -> None:
    code = sandbox.login_code()
    sandbox.misbehave("login", fault)
    with pytest.raises(ProviderUnavailable):
        WeChatMiniappLogin(miniapps[0], timeouts=(2.0, 3.0)).exchange_code(code)


@pytest.mark.parametrize("fault", ["garbled", "cut", "drop_before", "drop_after", "error"])
def test_without_a_token_a_face_verification_was_not_sent(
    sandbox: Any, miniapps: list[MiniappAccount], wechat_tokens: Any, fault: str
) -> None:
    sandbox.misbehave("token", fault)
    verifier = WeChatFaceVerifier(miniapps[0], wechat_tokens, timeouts=(2.0, 3.0))
    with pytest.raises(ProviderUnavailable) as caught:
        verifier.start(out_seq_no=secrets.token_hex(8), subject=SUBJECT)
    assert not caught.value.sent


@pytest.mark.parametrize("target", ["pay.create", "pay.query"])
def test_a_proven_answer_that_cannot_be_read_is_unknown(
    sandbox: Any, wechat_gateway: WeChatPayGateway, wechat_order: PaymentOrder, target: str
) -> None:
    wechat_gateway.open_payment(wechat_order)
    sandbox.misbehave(target, "garbled", resign=True)
    acts = {"pay.create": lambda: wechat_gateway.open_payment(wechat_order)}
    acts["pay.query"] = lambda: wechat_gateway.find_payment(wechat_order.out_trade_no)
    with pytest.raises(ProviderUnavailable, match=r"JSON|fit"):
        acts[target]()
