"""WeChat Pay behind a certificate that is not its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from strangers import NOTHING, STRANGERS, called

from core.ports import PaymentOrder
from integrations.wechat import MerchantAccount, WeChatPayGateway

Call = Callable[[str], object]


@pytest.fixture
def pay(merchant: MerchantAccount, order: PaymentOrder, make_gateway: Callable[..., WeChatPayGateway]) -> Call:
    """Ask whoever answers at an address for a prepay."""
    return lambda url: make_gateway(replace(merchant, base_url=url)).open_payment(order)


@pytest.mark.parametrize("kind", STRANGERS)
def test_f_35_a_stranger_is_told_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pay: Call, kind: str) -> None:
    assert called(kind, tmp_path, monkeypatch, pay) == NOTHING


def test_f_35_whoever_is_trusted_is_spoken_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pay: Call) -> None:
    """And not believed all the same: nothing in the answer is signed."""
    heard = called("good", tmp_path, monkeypatch, pay)
    assert (heard.sent, heard.logged) == (True, [])
    assert heard.said.startswith(b"POST /v3/pay/transactions/jsapi HTTP/1.1")
