"""The sandbox against wechatpayv3: the same codec on both ends would prove nothing (protocol section 8.11)."""

import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.testing import Received, eventually
from sandbox.wechat_pay.bills import read_bill


def opened(box: Any, received: Received, merchant: str = "demo") -> dict[str, Any]:
    event: dict[str, Any] = box.wxpay(merchant).callback(received.headers, received.body)
    return event


def test_wechatpayv3_places_queries_and_closes_an_order(box: Any) -> None:
    wxpay, number = box.wxpay(), box.number()
    status, text = wxpay.pay("挂号费", number, {"total": 2500, "currency": "CNY"}, payer={"openid": box.openid})
    assert status == 200
    assert json.loads(text)["prepay_id"].startswith("wx")

    status, text = wxpay.query(out_trade_no=number)
    order = json.loads(text)
    assert (status, order["trade_state"], order["amount"]["total"]) == (200, "NOTPAY", 2500)
    assert "transaction_id" not in order

    assert wxpay.close(number)[0] == 204
    assert json.loads(wxpay.query(out_trade_no=number)[1])["trade_state"] == "CLOSED"


def test_wechatpayv3_is_paid_and_opens_the_notice(box: Any) -> None:
    number = box.number()
    box.wxpay().pay("挂号费", number, {"total": 2500}, payer={"openid": box.openid}, attach="附加")
    box.control.post(f"/payments/{number}/pay")
    eventually(lambda: box.receiver.received)

    event = opened(box, box.receiver.received[0])
    assert event["event_type"] == "TRANSACTION.SUCCESS"
    assert event["resource"]["out_trade_no"] == number
    assert event["resource"]["amount"] == {
        "total": 2500,
        "currency": "CNY",
        "payer_total": 2500,
        "payer_currency": "CNY",
    }
    by_id = json.loads(box.wxpay().query(transaction_id=event["resource"]["transaction_id"])[1])
    assert by_id == event["resource"]


def test_wechatpayv3_in_partner_mode_goes_the_whole_way(box: Any) -> None:
    wxpay, told, number = box.wxpay("fuyou"), box.merchants["fuyou"].credentials, box.number()
    sub, app = told["sub_mchid"], told["sub_appids"][0]
    placed = wxpay.pay(
        "挂号费", number, {"total": 2500}, payer={"sub_openid": box.openid}, sub_appid=app, sub_mchid=sub
    )
    assert placed[0] == 200, placed[1]
    box.control.post(f"/payments/{number}/pay")
    box.notice(number)
    event = opened(box, box.receiver.received[0], "fuyou")["resource"]
    assert (event["sp_mchid"], event["sub_mchid"], event["sub_appid"]) == (told["mchid"], sub, app)
    assert json.loads(wxpay.query(out_trade_no=number, sub_mchid=sub)[1]) == event
    amount = {"refund": 500, "total": 2500, "currency": "CNY"}
    assert wxpay.refund("R1", amount, out_trade_no=number, sub_mchid=sub)[0] == 200
    assert wxpay.query_refund("R1", sub_mchid=sub)[0] == 200
    other = box.number()
    wxpay.pay("挂号费", other, {"total": 1}, payer={"sub_openid": box.openid}, sub_appid=app, sub_mchid=sub)
    assert wxpay.close(other, sub_mchid=sub)[0] == 204


def test_wechatpayv3_refunds_and_opens_the_refund_notice(box: Any) -> None:
    number, wxpay = box.paid(), box.wxpay()
    box.notice(number)
    status, text = wxpay.refund(
        "R1",
        {"refund": 500, "total": 1500, "currency": "CNY"},
        out_trade_no=number,
        reason="停诊",
        notify_url=box.receiver.base_url + "/refunds",
    )
    assert (status, json.loads(text)["status"]) == (200, "PROCESSING")

    box.notice(number, kind="refund")
    received = box.receiver.received[-1]
    assert received.path == "/refunds"
    event = opened(box, received)
    assert event["event_type"] == "REFUND.SUCCESS"
    assert event["resource"]["refund_status"] == "SUCCESS"
    assert {"appid", "status"}.isdisjoint(event["resource"])
    assert json.loads(wxpay.query_refund("R1")[1])["status"] == "SUCCESS"
    assert json.loads(wxpay.query(out_trade_no=number)[1])["trade_state"] == "REFUND"


def test_a_notice_of_one_merchant_is_nothing_to_another(box: Any) -> None:
    box.notice(box.paid())
    received = box.receiver.received[0]
    stolen = {**received.headers, "Wechatpay-Serial": box.merchants["gulou"].credentials["public_key_id"]}
    assert box.wxpay("gulou").callback(stolen, received.body) is None


@pytest.mark.parametrize("merchant", ["demo", "gulou", "xiehe"])
def test_wechatpayv3_fetches_the_bills_of_a_day(box: Any, merchant: str) -> None:
    day = datetime.now(UTC).date() - timedelta(days=3)
    box.control.post("/clock", now=f"{day}T12:00:00+08:00")
    wxpay, number = box.wxpay(merchant), box.number()
    assert wxpay.pay("挂号费", number, {"total": 2500}, payer={"openid": box.openid})[0] == 200
    box.control.post(f"/payments/{number}/pay")
    box.control.post("/clock", now=f"{day + timedelta(days=1)}T10:00:00+08:00")
    for told, column in ((wxpay.trade_bill(str(day)), "商户订单号"), (wxpay.fundflow_bill(str(day)), "业务凭证号")):
        status, text = told
        assert status == 200, text
        status, content = wxpay.download_bill(json.loads(text)["download_url"])
        assert status == 200
        bill = gzip.decompress(content)
        assert hashlib.sha1(bill).hexdigest() == json.loads(text)["hash_value"]
        assert read_bill(bill).rows[0][column] == number
