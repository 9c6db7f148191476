"""The states of orders and refunds (protocol sections 4.4 to 4.6 and 8.5; rows F-44, F-49 to F-54)."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from sandbox.testing import eventually


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def pay(box: Any, number: str, **body: Any) -> requests.Response:
    answer: requests.Response = box.control.call("POST", f"/payments/{number}/pay", body)
    return answer


def test_the_identical_order_again_gives_a_fresh_prepay_id(box: Any) -> None:
    order = box.demo.order(box.number(), box.openid, box.url)
    first, second = box.demo.place(order).json(), box.demo.place(order).json()
    assert first["prepay_id"] != second["prepay_id"]
    assert len(box.control.items("/ledger")) == 1


@pytest.mark.parametrize(
    "change",
    [{"amount": {"total": 1}}, {"description": "x"}, {"attach": "x"}, {"time_expire": "2099-01-01T00:00:00+08:00"}],
)
def test_other_parameters_under_the_same_number_are_refused(box: Any, change: dict[str, Any]) -> None:
    order = box.demo.order(box.number(), box.openid, box.url)
    box.demo.place(order)
    answer = box.demo.place(order | change)
    assert code(answer) == (400, "INVALID_REQUEST")
    assert answer.headers["Request-ID"].endswith("-268498688")


def test_a_paid_order_is_neither_placed_closed_nor_paid_again(box: Any) -> None:
    order = box.demo.order(box.number(), box.openid, box.url)
    number = order["out_trade_no"]
    box.demo.place(order)
    box.control.post(f"/payments/{number}/pay")
    assert code(box.demo.place(order)) == (400, "ORDERPAID")
    assert code(box.demo.close(number)) == (400, "ORDERPAID")
    assert code(pay(box, number)) == (409, "order_paid")
    assert box.demo.query(number).json()["trade_state"] == "SUCCESS"


def test_a_closed_order_stays_closed(box: Any) -> None:
    order = box.demo.order(box.number(), box.openid, box.url)
    number = order["out_trade_no"]
    box.demo.place(order)
    assert [box.demo.close(number).status_code for _ in range(2)] == [204, 204]
    assert code(box.demo.place(order)) == (400, "ORDER_CLOSED")
    assert code(pay(box, number)) == (409, "order_closed")


def test_an_unknown_order(box: Any) -> None:
    assert code(box.demo.query("T-unknown")) == (404, "ORDERNOTEXIST")
    assert code(box.demo.close("T-unknown")) == (404, "ORDERNOTEXIST")
    assert code(pay(box, "T-unknown")) == (404, "order_not_found")


def test_the_official_account_pays_to_the_same_merchants_under_its_own_appid(box: Any) -> None:
    (clinic,) = box.demo.credentials["bound_appids"]
    box.control.post("/login-codes", provider="wechat_official", open_id="follower")
    order = box.demo.order(box.number(), "follower", box.url, appid=clinic)
    assert box.demo.place(order).status_code == 200
    box.control.post(f"/payments/{order['out_trade_no']}/pay")
    assert box.demo.query(order["out_trade_no"]).json()["appid"] == clinic
    crossed = [(clinic, box.openid), (box.demo.credentials["appid"], "follower")]
    for appid, openid in crossed:
        assert code(box.demo.place(box.demo.order(box.number(), openid, box.url, appid=appid)))[1] == "OPENID_MISMATCH"
    other = box.control.get("/credentials")["wechat_miniapp"][1]["appid"]
    assert code(box.demo.place(box.demo.order(box.number(), box.openid, box.url, appid=other)))[1] == (
        "APPID_MCHID_NOT_MATCH"
    )


def test_numbers_belong_to_one_merchant(box: Any) -> None:
    number, gulou = box.placed(), box.merchants["gulou"]
    assert code(gulou.query(number)) == (404, "ORDERNOTEXIST")
    gulou.place(gulou.order(number, box.openid, box.url, amount={"total": 9}))
    assert code(pay(box, number)) == (409, "merchant_needed")
    assert pay(box, number, merchant="gulou").json()["amount_fen"] == 9
    assert box.demo.query(number).json()["trade_state"] == "NOTPAY"
    path = f"/v3/pay/transactions/out-trade-no/{number}?mchid={gulou.credentials['mchid']}"
    assert code(box.demo.call("GET", path)) == (400, "PARAM_ERROR")


def test_an_order_can_be_paid_until_it_ends(box: Any) -> None:
    china = timezone(timedelta(hours=8))
    ends = datetime.fromtimestamp(int(time.time()) + 300, china).isoformat()
    order = box.demo.order(box.number(), box.openid, box.url, time_expire=ends)
    box.demo.place(order)
    box.control.post("/clock", advance_seconds=301)
    assert code(pay(box, order["out_trade_no"])) == (409, "order_expired")
    late = box.demo.place(order)
    assert code(late) == (400, "INVALID_REQUEST")
    assert late.headers["Request-ID"].endswith("-268447914")
    assert box.demo.query(order["out_trade_no"]).json()["trade_state"] == "NOTPAY"


def test_a_prepay_id_lives_two_hours_and_can_be_renewed(box: Any) -> None:
    order = box.demo.order(box.number(), box.openid, box.url)
    box.demo.place(order)
    box.control.post("/clock", advance_seconds=7201)
    assert code(pay(box, order["out_trade_no"])) == (409, "prepay_expired")
    box.demo.place(order)
    assert pay(box, order["out_trade_no"]).status_code == 200


def test_an_unpaid_order_closes_itself_after_seven_days(box: Any) -> None:
    number = box.placed()
    box.control.post("/clock", advance_seconds=7 * 86400)
    assert box.demo.query(number).json()["trade_state"] == "CLOSED"


def test_a_failed_attempt_leaves_the_order_open(box: Any) -> None:
    number = box.placed()
    assert box.control.post(f"/payments/{number}/fail")["state"] == "NOTPAY"
    assert box.control.post(f"/payments/{number}/fail", trade_state="PAYERROR")["failures"] == 2
    assert box.demo.query(number).json()["trade_state"] == "PAYERROR"
    assert pay(box, number).status_code == 200


def sheet(box: Any, number: str, **bent: str) -> dict[str, str]:
    prepay_id = box.demo.place(box.demo.order(number, box.openid, box.url)).json()["prepay_id"]
    stamp, nonce, package = str(int(time.time())), secrets.token_hex(16), f"prepay_id={prepay_id}"
    text = f"{box.demo.credentials['appid']}\n{stamp}\n{nonce}\n{package}\n"
    params = {
        "timeStamp": stamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": box.demo.sign(text.encode()),
    }
    return params | bent


def test_the_pay_sheet_checks_its_signature(box: Any) -> None:
    number = box.number()
    params = sheet(box, number)
    for name in ("timeStamp", "nonceStr", "package", "paySign"):
        value = params[name]
        bent = params | {name: value[:5] + chr(ord(value[5]) ^ 1) + value[6:]}
        assert code(pay(box, number, client_params=bent)) == (409, "pay_sign_invalid")
    assert code(pay(box, number, client_params=params | {"signType": "MD5"})) == (409, "pay_params_invalid")
    assert pay(box, number, client_params=params).status_code == 200


def test_a_pay_sheet_of_another_order_is_refused(box: Any) -> None:
    number, other = box.number(), box.placed()
    assert code(pay(box, other, client_params=sheet(box, number))) == (409, "prepay_unknown")


def test_pay_and_close_at_once_have_one_winner(box: Any) -> None:
    for _ in range(5):
        number = box.placed()
        with ThreadPoolExecutor(2) as pool:
            closing, paying = pool.submit(box.demo.close, number), pool.submit(pay, box, number)
        outcome = (closing.result().status_code, paying.result().status_code)
        assert outcome in {(204, 409), (400, 200)}
        assert box.demo.query(number).json()["trade_state"] == ("CLOSED" if outcome[0] == 204 else "SUCCESS")


def test_a_refund_is_the_same_refund_when_asked_again(box: Any) -> None:
    number = box.paid()
    first = box.demo.refund(number, "R1", 500).json()
    again = box.demo.refund(number, "R1", 500)
    assert again.json()["refund_id"] == first["refund_id"]
    assert code(box.demo.refund(number, "R1", 501)) == (400, "INVALID_REQUEST")
    assert code(box.demo.refund(box.paid(), "R1", 500)) == (400, "INVALID_REQUEST")
    assert len(box.control.items("/ledger", kind="refund")) == 1


def test_refunds_never_exceed_the_payment(box: Any) -> None:
    number = box.paid()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda at: box.demo.refund(number, f"R{at}", 400).status_code, range(8)))
    assert sorted(answers) == [200] * 3 + [400] * 5
    assert box.demo.refund(number, "R-rest", 300).status_code == 200
    assert code(box.demo.refund(number, "R-more", 1)) == (400, "INVALID_REQUEST")


def test_fifty_refunds_and_no_more(box: Any) -> None:
    number = box.paid()
    assert {box.demo.refund(number, f"R{at}", 1).status_code for at in range(50)} == {200}
    assert code(box.demo.refund(number, "R50", 1)) == (400, "INVALID_REQUEST")


def test_refunds_that_cannot_be(box: Any) -> None:
    assert code(box.demo.refund("T-unknown", "R1", 1)) == (404, "RESOURCE_NOT_EXISTS")
    assert code(box.demo.refund(box.placed(), "R1", 1)) == (400, "INVALID_REQUEST")
    assert code(box.demo.query_refund("R1")) == (404, "RESOURCE_NOT_EXISTS")
    number = box.paid()
    wrong_total = {"refund": 1, "total": 1501, "currency": "CNY"}
    assert code(box.demo.refund(number, "R1", 1, amount=wrong_total)) == (400, "INVALID_REQUEST")
    assert code(box.merchants["gulou"].refund(number, "R1", 1)) == (404, "RESOURCE_NOT_EXISTS")
    box.control.post("/clock", advance_seconds=366 * 86400)
    assert code(box.demo.refund(number, "R1", 1)) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(("kind", "state"), [("abnormal", "ABNORMAL"), ("closed", "CLOSED")])
def test_a_refund_may_end_badly(box: Any, kind: str, state: str) -> None:
    number = box.paid()
    box.fault("refund.create", kind, times=1, match={"out_trade_no": number})
    assert box.demo.refund(number, "R1", 1500, box.url).json()["status"] == "PROCESSING"
    assert box.notice(number, kind="refund")["event_type"] == f"REFUND.{state}"
    refund = box.demo.query_refund("R1").json()
    assert refund["status"] == state
    assert "success_time" not in refund
    # What was closed can be asked for again under a new number; what is abnormal is still on its way.
    assert box.demo.refund(number, "R2", 1500).status_code == (200 if kind == "closed" else 400)


@pytest.mark.parametrize(
    ("kind", "refusal"), [("not_enough", "NOT_ENOUGH"), ("account_abnormal", "USER_ACCOUNT_ABNORMAL")]
)
def test_a_refund_may_be_declined(box: Any, kind: str, refusal: str) -> None:
    number = box.paid()
    box.fault("refund.create", kind, times=1)
    assert code(box.demo.refund(number, "R1", 1500)) == (403, refusal)
    assert box.demo.query(number).json()["trade_state"] == "SUCCESS"
    assert box.demo.refund(number, "R1", 1500).status_code == 200


def test_a_refund_may_hang_until_it_is_settled_by_hand(box: Any) -> None:
    number = box.paid()
    box.fault("refund.create", "processing")
    box.demo.refund(number, "R1", 1500, box.url)
    box.control.post("/clock", advance_seconds=86400)
    assert box.demo.query_refund("R1").json()["status"] == "PROCESSING"
    assert box.control.post("/refunds/R1/settle")["status"] == "SUCCESS"
    assert box.control.call("POST", "/refunds/R1/settle").status_code == 409
    assert box.notice(number, kind="refund")["event_type"] == "REFUND.SUCCESS"


def test_the_platform_may_take_another_sum(box: Any) -> None:
    number = box.placed()
    box.control.post(f"/payments/{number}/pay", amount_fen=1)
    assert box.demo.query(number).json()["amount"]["total"] == 1
    one = {"refund": 1, "total": 1, "currency": "CNY"}
    assert box.demo.refund(number, "R1", 1, amount=one).status_code == 200


def test_the_ledger_shows_what_became_of_everything(box: Any) -> None:
    number = box.paid()
    box.demo.refund(number, "R1", 500)
    eventually(lambda: box.demo.query_refund("R1").json()["status"] == "SUCCESS")
    trade, refund = box.control.items("/ledger", out_trade_no=number)
    assert (trade["kind"], trade["merchant"], trade["state"], trade["amount_fen"]) == ("trade", "demo", "REFUND", 1500)
    assert (refund["kind"], refund["out_refund_no"], refund["state"]) == ("refund", "R1", "SUCCESS")
    assert refund["amount_fen"] == 500
    assert trade["mchid"] == refund["mchid"] == box.demo.credentials["mchid"]
