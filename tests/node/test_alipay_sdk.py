"""The sandbox's gateway as alipay-sdk sees it, which is Alipay's own and knows nothing of us."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from node.sdk import Refused, Sdk, sdk_process

from sandbox.testing import Control, Received, Receiver, eventually

OPEN_ID = "patient-one"
MERCHANTS = ("demo", "gulou", "xiehe")  # in key mode, and two in certificate mode
CREATE, QUERY = "alipay.trade.create", "alipay.trade.query"
REFUND, REFUND_QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"

Program = subprocess.Popen[str]


@pytest.fixture(scope="module")
def program(node: str) -> Iterator[Program]:
    with sdk_process(node, "alipay.js") as started:
        yield started


@pytest.fixture(autouse=True)
def _taken(events: Receiver, control: Control) -> None:
    events.respond = lambda _: (200, b"success")
    control.post("/login-codes", provider="alipay_miniapp", open_id=OPEN_ID)


def sdk_of(program: Program, credentials: Any, merchant: str) -> Sdk:
    keys = next(row for row in credentials["alipay"] if row["merchant"] == merchant)
    return Sdk(program, keys)


def call(sdk: Sdk, method: str, content: dict[str, Any], *, checked: bool = True, **more: Any) -> dict[str, Any]:
    params = {"bizContent": content, **more}
    answer: dict[str, Any] = sdk("call", method=method, params=params, validateSign=checked)
    return answer


def place(sdk: Sdk, url: str) -> str:
    """A trade of 15 yuan that waits for its payment. The payer's id is that of the mini-program where it is paid."""
    mini_program, own = sdk.keys.get("op_app_id", sdk.keys["app_id"]), sdk.keys["app_id"]
    order = {
        "out_trade_no": f"T{secrets.token_hex(12)}",
        "total_amount": "15.00",
        "subject": "挂号费 “内科”",
        "product_code": "JSAPI_PAY",
        "op_app_id": mini_program,
        ("buyer_open_id" if mini_program == own else "op_buyer_open_id"): OPEN_ID,
    }
    placed = call(sdk, CREATE, order, notifyUrl=url)
    assert (placed["code"], placed["out_trade_no"]) == ("10000", order["out_trade_no"]), placed
    return str(order["out_trade_no"])


def pay(control: Control, number: str) -> None:
    control.post(f"/payments/{number}/pay")


def next_event(events: Receiver, nth: int = 0) -> Received:
    eventually(lambda: len(events.received) > nth)
    return events.received[nth]


def read(sdk: Sdk, body: bytes) -> dict[str, Any]:
    told: dict[str, Any] = sdk("readEvent", body=body.decode("ascii"))
    return told


@pytest.mark.parametrize("merchant", MERCHANTS)
def test_a_payment_a_query_and_a_refund_and_both_events_verify(
    program: Program, credentials: Any, control: Control, events: Receiver, merchant: str
) -> None:
    sdk = sdk_of(program, credentials, merchant)
    number = place(sdk, events.base_url + "/callbacks")
    assert call(sdk, QUERY, {"out_trade_no": number})["trade_status"] == "WAIT_BUYER_PAY"
    pay(control, number)
    told = read(sdk, next_event(events).body)
    assert (told["trade_status"], told["out_trade_no"], told["total_amount"]) == ("TRADE_SUCCESS", number, "15.00")
    assert (told["app_id"], told["seller_id"]) == (sdk.keys["app_id"], sdk.keys["seller_id"])
    assert told["subject"] == "挂号费 “内科”"
    found = call(sdk, QUERY, {"out_trade_no": number})
    assert (found["trade_status"], found["trade_no"]) == ("TRADE_SUCCESS", told["trade_no"])

    wanted = {"out_trade_no": number, "refund_amount": "5.00", "out_request_no": "R1", "refund_reason": "停诊"}
    refunded = call(sdk, REFUND, wanted)
    assert (refunded["code"], refunded["refund_fee"]) == ("10000", "5.00"), refunded
    told = read(sdk, next_event(events, 1).body)
    assert (told["trade_status"], told["refund_fee"], told["out_biz_no"]) == ("TRADE_SUCCESS", "5.00", "R1")
    asked = {"out_trade_no": number, "out_request_no": "R1"}
    answer = eventually(lambda: (found := call(sdk, REFUND_QUERY, asked)).get("refund_status") and found)
    assert (answer["refund_status"], answer["refund_amount"]) == ("REFUND_SUCCESS", "5.00")


def test_content_may_travel_encrypted(program: Program, credentials: Any, events: Receiver) -> None:
    sdk = sdk_of(program, credentials, "demo")
    number = place(sdk, events.base_url + "/callbacks")
    # It cuts the signed text out by its braces, and an encrypted answer has none.
    found = call(sdk, QUERY, {"out_trade_no": number}, needEncrypt=True, checked=False)
    assert (found["code"], found["trade_status"]) == ("10000", "WAIT_BUYER_PAY")


def test_somebody_logs_in_with_a_code_once(program: Program, credentials: Any, control: Control) -> None:
    sdk = sdk_of(program, credentials, "demo")
    code = control.post("/login-codes", provider="alipay_miniapp", open_id=OPEN_ID)["code"]
    assert sdk("logIn", code=code)["open_id"] == OPEN_ID
    # It looks for the signed text below the method's own name, and so believes no `error_response`.
    with pytest.raises(Refused, match="code-invalid"):
        sdk("logIn", code=code)


@pytest.mark.parametrize("merchant", ["demo", "gulou"])
def test_the_sdk_refuses_an_answer_that_the_platform_did_not_sign(
    program: Program, credentials: Any, control: Control, events: Receiver, merchant: str
) -> None:
    """Else nothing above would show that the sandbox's signatures are right."""
    sdk = sdk_of(program, credentials, merchant)
    number = place(sdk, events.base_url + "/callbacks")
    for kind in ("bad_signature", "forged", "unsigned"):
        control.post("/faults", target="alipay.pay.query", kind=kind, times=1)
        with pytest.raises(Refused, match=r"验签失败|signature"):
            call(sdk, QUERY, {"out_trade_no": number})
    assert call(sdk, QUERY, {"out_trade_no": number})["trade_status"] == "WAIT_BUYER_PAY"


def test_an_event_changed_on_its_way_or_read_by_another_merchant_does_not_verify(
    program: Program, credentials: Any, control: Control, events: Receiver
) -> None:
    sdk = sdk_of(program, credentials, "demo")
    pay(control, place(sdk, events.base_url + "/callbacks"))
    body = next_event(events).body
    assert b"total_amount=15.00" in body
    for reader, seen in (
        (sdk, body.replace(b"total_amount=15.00", b"total_amount=15.01")),
        (sdk_of(program, credentials, "gulou"), body),
    ):
        with pytest.raises(Refused) as refused:
            read(reader, seen)
        assert refused.value.code == "BAD_SIGNATURE"
