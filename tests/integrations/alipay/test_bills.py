"""The trade bill: the published sample, and every way of not being one."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ports import BillUnreadable
from integrations.alipay import _bill_file
from integrations.alipay.bills import FORM, BillRow, RowKind, read_trade_bill

VECTORS = Path(__file__).parents[2] / "vectors" / "alipay" / "bill_csv.json"
SELLER_ID, DAY = "2088100200300400", date(2026, 11, 20)
HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,"
    "商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
HEAD = (
    "#支付宝业务明细查询\n#账号：[20881002003004000156]\n"
    "#起始日期：[2026年11月20日 00:00:00]   终止日期：[2026年11月21日 00:00:00]\n"
    "#-----------业务明细列表----------\n"
)
PAID = (
    "2026112022001400000000000001\t,P1\t,交易\t,挂号费,2026-11-20 10:29:00,2026-11-20 10:29:55,\t,\t,\t,\t,*某(***)\t,"
    "50.05,49.75,0.30,0.00,0.00,0.00,0.00,,0.00\t,0.00,\t,-0.30,0.00,\n"
)
BACK = (
    "2026112022001400000000000001\t,P1\t,退款\t,挂号费,2026-11-20 10:29:00,2026-11-20 23:59:59,\t,\t,\t,\t,*某(***)\t,"
    "-20.00,-20.00,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,R1\t,0.00,0.00,\n"
)
TAIL = (
    "#-----------业务明细列表结束----------\n#交易合计：1笔，商家实收共49.75元，商家优惠共0.00元\n"
    "#退款合计：1笔，商家实收退款共-20.00元，商家优惠退款共0.00元\n#导出时间：[2026年11月21日 05:46:49]\n"
)
GOOD = HEAD + HEADER + "\n" + PAID + BACK + TAIL


def read(text: str) -> tuple[BillRow, ...]:
    return read_trade_bill(text.encode("gb18030"), seller_id=SELLER_ID, day=DAY)


def unpack(packed: bytes) -> bytes:
    return _bill_file.unpack(packed, FORM.ending)


class Member(zipfile.ZipInfo):
    """A member whose name is written in GBK, without the flag that would tell of another charset."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode("gbk"), self.flag_bits


def archive(*members: tuple[str, str], utf_8: bool = False) -> bytes:
    """As Alipay packs it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as box:
        for name, text in members:
            box.writestr(zipfile.ZipInfo(name) if utf_8 else Member(name), text.encode("gb18030"), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def test_the_published_bill_is_read() -> None:
    (vector,) = json.loads(VECTORS.read_text("utf-8"))
    expected, content = vector["expected"], vector["text"].encode("gb18030")
    rows = read_trade_bill(content, seller_id="2088000000000000", day=date(2019, 9, 16))
    assert len(rows) == expected["rows"]
    for kind, name in ((RowKind.PAYMENT, "trade"), (RowKind.REFUND, "refund")):
        found = [row.received_fen for row in rows if row.kind is kind]
        assert len(found) == expected[f"{name}_count"]
        assert sum(found) == Decimal(expected[f"{name}_received"]) * 100
    first = next(row for row in rows if row.kind is RowKind.REFUND)
    told = expected["first_refund"]
    assert (first.trade_no, first.out_trade_no) == (told["支付宝交易号"], told["商户订单号"])
    assert (first.out_request_no, first.received_fen) == (told["退款批次号/请求号"], -1)


def test_a_row_tells_a_payment_or_a_refund_in_fen() -> None:
    assert read(GOOD) == (
        BillRow(
            at=datetime(2026, 11, 20, 2, 29, 55, tzinfo=UTC),
            kind=RowKind.PAYMENT,
            trade_no="2026112022001400000000000001",
            out_trade_no="P1",
            amount_fen=5005,
            received_fen=4975,
            fee_fen=-30,
        ),
        BillRow(
            at=datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC),
            kind=RowKind.REFUND,
            trade_no="2026112022001400000000000001",
            out_trade_no="P1",
            amount_fen=-2000,
            received_fen=-2000,
            fee_fen=0,
            out_request_no="R1",
        ),
    )


def test_lines_may_end_in_two_ways_and_columns_may_be_added() -> None:
    assert read(GOOD.replace("\n", "\r\n")) == read(GOOD)
    wider = GOOD.replace(HEADER, HEADER + ",业务描述").replace("0.00,\n", "0.00,,x\n")
    assert read(wider) == read(GOOD)


@pytest.mark.parametrize("name", ["挂号费,内科", ",", 'a,"b",`c`', "挂号,𠮷"])
def test_commas_in_a_name_and_in_a_remark_are_no_new_columns(name: str) -> None:
    """Others write them, and the lines around them are told all the same."""
    assert read(GOOD.replace("挂号费,", f"{name},")) == read(GOOD)
    assert read(GOOD.replace("挂号费,", f"{name},").replace("0.00,\n", f"0.00,{name}\n")) == read(GOOD)


def test_a_day_without_trades_is_a_bill_without_rows() -> None:
    empty = GOOD.replace(PAID, "").replace(BACK, "").replace("1笔", "0笔").replace("49.75元", "0.00元")
    assert read(empty.replace("-20.00元", "0.00元")) == ()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text.replace("明细查询", "汇总查询"),
        lambda text: text.replace("20881002003004000156", "20881002003004010156"),
        lambda text: text.replace("[2026年11月20日", "[2026年11月19日"),
        lambda text: text.replace("#-----------业务明细列表----------\n", ""),
        lambda text: text.replace("业务明细列表结束", "业务明细列表"),
        lambda text: text.replace(TAIL, ""),
        lambda text: text.replace(PAID, ""),
        lambda text: text.replace(PAID, PAID + PAID),
        lambda text: text.replace(BACK, ""),
        lambda text: text.replace("49.75元", "49.76元"),
        lambda text: text.replace("-20.00元", "20.00元"),
        lambda text: text.replace("交易合计：1笔", "交易合计：2笔"),
        lambda text: text.replace("49.75元", "4975元"),
        lambda text: text.replace("#退款合计", "#退款"),
        lambda text: text.replace("挂号费,2026-11-20 10:29:00", "挂号费,内科,2026-11-20 10:29"),
        lambda text: text.replace("挂号费,", "挂号费,2026-11-20 10:29:00,2026-11-20 10:29:55,"),
        lambda text: text.replace("\t,交易", "\t,x,交易"),
        lambda text: text.replace("订单金额（元）", "订单金额"),
        lambda text: text.replace("备注", "分润（元）"),
        lambda text: text.replace("交易\t", "转账\t"),
        lambda text: text.replace("50.05", "50.5"),
        lambda text: text.replace("50.05", "5e1"),
        lambda text: text.replace("50.05", "-50.05"),
        lambda text: text.replace(",-20.00,-20.00,", ",20.00,-20.00,"),
        lambda text: text.replace(",P1\t,交易", ",\t,交易"),
        lambda text: text.replace("2026-11-20 10:29:55", "2026-02-30 10:29:55"),
        lambda text: text.replace("2026-11-20 10:29:55", "2026-11-20"),
    ],
)
def test_a_bill_that_does_not_fit_is_no_bill(spoil: Callable[[str], str]) -> None:
    assert len(read(GOOD)) == 2
    with pytest.raises(BillUnreadable) as caught:
        read(spoil(GOOD))
    assert (caught.value.__cause__, "50.05" in str(caught.value)) == (None, False)


def test_another_charset_is_refused() -> None:
    with pytest.raises(BillUnreadable):
        read_trade_bill(GOOD.encode(), seller_id=SELLER_ID, day=DAY)
    with pytest.raises(BillUnreadable, match="GB18030"):
        read_trade_bill(b"\xff" + GOOD.encode("gb18030"), seller_id=SELLER_ID, day=DAY)


@pytest.mark.parametrize("utf_8", [False, True])
def test_the_details_are_found_by_their_name_in_gbk(utf_8: bool) -> None:
    """The file with the sums may come first."""
    packed = archive(("2088_20261120_业务明细(汇总).csv", "x"), ("2088_20261120_业务明细.csv", GOOD), utf_8=utf_8)
    assert unpack(packed).decode("gb18030") == GOOD
    assert any("业务" in one.filename for one in zipfile.ZipFile(io.BytesIO(packed)).infolist()) is utf_8


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"PK",
        b"<html></html>",
        archive(("2088_业务明细(汇总).csv", "x"), utf_8=True),
        archive(("a_业务明细.csv", "x"), ("b_业务明细.csv", "y"), utf_8=True),
        archive(*((f"{at}.csv", "x") for at in range(20)), ("a_业务明细.csv", "x"), utf_8=True),
        archive(("a_业务明细.csv", GOOD), utf_8=True)[:-30],
        archive(("a_业务明细.csv", GOOD), utf_8=True).replace(b"\x14\x00\x00\x08\x08\x00", b"\x14\x00\x01\x08\x08\x00"),
    ],
)
def test_an_archive_without_one_file_of_details_is_refused(packed: bytes) -> None:
    with pytest.raises(BillUnreadable):
        unpack(packed)


def test_an_archive_is_not_read_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_bill_file, "MOST_BYTES", 1000)
    assert unpack(archive(("a_业务明细.csv", "x" * 1000), utf_8=True)) == b"x" * 1000
    with pytest.raises(BillUnreadable, match="too large"):
        unpack(archive(("a_业务明细.csv", "x" * 1001), utf_8=True))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_changed_archive_or_bill_is_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    for whole, act in ((archive(("a_业务明细.csv", GOOD), utf_8=True), unpack), (GOOD.encode("gb18030"), read_bytes)):
        place = data.draw(st.integers(0, len(whole) - 1))
        changed = whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :]
        try:
            act(changed)
        except BillUnreadable:
            continue


def read_bytes(content: bytes) -> Any:
    return read_trade_bill(content, seller_id=SELLER_ID, day=DAY)
