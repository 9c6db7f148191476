"""Where a bill is fetched from, what its entries say, and every word that is not a bill."""

from __future__ import annotations

import io
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
import requests
import responses

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
from integrations.alipay import AlipayAccount, AlipayBillSource

METHOD = "alipay.data.dataservice.bill.downloadurl.query"
DAY = date(2026, 11, 19)
NEXT_DAY, DAY_AFTER = datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC), datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
HOST = "dwbillcenter.alipay.com"
PLACE = "/downloadBillFile.resource?bizType=trade&downloadFileName=a%2Bb.zip&fileId=%2Ftrade%2F1&token=3f"
URL = f"http://{HOST}{PLACE}"


def text(word: str, *lines: str) -> str:
    head = (
        f"#支付宝{word}明细查询",
        "#账号：[20881002003004000156]",
        "#起始日期：[2026年11月19日 00:00:00]   终止日期：[2026年11月20日 00:00:00]",
        f"#-----{word}明细列表-----",
    )
    return "".join(f"{line}\n" for line in (*head, *lines))


TRADES = text(
    "业务",
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,订单金额（元）,商家实收（元）,退款批次号/请求号,服务费（元）,备注",
    "T1\t,P1\t,交易\t,挂号费,2026-11-19 00:00:00,2026-11-19 00:00:00,50.05,50.05,\t,-0.30,",
    "T1\t,P1\t,退款\t,挂号费,2026-11-19 00:00:00,2026-11-19 23:59:59,-20.00,-20.00,R1\t,0.12,",
    "T1\t,P1\t,退款\t,挂号费,2026-11-19 00:00:00,2026-11-19 23:59:59,-1.00,-1.00,\t,0.00,",
    "#-----业务明细列表结束-----",
    "#交易合计：1笔，商家实收共50.05元，商家优惠共0.00元",
    "#退款合计：2笔，商家实收退款共-21.00元，商家优惠退款共0.00元",
    "#导出时间：[2026年11月20日 05:46:49]",
)
FUNDS = text(
    "账务",
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注",
    "F1\t,T1\t,P1\t,挂号费,2026-11-19 10:00:00,*某\t,50.05,0.00,50.05,支付宝\t,在线支付\t,",
    "F2\t,T1\t,P1\t,挂号费,2026-11-19 10:00:00,*某\t,,-0.30,49.75,支付宝\t,收费\t,",
    "F3\t,T1\t,P1\t,挂号费,内科,2026-11-19 11:00:00,*某\t,0.00,-20.00,29.75,支付宝\t,交易退款\t,缺,货",
    "F4\t,T1\t,P1\t,挂号费,2026-11-19 11:00:00,*某\t,+0.12, ,29.87,支付宝\t,退费\t,",
    "F5\t,W1\t,\t,提现,2026-11-19 12:00:00,\t,,-30.00,-0.13,支付宝\t,提现\t,",
    "#-----账务明细列表结束-----",
    "#支出合计：3笔，共-50.30元",
    "#收入合计：2笔，共50.17元",
    "#导出时间：[2026年11月20日 05:46:49]",
)


def packed(**members: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as box:
        for word, content in members.items():
            box.writestr(f"2088_20261119_{word}明细(汇总).csv", "x")
            box.writestr(f"2088_20261119_{word}明细.csv", content.encode("gb18030"))
    return made.getvalue()


@pytest.fixture
def source(account: AlipayAccount) -> AlipayBillSource:
    return AlipayBillSource(account, clock=lambda: NEXT_DAY)


def serve(wire: responses.RequestsMock, alipay: Any, **members: str) -> None:
    alipay.success(wire, METHOD, bill_download_url=URL)
    wire.add("GET", URL, body=packed(**members))


def test_a_day_is_told_entry_by_entry(
    *, source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any, asked: Any
) -> None:
    serve(wire, alipay, 业务=TRADES)
    paid = BillEntry(
        kind=BillKind.PAYMENT,
        at=datetime(2026, 11, 18, 16, 0, tzinfo=UTC),
        out_trade_no="P1",
        platform_trade_no="T1",
        amount_fen=5005,
        currency="CNY",
        fee_fen=30,
        state=BillState.PAID,
    )
    back = replace(
        paid,
        kind=BillKind.REFUND,
        at=datetime(2026, 11, 19, 15, 59, 59, tzinfo=UTC),
        amount_fen=2000,
        fee_fen=-12,
        state=BillState.REFUNDED,
        out_refund_no="R1",
    )
    by_hand = replace(back, amount_fen=100, fee_fen=0, out_refund_no=None)
    assert source.trade_bill(DAY) == (paid, back, by_hand)
    assert asked(wire, 0).biz_content == {"bill_type": "trade", "bill_date": "2026-11-19"}
    assert wire.calls[1].request.url == URL
    assert (source.provider, source.merchant) == ("alipay", "renmin")


def test_a_flow_is_told_in_its_order(
    *, source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any, asked: Any
) -> None:
    serve(wire, alipay, 账务=FUNDS)
    came, fee, went, given, taken = source.fund_flow(DAY)
    at = datetime(2026, 11, 19, 2, 0, tzinfo=UTC)
    assert came == FundEntry("F1", "T1", at, FundKind.PAYMENT, income=True, amount_fen=5005, balance_fen=5005)
    assert (fee.kind, fee.income, fee.amount_fen) == (FundKind.FEE, False, 30)
    assert (went.kind, went.income, went.amount_fen) == (FundKind.REFUND, False, 2000)
    assert (given.kind, given.income, given.amount_fen) == (FundKind.FEE, True, 12)
    assert (taken.kind, taken.balance_fen) == (FundKind.OTHER, -13)
    assert asked(wire, 0).biz_content == {"bill_type": "signcustomer", "bill_date": "2026-11-19"}


SPOILS: list[Callable[[str], str]] = [
    lambda good: good.replace("2026-11-19 23:59:59", "2026-11-20 00:00:00", 1),
    lambda good: good.replace("00:00:00,2026-11-19 00:00:00", "00:00:00,2026-11-18 23:59:59"),
    lambda good: good.replace("-1.00,-1.00", "0.00,0.00").replace("-21.00", "-20.00"),
    lambda good: good.replace("50.05,50.05", "0.00,0.00").replace("共50.05", "共0.00"),
    lambda good: good.replace("20881002003004000156", "20881002003004010156"),
    lambda good: good.replace("2笔", "1笔"),
    lambda good: good.replace("-21.00", "-2100"),
    lambda good: good[: len(good) // 2],
    lambda good: good.replace("P1\t", "P\x001\t"),
    lambda good: good.replace("P1\t", "P" * 129 + "\t"),
    lambda good: good.replace("50.05,50.05", "30000000.05,30000000.05").replace("共50.05", "共30000000.05"),
]


@pytest.mark.parametrize("spoil", SPOILS)
def test_f56_a_bill_with_a_line_that_does_not_fit_is_refused_whole_after_a_second_try(
    *, source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any, spoil: Callable[[str], str]
) -> None:
    serve(wire, alipay, 业务=spoil(TRADES))
    with pytest.raises(BillUnreadable):
        source.trade_bill(DAY)
    assert len(wire.calls) == 4


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: good.replace("2026-11-19 10", "2026-11-20 10", 1),
        lambda good: good.replace("50.05,0.00,", "50.05,-1.00,").replace("50.17", "49.17"),
        lambda good: good.replace("50.05,0.00,", "-50.05,0.00,"),
        lambda good: (
            good.replace(",,-0.30", ",,0.30")
            .replace("3笔，共-50.30", "2笔，共-50.00")
            .replace("2笔，共50.17", "3笔，共50.47")
        ),
        lambda good: (
            good.replace(",,-0.30", ",,")
            .replace("3笔，共-50.30", "2笔，共-50.00")
            .replace("2笔，共50.17", "3笔，共50.17")
        ),
        lambda good: good.replace("F1\t", "\t"),
        lambda good: good.replace("账户余额（元）", "账户余额"),
        lambda good: good.replace("3笔", "2笔"),
        lambda good: good.replace("2笔", "3笔"),
        lambda good: good.replace("-50.30", "-50.31"),
        lambda good: good.replace("-50.30", "50.30"),
        lambda good: good.replace("50.17", "50.18"),
        lambda good: good.replace("#收入合计", "#收入"),
        lambda good: good.replace("账务明细查询", "业务明细查询"),
    ],
)
def test_f56_a_flow_that_does_not_fit_is_refused_whole(
    *, source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any, spoil: Callable[[str], str]
) -> None:
    serve(wire, alipay, 账务=spoil(FUNDS))
    with pytest.raises(BillUnreadable):
        source.fund_flow(DAY)


def test_f56_a_bill_cut_on_the_way_is_fetched_once_more_from_another_address(
    source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any
) -> None:
    again = URL.replace("3f", "40")
    alipay.success(wire, METHOD, bill_download_url=URL)
    wire.add("GET", URL, body=packed(业务=TRADES)[:-20])
    alipay.success(wire, METHOD, bill_download_url=again)
    wire.add("GET", again, body=packed(业务=TRADES))
    assert len(source.trade_bill(DAY)) == 3


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_an_address_that_does_not_give_the_file(
    *, source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any, status: int
) -> None:
    """A refusal is its half minute being over; that is asked once more. The rest is no word of Alipay's."""
    alipay.success(wire, METHOD, bill_download_url=URL)
    wire.add("GET", URL, status=status, body=packed(业务=TRADES), headers={"Location": "http://evil.example/"})
    with pytest.raises(BillUnreadable if status in (403, 404) else ProviderUnavailable):
        source.trade_bill(DAY)


def test_an_address_is_not_told_by_an_error(
    source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any
) -> None:
    alipay.success(wire, METHOD, bill_download_url=URL)
    wire.add("GET", URL, body=requests.ConnectionError(URL))
    with pytest.raises(ProviderUnavailable) as caught:
        source.trade_bill(DAY)
    assert "token" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "place",
    [
        "",
        PLACE,
        f"http://evil.example{PLACE}",
        f"http://{HOST}.evil.example{PLACE}",
        f"http://{HOST}@evil.example{PLACE}",
        f"http://{HOST}:8080{PLACE}",
        f"ftp://{HOST}{PLACE}",
        f"file://{HOST}{PLACE}",
        f"http://{HOST}",
        f"http://{HOST}{PLACE}\r\nX: y",
        f"http:\\\\{HOST}{PLACE}",
    ],
)
def test_a_file_is_fetched_from_the_configured_host_alone(
    *, source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any, place: str
) -> None:
    alipay.success(wire, METHOD, bill_download_url=place)
    with pytest.raises(BillUnreadable, match="place"):
        source.trade_bill(DAY)
    assert all(call.request.method == "POST" for call in wire.calls)


def test_where_we_want_https_an_address_without_it_is_asked_so(
    account: AlipayAccount, wire: responses.RequestsMock, alipay: Any
) -> None:
    source = AlipayBillSource(replace(account, bill_url=f"https://{HOST}/"), clock=lambda: NEXT_DAY)
    alipay.success(wire, METHOD, bill_download_url=URL)
    wire.add("GET", f"https://{HOST}{PLACE}", body=packed(业务=TRADES))
    assert len(source.trade_bill(DAY)) == 3


def test_a_day_without_trades_is_told_by_its_file_code(
    source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any
) -> None:
    alipay.success(wire, METHOD, bill_download_url=URL, bill_file_code="EMPTY_DATA_WITH_BILL_FILE")
    assert (source.trade_bill(DAY), source.fund_flow(DAY)) == ((), ())
    assert all(call.request.method == "POST" for call in wire.calls)


@pytest.mark.parametrize("code", ["NO_BILL_DATA", "BILL_NOT_EXIST"])
def test_f56_a_bill_that_is_not_there_is_to_be_asked_for_later(
    *, source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any, code: str
) -> None:
    alipay.failure(wire, METHOD, code)
    with pytest.raises(BillNotReady, match=code):
        source.trade_bill(DAY)


def test_what_is_not_there_a_day_later_is_a_day_without_trades_or_no_day(
    account: AlipayAccount, wire: responses.RequestsMock, alipay: Any
) -> None:
    source = AlipayBillSource(account, clock=lambda: DAY_AFTER)
    alipay.failure(wire, METHOD, "NO_BILL_DATA")
    alipay.failure(wire, METHOD, "BILL_NOT_EXIST")
    assert source.trade_bill(DAY) == ()
    with pytest.raises(ProviderRefused, match="BILL_NOT_EXIST"):
        source.trade_bill(DAY)


@pytest.mark.parametrize("code", ["INVAILID_ARGUMENTS", "BILL_DATE_BEFORE_REGISTRATION", "TYPE_NOT_SUPPORTED"])
def test_another_refusal_stays_one(
    *, source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any, code: str
) -> None:
    alipay.failure(wire, METHOD, code)
    with pytest.raises(ProviderRefused) as caught:
        source.trade_bill(DAY)
    assert (caught.value.code, caught.value.retryable) == (code, False)
    assert "not listed" not in str(caught.value)


def test_an_unproven_answer_tells_no_place(source: AlipayBillSource, wire: responses.RequestsMock, alipay: Any) -> None:
    alipay.answer(wire, METHOD, {"code": "10000", "bill_download_url": URL}, sign="AAAA")
    with pytest.raises(ProviderUnavailable):
        source.trade_bill(DAY)
