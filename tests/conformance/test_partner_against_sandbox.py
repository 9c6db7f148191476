"""Sub-merchants of one partner over real HTTP, played by a reading of the protocol that is not ours."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from postbox import Mailbox, collecting

from core.ports import (
    BillKind,
    CardRefund,
    CloseOutcome,
    FundKind,
    PayeeCard,
    PaymentOrder,
    ProviderRefused,
    RefundOrder,
    RefundState,
    TradeState,
)
from integrations.wechat import MerchantAccount, WeChatBillSource, WeChatPayGateway, WeChatPayMessageReader

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(params=["fuyou", "kouqiang"])
def account(request: pytest.FixtureRequest, wechat_merchants: list[MerchantAccount]) -> MerchantAccount:
    """With an app of its own, and with the partner's."""
    return next(one for one in wechat_merchants if one.merchant == request.param)


@pytest.fixture
def sibling(account: MerchantAccount, wechat_merchants: list[MerchantAccount]) -> MerchantAccount:
    return next(one for one in wechat_merchants if one.sub_mchid not in (None, account.sub_mchid))


@pytest.fixture
def appid(miniapps: Any) -> str:
    """Of the mini-program that both are paid in."""
    found: str = miniapps[0].appid
    return found


@pytest.fixture
def mailbox(account: MerchantAccount, appid: str, wechat_tokens: Any) -> Iterator[Mailbox]:
    with collecting(WeChatPayMessageReader(account, {appid: "patient"}, tokens=wechat_tokens)) as box:
        yield box


@pytest.fixture
def gateway(mailbox: Mailbox, account: MerchantAccount, appid: str, wechat_tokens: Any) -> WeChatPayGateway:
    return WeChatPayGateway(
        account,
        app="patient",
        appid=appid,
        tokens=wechat_tokens,
        payment_notify_url=f"{mailbox.url}/payments",
        refund_notify_url=f"{mailbox.url}/refunds",
    )


def test_an_order_is_paid_asked_about_and_given_back(
    sandbox: Any, mailbox: Mailbox, gateway: WeChatPayGateway, account: MerchantAccount, wechat_order: PaymentOrder
) -> None:
    params = gateway.open_payment(wechat_order)
    number = wechat_order.out_trade_no
    assert gateway.find_payment(number).state is TradeState.UNPAID
    sandbox.control(f"payments/{number}/pay", client_params=dict(params))
    told = mailbox.next()
    assert told.message is not None
    assert told.message.trade == gateway.find_payment(number)
    assert (told.message.app, told.message.trade.state) == ("patient", TradeState.PAID)
    back = RefundOrder("R" + secrets.token_hex(12).upper(), number, 2000, 5000, "CNY", "患者退号")
    gateway.open_refund(back)
    told = mailbox.next()
    assert told.message is not None
    assert told.message.refund == gateway.find_refund(back.out_refund_no, out_trade_no=number)
    assert told.message.refund.state is RefundState.SUCCEEDED
    assert {one["mchid"] for one in sandbox.ledger(number)} == {account.sub_mchid}


def test_a_sub_merchants_refund_goes_to_another_card(
    sandbox: Any, gateway: WeChatPayGateway, wechat_order: PaymentOrder
) -> None:
    gateway.open_payment(wechat_order)
    sandbox.control(f"payments/{wechat_order.out_trade_no}/pay")
    back = RefundOrder("R" + secrets.token_hex(12).upper(), wechat_order.out_trade_no, 2000, 5000, "CNY", "患者退号")
    sandbox.misbehave("refund.create", "processing")
    number = gateway.open_refund(back).platform_refund_no
    assert number is not None
    sandbox.control(f"refunds/{back.out_refund_no}/settle", status="ABNORMAL")
    card = PayeeCard("CMB_DEBIT", "6225" * 4, "李四")
    sent = gateway.refund_to_card(CardRefund(back.out_refund_no, back.out_trade_no, number, card))
    assert (sent.state, sent.received_account) == (RefundState.PROCESSING, "招商银行借记卡6225")


def test_an_unpaid_order_is_closed(gateway: WeChatPayGateway, wechat_order: PaymentOrder) -> None:
    gateway.open_payment(wechat_order)
    gateway.open_payment(wechat_order)  # the same again is a fresh prepay
    assert gateway.close_payment(wechat_order.out_trade_no) is CloseOutcome.CLOSED
    assert gateway.find_payment(wechat_order.out_trade_no).state is TradeState.CLOSED
    assert gateway.close_payment("P" + secrets.token_hex(12).upper()) is CloseOutcome.NO_SUCH_NUMBER


@pytest.mark.parametrize("kind", ["wrong_merchant", "other_merchant", "wrong_app"])
def test_what_is_meant_for_a_sibling_is_refused(
    *, sandbox: Any, mailbox: Mailbox, gateway: WeChatPayGateway, wechat_order: PaymentOrder, kind: str
) -> None:
    sandbox.misbehave("notice.payment", kind)
    gateway.open_payment(wechat_order)
    sandbox.control(f"payments/{wechat_order.out_trade_no}/pay")
    told = mailbox.next()
    assert told.message is None
    assert told.reason == ("foreign_app" if kind == "wrong_app" else "foreign_merchant")


def test_the_days_bills_tell_of_this_sub_merchant_alone(
    *,
    sandbox: Any,
    gateway: WeChatPayGateway,
    account: MerchantAccount,
    sibling: MerchantAccount,
    wechat_order: PaymentOrder,
    wechat_tokens: Any,
) -> None:
    """The first asks in the name of the partner, who has the other's lines beside."""
    day = datetime.now(ZONE).date() - timedelta(days=3 if account.merchant == "fuyou" else 5)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZONE).timestamp() - time.time()
    sandbox.control("clock", offset_seconds=noon)
    try:
        order = PaymentOrder(
            **{**wechat_order.__dict__, "expires_at": datetime.now(UTC) + timedelta(seconds=noon, minutes=15)}
        )
        gateway.open_payment(order)
        sandbox.control(f"payments/{order.out_trade_no}/pay")
        gateway.open_refund(
            RefundOrder("R" + secrets.token_hex(12).upper(), order.out_trade_no, 2000, 5000, "CNY", "患者退号")
        )
    finally:
        sandbox.control("clock", offset_seconds=0)
    source = WeChatBillSource(account, wechat_tokens)
    paid, back = source.trade_bill(day)
    assert (paid.kind, paid.out_trade_no, paid.amount_fen) == (BillKind.PAYMENT, order.out_trade_no, 5000)
    assert (back.kind, back.out_trade_no, back.amount_fen) == (BillKind.REFUND, order.out_trade_no, 2000)
    moved = [(one.kind, one.income, one.amount_fen) for one in source.fund_flow(day) if one.kind is not FundKind.FEE]
    assert moved == [(FundKind.PAYMENT, True, 5000), (FundKind.REFUND, False, 2000)]
    assert WeChatBillSource(sibling, wechat_tokens).trade_bill(day) == ()
    assert WeChatBillSource(sibling, wechat_tokens).fund_flow(day) == ()


def test_a_number_that_the_partner_does_not_have_is_refused(
    account: MerchantAccount, wechat_order: PaymentOrder, appid: str, wechat_tokens: Any
) -> None:
    gateway = WeChatPayGateway(
        MerchantAccount(**{**account.__dict__, "sub_mchid": "1700000000"}),
        app="patient",
        appid=appid,
        tokens=wechat_tokens,
        payment_notify_url="http://127.0.0.1:9",
        refund_notify_url="http://127.0.0.1:9",
    )
    with pytest.raises(ProviderRefused, match="NO_AUTH"):
        gateway.open_payment(wechat_order)
