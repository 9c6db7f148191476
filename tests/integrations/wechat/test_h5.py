"""WeChat Pay from a browser: what is sent, where it leads, and that the payer's address goes there and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import responses

from core.ports import PaymentOrder, ProviderRefused, ProviderUnavailable, TradeState
from integrations.wechat import MerchantAccount, WeChatH5Gateway

CREATE, PARTNERS = "/v3/pay/transactions/h5", "/v3/pay/partner/transactions/h5"
QUERY = "/v3/pay/transactions/out-trade-no/YZ20261120000001?mchid=1900007291"
PLACE = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx20103000&package=1037687096"
ADDRESS = "203.0.113.7"

MakeH5 = Callable[[MerchantAccount], WeChatH5Gateway]


@pytest.fixture
def make_h5(tokens: Any, wechat_pay: Any) -> MakeH5:
    return lambda account: WeChatH5Gateway(
        account,
        app="yuezhen",
        appid=account.appids[0],
        tokens=tokens,
        payment_notify_url="https://api.example.cn/callbacks/wechat-pay/renmin",
        refund_notify_url="https://api.example.cn/callbacks/wechat-refund/renmin",
        clock=lambda: wechat_pay.now,
    )


@pytest.fixture
def h5(merchant: MerchantAccount, make_h5: MakeH5) -> WeChatH5Gateway:
    return make_h5(merchant)


@pytest.fixture
def asked(order: PaymentOrder) -> PaymentOrder:
    return replace(order, client_ip=ADDRESS)


def test_an_order_names_no_payer_but_where_they_are(
    h5: WeChatH5Gateway, asked: PaymentOrder, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    created = wechat_pay.answer(wire, "POST", CREATE, {"h5_url": PLACE})
    assert h5.open_payment(asked) == {"h5_url": PLACE}
    assert json.loads(created.calls[0].request.body) == {
        "appid": "wxd678efh567hg6787",
        "mchid": "1900007291",
        "description": "人民医院 心内科 挂号费",
        "out_trade_no": "YZ20261120000001",
        "time_expire": "2026-11-20T10:45:00+08:00",
        "notify_url": "https://api.example.cn/callbacks/wechat-pay/renmin",
        "amount": {"total": 5000, "currency": "CNY"},
        "scene_info": {"payer_client_ip": ADDRESS, "h5_info": {"type": "Wap"}},
    }


def test_a_sub_merchant_is_paid_in_the_partners_form(
    *,
    merchant: MerchantAccount,
    make_h5: MakeH5,
    asked: PaymentOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
) -> None:
    account = replace(merchant, sub_mchid="1900000109", sub_appids=("wx8888888888888888",))
    created = wechat_pay.answer(wire, "POST", PARTNERS, {"h5_url": PLACE})
    make_h5(account).open_payment(asked)
    sent = json.loads(created.calls[0].request.body)
    named = {name: value for name, value in sent.items() if name.startswith(("sp_", "sub_", "app", "mch", "payer"))}
    assert named == {
        "sp_appid": "wxd678efh567hg6787",
        "sub_appid": "wx8888888888888888",
        "sp_mchid": "1900007291",
        "sub_mchid": "1900000109",
    }


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:0db8:0001:0002:0000:0000:0000:0001", "2001:db8:1:2::1"),
    ],
)
def test_an_address_is_sent_in_its_plain_form(
    *,
    h5: WeChatH5Gateway,
    order: PaymentOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    address: str,
    sent: str,
) -> None:
    created = wechat_pay.answer(wire, "POST", CREATE, {"h5_url": PLACE})
    h5.open_payment(replace(order, client_ip=address))
    assert json.loads(created.calls[0].request.body)["scene_info"]["payer_client_ip"] == sent


@pytest.mark.parametrize("address", [None, "", "localhost", "203.0.113.7:8080", "203.0.113"])
def test_without_an_address_nothing_is_sent(
    h5: WeChatH5Gateway, order: PaymentOrder, wire: responses.RequestsMock, address: str | None
) -> None:
    with pytest.raises(ProviderRefused, match="no_address") as caught:
        h5.open_payment(replace(order, client_ip=address))
    assert not wire.calls
    assert caught.value.__cause__ is None


def test_the_address_is_no_part_of_the_order_and_is_not_shown(asked: PaymentOrder, order: PaymentOrder) -> None:
    assert asked == order
    assert ADDRESS not in repr(asked)


@pytest.mark.parametrize("answer", [{}, {"prepay_id": "wx1"}, {"h5_url": "javascript:alert(1)"}, {"h5_url": "wx"}])
def test_an_answer_without_a_place_is_none(
    h5: WeChatH5Gateway, asked: PaymentOrder, wire: responses.RequestsMock, wechat_pay: Any, answer: dict[str, str]
) -> None:
    wechat_pay.answer(wire, "POST", CREATE, answer)
    with pytest.raises(ProviderUnavailable, match="h5_url"):
        h5.open_payment(asked)


def test_it_is_asked_about_as_any_other(
    h5: WeChatH5Gateway, wire: responses.RequestsMock, wechat_pay: Any, paid_trade: dict[str, Any]
) -> None:
    wechat_pay.answer(wire, "GET", QUERY, paid_trade | {"trade_type": "MWEB"})
    assert h5.find_payment("YZ20261120000001").state is TradeState.PAID
    assert (h5.channel, h5.provider, h5.app) == ("wechat_h5", "wechat_pay", "yuezhen")
