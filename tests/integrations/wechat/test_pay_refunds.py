"""Refunds of a WeChat Pay that behaves."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA1

from core.ports import (
    CardRefund,
    PayeeCard,
    ProviderRefused,
    ProviderUnavailable,
    RefundAnswer,
    RefundOrder,
    RefundState,
)
from integrations.wechat import WeChatPayGateway

REFUND = "/v3/refund/domestic/refunds"
REFUND_QUERY = REFUND + "/YZR20261120000001"


def sent_body(answer: responses.BaseResponse) -> Any:
    return json.loads(answer.calls[-1].request.body or b"")


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("PROCESSING", RefundState.PROCESSING),
        ("SUCCESS", RefundState.SUCCEEDED),
        ("ABNORMAL", RefundState.ABNORMAL),
        ("CLOSED", RefundState.CLOSED),
    ],
)
def test_a_refund_is_sent_to_its_own_notify_url_and_told_whole(
    *,
    gateway: WeChatPayGateway,
    refund_order: RefundOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    refunded: dict[str, Any],
    word: str,
    state: RefundState,
) -> None:
    content = refunded | {"status": word}
    opened = wechat_pay.answer(wire, "POST", REFUND, content)
    wechat_pay.answer(wire, "GET", REFUND_QUERY, content)
    expected = RefundAnswer(
        out_refund_no="YZR20261120000001",
        state=state,
        amount_fen=2000,
        platform_refund_no="50000000382019052709732678859",
        succeeded_at=datetime(2026, 11, 20, 2, 31, tzinfo=UTC),
        received_account="招商银行信用卡0403",
    )
    assert gateway.open_refund(refund_order) == expected
    assert gateway.find_refund("YZR20261120000001", out_trade_no="YZ20261120000001") == expected
    assert sent_body(opened) == {
        "out_trade_no": "YZ20261120000001",
        "out_refund_no": "YZR20261120000001",
        "reason": "患者退号",
        "notify_url": "https://api.example.cn/callbacks/wechat-refund/renmin",
        "amount": {"refund": 2000, "total": 5000, "currency": "CNY"},
    }


@pytest.mark.parametrize("account", ["商户基本账户", "商户结算银行账户"])
def test_a_success_that_the_merchant_received_is_none_of_the_payers(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, refunded: dict[str, Any], account: str
) -> None:
    wechat_pay.answer(wire, "GET", REFUND_QUERY, refunded | {"user_received_account": account})
    found = gateway.find_refund("YZR20261120000001", out_trade_no="YZ20261120000001")
    assert (found.state, found.received_account) == (RefundState.ABNORMAL, account)


@pytest.mark.parametrize(("reason", "sent"), [("退" * 100, "退" * 80), ("😀", None), ("", None)])
def test_a_refund_without_a_sendable_reason_has_none(
    *,
    gateway: WeChatPayGateway,
    refund_order: RefundOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    refunded: dict[str, Any],
    reason: str,
    sent: str | None,
) -> None:
    opened = wechat_pay.answer(wire, "POST", REFUND, refunded)
    gateway.open_refund(replace(refund_order, reason=reason))
    assert sent_body(opened).get("reason") == sent


CARD = PayeeCard("ICBC_DEBIT", "6222020200112233445", "张三")
TO_CARD = f"{REFUND}/50000000382019052709732678859/apply-abnormal-refund"


def to_card(**changes: Any) -> CardRefund:
    plain = CardRefund("YZR20261120000001", "YZ20261120000001", "50000000382019052709732678859", CARD)
    return replace(plain, **changes)


def test_a_card_goes_out_sealed_for_the_key_that_is_named(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, refunded: dict[str, Any]
) -> None:
    applied = wechat_pay.answer(wire, "POST", TO_CARD, refunded | {"status": "PROCESSING"})
    assert gateway.refund_to_card(to_card()).state is RefundState.PROCESSING
    assert CARD.bank in gateway.limits.card_banks
    assert applied.calls[-1].request.headers["Wechatpay-Serial"] == wechat_pay.key_id
    body = sent_body(applied)
    padding = OAEP(MGF1(SHA1()), SHA1(), None)
    opened = {
        name: wechat_pay.key.decrypt(b64decode(body.pop(name)), padding).decode()
        for name in ("bank_account", "real_name")
    }
    assert opened == {"bank_account": CARD.number, "real_name": CARD.holder}
    assert body == {"out_refund_no": "YZR20261120000001", "type": "USER_BANK_CARD", "bank_type": "ICBC_DEBIT"}


def test_a_card_shows_nothing_of_itself_where_it_is_printed() -> None:
    assert CARD.number not in repr(to_card())
    assert CARD.holder not in repr(to_card())


def test_what_would_break_the_call_is_not_sent(gateway: WeChatPayGateway, wire: responses.RequestsMock) -> None:
    for wrong, code in (
        (to_card(platform_refund_no="1/2"), "invalid_number"),
        (to_card(card=replace(CARD, holder="𠮷" * 60)), "invalid_field"),
    ):
        with pytest.raises(ProviderRefused, match=code):
            gateway.refund_to_card(wrong)
    assert not wire.calls


def test_an_answer_about_another_refund_proves_nothing(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, refunded: dict[str, Any]
) -> None:
    wechat_pay.answer(wire, "POST", TO_CARD, refunded | {"out_refund_no": "YZR20261120000002"})
    with pytest.raises(ProviderUnavailable, match="another refund"):
        gateway.refund_to_card(to_card())
