"""Paying from a browser: our signed address at an independent gateway, and its way back, over real HTTP."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
import requests
from alipay_box import MERCHANTS, NOBODY, account_of, fresh, order_of, refund_of, settled
from browser_of_alipay import do, opened, paid

from core.ports import BillKind, CloseOutcome, InvalidSignature, PaymentOrder, RefundState, TradeState
from integrations.alipay import AlipayAccount, AlipayBillSource, AlipayWapGateway, AlipayWapReturn

ZONE = ZoneInfo("Asia/Shanghai")
RETURN_URL = "http://127.0.0.1:9/callbacks/alipay-return/x"


@pytest.fixture(params=MERCHANTS)
def account(request: pytest.FixtureRequest, sandbox: Any) -> AlipayAccount:
    told = next(one for one in sandbox.credentials("alipay") if one["merchant"] == request.param)
    return fresh(account_of(told))


@pytest.fixture
def gateway(account: AlipayAccount) -> AlipayWapGateway:
    return AlipayWapGateway(account, notify_url=NOBODY, return_url=RETURN_URL, timeouts=(2.0, 3.0))


@pytest.fixture
def order(sandbox: Any) -> PaymentOrder:
    return order_of(sandbox)


def test_a_number_is_known_once_the_cashier_was_opened(gateway: AlipayWapGateway, order: PaymentOrder) -> None:
    number, url = order.out_trade_no, gateway.open_payment(order)["url"]
    cashier = opened(url)
    assert gateway.find_payment(number).state is TradeState.NO_SUCH_NUMBER
    assert gateway.close_payment(number) is CloseOutcome.NO_SUCH_NUMBER
    assert do(cashier, "log_in").ok, "what nobody knew could not be closed"
    assert gateway.find_payment(number).state is TradeState.UNPAID
    assert gateway.close_payment(number) is CloseOutcome.CLOSED
    assert do(cashier, "pay").status_code == 409
    assert gateway.find_payment(number).state is TradeState.CLOSED


def test_it_is_paid_once_whichever_link_is_opened_and_can_be_given_back(
    sandbox: Any, gateway: AlipayWapGateway, order: PaymentOrder
) -> None:
    first, second = opened(gateway.open_payment(order)["url"]), opened(gateway.open_payment(order)["url"])
    assert do(first, "log_in").ok
    paid(second)
    assert do(first, "pay").status_code == 409
    answer = gateway.find_payment(order.out_trade_no)
    assert (answer.state, answer.amount_fen, answer.currency) == (TradeState.PAID, 5005, "CNY")
    assert len(sandbox.ledger(order.out_trade_no)) == 1
    refund = refund_of(order, 5005)
    gateway.open_refund(refund)
    assert settled(gateway, refund).state is RefundState.SUCCEEDED


def test_who_has_paid_comes_back_with_a_signature_and_nothing_else_does(
    account: AlipayAccount, gateway: AlipayWapGateway, order: PaymentOrder
) -> None:
    back = urlsplit(paid(opened(gateway.open_payment(order)["url"])))
    assert f"{back.scheme}://{back.netloc}{back.path}" == RETURN_URL
    query = back.query.encode()
    reader = AlipayWapReturn(account)
    reader.check(query)
    for old, new in ((b"total_amount=50.05", b"total_amount=50.06"), (b"seller_id=2", b"seller_id=3")):
        assert old in query
        with pytest.raises(InvalidSignature):
            reader.check(query.replace(old, new))


def test_after_its_time_nobody_can_open_it(sandbox: Any, gateway: AlipayWapGateway, order: PaymentOrder) -> None:
    late = replace(order, expires_at=datetime.now(UTC) + timedelta(minutes=2))
    url = gateway.open_payment(late)["url"]
    cashier = opened(url)
    sandbox.control("clock", offset_seconds=180)
    try:
        assert do(cashier, "pay").status_code == 409
        assert requests.get(url, allow_redirects=False, timeout=10).status_code == 200, "a page with the error"
    finally:
        sandbox.control("clock", offset_seconds=0)
    assert gateway.find_payment(order.out_trade_no).state is TradeState.NO_SUCH_NUMBER


def test_the_days_bill_names_it(
    sandbox: Any, account: AlipayAccount, gateway: AlipayWapGateway, order: PaymentOrder
) -> None:
    day = datetime.now(ZONE).date() - timedelta(days=3)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZONE).timestamp() - time.time()
    sandbox.control("clock", offset_seconds=noon)
    try:
        then = replace(order, expires_at=order.expires_at + timedelta(seconds=noon))
        paid(opened(gateway.open_payment(then)["url"]))
    finally:
        sandbox.control("clock", offset_seconds=0)
    (line,) = [one for one in AlipayBillSource(account).trade_bill(day) if one.out_trade_no == order.out_trade_no]
    assert (line.kind, line.amount_fen) == (BillKind.PAYMENT, 5005)


def test_an_address_that_was_changed_leads_nowhere(gateway: AlipayWapGateway, order: PaymentOrder) -> None:
    url = gateway.open_payment(order)["url"]
    for old, new in (("50.05", "0.01"), ("QUICK_WAP_WAY", "QUICK_WAP_PAY"), (order.out_trade_no, "P1")):
        assert old in url
        answer = requests.get(url.replace(old, new), allow_redirects=False, timeout=10)
        assert (answer.status_code, "isv.invalid-signature" in answer.text) == (200, True)
