"""What the sandbox writes, the adapters read back to the same, whatever the names: two readings of one format."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.ports import FundKind
from integrations.alipay import _bill_file as alipay_file
from integrations.alipay import bills as alipay_bills
from integrations.alipay import funds as alipay_funds
from integrations.wechat._bill_file import unpack
from integrations.wechat.bills import read_trade_bill
from integrations.wechat.funds import read_fund_flow
from sandbox.alipay import bill_files
from sandbox.billing import days
from sandbox.billing.lines import CLOSING, PAYMENT, REFUND, Line, flows
from sandbox.wechat_pay.bill_rows import flow_bill, trade_bill
from sandbox.wechat_pay.bills import write_bill

DAY, SELLER = date(2026, 11, 20), "2088100200300400"
BEGIN = int(days.begin(DAY))
MERCHANT: Any = SimpleNamespace(mchid="1900007291", sub_mchid=None)
KINDS = {(PAYMENT, False): FundKind.PAYMENT, (REFUND, False): FundKind.REFUND, (CLOSING, False): FundKind.OTHER}

pieces = st.sampled_from([",`", "`,", *",`\"'\t\r\n 挂号费-0.:#\\=@\u2028𠮷😀"]) | st.characters(
    exclude_categories=["Cs"]
)
names = st.lists(pieces, max_size=8).map("".join)
numbers = st.text("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ_-", min_size=6, max_size=32)


@st.composite
def lines(draw: st.DrawFn, *kinds: str) -> Line:
    kind = draw(st.sampled_from(kinds))
    at = draw(st.sampled_from([0, 86399]) | st.integers(0, 86399)) + BEGIN
    number = draw(numbers)
    payment = Line(
        kind=PAYMENT,
        at=at,
        out_trade_no=number,
        trade_no=f"42{number}",
        amount_fen=draw(st.integers(1, 10**10)),
        fee_fen=draw(st.integers(0, 10**8)),
        state="SUCCESS",
        name=draw(names),
        payer=draw(names),
        created_at=at - draw(st.integers(0, 10**6)),
        app="wx1",
        remark=draw(names),
        device=draw(names),
    )
    if kind == PAYMENT:
        return payment
    refund_no = draw(numbers)
    back = replace(payment, kind=kind, fee_fen=-payment.fee_fen, out_refund_no=refund_no, refund_no=f"50{refund_no}")
    return replace(back, fee_fen=payment.fee_fen) if kind == CLOSING else back


def instant(line: Line) -> datetime:
    return datetime.fromtimestamp(line.at, UTC)


@settings(max_examples=150, deadline=None)
@given(told=st.lists(lines(PAYMENT, REFUND), min_size=1, max_size=8))
def test_wechat_trades(told: list[Line]) -> None:
    content = write_bill(trade_bill(MERCHANT, told, "ALL"))
    assert unpack(gzip.compress(content), sha1=hashlib.sha1(content).hexdigest()) == content
    rows = read_trade_bill(content)
    words = {PAYMENT: "SUCCESS", REFUND: "REFUND"}
    assert [(row.at, row.state.value, row.mchid, row.transaction_id) for row in rows] == [
        (instant(line), words[line.kind], MERCHANT.mchid, line.trade_no) for line in told
    ]
    assert [(row.out_trade_no, row.out_refund_no, row.refund_id) for row in rows] == [
        (line.out_trade_no, line.out_refund_no, line.refund_no) for line in told
    ]
    assert [(row.paid_fen + row.refund_fen, row.fee_fen) for row in rows] == [
        (line.amount_fen, line.fee_fen) for line in told
    ]


@settings(max_examples=150, deadline=None)
@given(told=st.lists(lines(PAYMENT, REFUND, CLOSING), min_size=1, max_size=8), opening=st.integers(-(10**9), 10**9))
def test_wechat_flow(told: list[Line], opening: int) -> None:
    moved = flows(told, opening)
    read = read_fund_flow(write_bill(flow_bill(moved)))
    assert [(one.flow_no, one.business_no, one.at, one.balance_fen) for one in read] == [
        (flow.number, flow.line.business_no, instant(flow.line), flow.balance_fen) for flow in moved
    ]
    assert [(one.kind, one.amount_fen if one.income else -one.amount_fen) for one in read] == [
        (KINDS.get((flow.line.kind, flow.is_fee), FundKind.FEE), flow.fen) for flow in moved
    ]


def unpacked(word: str, details: str) -> bytes:
    sheet = bill_files.Sheet(SELLER, DAY, BEGIN)
    return alipay_file.unpack(bill_files.pack(sheet, word, details=details, sums="x"), f"_{word}明细.csv")


@settings(max_examples=150, deadline=None)
@given(told=st.lists(lines(PAYMENT, REFUND), max_size=8))
def test_alipay_trades(told: list[Line]) -> None:
    content = unpacked("业务", bill_files.trade_details(bill_files.Sheet(SELLER, DAY, BEGIN), told))
    rows = alipay_bills.read_trade_bill(content, seller_id=SELLER, day=DAY)
    assert [(row.at, row.kind.value, row.trade_no, row.out_trade_no, row.out_request_no) for row in rows] == [
        (instant(line), bill_files.WORDS[line.kind], line.trade_no, line.out_trade_no, line.out_refund_no)
        for line in told
    ]
    assert [(abs(row.amount_fen), -row.fee_fen) for row in rows] == [(line.amount_fen, line.fee_fen) for line in told]


@settings(max_examples=150, deadline=None)
@given(told=st.lists(lines(PAYMENT, REFUND), max_size=8), opening=st.integers(-(10**9), 10**9))
def test_alipay_flow(told: list[Line], opening: int) -> None:
    moved = flows(told, opening)
    content = unpacked("账务", bill_files.account_details(bill_files.Sheet(SELLER, DAY, BEGIN), moved))
    read = alipay_funds.read_fund_flow(content, seller_id=SELLER, day=DAY)
    assert [(one.flow_no, one.business_no, one.at, one.balance_fen) for one in read] == [
        (flow.number, flow.line.trade_no, instant(flow.line), flow.balance_fen) for flow in moved
    ]
    assert [(one.kind, one.amount_fen if one.income else -one.amount_fen) for one in read] == [
        (KINDS.get((flow.line.kind, flow.is_fee), FundKind.FEE), flow.fen) for flow in moved
    ]
