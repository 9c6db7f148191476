"""Paying from a browser: the signed address, and what comes back with the payer (alipay.md 7.3)."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from core.ports import InvalidSignature, PaymentOrder, ProviderRefused
from integrations.alipay import AlipayAccount, AlipayGateway, AlipayWapGateway, AlipayWapReturn

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)
NOTIFY, RETURN = (
    "https://hospital.example/callbacks/alipay/renmin",
    "https://hospital.example/callbacks/alipay-return/r",
)


@pytest.fixture
def wap(account: AlipayAccount) -> AlipayWapGateway:
    return AlipayWapGateway(account, notify_url=NOTIFY, return_url=RETURN, clock=lambda: NOW)


@pytest.fixture
def returned(account: AlipayAccount) -> dict[str, str]:
    """Not signed yet."""
    return {
        "app_id": account.app_id,
        "auth_app_id": account.app_id,
        "charset": "utf-8",
        "method": "alipay.trade.wap.pay.return",
        "out_trade_no": "P20261120ABCDEFGHJKLMNPQR2",
        "seller_id": account.seller_id,
        "sign_type": "RSA2",
        "timestamp": "2026-11-20 10:30:00",
        "total_amount": "50.05",
        "trade_no": "2026112022001400000000000001",
        "version": "1.0",
    }


def fields_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def test_a_browser_is_sent_to_a_signed_address_and_nobody_is_called(
    *,
    wap: AlipayWapGateway,
    account: AlipayAccount,
    order: PaymentOrder,
    wire: responses.RequestsMock,
    app_key: RSAPrivateKey,
) -> None:
    params = wap.open_payment(order)
    assert params.keys() == {"url"}
    assert params["url"].startswith("https://openapi.alipay.com/gateway.do?")
    fields = fields_of(params["url"])
    sign = fields.pop("sign")
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields)).encode()
    app_key.public_key().verify(b64decode(sign), text, PKCS1v15(), SHA256())
    assert (fields["method"], fields["notify_url"], fields["return_url"]) == ("alipay.trade.wap.pay", NOTIFY, RETURN)
    assert json.loads(fields["biz_content"]) == {
        "out_trade_no": order.out_trade_no,
        "total_amount": "50.05",
        "subject": "预约挂号费 261120000000001",
        "seller_id": account.seller_id,
        "time_expire": "2026-11-20 10:45:00",
        "product_code": "QUICK_WAP_WAY",
        "quit_url": RETURN,
    }
    assert order.payer not in params["url"]
    assert not wire.calls


def test_the_link_is_by_itself_a_way_of_its_own(wap: AlipayWapGateway) -> None:
    assert (wap.channel, wap.provider, wap.limits.by_link) == ("alipay_wap", "alipay", True)
    assert not AlipayGateway.limits.by_link


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"out_trade_no": "P-1"}, "invalid_number"),
        ({"amount_fen": 0}, "invalid_amount"),
        ({"currency": "USD"}, "unsupported_currency"),
    ],
)
def test_what_alipay_could_not_take_gets_no_address(
    wap: AlipayWapGateway, order: PaymentOrder, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(ProviderRefused, match=code):
        wap.open_payment(replace(order, **change))


# --- the way back


def refused(account: AlipayAccount, query: bytes) -> str:
    with pytest.raises(InvalidSignature) as caught:
        AlipayWapReturn(account, clock=lambda: NOW).check(query)
    return caught.value.reason


def test_who_comes_back_from_alipay_is_known_by_its_signature(
    account: AlipayAccount, alipay: Any, returned: dict[str, str]
) -> None:
    AlipayWapReturn(account, clock=lambda: NOW).check(alipay.form(returned))


def test_no_field_of_it_may_be_another(account: AlipayAccount, alipay: Any, returned: dict[str, str]) -> None:
    query = alipay.form(returned).decode()
    for name, value in returned.items():
        if name == "sign_type":
            continue
        assert refused(account, query.replace(f"{name}=", f"{name}=1", 1).encode()) == "bad_signature", (name, value)
    assert refused(account, alipay.form(returned | {"sign_type": ""}).replace(b"sign=", b"sgn=")) == "missing_sign"
    assert refused(account, query.replace("sign_type=RSA2", "sign_type=RSA").encode()) == "signature_type"
    assert refused(account, b"\xff") == "unreadable"


@pytest.mark.parametrize("name", ["app_id", "seller_id"])
def test_what_is_meant_for_another_merchant_is_not_ours(
    account: AlipayAccount, alipay: Any, returned: dict[str, str], name: str
) -> None:
    assert refused(account, alipay.form(returned | {name: "2088000000000009"})) == "foreign_return"


def test_a_stranger_signs_nothing(account: AlipayAccount, alipay: Any, returned: dict[str, str], app_key: Any) -> None:
    assert refused(account, replace(alipay, key=app_key).form(returned)) == "bad_signature"
