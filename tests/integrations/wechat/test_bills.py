"""The trade bill: the published sample, and every way of not being one."""

from __future__ import annotations

import gzip
import hashlib
import json
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.ports import BillUnreadable
from integrations.wechat import _bill_file, bills
from integrations.wechat._bill_file import unpack
from integrations.wechat.bills import RowState, read_trade_bill

VECTORS = Path(__file__).parents[2] / "vectors" / "wechat" / "wxpay_v3_trade_bill.json"
COLUMNS = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
SUMMARY = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
PAID = (
    "`2026-11-20 10:30:00,`wx1,`1900007291,`0,`,`4200001,`YZ20261120000001,`oABC,`JSAPI,`SUCCESS,`OTHERS,`CNY,`15.00,"
    '`0.00,`0,`0,`0.00,`0.00,`,`,`挂号费,内科 "一",`,`0.09000,`0.60%,`15.00,`0.00,`'
)
BACK = (
    "`2026-11-20 23:59:59,`wx1,`1900007291,`0,`,`4200001,`YZ20261120000001,`oABC,`JSAPI,`REFUND,`OTHERS,`CNY,`0.00,"
    "`0.00,`5030001,`YZR1,`5.00,`0.00,`ORIGINAL,`SUCCESS,`挂号费,`,`-0.03000,`0.60%,`0.00,`5.00,`"
)
SUMS = "`2.0,`15.00,`5.00,`0.0,`0.06,`15.0,`5.00"


def bill(*lines: str) -> bytes:
    return b"\xef\xbb\xbf" + "".join(f"{line}\r\n" for line in lines).encode()


GOOD = bill(COLUMNS, PAID, BACK, SUMMARY, SUMS)


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text())["vectors"], ids=lambda vector: str(vector["id"]))
def test_the_published_bill_is_read(vector: dict[str, Any]) -> None:
    inputs, expected = vector["inputs"], vector["expected"]
    content = unpack(b64decode(inputs["file_gzip_b64"]), sha1=inputs["sha1_of_uncompressed"])
    rows = read_trade_bill(content)
    assert len(rows) == expected["rows"]
    summary = {name: Decimal(value) * 100 for name, value in expected["summary"].items()}
    assert sum(row.paid_fen for row in rows) == summary["订单总金额"]
    assert sum(row.fee_fen for row in rows) == summary["手续费总金额"]
    if "申请退款总金额" in summary:
        assert sum(row.refund_fen for row in rows) == summary["申请退款总金额"]


def test_a_row_tells_a_payment_or_a_refund_in_fen() -> None:
    paid, back = read_trade_bill(GOOD)
    assert paid == bills.BillRow(
        at=datetime(2026, 11, 20, 2, 30, tzinfo=UTC),
        state=RowState.PAID,
        mchid="1900007291",
        appid="wx1",
        payer="oABC",
        transaction_id="4200001",
        out_trade_no="YZ20261120000001",
        currency="CNY",
        paid_fen=1500,
        fee_fen=Decimal(9),
    )
    assert (back.state, back.paid_fen, back.refund_fen) == (RowState.REFUND, 0, 500)
    assert (back.refund_id, back.out_refund_no, back.refund_state) == ("5030001", "YZR1", "SUCCESS")
    assert "oABC" not in repr(paid)


def test_a_bill_of_payments_alone_has_fewer_columns() -> None:
    kept = [place for place, name in enumerate(COLUMNS.split(",")) if "退款" not in name]
    values = PAID[1:].split(",`")
    header = ",".join(COLUMNS.split(",")[place] for place in kept)
    row = "`" + ",`".join(values[place] for place in kept)
    summary = "总交易单数,应结订单总金额,手续费总金额,订单总金额"
    (paid,) = read_trade_bill(bill(header, row, summary, "`1,`15.00,`0.09,`15.00"))
    assert (paid.paid_fen, paid.refund_fen, paid.refund_id) == (1500, 0, None)


@pytest.mark.parametrize(
    "change",
    [
        lambda good: good[3:],
        lambda good: good[:-2],
        lambda good: good.replace(b"\r\n", b"\n"),
        lambda good: good.replace(b"\r\n", b"\r\n\r\n", 1),
        lambda good: good + b"`1",
        lambda good: good.replace("挂号费".encode(), b"\xff", 1),
        lambda good: good.replace(b"`", b"", 1),
        lambda good: good.replace(b",`CNY", b",CNY", 1),
        lambda good: good.replace(b"`oABC", b"`o,`ABC", 1),
        lambda good: good.replace("商户订单号".encode(), "商户号".encode()),
        lambda good: good.replace("商户订单号".encode(), "别的".encode()),
        lambda good: good.replace(b"2026-11-20 10:30:00", b"2026-11-31 10:30:00"),
        lambda good: good.replace(b"2026-11-20 10:30:00", b"2026-11-20T10:30:00"),
        lambda good: good.replace(b"`SUCCESS,`OTHERS", b"`SOMETHING,`OTHERS"),
        lambda good: good.replace(b"`15.00", b"`15.001"),
        lambda good: good.replace(b"`15.00", b"`-15.00"),
        lambda good: good.replace(b"`15.00", b"`1e3"),
        lambda good: good.replace(b"`15.00", "`１５.00".encode()),
        lambda good: good.replace(b"`15.00", b"`"),
        lambda good: good.replace(b"`2.0,", b"`3.0,"),
        lambda good: good.replace(b"`2.0,", b"`2.5,"),
        lambda good: good.replace(b"`15.0,", b"`15.01,"),
        lambda good: good.replace(b"`0.06,", b"`0.07,"),
        lambda good: good.replace("订单总金额".encode(), "别的总金额".encode()),
        lambda good: good.replace("总交易单数".encode(), "总数".encode()),
        lambda good: bill(COLUMNS, PAID, BACK),
        lambda good: bill(COLUMNS, PAID, SUMMARY, SUMS),
        lambda good: b"",
        lambda good: b'{"code":"NO_STATEMENT_EXIST"}',
    ],
)
def test_a_bill_that_does_not_fit_is_refused_whole(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BillUnreadable) as caught:
        read_trade_bill(change(GOOD))
    assert "oABC" not in str(caught.value)


@pytest.mark.parametrize("name", ["内科,`外科", "`,`,`", ",`0.00,`0.00", "=1+1,`\t"])
def test_a_name_that_looks_like_several_values_moves_no_amount(name: str) -> None:
    """Whoever else sells on the same merchant number writes it, and nobody's day waits for that."""
    assert read_trade_bill(GOOD.replace("挂号费".encode(), name.encode(), 1)) == read_trade_bill(GOOD)


def test_a_download_is_proven_by_the_hash_of_what_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    zipped, sha1 = gzip.compress(GOOD), hashlib.sha1(GOOD).hexdigest()
    assert unpack(zipped, sha1=sha1.upper()) == GOOD
    bad = [(zipped, "0" * 40), (GOOD, sha1), (zipped[:-1], sha1), (zipped + zipped, sha1), (b"", sha1)]
    for body, told in bad:
        with pytest.raises(BillUnreadable):
            unpack(body, sha1=told)
    monkeypatch.setattr(_bill_file, "MOST_BYTES", len(GOOD) - 1)
    with pytest.raises(BillUnreadable, match="too large"):
        unpack(zipped, sha1=sha1)


def test_a_download_with_a_changed_byte_is_refused_or_holds_the_very_file() -> None:
    """The header of gzip has bits that say nothing about the file: its time, its system, a hint that it is text."""
    zipped, sha1 = gzip.compress(GOOD), hashlib.sha1(GOOD).hexdigest()
    refused = 0
    for place, byte in enumerate(zipped):
        try:
            assert unpack(zipped[:place] + bytes([byte ^ 1]) + zipped[place + 1 :], sha1=sha1) == GOOD
        except BillUnreadable:
            refused += 1
    assert refused >= len(zipped) - 10
