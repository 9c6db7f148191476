"""Orders that a browser pays: their form, the page they lead to, and its five minutes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from paper_browser import Browser
from wechatpayv3 import WeChatPayType

DIRECT = "/v3/pay/transactions/h5"
ADDRESS = "203.0.113.7"
SCENE = {"payer_client_ip": ADDRESS, "h5_info": {"type": "Wap"}}


def order(box: Any, number: str, **changes: Any) -> dict[str, Any]:
    wanted = box.demo.order(number, box.openid, box.url) | {"payer": None, "scene_info": SCENE} | changes
    return {name: value for name, value in wanted.items() if value is not None}


def place(box: Any, number: str, merchant: str = "demo", **changes: Any) -> Any:
    return box.merchants[merchant].call("POST", DIRECT, order(box, number, **changes))


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def paid(box: Any, **params: Any) -> Any:
    return box.control.call("POST", f"/payments/{params.pop('number')}/pay", params or None)


@pytest.mark.parametrize(
    "changes",
    [
        {"scene_info": None},
        {"scene_info": {"payer_client_ip": ADDRESS}},
        {"scene_info": {"h5_info": {"type": "Wap"}}},
        {"scene_info": {**SCENE, "payer_client_ip": "nowhere"}},
        {"scene_info": {**SCENE, "h5_info": {"type": "Browser"}}},
        {"payer": {"openid": "patient-one"}},
    ],
)
def test_an_order_without_its_scene_or_with_a_payer_is_refused(box: Any, changes: dict[str, Any]) -> None:
    assert code(place(box, box.number(), **changes)) == (400, "PARAM_ERROR")


def test_only_those_who_are_granted_it_may_be_paid_so(box: Any) -> None:
    gulou = box.merchants["gulou"].credentials
    answer = place(box, box.number(), "gulou", mchid=gulou["mchid"])
    assert code(answer) == (403, "NO_AUTH")
    granted = [one["merchant"] for one in box.control.get("/credentials")["wechat_pay"] if one.get("h5")]
    assert granted == ["demo", "fuyou"]


def test_a_browser_that_goes_there_sees_the_order_and_pays(box: Any) -> None:
    number = box.number()
    place_to_go = place(box, number).json()["h5_url"]
    led = {"Referer": "http://127.0.0.1:8000/h5/"}
    browser = Browser(box.running.base_url).open(f"{place_to_go}&redirect_url=https%3A%2F%2Fa.cn", headers=led)
    assert "¥15.00" in browser.text
    browser.submit("pay", deed="pay")
    assert "已支付" in browser.text
    told = box.notice(number)
    assert told["state"] == "delivered"
    found = box.demo.query(number).json()
    assert (found["trade_type"], found["trade_state"]) == ("MWEB", "SUCCESS")
    assert found["payer"].keys() == {"openid"}
    assert box.told(box.receiver.received[0]) == found


@pytest.mark.parametrize("referer", [None, "", "https://elsewhere.example/h5/", "http://[::1", "127.0.0.1"])
def test_who_was_not_led_there_from_the_registered_domain_is_refused(box: Any, referer: str | None) -> None:
    place_to_go = place(box, box.number()).json()["h5_url"]
    headers = {} if referer is None else {"Referer": referer}
    seen = Browser(box.running.base_url).open(place_to_go, headers=headers)
    assert seen.page.status_code == 403
    assert "商家参数格式有误" in seen.text


def test_nobody_is_known_before_it_is_paid(box: Any) -> None:
    number = box.number()
    place(box, number)
    found = box.demo.query(number).json()
    assert (found["trade_type"], "payer" in found) == ("MWEB", False)


def test_the_place_is_good_for_five_minutes_and_asked_for_anew(box: Any) -> None:
    number = box.number()
    first = place(box, number).json()["h5_url"]
    box.control.post("/clock", advance_seconds=301)
    assert paid(box, number=number, client_params={"h5_url": first}).json()["code"] == "prepay_expired"
    second = place(box, number).json()["h5_url"]
    assert first != second
    assert paid(box, number=number, client_params={"h5_url": first}).json()["code"] == "prepay_unknown"
    assert paid(box, number=number, client_params={"h5_url": second}).json()["state"] == "SUCCESS"


def test_the_same_number_from_another_address_is_another_order(box: Any) -> None:
    number = box.number()
    place(box, number)
    answer = place(box, number, scene_info={**SCENE, "payer_client_ip": "203.0.113.8"})
    assert code(answer) == (400, "INVALID_REQUEST")


def test_the_sheets_of_the_two_ways_open_their_own_orders_only(box: Any) -> None:
    number, other = box.number(), box.placed()
    query = dict(parse_qsl(urlsplit(place(box, number).json()["h5_url"]).query))
    assert paid(box, number=other, client_params=query).json()["code"] == "pay_params_invalid"
    assert paid(box, number=number, client_params={"package": "prepay_id=x"}).json()["code"] == "pay_params_invalid"


def test_the_bill_names_the_way(box: Any) -> None:
    number = box.number()
    place(box, number)
    paid(box, number=number)
    box.demo.refund(number, "R1", 500)
    box.control.post("/clock", advance_seconds=2 * 86400)
    lines = [line for day in _days(box) for line in _bill(box, day).splitlines() if number in line]
    assert [",`MWEB,`" in line for line in lines] == [True, True]


def _days(box: Any) -> list[str]:
    now = datetime.fromisoformat(box.control.get("/clock")["now"]).date()
    return [str(now - timedelta(days=days)) for days in (1, 2)]


def _bill(box: Any, day: str) -> str:
    told = box.demo.call("GET", f"/v3/bill/tradebill?bill_date={day}").json()
    if "download_url" not in told:
        return ""
    return str(box.demo.call("GET", told["download_url"].partition("/wechat-pay")[2]).content.decode())


@pytest.mark.parametrize("merchant", ["demo", "fuyou"])
def test_wechatpayv3_is_sent_there_in_both_modes(box: Any, merchant: str) -> None:
    told, number = box.merchants[merchant].credentials, box.number()
    sub = {"sub_mchid": told["sub_mchid"], "sub_appid": told["sub_appids"][0]} if "sub_mchid" in told else {}
    status, text = box.wxpay(merchant).pay(
        "挂号费", number, {"total": 2500}, scene_info=SCENE, pay_type=WeChatPayType.H5, **sub
    )
    assert status == 200, text
    assert json.loads(text)["h5_url"].startswith(box.running.base_url)
    assert paid(box, number=number).json()["state"] == "SUCCESS"


def test_what_a_browser_pays_waits_for_no_delivery(box: Any) -> None:
    """In the same app, where what is paid in the mini-program is frozen until it is told."""
    box.control.post("/miniapps/patient", trade_managed=True)
    number, in_app = box.number(), box.placed()
    place(box, number)
    for one in (number, in_app):
        paid(box, number=one)
    funds = {one["out_trade_no"]: one["funds"] for one in box.control.items("/ledger", kind="trade")}
    assert funds[number] != funds[in_app] == "frozen"
