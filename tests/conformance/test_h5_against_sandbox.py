"""Payments from a browser over real HTTP, direct and by a partner, at a reading of the protocol that is not ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from postbox import Mailbox, collecting

from core.ports import CloseOutcome, PaymentOrder, ProviderRefused, TradeState
from integrations.wechat import MerchantAccount, WeChatH5Gateway, WeChatPayMessageReader


@pytest.fixture(params=["demo", "fuyou"])
def account(request: pytest.FixtureRequest, wechat_merchants: list[MerchantAccount]) -> MerchantAccount:
    return next(one for one in wechat_merchants if one.merchant == request.param)


@pytest.fixture
def mailbox(account: MerchantAccount, wechat_tokens: Any) -> Iterator[Mailbox]:
    with collecting(WeChatPayMessageReader(account, {account.appids[0]: "patient"}, tokens=wechat_tokens)) as box:
        yield box


@pytest.fixture
def gateway(mailbox: Mailbox, account: MerchantAccount, wechat_tokens: Any) -> WeChatH5Gateway:
    return gateway_of(account, wechat_tokens, mailbox.url)


def gateway_of(account: MerchantAccount, tokens: Any, url: str = "http://127.0.0.1:9") -> WeChatH5Gateway:
    return WeChatH5Gateway(
        account,
        app="patient",
        appid=account.appids[0],
        tokens=tokens,
        payment_notify_url=f"{url}/payments",
        refund_notify_url=f"{url}/refunds",
    )


@pytest.fixture
def order(wechat_order: PaymentOrder) -> PaymentOrder:
    return replace(wechat_order, client_ip="203.0.113.7")


def test_whoever_goes_there_pays_and_it_is_told(
    sandbox: Any, mailbox: Mailbox, gateway: WeChatH5Gateway, order: PaymentOrder
) -> None:
    params = gateway.open_payment(order)
    page = requests.get(params["h5_url"], headers={"Referer": "http://127.0.0.1:8000/h5/"}, timeout=10)
    assert (page.status_code, order.out_trade_no in page.text) == (200, True)
    assert gateway.find_payment(order.out_trade_no).state is TradeState.UNPAID
    sandbox.control(f"payments/{order.out_trade_no}/pay", client_params=dict(params))
    told = mailbox.next()
    assert told.message is not None
    assert told.message.trade == gateway.find_payment(order.out_trade_no)
    assert (told.message.app, told.message.trade.state) == ("patient", TradeState.PAID)


def test_the_same_order_has_a_fresh_place_each_time_and_is_closed(
    gateway: WeChatH5Gateway, order: PaymentOrder
) -> None:
    places = {gateway.open_payment(order)["h5_url"] for _ in range(3)}
    assert len(places) == 3
    assert gateway.close_payment(order.out_trade_no) is CloseOutcome.CLOSED


def test_from_another_address_it_is_another_order(gateway: WeChatH5Gateway, order: PaymentOrder) -> None:
    gateway.open_payment(order)
    with pytest.raises(ProviderRefused, match="INVALID_REQUEST") as caught:
        gateway.open_payment(replace(order, client_ip="203.0.113.8"))
    assert not caught.value.retryable


def test_an_account_that_is_not_granted_it_is_told(
    wechat_merchants: list[MerchantAccount], wechat_tokens: Any, order: PaymentOrder
) -> None:
    gulou = next(one for one in wechat_merchants if one.merchant == "gulou")
    with pytest.raises(ProviderRefused, match="NO_AUTH"):
        gateway_of(gulou, wechat_tokens).open_payment(order)
