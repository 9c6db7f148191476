"""A certificate proves while it is in force, and a key without one proves for ever."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import responses
from alipay_chain import ALIPAY_NAME, NOW, new_key, pem

from core.ports import InvalidSignature, ProviderError, ProviderUnavailable, TradeState
from integrations.alipay import (
    AlipayAccount,
    AlipayAppGateway,
    AlipayGateway,
    AlipayMessageReader,
    AlipayPhoneProver,
)

QUERY, DOWNLOAD = "alipay.trade.query", "alipay.open.app.alipaycert.download"
NUMBER = "P20261120ABCDEFGHJKLMNPQR2"
EXPIRED = NOW + timedelta(days=336)
"""A day after the certificates of this chain have ended."""


def gateway_at(account: AlipayAccount, now: datetime) -> AlipayGateway:
    return AlipayGateway(account, notify_url="https://h.example/n", clock=lambda: now)


def tell(wire: responses.RequestsMock, side: Any) -> None:
    """An answer signed with the key of `side` under the name of its certificate, which may also be fetched."""
    told = {"code": "10000", "out_trade_no": NUMBER, "trade_status": "WAIT_BUYER_PAY"}
    content = b64encode(pem(side.alipay_cert, side.authority_cert).encode()).decode()
    side.alipay.answer(wire, QUERY, told, cert_sn=side.alipay_sn)
    side.alipay.answer(wire, DOWNLOAD, {"code": "10000", "alipay_cert_content": content}, cert_sn=side.alipay_sn)


@pytest.fixture(params=["event", "app gateway", "phone"])
def prove(request: pytest.FixtureRequest, event: dict[str, str]) -> Callable[..., Any]:
    """Whatever takes a word from outside, given one that `side` has signed."""

    def event_is_proven(account: AlipayAccount, side: Any, now: datetime) -> None:
        AlipayMessageReader(account).check({}, side.alipay.form(event), now=now)

    def message_is_proven(account: AlipayAccount, side: Any, now: datetime) -> None:
        body = side.alipay.form({"service": "another", "app_id": event["app_id"]}, sign_type=True)
        AlipayAppGateway(account, clock=lambda: now).answer(body)

    def phone_is_proven(account: AlipayAccount, side: Any, now: datetime) -> None:
        told = side.alipay.sealed({"code": "10000", "msg": "Success", "mobile": "13800000000"})
        proof = {"response": told, "sign": side.alipay.signature(f'"{told}"')}
        AlipayPhoneProver(account, clock=lambda: now).read_phone(proof, user="o")

    return {"event": event_is_proven, "app gateway": message_is_proven, "phone": phone_is_proven}[request.param]


@pytest.mark.parametrize("now", [EXPIRED, NOW - timedelta(days=31)], ids=["expired", "not yet begun"])
def test_nothing_is_proven_by_a_certificate_that_is_not_in_force(
    certified: Any, prove: Callable[..., Any], now: datetime
) -> None:
    prove(certified.account, certified, NOW)
    with pytest.raises(ProviderError, match=r"bad_signature|not_proven"):
        prove(certified.account, certified, now)


def test_an_answer_under_an_expired_certificate_is_not_proven(certified: Any, wire: responses.RequestsMock) -> None:
    tell(wire, certified)
    with pytest.raises(ProviderUnavailable, match="unknown_certificate"):
        gateway_at(certified.account, EXPIRED).find_payment(NUMBER)


def test_a_renewed_certificate_ends_too(certified: Any, wire: responses.RequestsMock, event: dict[str, str]) -> None:
    side = replace(certified, alipay=replace(certified.alipay, key=new_key()))
    brief = certified.authority.certificate(ALIPAY_NAME, side.alipay.key, lasts=timedelta(days=31))
    side = replace(side, alipay_cert=brief)
    tell(wire, side)
    assert gateway_at(certified.account, NOW).find_payment(NUMBER).state is TradeState.UNPAID
    reader, body = AlipayMessageReader(certified.account), side.alipay.form(event)
    assert reader.check({}, body, now=NOW).event_id == event["notify_id"]
    later = NOW + timedelta(days=2)
    with pytest.raises(InvalidSignature, match="bad_signature"):
        reader.check({}, body, now=later)
    with pytest.raises(ProviderUnavailable, match="unknown_certificate"):
        gateway_at(certified.account, later).find_payment(NUMBER)


@pytest.mark.parametrize("years", [-50, 50])
def test_a_key_without_a_certificate_has_no_end(
    account: AlipayAccount, alipay: Any, event: dict[str, str], years: int
) -> None:
    now = NOW + years * timedelta(days=365)
    assert AlipayMessageReader(account).check({}, alipay.form(event), now=now).event_id == event["notify_id"]
