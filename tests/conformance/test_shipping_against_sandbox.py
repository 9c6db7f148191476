"""Our reading of shipping management against an independent one, over real HTTP."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from core.ports import Delivery, PaymentOrder, ProviderRefused, ProviderUnavailable, RefundOrder
from integrations.wechat import MiniappAccount, WeChatPayGateway, WeChatShippingReporter


@dataclass
class Paid:
    """A trade that was paid in a managed mini-program, and who reports for it."""

    sandbox: Any
    gateway: WeChatPayGateway
    order: PaymentOrder
    reporter: WeChatShippingReporter

    @property
    def delivery(self) -> Delivery:
        answer = self.gateway.find_payment(self.order.out_trade_no)
        assert answer.platform_trade_no is not None
        return Delivery(
            answer.platform_trade_no, self.order.description, self.order.payer, datetime(2026, 11, 22, 2, tzinfo=UTC)
        )

    @property
    def funds(self) -> Any:
        (trade,) = [one for one in self.sandbox.ledger(self.order.out_trade_no) if one["kind"] == "trade"]
        return trade["funds"]


@pytest.fixture
def paid(
    *,
    sandbox: Any,
    wechat_gateway: WeChatPayGateway,
    wechat_order: PaymentOrder,
    miniapps: list[MiniappAccount],
    wechat_tokens: Any,
) -> Iterator[Paid]:
    sandbox.control("miniapps/patient", trade_managed=True)
    wechat_gateway.open_payment(wechat_order)
    sandbox.control(f"payments/{wechat_order.out_trade_no}/pay")
    yield Paid(sandbox, wechat_gateway, wechat_order, WeChatShippingReporter(miniapps[0], wechat_tokens))
    sandbox.control("miniapps/patient", trade_managed=False)


def test_money_is_frozen_until_it_is_reported(paid: Paid) -> None:
    assert paid.funds == "frozen"
    for _ in range(3):
        paid.reporter.report(paid.delivery)
        assert paid.funds == "free"


@pytest.mark.parametrize("kind", ["drop_after", "error_after", "garbled", "cut"])
def test_a_report_that_was_not_answered_may_be_made_again(paid: Paid, kind: str) -> None:
    delivery = paid.delivery
    paid.sandbox.misbehave("shipping.report", kind)
    with pytest.raises(ProviderUnavailable):
        paid.reporter.report(delivery)
    assert paid.funds == "free"
    paid.reporter.report(delivery)


@pytest.mark.parametrize(
    ("errcode", "retryable"), [(10060001, True), (45011, True), (48001, True), (10060031, False), (47001, False)]
)
def test_a_refusal_is_told_with_what_it_means(paid: Paid, errcode: int, retryable: bool) -> None:
    paid.sandbox.misbehave("shipping.report", "error", code=errcode)
    with pytest.raises(ProviderRefused) as caught:
        paid.reporter.report(paid.delivery)
    assert (caught.value.code, caught.value.retryable) == (str(errcode), retryable)
    assert paid.funds == "frozen"


def test_what_cannot_be_shipped_is_asked_about(paid: Paid) -> None:
    delivery = paid.delivery
    paid.sandbox.misbehave("shipping.report", "error", code=10060004)
    with pytest.raises(ProviderRefused, match="10060004"):
        paid.reporter.report(delivery)
    paid.reporter.report(delivery)
    paid.sandbox.misbehave("shipping.report", "error", code=10060004)
    paid.reporter.report(delivery)


def test_of_what_went_back_nothing_is_delivered(paid: Paid) -> None:
    number = "R" + secrets.token_hex(12).upper()
    order = RefundOrder(number, paid.order.out_trade_no, 5000, 5000, "CNY", "患者退号")
    delivery = paid.delivery
    paid.gateway.open_refund(order)
    until = time.monotonic() + 15
    while paid.funds != "returned":
        assert time.monotonic() < until
        time.sleep(0.01)
    with pytest.raises(ProviderRefused, match="10060004"):
        paid.reporter.report(delivery)


def test_a_number_or_a_payer_that_is_anothers_is_refused(paid: Paid) -> None:
    with pytest.raises(ProviderRefused, match="10060001"):
        paid.reporter.report(replace(paid.delivery, platform_trade_no="4200000000000000000000000000"))
    with pytest.raises(ProviderRefused, match="10060031"):
        paid.reporter.report(replace(paid.delivery, payer="oSomebodyElse"))


def test_the_platform_is_asked_whom_it_concerns(paid: Paid) -> None:
    assert paid.reporter.is_managed()
    paid.sandbox.control("miniapps/patient", trade_managed=False)
    assert not paid.reporter.is_managed()
