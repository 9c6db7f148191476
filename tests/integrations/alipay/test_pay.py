"""Payments: what is asked, and what the answers mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from core.ports import CloseOutcome, IdKind, PaymentOrder, ProviderRefused, ProviderUnavailable, TradeState
from integrations.alipay import AlipayAccount, AlipayGateway
from integrations.alipay._trades import fen, yuan

CREATE, QUERY, CLOSE = "alipay.trade.create", "alipay.trade.query", "alipay.trade.close"
NUMBER = "P20261120ABCDEFGHJKLMNPQR2"
TRADE = {"out_trade_no": NUMBER, "trade_no": "2026112022001400000000000001"}


def test_a_payment_is_asked_for_exactly(
    gateway: AlipayGateway, order: PaymentOrder, wire: responses.RequestsMock, alipay: Any, asked: Any
) -> None:
    alipay.success(wire, CREATE, **TRADE)
    assert gateway.open_payment(order) == {"tradeNO": TRADE["trade_no"]}
    sent = asked(wire)
    assert sent.biz_content == {
        "out_trade_no": NUMBER,
        "total_amount": "50.05",
        "subject": "预约挂号费 261120000000001",
        "product_code": "JSAPI_PAY",
        "op_app_id": "2021004100000001",
        "seller_id": "2088100200300400",
        "buyer_open_id": order.payer,
        "time_expire": "2026-11-20 10:45:00",
    }
    assert sent.query["notify_url"] == "https://hospital.example/callbacks/alipay/renmin"


def test_the_same_order_is_asked_for_in_the_same_words(
    gateway: AlipayGateway, order: PaymentOrder, wire: responses.RequestsMock, alipay: Any, asked: Any
) -> None:
    alipay.success(wire, CREATE, **TRADE)
    first, again = gateway.open_payment(order), gateway.open_payment(replace(order))
    assert first == again
    assert asked(wire, 0).body == asked(wire, 1).body


@pytest.mark.parametrize(
    ("kind", "is_miniapp", "name"),
    [
        (IdKind.OPEN_ID, True, "buyer_open_id"),
        (IdKind.USER_ID, True, "buyer_id"),
        (IdKind.OPEN_ID, False, "op_buyer_open_id"),
        (IdKind.USER_ID, False, "buyer_id"),
    ],
)
def test_the_payer_is_named_by_the_kind_of_id_and_by_whose_app_it_is(
    *,
    account: AlipayAccount,
    calling_account: AlipayAccount,
    order: PaymentOrder,
    wire: responses.RequestsMock,
    alipay: Any,
    asked: Any,
    kind: IdKind,
    is_miniapp: bool,
    name: str,
) -> None:
    gateway = AlipayGateway(account if is_miniapp else calling_account, notify_url="https://h.example/n")
    alipay.success(wire, CREATE, **TRADE)
    gateway.open_payment(replace(order, payer_kind=kind))
    sent = asked(wire).biz_content
    payers = {field: value for field, value in sent.items() if "buyer" in field}
    assert payers == {name: order.payer}
    assert sent["op_app_id"] == "2021004100000001"
    assert asked(wire).query["app_id"] == ("2021004100000001" if is_miniapp else "2021004100000002")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"payer_kind": IdKind.UNION_ID}, "unsupported_payer"),
        ({"currency": "HKD"}, "unsupported_currency"),
        ({"amount_fen": 0}, "invalid_amount"),
        ({"amount_fen": -1}, "invalid_amount"),
        ({"amount_fen": 100_000_000_01}, "invalid_amount"),
        ({"out_trade_no": ""}, "invalid_number"),
        ({"out_trade_no": "P-1"}, "invalid_number"),
        ({"out_trade_no": "P" * 65}, "invalid_number"),
        ({"out_trade_no": "P1\n"}, "invalid_number"),
    ],
)
def test_what_alipays_fields_cannot_hold_is_refused_and_not_sent(
    gateway: AlipayGateway, order: PaymentOrder, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(ProviderRefused) as caught:
        gateway.open_payment(replace(order, **change))
    assert (caught.value.code, caught.value.retryable) == (code, False)


@pytest.mark.parametrize(
    ("amount_fen", "text"),
    [(1, "0.01"), (10, "0.10"), (99, "0.99"), (100, "1.00"), (5005, "50.05"), (10**10, "100000000.00")],
)
def test_an_amount_is_two_decimals_of_yuan_and_never_a_float(amount_fen: int, text: str) -> None:
    assert yuan(amount_fen) == text
    assert fen(text) == amount_fen


@pytest.mark.parametrize("text", ["4.35", "1.10", "0.29", "19.99", "1001.15", "999999999.99"])
def test_amounts_that_floats_get_wrong_are_right(text: str) -> None:
    assert yuan(fen(text)) == text


@pytest.mark.parametrize(
    ("description", "sent"),
    [
        ("A/B=C&D", "ABCD"),
        ("/=&", "预约挂号"),
        ("", "预约挂号"),
        ("挂号\ud800\n费", "挂号费"),
        ("号" * 300, "号" * 256),
        ('带"引号}{', '带"引号}{'),
    ],
)
def test_a_description_loses_what_alipay_does_not_take(
    *,
    gateway: AlipayGateway,
    order: PaymentOrder,
    wire: responses.RequestsMock,
    alipay: Any,
    asked: Any,
    description: str,
    sent: str,
) -> None:
    alipay.success(wire, CREATE, **TRADE)
    gateway.open_payment(replace(order, description=description))
    assert asked(wire).biz_content["subject"] == sent


def test_a_paid_trade_is_told_whole(
    gateway: AlipayGateway, paid_trade: dict[str, Any], wire: responses.RequestsMock, alipay: Any, asked: Any
) -> None:
    alipay.success(wire, QUERY, **paid_trade)
    told = gateway.find_payment(NUMBER)
    assert (told.state, told.amount_fen, told.currency) == (TradeState.PAID, 5005, "CNY")
    assert told.platform_trade_no == "2026112022001400000000000001"
    assert told.paid_at == datetime(2026, 11, 20, 2, 29, 55, tzinfo=UTC)
    assert told.funding == "BANKCARD DEBIT_CARD"
    assert asked(wire).biz_content == {"out_trade_no": NUMBER, "query_options": ["fund_bill_list"]}


@pytest.mark.parametrize(
    ("status", "paid_at", "state"),
    [
        ("WAIT_BUYER_PAY", None, TradeState.UNPAID),
        ("TRADE_CLOSED", None, TradeState.CLOSED),
        ("TRADE_CLOSED", "", TradeState.CLOSED),
        ("TRADE_CLOSED", "2026-11-20 10:29:55", TradeState.PAID),
        ("TRADE_SUCCESS", "2026-11-20 10:29:55", TradeState.PAID),
        ("TRADE_SUCCESS", None, TradeState.PAID),
        ("TRADE_FINISHED", "2026-11-20 10:29:55", TradeState.PAID),
    ],
)
def test_the_state_of_a_trade(
    *,
    gateway: AlipayGateway,
    paid_trade: dict[str, Any],
    wire: responses.RequestsMock,
    alipay: Any,
    status: str,
    paid_at: str | None,
    state: TradeState,
) -> None:
    """A trade is closed when it timed out unpaid, and when all of its money went back: the payment date tells."""
    alipay.success(wire, QUERY, **(paid_trade | {"trade_status": status, "send_pay_date": paid_at}))
    told = gateway.find_payment(NUMBER)
    assert told.state is state
    assert told.amount_fen == (5005 if state is TradeState.PAID else None)


def test_an_unpaid_trade_may_say_almost_nothing(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any
) -> None:
    alipay.success(wire, QUERY, out_trade_no=NUMBER, trade_status="WAIT_BUYER_PAY", trade_no=None, total_amount="")
    assert gateway.find_payment(NUMBER).state is TradeState.UNPAID


@pytest.mark.parametrize("code", ["ACQ.TRADE_NOT_EXIST", "TRADE_NOT_EXIST"])
def test_a_number_that_alipay_does_not_know_is_an_answer(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, code: str
) -> None:
    alipay.failure(wire, QUERY, code)
    alipay.failure(wire, CLOSE, code)
    assert gateway.find_payment(NUMBER).state is TradeState.NO_SUCH_NUMBER
    assert gateway.close_payment(NUMBER) is CloseOutcome.NO_SUCH_NUMBER


@pytest.mark.parametrize(
    "change",
    [
        {"trade_status": "SOMETHING_NEW"},
        {"trade_status": None},
        {"trade_no": None},
        {"total_amount": None},
        {"total_amount": 50.05},
        {"total_amount": "50.055"},
        {"total_amount": "5e1"},
        {"total_amount": "-50.05"},
        {"total_amount": "050.05"},
        {"total_amount": "50.05\n"},
        {"total_amount": "٥٠.٠٥"},
        {"total_amount": "NaN"},
        {"total_amount": "1000000000.00"},
        {"send_pay_date": "2026-02-30 10:29:55"},
        {"send_pay_date": "yesterday"},
        {"out_trade_no": "P20261120ABCDEFGHJKLMNPQR3"},
        {"out_trade_no": None},
    ],
)
def test_a_proven_trade_that_does_not_fit_is_unknown(
    *,
    gateway: AlipayGateway,
    wire: responses.RequestsMock,
    alipay: Any,
    paid_trade: dict[str, Any],
    change: dict[str, Any],
) -> None:
    alipay.success(wire, QUERY, **(paid_trade | change))
    with pytest.raises(ProviderUnavailable) as caught:
        gateway.find_payment(NUMBER)
    assert caught.value.sent
    assert "074a1C" not in repr(caught.value)


@pytest.mark.parametrize("bills", [None, "", "[", "{}", 7, [7], [{"amount": "1"}], [{"fund_channel": 7}]])
def test_where_the_money_came_from_never_stops_a_payment(
    gateway: AlipayGateway, wire: responses.RequestsMock, alipay: Any, paid_trade: dict[str, Any], bills: Any
) -> None:
    alipay.success(wire, QUERY, **(paid_trade | {"fund_bill_list": bills}))
    assert gateway.find_payment(NUMBER).funding is None


@pytest.mark.parametrize("told", [{}, {"trade_no": "1"}, {"out_trade_no": NUMBER}, {**TRADE, "out_trade_no": "P2"}])
def test_an_opened_trade_must_be_the_one_asked_for(
    gateway: AlipayGateway, order: PaymentOrder, wire: responses.RequestsMock, alipay: Any, told: dict[str, str]
) -> None:
    alipay.success(wire, CREATE, **told)
    with pytest.raises(ProviderUnavailable):
        gateway.open_payment(order)
