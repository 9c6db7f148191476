"""What a request may hold (protocol sections 4.4, 4.6 and 8.1)."""

import json
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests

CHINA = timezone(timedelta(hours=8))


def china(seconds: float) -> str:
    return datetime.fromtimestamp(int(time.time() + seconds), CHINA).isoformat()


def bad(answer: requests.Response, field: str) -> bool:
    body = answer.json()
    return (answer.status_code, body["code"], body["detail"]["field"]) == (400, "PARAM_ERROR", field)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"surprise": 1}, "/surprise"),
        ({"attach": None}, "/attach"),
        ({"amount": {"total": 1.0, "currency": "CNY"}}, "/amount/total"),
        ({"amount": {"total": 1500.5}}, "/amount/total"),
        ({"amount": {"total": True}}, "/amount/total"),
        ({"amount": {"total": "1500"}}, "/amount/total"),
        ({"amount": {"total": 0}}, "/amount/total"),
        ({"amount": {"total": 1, "currency": "USD"}}, "/amount/currency"),
        ({"amount": {"total": 1, "payer_total": 1}}, "/amount/payer_total"),
        ({"amount": {}}, "/amount/total"),
        ({"amount": 1}, "/amount"),
        ({"payer": {"openid": "nobody"}}, "/payer/openid"),
        ({"out_trade_no": "T1234"}, "/out_trade_no"),
        ({"out_trade_no": "T" * 33}, "/out_trade_no"),
        ({"out_trade_no": "T12345号"}, "/out_trade_no"),
        ({"out_trade_no": "T 123456"}, "/out_trade_no"),
        ({"out_trade_no": "T123456\n"}, "/out_trade_no"),
        ({"description": ""}, "/description"),
        ({"description": "字" * 128}, "/description"),
        ({"description": "挂号😀"}, "/description"),
        ({"attach": "a" * 129}, "/attach"),
        ({"attach": "😀"}, "/attach"),
        ({"goods_tag": "a" * 33}, "/goods_tag"),
        ({"support_fapiao": 1}, "/support_fapiao"),
        ({"settle_info": {"profit_sharing": "no"}}, "/settle_info/profit_sharing"),
        ({"scene_info": {"device_id": "1"}}, "/scene_info/payer_client_ip"),
        ({"notify_url": "https://example.org/a?b=c"}, "/notify_url"),
        ({"notify_url": "https://example.org/a#b"}, "/notify_url"),
        ({"notify_url": "http://example.org/a"}, "/notify_url"),
        ({"notify_url": "ftp://example.org/a"}, "/notify_url"),
        ({"notify_url": "example.org/a"}, "/notify_url"),
        ({"notify_url": "https://u:p@example.org/a"}, "/notify_url"),
        ({"notify_url": "https://example.org/" + "a" * 240}, "/notify_url"),
        ({"time_expire": "2026-12-01 10:00:00"}, "/time_expire"),
        ({"time_expire": "2026-13-01T10:00:00+08:00"}, "/time_expire"),
        ({"time_expire": "2099-12-01T10:00:00Z"}, "/time_expire"),
        ({"time_expire": "2099-12-01T10:00:00.000+08:00"}, "/time_expire"),
    ],
)
def test_an_order_is_refused_for_its_field(box: Any, change: dict[str, Any], field: str) -> None:
    assert bad(box.demo.place(box.demo.order("T123456", box.openid, box.url) | change), field)
    assert box.control.items("/ledger") == []


@pytest.mark.parametrize("missing", ["appid", "mchid", "description", "out_trade_no", "notify_url", "amount", "payer"])
def test_an_order_needs_its_fields(box: Any, missing: str) -> None:
    order = box.demo.order("T123456", box.openid, box.url)
    del order[missing]
    assert bad(box.demo.place(order), f"/{missing}")


@pytest.mark.parametrize(
    "change",
    [
        {"description": "字" * 127},
        {"attach": "a" * 128},
        {"out_trade_no": "aZ0_-|*x"},
        {"notify_url": "https://example.org/a"},
        {"support_fapiao": False},
        {"goods_tag": "WXG"},
        {"settle_info": {"profit_sharing": False}},
        {"scene_info": {"payer_client_ip": "1.2.3.4", "device_id": "1", "store_info": {"id": "0001", "name": "门诊"}}},
        {"detail": {"cost_price": 1, "goods_detail": [{"merchant_goods_id": "1", "quantity": 1, "unit_price": 1}]}},
    ],
)
def test_what_the_page_allows_is_accepted(box: Any, change: dict[str, Any]) -> None:
    answer = box.demo.place(box.demo.order("T123456", box.openid, box.url) | change)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b'"x"',
        b'{"a":1,"a":1}',
        b'{"a":NaN}',
        b'{"a":"\\ud83d"}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_object_is_refused(box: Any, raw: bytes) -> None:
    path = "/v3/pay/transactions/jsapi"
    headers = box.demo.headers(box.demo.authorization("POST", path, raw))
    answer = box.demo.send("POST", path, raw, headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "PARAM_ERROR")


def test_an_order_ends_a_minute_from_now_at_the_earliest(box: Any) -> None:
    assert bad(box.demo.place(box.demo.order("T123456", box.openid, box.url, time_expire=china(50))), "/time_expire")
    box.placed(time_expire=china(90))


def test_unknown_fields_have_their_own_request_id(box: Any) -> None:
    for change in ({"surprise": 1}, {"attach": None}):
        answer = box.demo.place(box.demo.order("T123456", box.openid, box.url) | change)
        assert answer.headers["Request-ID"].endswith("-270924358")


def test_pairs_that_do_not_belong_together(box: Any) -> None:
    apps = {app["app"]: app["appid"] for app in box.control.get("/credentials")["wechat_miniapp"]}
    wrong_app = box.demo.place(box.demo.order("T123456", box.openid, box.url, appid=apps["other"]))
    assert (wrong_app.status_code, wrong_app.json()["code"]) == (400, "APPID_MCHID_NOT_MATCH")
    gulou = box.merchants["gulou"].credentials["mchid"]
    assert bad(box.demo.place(box.demo.order("T123456", box.openid, box.url, mchid=gulou)), "/mchid")

    box.control.post("/login-codes", provider="wechat_miniapp", open_id="stranger", app="other")
    stranger = box.demo.place(box.demo.order("T123456", "stranger", box.url))
    assert (stranger.status_code, stranger.json()["code"]) == (400, "OPENID_MISMATCH")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"out_refund_no": "R" * 65}, "/out_refund_no"),
        ({"out_refund_no": "R 1"}, "/out_refund_no"),
        ({"reason": "字" * 81}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"surprise": 1}, "/surprise"),
        ({"funds_account": "OTHER"}, "/funds_account"),
        ({"notify_url": "https://example.org/a?b"}, "/notify_url"),
        ({"amount": {"refund": 1, "total": 1500}}, "/amount/currency"),
        ({"amount": {"refund": 1.0, "total": 1500, "currency": "CNY"}}, "/amount/refund"),
        ({"amount": {"refund": 0, "total": 1500, "currency": "CNY"}}, "/amount/refund"),
    ],
)
def test_a_refund_is_refused_for_its_field(box: Any, change: dict[str, Any], field: str) -> None:
    number = box.paid()
    body = {"out_trade_no": number, "out_refund_no": "R1", "amount": {"refund": 1, "total": 1500, "currency": "CNY"}}
    assert bad(box.demo.call("POST", "/v3/refund/domestic/refunds", body | change), field)


def test_a_refund_names_its_order(box: Any) -> None:
    body = {"out_refund_no": "R1", "amount": {"refund": 1, "total": 1500, "currency": "CNY"}}
    assert bad(box.demo.call("POST", "/v3/refund/domestic/refunds", body), "/transaction_id")


def test_errors_are_json_in_plain_utf8(box: Any) -> None:
    answer = box.demo.place(box.demo.order("T123456", box.openid, box.url, description="字" * 128))
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert "\\u" not in answer.text
    assert json.loads(answer.content)["detail"]["location"] == "body"
