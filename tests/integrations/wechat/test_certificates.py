"""Platform certificates: when they are fetched, and what a failure does (F-58)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import responses

from core.ports import CloseOutcome, ProviderUnavailable
from integrations.wechat import MerchantAccount, WeChatPayGateway

HOST = "https://api.mch.weixin.qq.com"
PATH = "/v3/certificates"
NUMBER = "YZ20261120000001"
CLOSE = f"/v3/pay/transactions/out-trade-no/{NUMBER}/close"
NAME = "wechat_pay_certificates:1900007291"

pytestmark = pytest.mark.parametrize("key_mode", ["certificate"], indirect=True, scope="session")


@pytest.fixture
def stored() -> dict[str, str]:
    """Nobody has fetched any yet."""
    return {}


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    """What is not asked for is counted here, not refused."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def at(gateway: WeChatPayGateway, moment: datetime) -> WeChatPayGateway:
    """The same gateway at another time."""
    gateway._http._clock = lambda: moment
    return gateway


def fetches(wire: responses.RequestsMock) -> int:
    return len([call for call in wire.calls if call.request.url == HOST + PATH])


def signed(side: Any, payload: Any) -> dict[str, Any]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {"body": body, "headers": side.headers(body), "content_type": "application/json"}


# --- what is fetched, and when ----------------------------------------------------------------------------------------


def test_the_first_call_fetches_them_and_asks_for_an_answer_by_the_newest(
    *, gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, next_side: Any, tokens: Any
) -> None:
    both = wechat_pay.certificates(wechat_pay.certificate, next_side.certificate)
    fetched = wechat_pay.answer(wire, "GET", PATH, both)
    closed = next_side.answer(wire, "POST", CLOSE, b"", status=204)
    for _ in range(3):
        assert gateway.close_payment(NUMBER) is CloseOutcome.CLOSED
    assert (fetches(wire), tokens.lives) == (1, [timedelta(hours=1)])
    assert "Wechatpay-Serial" not in fetched.calls[0].request.headers  # there was none to ask for
    assert closed.calls[0].request.headers["Wechatpay-Serial"] == next_side.key_id


def test_they_are_fetched_anew_when_their_hour_is_over(
    *, gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, next_side: Any, tokens: Any
) -> None:
    wechat_pay.answer(wire, "GET", PATH, wechat_pay.certificates())
    wechat_pay.answer(wire, "POST", CLOSE, b"", status=204)
    gateway.close_payment(NUMBER)
    tokens.ended.add(NAME)
    wire.replace("GET", HOST + PATH, **signed(wechat_pay, wechat_pay.certificates(next_side.certificate)))
    wire.replace("POST", HOST + CLOSE, status=204, headers=next_side.headers(b""))
    assert gateway.close_payment(NUMBER) is CloseOutcome.CLOSED
    assert fetches(wire) == 2


def test_without_any_key_nothing_is_sent_and_the_next_try_waits_a_minute(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, tokens: Any
) -> None:
    wire.add("GET", HOST + PATH, status=500)
    for _ in range(3):
        with pytest.raises(ProviderUnavailable, match="no key of WeChat Pay") as caught:
            gateway.close_payment(NUMBER)
        assert not caught.value.sent
    assert (len(wire.calls), tokens.lives) == (1, [timedelta(minutes=1)])


def test_a_failed_renewal_keeps_what_is_in_force(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, tokens: Any
) -> None:
    wechat_pay.answer(wire, "GET", PATH, wechat_pay.certificates())
    wechat_pay.answer(wire, "POST", CLOSE, b"", status=204)
    gateway.close_payment(NUMBER)
    tokens.ended.add(NAME)
    wire.replace("GET", HOST + PATH, status=404, json={"code": "RESOURCE_NOT_EXISTS"})
    for _ in range(3):
        assert gateway.close_payment(NUMBER) is CloseOutcome.CLOSED
    assert (fetches(wire), tokens.lives) == (2, [timedelta(hours=1), timedelta(minutes=1)])


def test_a_configured_certificate_serves_while_the_platform_gives_none(
    *,
    make_gateway: Callable[..., WeChatPayGateway],
    merchant: MerchantAccount,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    tokens: Any,
) -> None:
    account = replace(merchant, platform_certificates=(wechat_pay.certificate,))
    wire.add("GET", HOST + PATH, status=500)
    wechat_pay.answer(wire, "POST", CLOSE, b"", status=204)
    assert make_gateway(account).close_payment(NUMBER) is CloseOutcome.CLOSED


class SlowTokens:
    """A store where another process fetches for ever."""

    def token(self, name: str, fetch: Any, *, rejected: str | None = None) -> str:
        raise ProviderUnavailable(f"no {name.partition(':')[0]} in time", sent=False)

    def stored(self, name: str) -> str | None:
        return None


def test_who_waits_in_vain_for_them_goes_on_with_what_is_configured(
    make_gateway: Callable[..., WeChatPayGateway],
    merchant: MerchantAccount,
    wire: responses.RequestsMock,
    wechat_pay: Any,
) -> None:
    account = replace(merchant, platform_certificates=(wechat_pay.certificate,))
    wechat_pay.answer(wire, "POST", CLOSE, b"", status=204)
    assert make_gateway(account, tokens=SlowTokens()).close_payment(NUMBER) is CloseOutcome.CLOSED


# --- an answer with a serial that nobody knows ------------------------------------------------------------------------


@pytest.fixture
def changed(gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, next_side: Any) -> Any:
    """The certificates were fetched; then WeChat Pay began to sign with another one."""
    wechat_pay.answer(wire, "GET", PATH, wechat_pay.certificates())
    wechat_pay.answer(wire, "POST", CLOSE, b"", status=204)
    gateway.close_payment(NUMBER)
    both = wechat_pay.certificates(wechat_pay.certificate, next_side.certificate)
    wire.replace("GET", HOST + PATH, **signed(wechat_pay, both))
    return gateway


def restamp(wire: responses.RequestsMock, side: Any, moment: datetime) -> None:
    wire.upsert("POST", HOST + CLOSE, status=204, headers=replace(side, now=moment).headers(b""))


def test_an_unknown_serial_is_looked_up_once_and_the_answer_is_proven(
    changed: WeChatPayGateway, wire: responses.RequestsMock, next_side: Any, wechat_pay: Any
) -> None:
    later = wechat_pay.now + timedelta(seconds=60)
    restamp(wire, next_side, later)
    for _ in range(3):
        assert at(changed, later).close_payment(NUMBER) is CloseOutcome.CLOSED
    assert fetches(wire) == 2


def test_an_unknown_serial_is_not_looked_up_twice_within_a_minute(
    changed: WeChatPayGateway, wire: responses.RequestsMock, next_side: Any, wechat_pay: Any
) -> None:
    """F-58."""
    soon = wechat_pay.now + timedelta(seconds=59)
    restamp(wire, next_side, soon)
    with pytest.raises(ProviderUnavailable, match="not proven: unknown_serial") as caught:
        at(changed, soon).close_payment(NUMBER)
    assert caught.value.sent
    assert fetches(wire) == 1


def test_an_unknown_serial_is_never_believed_whatever_is_fetched(
    changed: WeChatPayGateway, wire: responses.RequestsMock, stranger: Any, wechat_pay: Any
) -> None:
    """F-58."""
    later = wechat_pay.now + timedelta(seconds=61)
    restamp(wire, replace(stranger, key_id="5157F09EFDC096DE15EBE81A47057A7232F1B8E1"), later)
    for _ in range(3):
        with pytest.raises(ProviderUnavailable, match="not proven: unknown_serial"):
            at(changed, later).close_payment(NUMBER)
    assert fetches(wire) == 2


@pytest.mark.parametrize("signature", ["WECHATPAY/SIGNTEST/" + "A" * 325, "A"])
def test_a_probe_under_a_known_serial_fetches_nothing(
    changed: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, signature: str
) -> None:
    later = replace(wechat_pay, now=wechat_pay.now + timedelta(seconds=61))
    wire.upsert("POST", HOST + CLOSE, status=204, headers=later.headers(b"", signature=signature))
    with pytest.raises(ProviderUnavailable, match="not proven"):
        at(changed, later.now).close_payment(NUMBER)
    assert fetches(wire) == 1
