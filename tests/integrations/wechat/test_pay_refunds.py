"""Refunds of a WeChat Pay that behaves."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from core.ports import (
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
