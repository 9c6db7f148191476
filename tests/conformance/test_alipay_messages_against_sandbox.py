"""Messages that an independent reading of Alipay signs and sends to a port of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from alipay_box import MERCHANTS, NOBODY, Merchant, account_of, fresh, paid, refund_of, settled
from postbox import Delivery, Mailbox, collecting

from core.ports import MessageKind, PlatformMessage, RefundAnswer, RefundState, TradeState
from integrations.alipay import AlipayAccount, AlipayAppGateway, AlipayGateway, AlipayMessageReader


@pytest.fixture(scope="module")
def accounts(sandbox: Any) -> dict[str, AlipayAccount]:
    made = [fresh(account_of(told)) for told in sandbox.credentials("alipay")]
    return {account.merchant: account for account in made}


@pytest.fixture(params=MERCHANTS)
def mailbox(request: pytest.FixtureRequest, accounts: dict[str, AlipayAccount]) -> Iterator[Mailbox]:
    with collecting(AlipayMessageReader(accounts[request.param])) as box:
        yield box


@pytest.fixture
def merchant(mailbox: Mailbox, accounts: dict[str, AlipayAccount]) -> Merchant:
    account = accounts[mailbox.reader.merchant]
    return Merchant(account, AlipayGateway(account, notify_url=f"{mailbox.url}/callbacks"))


@pytest.fixture(autouse=True)
def good_weather(sandbox: Any) -> Iterator[None]:
    yield
    sandbox.behave()


def message_of(delivery: Delivery) -> PlatformMessage:
    assert delivery.message is not None, delivery.reason
    return delivery.message


def test_a_payment_and_its_refunds_are_told_one_after_another(
    sandbox: Any, mailbox: Mailbox, merchant: Merchant
) -> None:
    """The event of a partial refund still says TRADE_SUCCESS, that of the last one TRADE_CLOSED."""
    order = paid(sandbox, merchant)
    told = message_of(mailbox.next())
    assert (told.kind, told.merchant, told.app) == (MessageKind.PAYMENT, merchant.account.merchant, "patient")
    assert told.trade is not None
    assert (told.trade.out_trade_no, told.trade.state, told.trade.amount_fen) == (
        order.out_trade_no,
        TradeState.PAID,
        5005,
    )
    for amount, status in ((2000, "TRADE_SUCCESS"), (3005, "TRADE_CLOSED")):
        refund = refund_of(order, amount)
        merchant.gateway.open_refund(refund)
        settled(merchant.gateway, refund)
        told = message_of(mailbox.next())
        assert (told.kind, told.trade) == (MessageKind.REFUND, None)
        assert told.refund == RefundAnswer(refund.out_refund_no, RefundState.PROCESSING)
        assert told.summary["trade_status"] == status


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("bad_signature", "bad_signature"),
        ("unsigned", "missing_sign"),
        ("forged", "bad_signature"),
        ("wrong_app", "foreign_app"),
        ("wrong_seller", "foreign_seller"),
        ("wrong_merchant", "foreign_app"),
        ("other_merchant", "bad_signature"),
    ],
)
def test_a_bad_event_is_refused_and_the_genuine_one_follows(
    *, sandbox: Any, mailbox: Mailbox, merchant: Merchant, kind: str, reason: str
) -> None:
    sandbox.misbehave("alipay.notice.payment", kind, attempts=1)
    order = paid(sandbox, merchant)
    assert mailbox.next().reason == reason
    told = message_of(mailbox.next())
    assert told.trade is not None
    assert told.trade.out_trade_no == order.out_trade_no


def test_a_wrong_amount_is_told_as_it_is_said(sandbox: Any, mailbox: Mailbox, merchant: Merchant) -> None:
    """It is proven: comparing it with our row is the core's."""
    sandbox.misbehave("alipay.notice.payment", "wrong_amount", amount_fen=1, attempts=1)
    order = paid(sandbox, merchant)
    told = message_of(mailbox.next())
    assert told.trade is not None
    assert (told.trade.out_trade_no, told.trade.amount_fen) == (order.out_trade_no, 1)


def test_copies_of_one_event_have_one_name(sandbox: Any, mailbox: Mailbox, merchant: Merchant) -> None:
    sandbox.misbehave("alipay.notice.payment", "duplicate", copies=3)
    paid(sandbox, merchant)
    told = [message_of(mailbox.next()) for _ in range(3)]
    assert len({message.event_id for message in told}) == 1
    assert told[0].trade == told[1].trade == told[2].trade


def test_each_event_is_read_by_its_own_account_only(
    sandbox: Any, merchant: Merchant, accounts: dict[str, AlipayAccount]
) -> None:
    order = paid(sandbox, merchant)
    made = sandbox.control(
        "notices/forge", channel="alipay", merchant=merchant.account.merchant, out_trade_no=order.out_trade_no
    )
    told = AlipayMessageReader(merchant.account).check(made["headers"], made["body"].encode(), now=datetime.now(UTC))
    assert (told.kind, told.merchant, told.app) == (MessageKind.PAYMENT, merchant.account.merchant, "patient")
    assert told.trade == replace(merchant.gateway.find_payment(order.out_trade_no), funding=told.trade.funding)
    for name, other in accounts.items():
        if name != merchant.account.merchant:
            with pytest.raises(Exception, match="bad_signature"):
                AlipayMessageReader(other).check({}, made["body"].encode(), now=datetime.now(UTC))


@pytest.mark.parametrize("charset", ["GBK", "UTF-8"])
@pytest.mark.parametrize("name", MERCHANTS)
def test_the_application_gateway_passes_alipays_check(
    sandbox: Any, accounts: dict[str, AlipayAccount], name: str, charset: str
) -> None:
    account = fresh(accounts[name])
    AlipayGateway(account, notify_url=NOBODY).find_payment("PNONE")  # learns a renewed certificate
    made = sandbox.control("alipay/gateway-check", merchant=name, charset=charset)
    assert "<success>true</success>" in AlipayAppGateway(account).answer(made["body"].encode()).body.decode(charset)
    forged = sandbox.control("alipay/gateway-check", merchant=name, charset=charset, signed_by="stranger")
    with pytest.raises(Exception, match="bad_signature"):
        AlipayAppGateway(account).answer(forged["body"].encode())
