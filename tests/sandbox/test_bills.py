"""WeChat Pay's bills as they travel: their bytes, their times, who may fetch them, and what a script does to them."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from base64 import b64decode
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.billing.lines import fee_of, fee_of_refund
from sandbox.testing import MerchantClient, eventually
from sandbox.wechat_pay.bills import Bill, read_bill

CHINA = timezone(timedelta(hours=8))
DAY = datetime.now(CHINA).date() - timedelta(days=5)
NEXT = DAY + timedelta(days=1)
VECTOR = Path(__file__).parents[1] / "vectors" / "wechat" / "wxpay_v3_trade_bill.json"


def moment(day: date, hour: int, minute: int = 0) -> float:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=CHINA).timestamp()


def set_clock(box: Any, day: date, hour: int, minute: int = 0) -> None:
    box.control.post("/clock", offset_seconds=moment(day, hour, minute) - time.time())


def ask(client: MerchantClient, day: date | str = DAY, bill: str = "tradebill", more: str = "") -> requests.Response:
    return client.call("GET", f"/v3/bill/{bill}?bill_date={day}&tar_type=GZIP{more}")


def refused(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def fetched(client: MerchantClient, answer: requests.Response) -> bytes:
    """The file, whose digest is as it was told."""
    assert answer.status_code == 200, answer.text
    assert client.proves(answer.headers, answer.content)
    told = answer.json()
    file = client.call("GET", told["download_url"].removeprefix(client.credentials["base_url"]))
    assert file.status_code == 200, file.text
    assert not [name for name in file.headers if name.startswith("Wechatpay-")]
    content = gzip.decompress(file.content)
    assert (told["hash_type"], told["hash_value"]) == ("SHA1", hashlib.sha1(content).hexdigest())
    return content


def told(client: MerchantClient, bill: str = "tradebill", more: str = "") -> Bill:
    return read_bill(fetched(client, ask(client, bill=bill, more=more)))


@dataclass(frozen=True)
class Traded:
    """A payment with a refund, and another payment, of a day whose bill is there."""

    paid: str
    other: str
    refund: str


@pytest.fixture
def traded(box: Any) -> Traded:
    set_clock(box, DAY, 12)
    paid = box.paid(
        description='挂号,`费`"内科"', attach="a,b", scene_info={"payer_client_ip": "::1", "device_id": "d1"}
    )
    other = box.paid()
    assert box.demo.refund(paid, f"R{paid}", 500, reason="缺,货").status_code == 200
    eventually(lambda: box.demo.query_refund(f"R{paid}").json()["status"] == "SUCCESS")
    set_clock(box, NEXT, 10)
    return Traded(paid, other, f"R{paid}")


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_bill_has_the_bytes_of_the_published_one(box: Any, traded: Traded) -> None:
    content = fetched(box.demo, ask(box.demo))
    (vector,) = json.loads(VECTOR.read_text())["vectors"]
    published = gzip.decompress(b64decode(vector["inputs"]["file_gzip_b64"]))
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.endswith(b"\r\n")
    ours, theirs = content.split(b"\r\n"), published.split(b"\r\n")
    assert (ours[0], ours[-3], ours[-1]) == (theirs[0], theirs[-3], theirs[-1])
    assert ours[-2] == b"`3.0,`30.0,`5.0,`0.0,`0.15,`30.0,`5.0"
    paid, other, back = read_bill(content).rows
    transaction = box.demo.query(traded.paid).json()["transaction_id"]
    expected = {
        "公众账号ID": box.demo.credentials["appid"],
        "商户号": box.demo.credentials["mchid"],
        "特约商户号": "0",
        "设备号": "d1",
        "微信订单号": transaction,
        "商户订单号": traded.paid,
        "用户标识": "patient-one",
        "交易类型": "JSAPI",
        "交易状态": "SUCCESS",
        "付款银行": "OTHERS",
        "货币种类": "CNY",
        "应结订单金额": "15.00",
        "代金券金额": "0.00",
        "微信退款单号": "0",
        "商户退款单号": "0",
        "退款金额": "0.00",
        "充值券退款金额": "0.00",
        "退款类型": "",
        "退款状态": "",
        "商品名称": '挂号,费"内科"',
        "商户数据包": "a,b",
        "手续费": "0.09000",
        "费率": "0.60%",
        "订单金额": "15.00",
        "申请退款金额": "0.00",
        "费率备注": "",
    }
    assert {name: text for name, text in paid.items() if name != "交易时间"} == expected
    assert paid["交易时间"].startswith(f"{DAY} 12:00:")
    assert (other["商户订单号"], other["设备号"]) == (traded.other, "")
    refund = box.demo.query_refund(traded.refund).json()
    changed = {name: text for name, text in back.items() if expected.get(name) != text and name != "交易时间"}
    assert changed == {
        "设备号": "",
        "交易状态": "REFUND",
        "应结订单金额": "0.00",
        "微信退款单号": refund["refund_id"],
        "商户退款单号": traded.refund,
        "退款金额": "5.00",
        "退款类型": "ORIGINAL",
        "退款状态": "SUCCESS",
        "商户数据包": "缺,货",
        "手续费": "-0.03000",
        "订单金额": "0.00",
        "申请退款金额": "5.00",
    }


def test_the_bank_of_a_card_stands_in_its_lines(box: Any) -> None:
    set_clock(box, DAY, 12)
    number = box.placed()
    box.control.post(f"/payments/{number}/pay", bank="CMB_CREDIT")
    assert box.demo.refund(number, "R1", 500).status_code == 200
    set_clock(box, NEXT, 10)
    rows = read_bill(fetched(box.demo, ask(box.demo))).rows
    assert [row["付款银行"] for row in rows] == ["CMB_CREDIT", "CMB_CREDIT"]


def test_bills_of_one_kind_have_columns_of_their_own(box: Any, traded: Traded) -> None:
    paid, back = told(box.demo, more="&bill_type=SUCCESS"), told(box.demo, more="&bill_type=REFUND")
    assert [row["商户订单号"] for row in paid.rows] == [traded.paid, traded.other]
    assert not [name for name in paid.rows[0] if "退款" in name]
    assert paid.summary == {
        "总交易单数": "2.0",
        "应结订单总金额": "30.0",
        "手续费总金额": "0.18",
        "订单总金额": "30.0",
    }
    (row,) = back.rows
    assert row["商户退款单号"] == traded.refund
    assert row["退款申请时间"] == row["交易时间"]
    assert row["退款成功时间"].startswith(f"{DAY} 12:00:")
    assert len(row) == 29
    assert told(box.demo, more="&bill_type=ALL") == told(box.demo)


def test_a_flow_has_a_line_for_each_movement(box: Any, traded: Traded) -> None:
    flow = told(box.demo, "fundflowbill", "&account_type=BASIC")
    assert [
        (row["业务类型"], row["收支类型"], row["收支金额(元)"], row["账户结余(元)"], row["业务凭证号"])
        for row in flow.rows
    ] == [
        ("交易", "收入", "15.00", "15.00", traded.paid),
        ("扣除交易手续费", "支出", "0.09", "14.91", traded.paid),
        ("交易", "收入", "15.00", "29.91", traded.other),
        ("扣除交易手续费", "支出", "0.09", "29.82", traded.other),
        ("退还交易手续费", "收入", "0.03", "29.85", traded.refund),
        ("退款", "支出", "5.00", "24.85", traded.refund),
    ]
    assert ",".join(flow.rows[0]) == (
        "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,"
        "备注,业务凭证号"
    )
    assert flow.summary == {
        "资金流水总笔数": "6.0",
        "收入笔数": "3.0",
        "收入金额": "30.03",
        "支出笔数": "3.0",
        "支出金额": "5.18",
    }
    assert [row["备注"] for row in flow.rows] == ["", "", "", "", "缺,货", "缺,货"]


def test_a_flow_goes_on_from_the_day_before(box: Any, traded: Traded) -> None:
    set_clock(box, NEXT, 11)
    box.paid()
    set_clock(box, NEXT + timedelta(days=1), 10)
    flow = read_bill(fetched(box.demo, ask(box.demo, NEXT, "fundflowbill")))
    assert [row["账户结余(元)"] for row in flow.rows] == ["39.85", "39.76"]


def test_without_gzip_the_file_comes_as_it_is(box: Any, traded: Traded) -> None:
    answer = box.demo.call("GET", f"/v3/bill/tradebill?bill_date={DAY}")
    place = answer.json()["download_url"].removeprefix(box.demo.credentials["base_url"])
    content = box.demo.call("GET", place).content
    assert hashlib.sha1(content).hexdigest() == answer.json()["hash_value"]
    assert read_bill(content) == told(box.demo)


@pytest.mark.parametrize(("fen", "fee"), [(1, 0), (83, 0), (84, 1), (250, 2), (251, 2), (1500, 9), (10**9, 6_000_000)])
def test_a_fee_is_rounded_to_the_fen(fen: int, fee: int) -> None:
    assert fee_of(fen) == fee


@pytest.mark.parametrize("paid", [1, 83, 84, 999, 1500])
def test_parts_give_back_the_whole_fee(paid: int) -> None:
    parts = [paid // 3, paid // 3, paid - 2 * (paid // 3)]
    back = [fee_of_refund(paid, sum(parts[:place]), part) for place, part in enumerate(parts)]
    assert sum(back) == -fee_of(paid)
    assert max(back) <= 0


# --- when, and for whom -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "minute", "outcome"),
    [
        (0, 0, "NO_STATEMENT_EXIST"),
        (8, 59, "NO_STATEMENT_EXIST"),
        (9, 0, "STATEMENT_CREATING"),
        (9, 59, "STATEMENT_CREATING"),
    ],
)
def test_a_bill_is_there_at_ten(*, box: Any, traded: Traded, hour: int, minute: int, outcome: str) -> None:
    for bill in ("tradebill", "fundflowbill"):
        set_clock(box, NEXT, hour, minute)
        assert refused(ask(box.demo, bill=bill)) == (400, outcome)
        set_clock(box, NEXT, 10)
        assert ask(box.demo, bill=bill).status_code == 200


def test_a_day_that_is_not_over_or_had_nothing_has_no_bill(box: Any, traded: Traded) -> None:
    for day in (NEXT, DAY - timedelta(days=1), DAY - timedelta(days=91)):
        for bill in ("tradebill", "fundflowbill"):
            assert refused(ask(box.demo, day, bill)) == (400, "NO_STATEMENT_EXIST")
    assert refused(ask(box.merchants["gulou"])) == (400, "NO_STATEMENT_EXIST")
    for account in ("OPERATION", "FEES"):
        more = f"&account_type={account}"
        assert refused(ask(box.demo, bill="fundflowbill", more=more)) == (400, "NO_STATEMENT_EXIST")


def test_a_day_to_come_or_long_past_is_a_wrong_parameter(box: Any, traded: Traded) -> None:
    days = (NEXT + timedelta(days=1), NEXT - timedelta(days=93), "2026-02-30", "20261120", "2026-11", "")
    for day in days:
        answer = ask(box.demo, day)
        assert refused(answer) == (400, "PARAM_ERROR")
        assert answer.json()["detail"] == {
            "field": "bill_date",
            "value": str(day),
            "issue": "账单日期错误",
            "location": "query",
        }


@pytest.mark.parametrize("more", ["&bill_type=SOME", "&tar_type=ZIP&bill_type=all"])
def test_another_word_is_a_wrong_parameter(box: Any, traded: Traded, more: str) -> None:
    assert refused(ask(box.demo, more=more)) == (400, "PARAM_ERROR")
    path = f"/v3/bill/tradebill?bill_date={DAY}&tar_type=ZIP"
    assert refused(box.demo.call("GET", path)) == (400, "PARAM_ERROR")
    assert refused(ask(box.demo, bill="fundflowbill", more="&account_type=ALL")) == (400, "PARAM_ERROR")


def test_a_place_is_good_once_for_its_merchant_within_five_minutes(box: Any, traded: Traded) -> None:
    def place() -> str:
        found: str = ask(box.demo).json()["download_url"]
        assert found.startswith(f"{box.running.base_url}/wechat-pay/v3/billdownload/file?token=")
        return found.removeprefix(box.demo.credentials["base_url"])

    once = place()
    assert refused(box.merchants["gulou"].call("GET", once)) == (403, "NO_AUTH")
    unsigned = box.demo.http.get(box.demo.credentials["base_url"] + once, timeout=15)
    assert refused(unsigned) == (401, "SIGN_ERROR")
    assert box.demo.call("GET", once).status_code == 200
    assert refused(box.demo.call("GET", once)) == (400, "INVALID_REQUEST")
    late = place()
    box.control.post("/clock", advance_seconds=301)
    assert refused(box.demo.call("GET", late)) == (400, "INVALID_REQUEST")
    in_time = place()
    box.control.post("/clock", advance_seconds=290)
    assert box.demo.call("GET", in_time).status_code == 200
    assert refused(box.demo.call("GET", "/v3/billdownload/file?token=x")) == (400, "INVALID_REQUEST")
    assert refused(box.demo.call("GET", "/v3/billdownload/file")) == (400, "INVALID_REQUEST")


def test_an_instant_belongs_to_one_day(box: Any, traded: Traded) -> None:
    store = box.running.sandbox.store
    for instant, day in ((moment(NEXT, 0) - 0.001, DAY), (moment(NEXT, 0), NEXT), (moment(DAY, 0), DAY)):
        with store.transaction() as tx:
            tx.execute("update trades set success_at = ? where out_trade_no = ?", (instant, traded.other))
            tx.execute("update refunds set created_at = ? where out_refund_no = ?", (instant, traded.refund))
        set_clock(box, NEXT + timedelta(days=1), 10)
        for one in (DAY, NEXT):
            answer = ask(box.demo, one)
            rows = read_bill(fetched(box.demo, answer)).rows if answer.ok else []
            assert (traded.other in {row["商户订单号"] for row in rows}) is (one == day)
            assert (traded.refund in {row["商户退款单号"] for row in rows}) is (one == day)


# --- what a script does -----------------------------------------------------------------------------------------------


def test_rules_apply_together_and_are_counted(box: Any, traded: Traded) -> None:
    whole = told(box.demo)
    rules = [
        box.fault("bill.trade", "missing_line", match={"out_trade_no": traded.other}),
        box.fault("bill.trade", "extra_line", amount_fen=100, times=1),
        box.fault("bill.trade", "wrong_state", match={"out_refund_no": traded.refund, "merchant": "demo"}),
        box.fault("bill.trade", "wrong_amount", match={"bill_date": str(DAY)}),
        box.fault("bill.trade", "wrong_amount", match={"bill_date": str(NEXT)}),
        box.fault("bill.trade", "duplicate_line", match={"merchant": "gulou"}),
        box.fault("bill.trade", "missing_line", match={"out_trade_no": "T00000000"}, times=1),
    ]
    spoilt = told(box.demo)
    paid, back, extra = spoilt.rows
    assert (paid["商户订单号"], paid["订单金额"]) == (traded.paid, "15.01")
    assert (back["商户退款单号"], back["退款状态"]) == (traded.refund, "CLOSED")
    assert (extra["订单金额"], extra["手续费"], extra["交易时间"]) == ("1.00", "0.01000", f"{DAY} 12:00:00")
    assert spoilt.summary["订单总金额"] == "16.01"
    assert [row["商户订单号"] for row in told(box.demo).rows] == [traded.paid, traded.paid]
    taken = {rule["id"]: rule["taken"] for rule in box.control.items("/faults")}
    assert [taken[rule["id"]] for rule in rules] == [2, 1, 2, 2, 0, 0, 0]
    box.control.call("DELETE", "/faults")
    assert told(box.demo) == whole


def test_the_number_of_an_order_is_about_its_payment_alone(box: Any, traded: Traded) -> None:
    for number in ({"out_trade_no": traded.paid}, {"transaction_id": "4"}, {"out_refund_no": traded.paid}):
        box.fault("bill.trade", "missing_line", match=number)
        box.fault("bill.trade", "missing_line", match=number)
    assert [row["商户退款单号"] for row in told(box.demo).rows] == ["0", traded.refund]
    box.fault("bill.trade", "missing_line", match={"out_trade_no": traded.paid, "out_refund_no": traded.refund})
    assert [row["商户订单号"] for row in told(box.demo).rows] == [traded.other]


def test_a_bill_may_be_late_empty_cut_or_of_another_digest(box: Any, traded: Traded) -> None:
    for kind, outcome in (("not_ready", "STATEMENT_CREATING"), ("empty_day", "NO_STATEMENT_EXIST")):
        for target, bill in (("bill.trade", "tradebill"), ("bill.flow", "fundflowbill")):
            box.fault(target, kind, times=1)
            assert refused(ask(box.demo, bill=bill)) == (400, outcome)
            assert ask(box.demo, bill=bill).status_code == 200
    whole = fetched(box.demo, ask(box.demo))
    box.fault("bill.trade", "cut_short", times=1)
    cut = fetched(box.demo, ask(box.demo))
    assert whole.startswith(cut)
    assert cut.endswith(b"\r\n")
    assert len(cut) < len(whole)
    box.fault("bill.trade", "wrong_digest", times=1)
    with pytest.raises(AssertionError):
        fetched(box.demo, ask(box.demo))
    box.fault("bill.trade", "wrong_sum", times=1)
    assert told(box.demo).summary["订单总金额"] == "30.01"
    box.fault("bill.flow", "wrong_sum", times=1)
    assert told(box.demo, "fundflowbill").summary["收入金额"] == "30.04"


def test_a_flow_is_spoilt_through_its_lines(box: Any, traded: Traded) -> None:
    box.fault("bill.flow", "wrong_amount", match={"out_refund_no": traded.refund}, amount_fen=501, times=1)
    assert told(box.demo, "fundflowbill").rows[-1]["账户结余(元)"] == "24.84"
    answer = box.control.call("POST", "/faults", {"target": "bill.flow", "kind": "wrong_state"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_kind")


def test_calls_are_written_down(box: Any, traded: Traded) -> None:
    told(box.demo)
    (asked,) = box.control.items("/calls", operation="bill.trade")
    (fetch,) = box.control.items("/calls", operation="bill.file")
    assert (asked["number"], asked["caller"], asked["status"]) == (str(DAY), "demo", "200")
    assert (fetch["caller"], "token" in fetch["path"]) == ("demo", False)
