"""Shipping management (protocol section 1.10): money waits until its delivery is reported."""

from dataclasses import dataclass
from typing import Any

import pytest
import requests

from sandbox.testing import eventually

UPLOAD, ASK = "/wxa/sec/order/upload_shipping_info", "/wxa/sec/order/get_order"
MANAGED = "/wxa/sec/order/is_trade_managed"


@dataclass
class Clerk:
    """A mini-program's server that reports what was delivered."""

    box: Any
    app: dict[str, str]

    def post(self, path: str, body: Any) -> Any:
        wanted = {"grant_type": "client_credential", "appid": self.app["appid"], "secret": self.app["secret"]}
        token = self._send("/cgi-bin/stable_token", wanted).json()["access_token"]
        return self._send(path, body, access_token=token).json()

    def _send(self, path: str, body: Any, **query: str) -> requests.Response:
        answer: requests.Response = self.box.demo.http.post(
            self.app["base_url"] + path, json=body, params=query, timeout=15
        )
        return answer

    def manage(self, *, managed: bool = True) -> Any:
        return self.box.control.post(f"/miniapps/{self.app['app']}", trade_managed=managed)

    def paid(self) -> dict[str, Any]:
        return self.trade(self.box.paid())

    def trade(self, number: str) -> dict[str, Any]:
        (found,) = self.box.control.items("/ledger", kind="trade", out_trade_no=number)
        return dict(found)

    def funds(self, trade: dict[str, Any]) -> Any:
        return self.trade(trade["out_trade_no"])["funds"]

    def report(self, trade: dict[str, Any], **changes: Any) -> int:
        return int(self.post(UPLOAD, delivery(trade) | changes)["errcode"])

    def state(self, trade: dict[str, Any]) -> Any:
        return self.post(ASK, {"transaction_id": trade["transaction_id"]})["order"]["order_state"]


def delivery(trade: dict[str, Any]) -> dict[str, Any]:
    return {
        "order_key": {"order_number_type": 2, "transaction_id": trade["transaction_id"]},
        "logistics_type": 3,
        "delivery_mode": 1,
        "shipping_list": [{"item_desc": "预约挂号"}],
        "upload_time": "2026-11-22T10:00:00.000+08:00",
        "payer": {"openid": "patient-one"},
    }


@pytest.fixture
def clerk(box: Any) -> Clerk:
    return Clerk(box, box.control.get("/credentials")["wechat_miniapp"][0])


@pytest.fixture
def managed(clerk: Clerk) -> Clerk:
    clerk.manage()
    return clerk


def test_money_is_free_until_the_mini_program_is_managed(clerk: Clerk) -> None:
    before = clerk.paid()
    assert clerk.post(MANAGED, {"appid": clerk.app["appid"]}) == {
        "errcode": 0,
        "errmsg": "ok",
        "is_trade_managed": False,
    }
    assert (clerk.funds(before), clerk.report(before)) == ("free", 10060001)
    assert "trade_managed" not in clerk.box.control.get("/credentials")["wechat_miniapp"][0]
    assert clerk.manage()["trade_managed"] is True
    told = clerk.box.control.get("/credentials")["wechat_miniapp"]
    assert [one.get("trade_managed") for one in told] == [True, None]
    assert clerk.post(MANAGED, {"appid": clerk.app["appid"]})["is_trade_managed"] is True
    assert (clerk.funds(before), clerk.funds(clerk.paid())) == ("free", "frozen")
    assert clerk.manage(managed=False)["trade_managed"] is False
    assert clerk.funds(clerk.paid()) == "free"


def test_a_report_frees_it(managed: Clerk) -> None:
    trade = managed.paid()
    assert (managed.funds(trade), managed.state(trade)) == ("frozen", 1)
    assert managed.report(trade) == 0
    assert (managed.funds(trade), managed.state(trade)) == ("free", 2)
    told = managed.post(ASK, {"merchant_id": trade["mchid"], "merchant_trade_no": trade["out_trade_no"]})["order"]
    assert told["transaction_id"] == trade["transaction_id"]
    assert told["shipping"] == {
        "delivery_mode": 1,
        "logistics_type": 3,
        "finish_shipping": True,
        "finish_shipping_count": 1,
        "goods_desc": "预约挂号",
    }


def test_it_may_be_named_by_the_merchants_number(managed: Clerk) -> None:
    trade = managed.paid()
    key = {"order_number_type": 1, "mchid": trade["mchid"], "out_trade_no": trade["out_trade_no"]}
    assert managed.report(trade, order_key=key | {"mchid": "1900000001"}) == 10060001
    assert managed.report(trade, order_key=key) == 0
    assert managed.funds(trade) == "free"


def test_the_same_again_is_nothing_new_and_another_is_taken_once(managed: Clerk) -> None:
    trade = managed.paid()
    assert [managed.report(trade) for _ in range(3)] == [0, 10060023, 10060023]
    other = [{"item_desc": "预约挂号费"}]
    assert managed.report(trade, shipping_list=other) == 10060023, "at the same instant"
    assert managed.report(trade, shipping_list=other, upload_time="2026-11-22T10:00:01.000+08:00") == 0
    assert managed.report(trade, upload_time="2026-11-22T10:00:02.000+08:00") == 10060003
    assert managed.funds(trade) == "free"


def test_of_what_went_back_nothing_is_delivered(managed: Clerk) -> None:
    trade, box = managed.paid(), managed.box
    for part, funds in ((500, "frozen"), (1000, "returned")):
        number = box.number()
        assert box.demo.refund(trade["out_trade_no"], number, part).status_code == 200
        eventually(lambda number=number: box.control.items("/ledger", out_refund_no=number, state="SUCCESS"))
        assert managed.funds(trade) == funds
    assert (managed.report(trade), managed.state(trade)) == (10060004, 5)


def test_in_parts_it_is_free_with_the_last(managed: Clerk) -> None:
    trade = managed.paid()
    box = {"item_desc": "药", "tracking_no": "1", "express_company": "STO"}
    parts = {"logistics_type": 1, "delivery_mode": 2, "shipping_list": [box]}
    assert managed.report(trade, **parts, is_all_delivered=False) == 0
    assert managed.funds(trade) == "frozen"
    later = "2026-11-22T10:00:01.000+08:00"
    assert managed.report(trade, **parts, is_all_delivered=True, upload_time=later) == 0
    assert managed.funds(trade) == "free"


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"order_key": None}, 47001),
        ({"order_key": {"order_number_type": 3}}, 268485194),
        ({"order_key": {"order_number_type": 2}}, 268485195),
        ({"order_key": {"order_number_type": 1, "out_trade_no": "T1"}}, 268485196),
        ({"order_key": {"order_number_type": 1, "mchid": "1"}}, 268485197),
        ({"order_key": {"order_number_type": 2, "transaction_id": "42000"}}, 10060001),
        ({"order_key": {"order_number_type": 2, "transaction_id": 42000}}, 47001),
        ({"logistics_type": 5}, 10060005),
        ({"logistics_type": "3"}, 47001),
        ({"delivery_mode": "UNIFIED_DELIVERY"}, 47001),
        ({"delivery_mode": 3}, 268485224),
        ({"delivery_mode": 2}, 10060006),
        ({"delivery_mode": 2, "logistics_type": 1}, 10060007),
        ({"shipping_list": []}, 47001),
        ({"shipping_list": {"item_desc": "预约挂号"}}, 47001),
        ({"shipping_list": [{"item_desc": "一"}, {"item_desc": "二"}]}, 268485228),
        ({"shipping_list": [{}]}, 10060008),
        ({"shipping_list": [{"item_desc": "号" * 121}]}, 10060009),
        ({"logistics_type": 1}, 268485226),
        ({"logistics_type": 1, "shipping_list": [{"item_desc": "药", "tracking_no": "1"}]}, 268485227),
        ({"upload_time": "2026-11-22 10:00:00"}, 268485216),
        ({"upload_time": "2026-11-22T10:00:00+08:00"}, 268485216),
        ({"upload_time": "2026-13-22T10:00:00.000+08:00"}, 268485216),
        ({"payer": {}}, 47001),
        ({"payer": {"openid": "patient-two"}}, 10060031),
    ],
)
def test_what_is_no_report(managed: Clerk, changes: dict[str, Any], errcode: int) -> None:
    trade = managed.paid()
    assert managed.report(trade, **changes) == errcode
    assert managed.funds(trade) == "frozen"


def test_each_mini_program_has_its_own(managed: Clerk) -> None:
    trade, other = managed.paid(), Clerk(managed.box, managed.box.control.get("/credentials")["wechat_miniapp"][1])
    assert other.report(trade) == 10060001
    assert other.post(ASK, {"transaction_id": trade["transaction_id"]})["errcode"] == 10060001
    assert other.post(MANAGED, {"appid": other.app["appid"]})["is_trade_managed"] is False
    assert other.post(MANAGED, {"appid": managed.app["appid"]})["errcode"] == 40013
    assert other.post(MANAGED, {})["errcode"] == 40097
    assert other.post(ASK, {})["errcode"] == 47001


def test_it_is_scripted_like_the_others(managed: Clerk) -> None:
    first, second = managed.paid(), managed.paid()
    match = {"transaction_id": first["transaction_id"]}
    managed.box.fault("shipping.report", "error", code=10060001, times=1, match=match)
    assert [managed.report(one) for one in (second, first, first)] == [0, 10060001, 0]
    managed.box.fault("shipping.query", "rate_limited", times=1)
    managed.box.fault("shipping.managed", "error", times=1)
    assert managed.post(ASK, match)["errcode"] == 45011
    assert managed.post(MANAGED, {"appid": managed.app["appid"]})["errcode"] == -1
    calls = managed.box.control.items("/calls", operation="shipping.report")
    assert [call["number"] for call in calls] == [one["transaction_id"] for one in (second, first, first)]


def test_nobody_manages_a_mini_program_that_is_none(box: Any) -> None:
    assert box.control.call("POST", "/miniapps/third", {"trade_managed": True}).status_code == 404
    assert box.control.call("POST", "/miniapps/patient", {"trade_managed": 1}).status_code == 422
    assert box.control.call("GET", "/miniapps/patient", None).json()["trade_managed"] is False
