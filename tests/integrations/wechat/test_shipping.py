"""What is told of a delivery, byte for byte, and what each answer to it means."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from responses.matchers import query_param_matcher

from core.ports import Delivery, ProviderRefused, ProviderUnavailable
from integrations.wechat import MiniappAccount, WeChatShippingReporter

HOST = "https://api.weixin.qq.com"
REPORT, ASK, MANAGED = (
    f"{HOST}/wxa/sec/order/{verb}" for verb in ("upload_shipping_info", "get_order", "is_trade_managed")
)
DONE = {"errcode": 0, "errmsg": "ok"}
DELIVERY = Delivery(
    platform_trade_no="4200001234202611201234567890",
    description="预约挂号费 2026112000000017",
    payer="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    completed_at=datetime(2026, 11, 20, 2, 30, 0, 120_999, tzinfo=UTC),
)


@pytest.fixture
def reporter(miniapp: MiniappAccount, tokens: Any) -> WeChatShippingReporter:
    return WeChatShippingReporter(miniapp, tokens)


@pytest.fixture
def answered(wire: responses.RequestsMock) -> Callable[..., responses.BaseResponse]:
    """The answers of the platform, each to one path."""
    wire.add("POST", HOST + "/cgi-bin/stable_token", json={"access_token": "T", "expires_in": 7200})

    def answer(url: str, **content: Any) -> responses.BaseResponse:
        return wire.add("POST", url, json=DONE | content, match=[query_param_matcher({"access_token": "T"})])

    return answer


def test_a_report_is_this_and_nothing_else(
    reporter: WeChatShippingReporter, answered: Callable[..., responses.BaseResponse]
) -> None:
    called = answered(REPORT)
    reporter.report(DELIVERY)
    reporter.report(DELIVERY)
    first, second = (call.request.body for call in called.calls)
    assert (
        first
        == second
        == (
            '{"order_key":{"order_number_type":2,"transaction_id":"4200001234202611201234567890"},'
            '"logistics_type":3,"delivery_mode":1,"shipping_list":[{"item_desc":"预约挂号费 2026112000000017"}],'
            '"upload_time":"2026-11-20T10:30:00.120+08:00","payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}'
        ).encode()
    )
    assert "oUpF8uMuAJO" not in repr(DELIVERY)


def test_what_it_is_has_at_most_120_characters_and_the_second_its_milliseconds(
    reporter: WeChatShippingReporter, answered: Callable[..., responses.BaseResponse]
) -> None:
    called = answered(REPORT)
    on_the_second = DELIVERY.completed_at.replace(microsecond=0)
    reporter.report(replace(DELIVERY, description="号" * 121, completed_at=on_the_second))
    told = json.loads(called.calls[0].request.body or b"")
    assert told["shipping_list"] == [{"item_desc": "号" * 120}]
    assert told["upload_time"] == "2026-11-20T10:30:00.000+08:00"


@pytest.mark.parametrize("errcode", [10060002, 10060003, 10060023])
def test_what_was_told_before_is_no_error(
    reporter: WeChatShippingReporter, answered: Callable[..., responses.BaseResponse], errcode: int
) -> None:
    answered(REPORT, errcode=errcode)
    reporter.report(DELIVERY)


@pytest.mark.parametrize("state", [2, 3, 4, 6])
def test_what_cannot_be_shipped_because_it_is_shipped_is_no_error(
    reporter: WeChatShippingReporter, answered: Callable[..., responses.BaseResponse], state: int
) -> None:
    answered(REPORT, errcode=10060004)
    asked = answered(ASK, order={"order_state": state, "openid": "o"})
    reporter.report(DELIVERY)
    assert asked.calls[0].request.body == b'{"transaction_id":"4200001234202611201234567890"}'


@pytest.mark.parametrize("state", [1, 5, 7])
def test_what_cannot_be_shipped_now_is_asked_for_again(
    reporter: WeChatShippingReporter, answered: Callable[..., responses.BaseResponse], state: int
) -> None:
    answered(REPORT, errcode=10060004)
    answered(ASK, order={"order_state": state})
    with pytest.raises(ProviderRefused) as caught:
        reporter.report(DELIVERY)
    assert (caught.value.code, caught.value.retryable) == ("10060004", True)


@pytest.mark.parametrize("told", [{}, {"order": {}}, {"order": {"order_state": "2"}}, {"order": {"order_state": True}}])
def test_an_answer_that_does_not_fit_leaves_it_unknown(
    reporter: WeChatShippingReporter, answered: Callable[..., responses.BaseResponse], told: dict[str, Any]
) -> None:
    answered(REPORT, errcode=10060004)
    answered(ASK, **told)
    with pytest.raises(ProviderUnavailable, match="does not fit: order"):
        reporter.report(DELIVERY)


@pytest.mark.parametrize(
    "errcode", [45011, 45009, 44990, 10060001, 10060012, 10060019, 40013, 40125, 40164, 48001, 50002, 61004]
)
def test_what_time_or_somebody_mends_may_be_told_again(
    reporter: WeChatShippingReporter, answered: Callable[..., responses.BaseResponse], errcode: int
) -> None:
    answered(REPORT, errcode=errcode, errmsg="no rid: 65a1-2b3c")
    with pytest.raises(ProviderRefused) as caught:
        reporter.report(DELIVERY)
    assert (caught.value.code, caught.value.retryable) == (str(errcode), True)


@pytest.mark.parametrize("errcode", [44990, 10060001, 10060012, 48001])
def test_what_time_mends_of_the_question_behind_it_is_no_refusal_for_good(
    reporter: WeChatShippingReporter, answered: Callable[..., responses.BaseResponse], errcode: int
) -> None:
    """It cannot be shipped now, and whether it is shipped already cannot be asked now."""
    answered(REPORT, errcode=10060004)
    answered(ASK, errcode=errcode)
    with pytest.raises(ProviderRefused) as caught:
        reporter.report(DELIVERY)
    assert (caught.value.code, caught.value.retryable) == (str(errcode), True)


@pytest.mark.parametrize("errcode", [10060005, 10060008, 10060009, 10060031, 268485216, 47001, 40003, 99999])
def test_anything_else_is_refused_for_good(
    reporter: WeChatShippingReporter, answered: Callable[..., responses.BaseResponse], errcode: int
) -> None:
    answered(REPORT, errcode=errcode)
    with pytest.raises(ProviderRefused) as caught:
        reporter.report(DELIVERY)
    assert (caught.value.code, caught.value.retryable) == (str(errcode), False)


@pytest.mark.parametrize(
    "broken",
    [{"json": DONE | {"errcode": -1}}, {"status": 502}, {"body": "<html>"}, {"json": DONE | {"errcode": "0"}}],
)
def test_what_is_not_an_answer_leaves_it_unknown(
    reporter: WeChatShippingReporter,
    answered: Callable[..., responses.BaseResponse],
    wire: responses.RequestsMock,
    broken: dict[str, Any],
) -> None:
    wire.add("POST", REPORT, **broken)
    with pytest.raises(ProviderUnavailable) as caught:
        reporter.report(DELIVERY)
    assert caught.value.sent


def test_an_old_token_is_renewed_once(
    reporter: WeChatShippingReporter, tokens: Any, answered: Callable[..., responses.BaseResponse], wire: Any
) -> None:
    tokens.tokens["wechat_access_token:wx2421b1c4370ec43b"] = "old"
    wire.add("POST", REPORT, json={"errcode": 42001}, match=[query_param_matcher({"access_token": "old"})])
    called = answered(REPORT)
    reporter.report(DELIVERY)
    assert called.call_count == 1


@pytest.mark.parametrize("managed", [True, False])
def test_the_platform_says_whether_it_keeps_the_money(
    *,
    reporter: WeChatShippingReporter,
    answered: Callable[..., responses.BaseResponse],
    miniapp: MiniappAccount,
    managed: bool,
) -> None:
    called = answered(MANAGED, is_trade_managed=managed)
    assert reporter.is_managed() is managed
    assert json.loads(called.calls[0].request.body or b"") == {"appid": miniapp.appid}


@pytest.mark.parametrize("told", [{}, {"is_trade_managed": "yes"}, {"is_trade_managed": 2}])
def test_an_answer_that_is_neither_is_none(
    reporter: WeChatShippingReporter, answered: Callable[..., responses.BaseResponse], told: dict[str, Any]
) -> None:
    answered(MANAGED, **told)
    with pytest.raises(ProviderUnavailable, match="does not fit: is_trade_managed"):
        reporter.is_managed()


@pytest.mark.parametrize("managed", [True, False])
def test_it_is_on_where_the_account_says_so(miniapp: MiniappAccount, tokens: Any, managed: bool) -> None:
    reporter = WeChatShippingReporter(replace(miniapp, trade_managed=managed), tokens)
    assert (reporter.channel, reporter.app, reporter.is_on) == ("wechat_jsapi", "yuezhen", managed)
