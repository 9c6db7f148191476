"""Bills of both wallets over real HTTP: what the sandbox's ledger holds of a day, and everything that spoils it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from alipay_box import account_of
from token_memory import TokenMemory

from core.ports import (
    BillEntry,
    BillKind,
    BillNotReady,
    BillSource,
    BillState,
    BillUnreadable,
    FundKind,
    IdKind,
    PaymentGateway,
    PaymentOrder,
    ProviderRefused,
    ProviderUnavailable,
    RefundOrder,
    RefundState,
)
from integrations.alipay import AlipayBillSource, AlipayGateway
from integrations.wechat import MerchantAccount, WeChatBillSource, WeChatPayGateway

ZONE = ZoneInfo("Asia/Shanghai")
NOBODY = "http://127.0.0.1:9"
PERSON = "oBills0001"
SHORT = (2.0, 3.0)
YESTERDAY = datetime.now(ZONE).date() - timedelta(days=1)
_numbers = count(-60)
"""Every test has a day of its own, later than those before it."""


@dataclass(frozen=True)
class Shop:
    """A merchant account at one wallet."""

    wallet: str
    gateway: PaymentGateway
    source: BillSource
    sandbox: Any

    @property
    def prefix(self) -> str:
        return "" if self.wallet == "wechat" else "alipay."

    @property
    def query(self) -> str:
        """The call that asks for a trade bill."""
        return "bill.trade" if self.wallet == "wechat" else "alipay.bill.query"

    def at(self, day: date, hour: int, minute: int = 0, second: float = 0.0) -> None:
        """Set the sandbox's clock."""
        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE) + timedelta(seconds=second)
        self.sandbox.control("clock", offset_seconds=moment.timestamp() - time.time())

    def ordered(self, fen: int = 5000) -> PaymentOrder:
        number = "P" + secrets.token_hex(12).upper()
        expires = datetime.now(UTC) + timedelta(minutes=15)
        order = PaymentOrder(number, fen, "CNY", '门诊,挂号"费"', PERSON, IdKind.OPEN_ID, expires)
        self.gateway.open_payment(order)
        return order

    def pay(self, order: PaymentOrder) -> PaymentOrder:
        channel = "wechat_pay" if self.wallet == "wechat" else "alipay"
        self.sandbox.control(f"payments/{order.out_trade_no}/pay", channel=channel, merchant=self.gateway.merchant)
        return order

    def refund(self, order: PaymentOrder, fen: int, *, ends: RefundState = RefundState.SUCCEEDED) -> RefundOrder:
        """Over before it returns."""
        number = "R" + secrets.token_hex(12).upper()
        asked = RefundOrder(number, order.out_trade_no, fen, order.amount_fen, "CNY", "预约已取消")
        self.gateway.open_refund(asked)
        for _ in range(200):
            if self.gateway.find_refund(number, out_trade_no=order.out_trade_no).state is ends:
                return asked
            time.sleep(0.02)
        raise AssertionError(number)

    def plant(self, target: str, kind: str, **more: Any) -> None:
        self.sandbox.control("faults", target=f"{self.prefix}{target}", kind=kind, **more)


def new_day() -> date:
    return datetime.now(ZONE).date() + timedelta(days=next(_numbers))


def wechat_shop(sandbox: Any, accounts: list[MerchantAccount], place: int) -> Shop:
    account, urls = accounts[place], {"payment_notify_url": NOBODY, "refund_notify_url": NOBODY}
    gateway = WeChatPayGateway(
        account, app="patient", appid=account.appid, tokens=TokenMemory(), timeouts=SHORT, **urls
    )
    return Shop("wechat", gateway, WeChatBillSource(account, TokenMemory(), timeouts=SHORT), sandbox)


def alipay_shop(sandbox: Any, place: int) -> Shop:
    account = account_of(sandbox.credentials("alipay")[place])
    account.keys.share(TokenMemory())
    gateway = AlipayGateway(account, notify_url=f"{NOBODY}/callbacks/alipay/x", timeouts=SHORT)
    return Shop("alipay", gateway, AlipayBillSource(account, timeouts=SHORT, download_timeouts=SHORT), sandbox)


@pytest.fixture(params=["wechat", "alipay"])
def wallet(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def shops(wallet: str, sandbox: Any, wechat_merchants: list[MerchantAccount]) -> Iterator[Callable[[int], Shop]]:
    """The merchant account at a place of the list."""

    def shop(place: int) -> Shop:
        return wechat_shop(sandbox, wechat_merchants, place) if wallet == "wechat" else alipay_shop(sandbox, place)

    sandbox.control("login-codes", provider=f"{wallet}_miniapp", open_id=PERSON)
    yield shop
    sandbox.control("clock", offset_seconds=0)


@pytest.fixture
def shop(shops: Callable[[int], Shop]) -> Shop:
    return shops(0)


@dataclass(frozen=True)
class Traded:
    """Two payments of a day, and a refund of the first one, with what a whole bill says of them."""

    day: date
    first: PaymentOrder
    second: PaymentOrder
    back: RefundOrder
    entries: tuple[BillEntry, ...]


@pytest.fixture
def traded(shop: Shop) -> Traded:
    """The day is over, and its bill is there."""
    day = new_day()
    shop.at(day, 12)
    first, second = shop.pay(shop.ordered(5000)), shop.pay(shop.ordered(101))
    back = shop.refund(first, 2000)
    shop.at(day + timedelta(days=1), 10, 30)
    return Traded(day, first, second, back, shop.source.trade_bill(day))


def test_a_bill_tells_every_payment_and_refund_of_the_day(shop: Shop, traded: Traded) -> None:
    first, second, back = traded.entries
    told = shop.gateway.find_payment(traded.first.out_trade_no)
    assert (first.kind, first.state, first.amount_fen, first.fee_fen) == (BillKind.PAYMENT, BillState.PAID, 5000, 30)
    assert (first.out_trade_no, first.platform_trade_no) == (traded.first.out_trade_no, told.platform_trade_no)
    assert (first.at, first.currency, first.out_refund_no) == (told.paid_at, "CNY", None)
    assert (second.out_trade_no, second.amount_fen, second.fee_fen) == (traded.second.out_trade_no, 101, 1)
    assert (back.kind, back.state, back.amount_fen) == (BillKind.REFUND, BillState.REFUNDED, 2000)
    assert (back.out_trade_no, back.out_refund_no) == (traded.first.out_trade_no, traded.back.out_refund_no)
    assert back.fee_fen == -12
    asked = shop.gateway.find_refund(traded.back.out_refund_no, out_trade_no=traded.first.out_trade_no)
    assert back.platform_refund_no == (asked.platform_refund_no if shop.wallet == "wechat" else None)
    assert shop.source.trade_bill(traded.day) == traded.entries


def test_a_flow_tells_each_movement_and_adds_up_with_the_bill(shop: Shop, traded: Traded) -> None:
    flow = shop.source.fund_flow(traded.day)
    assert [(one.kind, one.amount_fen if one.income else -one.amount_fen) for one in flow] == [
        (FundKind.PAYMENT, 5000),
        (FundKind.FEE, -30),
        (FundKind.PAYMENT, 101),
        (FundKind.FEE, -1),
        (FundKind.FEE, 12),
        (FundKind.REFUND, -2000),
    ]
    assert len({one.flow_no for one in flow}) == 6
    assert flow[0].business_no == flow[1].business_no == traded.entries[0].platform_trade_no
    balances = [flow[0].balance_fen - 5000, *(one.balance_fen for one in flow)]
    moved = [one.amount_fen if one.income else -one.amount_fen for one in flow]
    assert [later - earlier for earlier, later in pairwise(balances)] == moved
    kept = sum((1 if one.kind is BillKind.PAYMENT else -1) * one.amount_fen - one.fee_fen for one in traded.entries)
    assert balances[-1] - balances[0] == kept
    assert shop.source.fund_flow(traded.day) == flow


def test_the_fee_of_what_was_given_back_in_parts_comes_back_to_the_fen(shop: Shop) -> None:
    day = new_day()
    shop.at(day, 12)
    order = shop.pay(shop.ordered(999))
    for part in (333, 333, 333):
        shop.refund(order, part)
    shop.at(day + timedelta(days=1), 11)
    entries = shop.source.trade_bill(day)
    assert len(entries) == 4
    assert sum(one.fee_fen for one in entries) == 0


def test_f56_the_last_second_of_a_day_belongs_to_it_alone_and_the_first_to_the_next(shop: Shop) -> None:
    day = new_day()
    next(_numbers)
    after = day + timedelta(days=1)
    edges = []
    for edge, moment in ((day, (23, 59, 59.0)), (after, (0, 0, 1.0))):
        shop.at(day, 23)
        order = shop.ordered()
        shop.at(edge, *moment)
        shop.pay(order)
        edges.append(order.out_trade_no)
    shop.at(after + timedelta(days=1), 11)
    told = [shop.source.trade_bill(one) for one in (day - timedelta(days=1), day, after)]
    seconds = [f"{entry.at.astimezone(ZONE):%H:%M:%S}" for bill in told[1:] for entry in bill]
    assert [[entry.out_trade_no for entry in bill] for bill in told[1:]] == [[number] for number in edges]
    assert seconds == ["23:59:59", "00:00:01"]
    assert not {entry.out_trade_no for entry in told[0]} & set(edges)


def test_one_merchant_is_not_told_of_another(shops: Callable[[int], Shop]) -> None:
    day = new_day()
    ours, theirs = shops(0), shops(1)
    ours.at(day, 12)
    numbers = [one.pay(one.ordered()).out_trade_no for one in (ours, theirs)]
    ours.at(day + timedelta(days=1), 10)
    told = [[entry.out_trade_no for entry in one.source.trade_bill(day)] for one in (ours, theirs)]
    assert told == [[number] for number in numbers]
    assert (shops(2).source.trade_bill(day), shops(2).source.fund_flow(day)) == ((), ())


def test_f56_a_bill_that_is_not_ready_is_to_be_asked_for_later(shop: Shop) -> None:
    today = YESTERDAY + timedelta(days=1)
    shop.at(YESTERDAY, 12)
    number = shop.pay(shop.ordered()).out_trade_no
    being_made = (9, 59) if shop.wallet == "wechat" else (8, 59)
    for day in (today, YESTERDAY):
        shop.at(today, *being_made)
        with pytest.raises(BillNotReady):
            shop.source.trade_bill(day)
    shop.at(today, 10)
    for target, ask in (("bill.trade", shop.source.trade_bill), ("bill.flow", shop.source.fund_flow)):
        shop.plant(target, "not_ready", times=1)
        with pytest.raises(BillNotReady):
            ask(YESTERDAY)
        assert len(ask(YESTERDAY)) == (1 if target == "bill.trade" else 2)
    assert shop.source.trade_bill(YESTERDAY)[0].out_trade_no == number


def test_a_day_that_is_too_far_away_is_refused(shop: Shop) -> None:
    years = 1 if shop.wallet == "wechat" else 7
    with pytest.raises(ProviderRefused) as caught:
        shop.source.trade_bill(YESTERDAY - timedelta(days=366 * years))
    assert not caught.value.retryable


def test_f56_a_line_that_is_not_ours_is_told(shop: Shop, traded: Traded) -> None:
    shop.plant("bill.trade", "extra_line", amount_fen=777)
    told = shop.source.trade_bill(traded.day)
    assert told[:-1] == traded.entries
    assert (told[-1].amount_fen, told[-1].fee_fen, told[-1].kind) == (777, 5, BillKind.PAYMENT)
    assert shop.source.trade_bill(traded.day) == told


def test_f56_a_line_of_ours_is_missing_twice_other_or_in_another_state(shop: Shop, traded: Traded) -> None:
    first, second, back = traded.entries
    one, two = {"out_trade_no": traded.first.out_trade_no}, {"out_trade_no": traded.second.out_trade_no}
    shop.plant("bill.trade", "missing_line", match=two)
    shop.plant("bill.trade", "wrong_amount", match=one, amount_fen=4999)
    shop.plant("bill.trade", "duplicate_line", match={"out_refund_no": traded.back.out_refund_no})
    expected = [replace(first, amount_fen=4999), back, back]
    if shop.wallet == "wechat":
        shop.plant("bill.trade", "wrong_state", match=one)
        shop.plant("bill.trade", "wrong_state", match={"out_refund_no": traded.back.out_refund_no}, times=1)
        expected[0] = replace(expected[0], state=BillState.REVOKED)
        expected[1] = replace(back, state=BillState.NOT_REFUNDED)
    assert list(shop.source.trade_bill(traded.day)) == expected
    assert second not in expected


@pytest.mark.parametrize("wallet", ["wechat"])
def test_a_refund_that_is_stuck_has_left_the_account(shop: Shop) -> None:
    day = new_day()
    shop.at(day, 11)
    order = shop.pay(shop.ordered())
    shop.plant("refund.create", "abnormal", match={"out_trade_no": order.out_trade_no}, times=1)
    shop.refund(order, 2000, ends=RefundState.ABNORMAL)
    shop.at(day + timedelta(days=1), 11)
    back = shop.source.trade_bill(day)[-1]
    assert (back.kind, back.state, back.amount_fen) == (BillKind.REFUND, BillState.ABNORMAL, 2000)
    moved = [one for one in shop.source.fund_flow(day) if one.kind is FundKind.REFUND]
    assert [(one.income, one.amount_fen) for one in moved] == [(False, 2000)]


def test_f56_a_flow_is_spoilt_by_itself(shop: Shop, traded: Traded) -> None:
    whole = shop.source.fund_flow(traded.day)
    shop.plant("bill.flow", "missing_line", match={"out_trade_no": traded.second.out_trade_no})
    told = shop.source.fund_flow(traded.day)
    assert [one.flow_no for one in told] == [one.flow_no for one in (*whole[:2], *whole[4:])]
    assert shop.source.trade_bill(traded.day) == traded.entries


@pytest.mark.parametrize("kind", ["cut_short", "wrong_sum"])
@pytest.mark.parametrize("target", ["bill.trade", "bill.flow"])
def test_f56_a_file_that_is_not_whole_is_fetched_once_more_and_then_refused(
    *, shop: Shop, traded: Traded, target: str, kind: str
) -> None:
    ask = shop.source.trade_bill if target == "bill.trade" else shop.source.fund_flow
    whole = ask(traded.day)
    shop.plant(target, kind, times=1)
    assert ask(traded.day) == whole
    shop.plant(target, kind)
    with pytest.raises(BillUnreadable):
        ask(traded.day)


@pytest.mark.parametrize("wallet", ["wechat"], indirect=True)
def test_f56_a_wrong_digest_is_fetched_once_more_and_then_refused(shop: Shop, traded: Traded) -> None:
    shop.plant("bill.trade", "wrong_digest", times=1)
    assert shop.source.trade_bill(traded.day) == traded.entries
    shop.plant("bill.trade", "wrong_digest")
    with pytest.raises(BillUnreadable, match="hash"):
        shop.source.trade_bill(traded.day)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "cut", "error"])
def test_f56_a_file_lost_on_the_way_leaves_nothing(shop: Shop, traded: Traded, kind: str) -> None:
    shop.plant("bill.file", kind, times=1)
    with pytest.raises(ProviderUnavailable):
        shop.source.trade_bill(traded.day)
    assert shop.source.trade_bill(traded.day) == traded.entries


def test_f56_a_garbled_file_is_fetched_once_more(shop: Shop, traded: Traded) -> None:
    shop.plant("bill.file", "garbled", times=1)
    assert shop.source.trade_bill(traded.day) == traded.entries


@pytest.mark.parametrize("kind", ["error", "bad_signature", "forged", "unsigned", "garbled"])
def test_an_answer_that_nothing_proves_tells_no_place(shop: Shop, traded: Traded, kind: str) -> None:
    shop.sandbox.control("faults", target=shop.query, kind=kind, times=1)
    with pytest.raises(ProviderUnavailable):
        shop.source.trade_bill(traded.day)
    assert shop.source.trade_bill(traded.day) == traded.entries


def test_a_busy_platform_is_asked_later(shop: Shop, traded: Traded) -> None:
    shop.sandbox.control("faults", target=shop.query, kind="rate_limited", times=1)
    with pytest.raises(ProviderRefused) as caught:
        shop.source.trade_bill(traded.day)
    assert caught.value.retryable


@pytest.mark.parametrize("wallet", ["wechat"], indirect=True)
def test_a_refund_without_an_end_is_told_as_it_stood(shop: Shop) -> None:
    """Closed after the bill was made: the bill is not written anew, and the flow of that other day gives it back."""
    day = new_day()
    next(_numbers)
    shop.at(day, 12)
    order = shop.pay(shop.ordered())
    shop.sandbox.control("faults", target="refund.create", kind="processing", times=1)
    number = "R" + secrets.token_hex(12).upper()
    shop.gateway.open_refund(RefundOrder(number, order.out_trade_no, 5000, 5000, "CNY", ""))
    after = day + timedelta(days=1)
    for moment in ((after, 11), (after + timedelta(days=1), 11)):
        shop.at(*moment)
        assert [one.state for one in shop.source.trade_bill(day)] == [BillState.PAID, BillState.REFUNDING]
        if moment[0] == after:
            shop.sandbox.control(f"refunds/{number}/settle", channel="wechat_pay", status="CLOSED")
    assert shop.source.trade_bill(after) == ()
    assert [(one.kind, one.income, one.amount_fen) for one in shop.source.fund_flow(after)] == [
        (FundKind.OTHER, True, 5000),
        (FundKind.FEE, False, 30),
    ]
