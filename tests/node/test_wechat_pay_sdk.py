"""WeChat Pay's side of the sandbox as wechatpay-axios-plugin sees it, which knows nothing of us."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from node.sdk import Refused, Sdk, sdk_process

from sandbox.testing import Control, Received, Receiver, eventually

OPENID = "patient-one"
MERCHANTS = ("demo", "gulou", "xiehe")

Program = subprocess.Popen[str]


@pytest.fixture(scope="module")
def program(node: str) -> Iterator[Program]:
    with sdk_process(node, "wechat_pay.js") as started:
        yield started


@pytest.fixture(params=MERCHANTS)
def sdk(request: pytest.FixtureRequest, program: Program, credentials: Any, control: Control) -> Sdk:
    control.post("/login-codes", provider="wechat_miniapp", open_id=OPENID)
    return sdk_of(program, credentials, request.param)


def sdk_of(program: Program, credentials: Any, merchant: str) -> Sdk:
    keys = next(row for row in credentials["wechat_pay"] if row["merchant"] == merchant)
    return Sdk(program, keys)


def order_of(sdk: Sdk, url: str) -> dict[str, Any]:
    return {
        "appid": sdk.keys["appid"],
        "mchid": sdk.keys["mchid"],
        "description": "挂号费 “内科”",
        "out_trade_no": f"T{secrets.token_hex(12)}",
        "notify_url": url,
        "amount": {"total": 1500, "currency": "CNY"},
        "payer": {"openid": OPENID},
    }


def refund_of(order: dict[str, Any], fen: int) -> dict[str, Any]:
    return {
        "out_trade_no": order["out_trade_no"],
        "out_refund_no": f"R{secrets.token_hex(12)}",
        "reason": "停诊",
        "notify_url": order["notify_url"],
        "amount": {"refund": fen, "total": order["amount"]["total"], "currency": "CNY"},
    }


def pay(sdk: Sdk, control: Control, order: dict[str, Any]) -> None:
    """As the phone does, with what the SDK signed for wx.requestPayment."""
    sheet = sdk("place", order=order)
    control.post(f"/payments/{order['out_trade_no']}/pay", merchant=sdk.keys["merchant"], client_params=sheet)


def next_event(events: Receiver, nth: int = 0) -> Received:
    eventually(lambda: len(events.received) > nth)
    return events.received[nth]


def opened(sdk: Sdk, event: Received) -> dict[str, Any]:
    told: dict[str, Any] = sdk("openEvent", headers=event.headers, body=event.body.decode())
    return told


def test_a_payment_a_query_and_a_refund_and_both_events_verify(sdk: Sdk, control: Control, events: Receiver) -> None:
    order = order_of(sdk, events.base_url + "/callbacks")
    pay(sdk, control, order)
    told = opened(sdk, next_event(events))
    assert (told["kind"], told["trade_state"]) == ("TRANSACTION.SUCCESS", "SUCCESS")
    assert (told["out_trade_no"], told["amount"]["total"]) == (order["out_trade_no"], 1500)
    found = sdk("query", number=order["out_trade_no"])
    assert (found["trade_state"], found["transaction_id"]) == ("SUCCESS", told["transaction_id"])

    wanted = refund_of(order, 500)
    assert sdk("refund", refund=wanted)["status"] == "PROCESSING"
    told = opened(sdk, next_event(events, 1))
    assert (told["kind"], told["refund_status"]) == ("REFUND.SUCCESS", "SUCCESS")
    assert (told["out_refund_no"], told["amount"]["refund"]) == (wanted["out_refund_no"], 500)
    assert sdk("queryRefund", number=wanted["out_refund_no"])["status"] == "SUCCESS"
    assert sdk("query", number=order["out_trade_no"])["trade_state"] == "REFUND"


def test_the_sdk_refuses_an_answer_that_the_platform_did_not_sign(
    program: Program, credentials: Any, control: Control, events: Receiver
) -> None:
    """Else nothing above would show that the sandbox's signatures are right."""
    sdk = sdk_of(program, credentials, "demo")
    control.post("/login-codes", provider="wechat_miniapp", open_id=OPENID)
    order = order_of(sdk, events.base_url + "/callbacks")
    sdk("place", order=order)
    for kind in ("bad_signature", "forged", "stale", "unsigned", "unknown_serial"):
        control.post("/faults", target="pay.query", kind=kind, times=1)
        with pytest.raises(Refused) as refused:
            sdk("query", number=order["out_trade_no"])
        assert refused.value.code.startswith("EV3_RES_HEADER"), kind
    assert sdk("query", number=order["out_trade_no"])["trade_state"] == "NOTPAY"


def test_an_event_changed_on_its_way_or_read_by_another_merchant_does_not_verify(
    program: Program, credentials: Any, control: Control, events: Receiver
) -> None:
    sdk = sdk_of(program, credentials, "demo")
    control.post("/login-codes", provider="wechat_miniapp", open_id=OPENID)
    pay(sdk, control, order_of(sdk, events.base_url + "/callbacks"))
    event = next_event(events)
    changed = Received(event.path, event.headers, event.body.replace(b"TRANSACTION.SUCCESS", b"TRANSACTION.SUCCES5"), 0)
    for reader, seen in ((sdk, changed), (sdk_of(program, credentials, "gulou"), event)):
        with pytest.raises(Refused) as refused:
            opened(reader, seen)
        assert refused.value.code == "BAD_SIGNATURE"
