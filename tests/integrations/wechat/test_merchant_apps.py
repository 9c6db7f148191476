"""One merchant number, several apps: a mini-program and the official account beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import responses

from core.ports import InvalidSignature, PaymentOrder, ProviderUnavailable
from integrations.wechat import MerchantAccount, WeChatPayGateway, WeChatPayMessageReader

MINIAPP = "wxd678efh567hg6787"
OFFICIAL = "wx8888888888888888"
CREATE = "/v3/pay/transactions/jsapi"
QUERY = "/v3/pay/transactions/out-trade-no/YZ20261120000001?mchid=1900007291"

MakeGateway = Callable[..., WeChatPayGateway]


@pytest.fixture
def shared(merchant: MerchantAccount) -> MerchantAccount:
    return replace(merchant, bound_appids=(OFFICIAL,))


def test_each_app_pays_under_its_own_appid(
    *,
    shared: MerchantAccount,
    make_gateway: MakeGateway,
    order: PaymentOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
) -> None:
    created = wechat_pay.answer(wire, "POST", CREATE, {"prepay_id": "wx20103000"})
    for appid in (MINIAPP, OFFICIAL):
        gateway = make_gateway(shared, app="one", appid=appid)
        assert gateway.open_payment(order)["appId"] == appid
        assert json.loads(created.calls[-1].request.body or b"")["appid"] == appid


def test_a_query_that_tells_of_another_app_is_about_another_payment(
    *,
    shared: MerchantAccount,
    make_gateway: MakeGateway,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    paid_trade: dict[str, Any],
) -> None:
    wechat_pay.answer(wire, "GET", QUERY, paid_trade | {"appid": OFFICIAL})
    assert make_gateway(shared, appid=OFFICIAL).find_payment("YZ20261120000001").amount_fen == 5000
    with pytest.raises(ProviderUnavailable, match="another payment"):
        make_gateway(shared, appid=MINIAPP).find_payment("YZ20261120000001")


def test_a_message_tells_the_app_that_was_paid_in(
    shared: MerchantAccount, tokens: Any, wechat_pay: Any, paid_trade: dict[str, Any]
) -> None:
    reader = WeChatPayMessageReader(shared, {MINIAPP: "patient", OFFICIAL: "clinic"}, tokens=tokens)
    for appid, app in ((MINIAPP, "patient"), (OFFICIAL, "clinic")):
        body = wechat_pay.event(paid_trade | {"appid": appid}, event_type="TRANSACTION.SUCCESS")
        assert reader.check(wechat_pay.headers(body), body, now=wechat_pay.now).app == app


def test_an_app_that_the_merchant_has_and_we_do_not_is_foreign(
    shared: MerchantAccount, tokens: Any, wechat_pay: Any, paid_trade: dict[str, Any]
) -> None:
    """No payment of ours can have been opened there."""
    reader = WeChatPayMessageReader(shared, {MINIAPP: "patient"}, tokens=tokens)
    body = wechat_pay.event(paid_trade | {"appid": OFFICIAL}, event_type="TRANSACTION.SUCCESS")
    with pytest.raises(InvalidSignature, match="foreign_app"):
        reader.check(wechat_pay.headers(body), body, now=wechat_pay.now)


def test_an_app_that_the_merchant_does_not_have_stops_the_start(
    merchant: MerchantAccount, make_gateway: MakeGateway, tokens: Any
) -> None:
    with pytest.raises(ValueError, match="appid is not one of merchant renmin"):
        make_gateway(merchant, appid=OFFICIAL)
    with pytest.raises(ValueError, match="appid is not one of merchant renmin"):
        WeChatPayMessageReader(merchant, {OFFICIAL: "clinic"}, tokens=tokens)
