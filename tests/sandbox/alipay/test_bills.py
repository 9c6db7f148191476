"""Alipay's bills as they travel: the archive, its bytes, the half minute of its address, and what a script does."""

from __future__ import annotations

import io
import json
import time
import zipfile
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests

CHINA = timezone(timedelta(hours=8))
DAY = datetime.now(CHINA).date() - timedelta(days=5)
NEXT = DAY + timedelta(days=1)
METHOD = "alipay.data.dataservice.bill.downloadurl.query"
VECTOR = Path(__file__).parents[2] / "vectors" / "alipay" / "bill_csv.json"


def set_clock(wallet: Any, day: date, hour: int, minute: int = 0) -> None:
    moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=CHINA).timestamp()
    wallet.control.post("/clock", offset_seconds=moment - time.time())


def ask(client: Any, day: date | str = DAY, kind: str = "trade") -> Any:
    return client.call(METHOD, {"bill_type": kind, "bill_date": str(day)})


def get(client: Any, said: Any) -> requests.Response:
    """Without a signature, and without anything else."""
    answer: requests.Response = requests.get(said.node["bill_download_url"], timeout=15)
    return answer


def members(archive: bytes) -> dict[str, str]:
    """Names as this library shows those that do not say their charset."""
    with zipfile.ZipFile(io.BytesIO(archive)) as box:
        assert not any(one.flag_bits & 0x800 for one in box.infolist())
        return {one.filename.encode("cp437").decode("gbk"): box.read(one).decode("gb18030") for one in box.infolist()}


def files(client: Any, kind: str = "trade") -> dict[str, str]:
    said = ask(client, kind=kind)
    assert said.proved
    assert said.node["code"] == "10000", said.raw
    answer = get(client, said)
    assert answer.status_code == 200
    return members(answer.content)


def details(client: Any, kind: str = "trade") -> list[str]:
    """The lines of the file of details."""
    found = files(client, kind)
    return next(text for name, text in found.items() if "汇总" not in name).split("\n")


@dataclass(frozen=True)
class Traded:
    paid: str
    other: str


@pytest.fixture
def traded(wallet: Any) -> Traded:
    """A payment with a refund, and another payment, of a day whose bill is there."""
    set_clock(wallet, DAY, 12)
    paid = wallet.paid(subject='挂号,`费`"𠮷"', body="备,注")
    other = wallet.paid()
    assert wallet.demo.refund(paid, "R1", "5.00").node["code"] == "10000"
    set_clock(wallet, NEXT, 9)
    return Traded(paid, other)


def test_an_archive_has_the_sums_first_and_both_names_in_gbk(wallet: Any, traded: Traded) -> None:
    account = f"{wallet.demo.credentials['seller_id']}0156"
    for kind, word in (("trade", "业务"), ("signcustomer", "账务")):
        found = files(wallet.demo, kind)
        stem = f"{account}_{DAY:%Y%m%d}_{word}明细"
        assert list(found) == [f"{stem}(汇总).csv", f"{stem}.csv"]
        sums, lines = (text.split("\n") for text in found.values())
        assert (sums[0], lines[0]) == (f"#支付宝{word}汇总查询", f"#支付宝{word}明细查询")
        assert sums[1] == lines[1] == f"#账号：[{account}]"
        period = f"#起始日期：[{DAY:%Y年%m月%d日} 00:00:00]   终止日期：[{NEXT:%Y年%m月%d日} 00:00:00]"
        assert sums[2] == lines[2] == period


def test_a_bill_has_the_bytes_of_the_published_one(wallet: Any, traded: Traded) -> None:
    (vector,) = json.loads(VECTOR.read_text("utf-8"))
    theirs, ours = vector["text"].split("\n"), details(wallet.demo)
    assert (ours[0], ours[3], ours[4], ours[8]) == (theirs[0], theirs[3], theirs[4], theirs[-5])
    tabs = [[cell.endswith("\t") for cell in line.split(",")] for line in (ours[6], theirs[5])]
    assert tabs[0] == tabs[1]
    trade_no = wallet.demo.query(traded.paid).node["trade_no"]
    rows = [line.replace('挂号,`费`"𠮷"', "NAME").split(",") for line in ours[5:8]]
    assert [row[:4] for row in rows] == [
        [f"{trade_no}\t", f"{traded.paid}\t", "交易\t", "NAME"],
        [rows[1][0], f"{traded.other}\t", "交易\t", rows[1][3]],
        [f"{trade_no}\t", f"{traded.paid}\t", "退款\t", "NAME"],
    ]
    amounts = ["0.00"] * 5 + ["", "0.00\t", "0.00"]
    assert rows[0][11:] == ["15.00", "15.00", *amounts, "\t", "-0.09", "0.00", "备", "注"]
    assert rows[2][11:] == ["-5.00", "-5.00", *amounts, "R1\t", "0.03", "0.00", "备", "注"]
    assert rows[0][4] == rows[2][4]
    assert rows[2][5].startswith(f"{DAY} 12:00:")
    assert ours[9:11] == [
        "#交易合计：2笔，商家实收共30.00元，商家优惠共0.00元",
        "#退款合计：1笔，商家实收退款共-5.00元，商家优惠退款共0.00元",
    ]
    assert ours[11].startswith(f"#导出时间：[{NEXT:%Y年%m月%d日} 09:00:")
    assert len(ours) == 13


def test_a_flow_has_a_line_for_each_movement(wallet: Any, traded: Traded) -> None:
    lines = details(wallet.demo, "signcustomer")
    header = lines[4].split(",")
    names = ["商户订单号", "收入金额（+元）", "支出金额（-元）", "账户余额（元）", "业务类型"]
    rows = [dict(zip(header, line.replace('挂号,`费`"𠮷"', "NAME").split(","), strict=False)) for line in lines[5:11]]
    assert [[row[name].strip("\t") for name in names] for row in rows] == [
        [traded.paid, "15.00", "0.00", "15.00", "在线支付"],
        [traded.paid, "0.00", "-0.09", "14.91", "收费"],
        [traded.other, "15.00", "0.00", "29.91", "在线支付"],
        [traded.other, "0.00", "-0.09", "29.82", "收费"],
        [traded.paid, "0.03", "0.00", "29.85", "退费"],
        [traded.paid, "0.00", "-5.00", "24.85", "交易退款"],
    ]
    assert len({row["账务流水号"] for row in rows}) == 6
    assert lines[12:14] == ["#支出合计：3笔，共-5.18元", "#收入合计：3笔，共30.03元"]
    sums = next(text for name, text in files(wallet.demo, "signcustomer").items() if "汇总" in name).split("\n")
    assert sums[4] == "类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）"
    assert sums[5:9] == [
        "交易退款,0,0.00,1,-5.00,-5.00",
        "在线支付,2,30.00,0,0.00,30.00",
        "收费,0,0.00,2,-0.18,-0.18",
        "退费,1,0.03,0,0.00,0.03",
    ]


def test_the_sums_of_a_day(wallet: Any, traded: Traded) -> None:
    sums = next(text for name, text in files(wallet.demo).items() if "汇总" in name).split("\n")
    told = dict(zip(sums[4].split(","), sums[5].split(","), strict=True))
    assert (told["交易订单总笔数"], told["退款订单总笔数"]) == ("2", "1")
    assert (told["订单金额（元）"], told["服务费（元）"], told["实收净额（元）"]) == ("25.00", "-0.15", "24.85")


@pytest.mark.parametrize(
    ("day", "hour", "outcome"),
    [
        (DAY, 8, "NO_BILL_DATA"),
        (DAY, 9, None),
        (NEXT, 9, "BILL_NOT_EXIST"),
        (NEXT + timedelta(days=1), 9, "BILL_NOT_EXIST"),
        (DAY - timedelta(days=7 * 366), 9, "BILL_DATE_BEFORE_REGISTRATION"),
        ("2026-02-30", 9, "INVAILID_ARGUMENTS"),
        ("2026-11", 9, "INVAILID_ARGUMENTS"),
        ("", 9, "INVAILID_ARGUMENTS"),
    ],
)
def test_a_bill_is_there_at_nine(
    *, wallet: Any, traded: Traded, day: date | str, hour: int, outcome: str | None
) -> None:
    for kind in ("trade", "signcustomer"):
        set_clock(wallet, NEXT, hour, 59 if hour == 8 else 0)
        said = ask(wallet.demo, day, kind)
        assert (said.sub_code, said.proved) == (outcome, True)
        assert said.node["code"] == ("40004" if outcome else "10000")


def test_another_type_is_not_kept(wallet: Any, traded: Traded) -> None:
    for kind in ("settlementMerge", ""):
        assert ask(wallet.demo, kind=kind).sub_code == "TYPE_NOT_SUPPORTED"


def test_a_day_without_trades_has_a_file_without_rows(wallet: Any, traded: Traded) -> None:
    for client, day in ((wallet.gulou, DAY), (wallet.demo, DAY - timedelta(days=1))):
        said = ask(client, day)
        assert said.node["bill_file_code"] == "EMPTY_DATA_WITH_BILL_FILE"
        lines = next(text for name, text in members(get(client, said).content).items() if "汇总" not in name).split(
            "\n"
        )
        assert lines[5].startswith("#---")
        assert lines[6].startswith("#交易合计：0笔，商家实收共0.00元")
    assert "bill_file_code" not in ask(wallet.demo).node


def test_an_address_is_good_for_half_a_minute(wallet: Any, traded: Traded) -> None:
    said = ask(wallet.demo)
    url = said.node["bill_download_url"]
    account = f"{wallet.demo.credentials['seller_id']}0156"
    assert url.startswith(
        f"{wallet.demo.credentials['bill_url']}/downloadBillFile.resource?bizType=trade&userId={account}&"
    )
    assert [get(wallet.demo, said).status_code for _ in range(2)] == [200, 200]
    wallet.control.post("/clock", advance_seconds=31)
    assert get(wallet.demo, said).status_code == 403
    assert requests.get(url.partition("token=")[0] + "token=x", timeout=15).status_code == 403
    assert requests.get(url.partition("?")[0], timeout=15).status_code == 403


def test_an_instant_belongs_to_one_day(wallet: Any, traded: Traded) -> None:
    begin = datetime(NEXT.year, NEXT.month, NEXT.day, tzinfo=CHINA).timestamp()
    for instant, day in ((begin - 0.001, DAY), (begin, NEXT)):
        with wallet.running.sandbox.store.transaction() as tx:
            tx.execute("update alipay_trades set paid_at = ? where out_trade_no = ?", (instant, traded.other))
            tx.execute("update alipay_refunds set refunded_at = ?", (instant,))
        set_clock(wallet, NEXT + timedelta(days=1), 9)
        for one in (DAY, NEXT):
            content = get(wallet.demo, ask(wallet.demo, one)).content
            text = next(text for name, text in members(content).items() if "汇总" not in name)
            assert (traded.other in text, ",R1\t," in text) == (one == day, one == day)


def test_a_pending_refund_is_in_no_bill(wallet: Any, traded: Traded) -> None:
    set_clock(wallet, DAY, 13)
    wallet.fault("alipay.refund.create", "processing", times=1)
    wallet.demo.refund(traded.paid, "R2", "1.00")
    set_clock(wallet, NEXT, 9)
    assert ",R2\t," not in "".join(details(wallet.demo))
    wallet.control.post("/refunds/R2/settle", channel="alipay")
    set_clock(wallet, NEXT + timedelta(days=1), 9)
    assert ",R2\t," not in "".join(details(wallet.demo))
    assert ",R2\t," in "".join(members(get(wallet.demo, ask(wallet.demo, NEXT)).content).values())


def test_rules_apply_together_and_are_counted(wallet: Any, traded: Traded) -> None:
    whole = details(wallet.demo)
    rules = [
        wallet.fault("alipay.bill.trade", "missing_line", match={"out_trade_no": traded.other}),
        wallet.fault("alipay.bill.trade", "extra_line", amount_fen=100, times=1),
        wallet.fault("alipay.bill.trade", "wrong_amount", match={"out_refund_no": "R1"}, amount_fen=499),
        wallet.fault("alipay.bill.trade", "duplicate_line", match={"merchant": "gulou"}),
    ]
    spoilt = details(wallet.demo)
    assert [line.split(",")[0] for line in spoilt[5:7]] == [whole[5].split(",")[0], whole[7].split(",")[0]]
    assert ",-4.99,-4.99," in spoilt[6]
    assert ",1.00,1.00," in spoilt[7]
    assert spoilt[9] == "#交易合计：2笔，商家实收共16.00元，商家优惠共0.00元"
    assert len(details(wallet.demo)) == len(whole) - 1
    taken = {rule["id"]: rule["taken"] for rule in wallet.control.items("/faults")}
    assert [taken[rule["id"]] for rule in rules] == [2, 1, 2, 0]
    wallet.control.call("DELETE", "/faults")
    assert details(wallet.demo)[5:11] == whole[5:11]


def test_a_bill_may_be_late_empty_cut_or_not_add_up(wallet: Any, traded: Traded) -> None:
    for target, kind in (("alipay.bill.trade", "trade"), ("alipay.bill.flow", "signcustomer")):
        whole = details(wallet.demo, kind)
        wallet.fault(target, "not_ready", times=1)
        assert ask(wallet.demo, kind=kind).sub_code == "NO_BILL_DATA"
        wallet.fault(target, "empty_day", times=1)
        assert ask(wallet.demo, kind=kind).node["bill_file_code"] == "EMPTY_DATA_WITH_BILL_FILE"
        wallet.fault(target, "cut_short", times=1)
        cut = details(wallet.demo, kind)
        assert cut[:-1] == whole[: len(cut) - 1]
        assert len(cut) < len(whole)
        wallet.fault(target, "wrong_sum", times=1)
        off = [(ours, theirs) for ours, theirs in zip(whole, details(wallet.demo, kind), strict=True) if ours != theirs]
        changed = {("30.00元，商家优惠", "30.01元，商家优惠"), ("30.03元", "30.04元")}
        assert [(ours, ours.replace(*pair)) for ours, _ in off[:1] for pair in changed if pair[0] in ours] == off[:1]
    for kind in ("wrong_state", "wrong_digest"):
        answer = wallet.control.call("POST", "/faults", {"target": "alipay.bill.trade", "kind": kind})
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_kind")


def test_calls_are_written_down(wallet: Any, traded: Traded) -> None:
    details(wallet.demo)
    (asked,) = wallet.control.items("/calls", operation="alipay.bill.query")
    (fetch,) = wallet.control.items("/calls", operation="alipay.bill.file")
    assert (asked["number"], asked["caller"], asked["status"]) == (str(DAY), "demo", "200")
    assert (fetch["status"], "token" in fetch["path"]) == ("200", False)
