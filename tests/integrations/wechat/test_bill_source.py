"""Where a bill is fetched from, what its entries say, and every word that is not a bill."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
import responses
from wechat_bills import FEE, FILE, GOOD_FUNDS, bill, told
from wechat_bills import serve as serve_at
from wechat_pay_side import PAY_URL

from core.ports import (
    BillEntry,
    BillKind,
    BillNotReady,
    BillState,
    BillUnreadable,
    FundEntry,
    FundKind,
    ProviderRefused,
    ProviderUnavailable,
)
from integrations.transport import MOST_ANSWER_BYTES
from integrations.wechat import MerchantAccount, WeChatBillSource

DAY = date(2026, 11, 19)
MORNING, NOON = datetime(2026, 11, 20, 3, 59, 59, tzinfo=UTC), datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
TRADES = f"/v3/bill/tradebill?bill_date={DAY}&bill_type=ALL&tar_type=GZIP"
FUNDS = f"/v3/bill/fundflowbill?bill_date={DAY}&account_type=BASIC&tar_type=GZIP"
HEADER = (
    "交易时间,公众账号ID,商户号,微信订单号,商户订单号,用户标识,交易状态,货币种类,"
    "微信退款单号,商户退款单号,退款状态,手续费,订单金额,申请退款金额"
)
PAID = "`2026-11-19 23:59:59,`wx1,`1900007291,`4200001,`YZ1,`oABC,`SUCCESS,`CNY,`0,`0,`,`0.09000,`15.00,`0.00"
BACK = (
    "`2026-11-19 00:00:00,`wx1,`1900007291,`4200001,`YZ1,`oABC,`REFUND,`CNY,"
    "`5030001,`YZR1,`SUCCESS,`-0.03000,`0.00,`5.00"
)


GOOD = bill(HEADER, PAID, BACK, "总交易单数,订单总金额", "`2.0,`15.0")


@pytest.fixture
def source(merchant: MerchantAccount, tokens: Any) -> WeChatBillSource:
    return WeChatBillSource(merchant, tokens, clock=lambda: datetime(2026, 11, 20, 2, 30, tzinfo=UTC))


def serve(wire: responses.RequestsMock, wechat_pay: Any, content: bytes, path: str = TRADES, **changes: str) -> None:
    serve_at(wire, wechat_pay, content, path, **changes)


def refuse(wire: responses.RequestsMock, code: str, path: str = TRADES, status: int = 400) -> None:
    wire.add("GET", PAY_URL + path, status=status, json={"code": code, "message": "x"})


def test_a_day_is_told_entry_by_entry(source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any) -> None:
    serve(wire, wechat_pay, GOOD)
    paid = BillEntry(
        kind=BillKind.PAYMENT,
        at=datetime(2026, 11, 19, 15, 59, 59, tzinfo=UTC),
        out_trade_no="YZ1",
        platform_trade_no="4200001",
        amount_fen=1500,
        currency="CNY",
        fee_fen=9,
        state=BillState.PAID,
    )
    back = replace(
        paid,
        kind=BillKind.REFUND,
        at=datetime(2026, 11, 18, 16, 0, tzinfo=UTC),
        amount_fen=500,
        fee_fen=-3,
        state=BillState.REFUNDED,
        out_refund_no="YZR1",
        platform_refund_no="5030001",
    )
    assert source.trade_bill(DAY) == (paid, back)
    assert wire.calls[1].request.path_url == FILE
    assert 'mchid="1900007291"' in wire.calls[1].request.headers["Authorization"]
    assert (source.provider, source.merchant) == ("wechat_pay", "renmin")


def test_a_flow_is_told_in_its_order(source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any) -> None:
    serve(wire, wechat_pay, GOOD_FUNDS, FUNDS)
    came, fee, went, taken = source.fund_flow(DAY)
    at = datetime(2026, 11, 19, 2, 0, tzinfo=UTC)
    assert came == FundEntry("F1", "4200001", at, FundKind.PAYMENT, income=True, amount_fen=1500, balance_fen=1500)
    assert (fee.kind, fee.income, fee.amount_fen) == (FundKind.FEE, False, 9)
    assert (went.kind, went.business_no) == (FundKind.REFUND, "5030001")
    assert (taken.kind, taken.balance_fen) == (FundKind.OTHER, -9)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("PROCESSING", BillState.REFUNDING),
        ("ABNORMAL", BillState.ABNORMAL),
        ("CLOSED", BillState.NOT_REFUNDED),
        ("FAIL", BillState.NOT_REFUNDED),
    ],
)
def test_a_refund_is_not_always_done(
    *, source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any, word: str, state: BillState
) -> None:
    serve(wire, wechat_pay, GOOD.replace(b"YZR1,`SUCCESS", b"YZR1,`" + word.encode()))
    assert [one.state for one in source.trade_bill(DAY)] == [BillState.PAID, state]


def test_a_payment_that_was_taken_back_says_so(
    source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    serve(wire, wechat_pay, GOOD.replace(b"oABC,`SUCCESS", b"oABC,`REVOKED"))
    assert source.trade_bill(DAY)[0].state is BillState.REVOKED


SPOILS: list[Callable[[bytes], bytes]] = [
    lambda good: good.replace(b"2026-11-19 23:59:59", b"2026-11-20 00:00:00"),
    lambda good: good.replace(b"2026-11-19 00:00:00", b"2026-11-18 23:59:59"),
    lambda good: good.replace(b"1900007291", b"1900007292", 1),
    lambda good: good.replace(b"0.09000", b"0.09300"),
    lambda good: good.replace(b"YZR1,`SUCCESS", b"YZR1,`"),
    lambda good: good.replace(b"`5030001", b"`0"),
    lambda good: good.replace(b"`YZR1", b"`0"),
    lambda good: good.replace(b"`5.00", b"`0.00"),
    lambda good: good.replace(b"`15.00", b"`0.00").replace(b"15.0\r", b"0.0\r"),
    lambda good: good.replace(b"`,`0.09000", b"`,`x"),
    lambda good: good.replace(b"`YZ1,", b"`YZ\x001,"),
    lambda good: good.replace(b"`YZ1,", "`YZ\u202e1,".encode()),
    lambda good: good.replace(b"`YZ1,", b"`" + b"Y" * 129 + b","),
    lambda good: good.replace(b"`15.00", b"`30000000.00").replace(b"`15.0\r", b"`30000000.0\r"),
]


@pytest.mark.parametrize("spoil", SPOILS)
def test_f56_a_bill_with_a_line_that_does_not_fit_is_refused_whole_after_a_second_try(
    *, source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any, spoil: Callable[[bytes], bytes]
) -> None:
    serve(wire, wechat_pay, spoil(GOOD))
    with pytest.raises(BillUnreadable) as caught:
        source.trade_bill(DAY)
    assert len(wire.calls) == 4
    assert "oABC" not in str(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: good.replace(b"2026-11-19 10", b"2026-11-20 10", 1),
        lambda good: good.replace("`收入".encode(), "`还".encode()),
        lambda good: good.replace(b"`F1", b"`"),
        lambda good: good.replace(b"`15.00", b"`-15.00", 1),
        lambda good: good.replace("收支金额(元)".encode(), "收支金额".encode()),
        lambda good: good.replace(b"`4.0,", b"`3.0,"),
        lambda good: good.replace(b"`1.0,`15.00", b"`2.0,`15.00"),
        lambda good: good.replace(b"`3.0,", b"`2.0,"),
        lambda good: good.replace(b"`1.0,`15.00", b"`1.0,`15.01"),
        lambda good: good.replace(b"15.09", b"15.10"),
        lambda good: good.replace("支出笔数".encode(), "笔数".encode()),
        lambda good: good.replace(FEE.encode() + b"\r\n", b""),
    ],
)
def test_f56_a_flow_that_does_not_fit_is_refused_whole(
    *, source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any, spoil: Callable[[bytes], bytes]
) -> None:
    serve(wire, wechat_pay, spoil(GOOD_FUNDS), FUNDS)
    with pytest.raises(BillUnreadable):
        source.fund_flow(DAY)


def test_f56_another_digest_is_fetched_once_more(
    source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    wechat_pay.answer(wire, "GET", TRADES, told(GOOD, hash_value="0" * 40))
    wechat_pay.answer(wire, "GET", TRADES, told(GOOD))
    wire.add("GET", PAY_URL + FILE, body=gzip.compress(GOOD))
    assert len(source.trade_bill(DAY)) == 2
    assert [call.request.path_url for call in wire.calls] == [TRADES, FILE, TRADES, FILE]


def test_a_place_that_is_not_good_any_more_is_asked_for_anew(
    source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    wechat_pay.answer(wire, "GET", TRADES, told(GOOD))
    refuse(wire, "INVALID_REQUEST", FILE)
    wire.add("GET", PAY_URL + FILE, body=gzip.compress(GOOD))
    assert len(source.trade_bill(DAY)) == 2


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example/v3/billdownload/file?token=a",
        "https://api.mch.weixin.qq.com.evil.example/v3/billdownload/file?token=a",
        "https://api.mch.weixin.qq.com@evil.example/v3/billdownload/file?token=a",
        "http://api.mch.weixin.qq.com/v3/billdownload/file?token=a",
        "https://api.mch.weixin.qq.com:8443/v3/billdownload/file?token=a",
        "https://api.mch.weixin.qq.com/v3/refund/domestic/refunds?token=a",
        "https://api.mch.weixin.qq.com/v3/billdownload/file",
        "https://api.mch.weixin.qq.com/v3/billdownload/file?token=a b",
        "https://api.mch.weixin.qq.com/v3/billdownload/file?token=a\r\nX: y",
        "/v3/billdownload/file?token=a",
        "https://api.mch.weixin.qq.org/v3/billdownload/file?token=a",
        "?token=a",
    ],
)
def test_a_file_is_asked_of_our_own_host_alone(
    *, source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any, place: str
) -> None:
    wechat_pay.answer(wire, "GET", TRADES, told(GOOD, download_url=place))
    with pytest.raises(BillUnreadable, match="place"):
        source.trade_bill(DAY)
    assert {call.request.path_url for call in wire.calls} == {TRADES}


def test_the_other_host_of_wechat_pay_is_asked_at_our_own(
    *, merchant: MerchantAccount, tokens: Any, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    own = "https://api2.mch.weixin.qq.com"
    moment = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
    source = WeChatBillSource(replace(merchant, base_url=own), tokens, clock=lambda: moment)
    body = json.dumps(told(GOOD)).encode()
    wire.add("GET", own + TRADES, body=body, headers=wechat_pay.headers(body))
    wire.add("GET", own + FILE, body=gzip.compress(GOOD))
    assert len(source.trade_bill(DAY)) == 2


@pytest.mark.parametrize("code", ["STATEMENT_CREATING", "NO_STATEMENT_EXIST"])
def test_f56_a_bill_that_is_not_made_yet_is_to_be_asked_for_later(
    *, merchant: MerchantAccount, tokens: Any, wire: responses.RequestsMock, code: str
) -> None:
    refuse(wire, code)
    with pytest.raises(BillNotReady, match=code):
        WeChatBillSource(merchant, tokens, clock=lambda: MORNING).trade_bill(DAY)


def test_from_noon_on_an_unknown_bill_is_a_day_without_trades(
    merchant: MerchantAccount, tokens: Any, wire: responses.RequestsMock
) -> None:
    source = WeChatBillSource(merchant, tokens, clock=lambda: NOON)
    refuse(wire, "NO_STATEMENT_EXIST")
    refuse(wire, "NO_STATEMENT_EXIST", FUNDS)
    assert (source.trade_bill(DAY), source.fund_flow(DAY)) == ((), ())
    wire.reset()
    refuse(wire, "STATEMENT_CREATING")
    with pytest.raises(BillNotReady):
        source.trade_bill(DAY)


def test_another_refusal_stays_one(source: WeChatBillSource, wire: responses.RequestsMock) -> None:
    refuse(wire, "PARAM_ERROR")
    with pytest.raises(ProviderRefused) as caught:
        source.trade_bill(DAY)
    assert (caught.value.code, caught.value.retryable) == ("PARAM_ERROR", False)


@pytest.mark.parametrize("changes", [{"hash_type": "MD5"}, {"hash_value": "x"}, {"download_url": ""}])
def test_an_answer_that_does_not_fit_is_none(
    *, source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any, changes: dict[str, str]
) -> None:
    wechat_pay.answer(wire, "GET", TRADES, told(GOOD, **changes))
    with pytest.raises(ProviderUnavailable, match="does not fit"):
        source.trade_bill(DAY)


def test_an_unproven_answer_tells_no_place(
    source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    wechat_pay.answer(wire, "GET", TRADES, told(GOOD), signature="AAAA")
    with pytest.raises(ProviderUnavailable, match="proven"):
        source.trade_bill(DAY)


def test_a_file_may_be_larger_than_an_answer(
    source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    wechat_pay.answer(wire, "GET", TRADES, told(GOOD))
    wire.add("GET", PAY_URL + FILE, body=gzip.compress(GOOD, 0) + bytes(MOST_ANSWER_BYTES))
    with pytest.raises(BillUnreadable, match="not alone"):
        source.trade_bill(DAY)


def test_a_download_is_taken_only_when_it_is_one(
    source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    wechat_pay.answer(wire, "GET", TRADES, told(GOOD))
    wire.add("GET", PAY_URL + FILE, body=gzip.compress(GOOD), status=202)
    with pytest.raises(ProviderUnavailable, match="202"):
        source.trade_bill(DAY)
