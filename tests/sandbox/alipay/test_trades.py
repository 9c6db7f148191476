"""The states of trades (protocol sections 7.1 to 7.5; rows F-44, F-50)."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sandbox.alipay import wire


def china(seconds: float) -> str:
    """A wall clock in GMT+8, so many seconds from now."""
    return (datetime.now(UTC) + timedelta(hours=8, seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")


def pay(wallet: Any, number: str, **body: Any) -> requests.Response:
    answer: requests.Response = wallet.control.call("POST", f"/payments/{number}/pay", body)
    return answer


def test_the_same_content_again_is_the_same_trade(wallet: Any) -> None:
    order = wallet.demo.order(wallet.number(), wallet.open_id, time_expire=china(600))
    first, second = wallet.demo.place(order, wallet.url), wallet.demo.place(order, wallet.url)
    assert first.node == second.node
    assert (len(first.node["trade_no"]), first.node["trade_no"].isdigit()) == (28, True)
    assert len(wallet.control.items("/ledger")) == 1


@pytest.mark.parametrize(
    "change", [{"total_amount": "15.01"}, {"subject": "x"}, {"time_expire": "2099-01-01 00:00:00"}, {"body": "x"}]
)
def test_other_content_under_the_same_number_is_refused(wallet: Any, change: dict[str, str]) -> None:
    number = wallet.placed()
    assert wallet.place(out_trade_no=number, **change).sub_code == "ACQ.CONTEXT_INCONSISTENT"


def test_another_buyer_under_the_same_number_is_refused(wallet: Any) -> None:
    number = wallet.placed()
    wallet.control.post("/login-codes", provider="alipay_miniapp", open_id="patient-two")
    assert wallet.place(out_trade_no=number, buyer_open_id="patient-two").sub_code == "ACQ.TRADE_BUYER_NOT_MATCH"


def test_a_paid_trade_is_neither_placed_closed_nor_paid_again(wallet: Any) -> None:
    number = wallet.paid()
    assert wallet.place(out_trade_no=number).sub_code == "ACQ.TRADE_HAS_SUCCESS"
    assert wallet.demo.close(number).sub_code == "ACQ.TRADE_STATUS_ERROR"
    assert wallet.refused(f"/payments/{number}/pay") == (409, "order_paid")
    assert wallet.state(number) == "TRADE_SUCCESS"


def test_a_closed_trade_stays_closed(wallet: Any) -> None:
    number = wallet.placed()
    assert wallet.demo.close(number).node["out_trade_no"] == number
    assert wallet.state(number) == "TRADE_CLOSED"
    assert wallet.demo.close(number).sub_code == "ACQ.REASON_TRADE_STATUS_INVALID"
    assert wallet.place(out_trade_no=number).sub_code == "ACQ.TRADE_HAS_CLOSE"
    assert wallet.refused(f"/payments/{number}/pay") == (409, "order_closed")
    assert wallet.demo.refund(number, "R1", "1.00").sub_code == "ACQ.TRADE_HAS_CLOSE"


def test_an_unknown_trade(wallet: Any) -> None:
    assert wallet.demo.query("T0").sub_code == "ACQ.TRADE_NOT_EXIST"
    assert wallet.demo.close("T0").sub_code == "ACQ.TRADE_NOT_EXIST"
    assert wallet.demo.refund("T0", "R1", "1.00").sub_code == "ACQ.TRADE_NOT_EXIST"
    assert wallet.demo.query_refund("T0", "R1").sub_code == "ACQ.TRADE_NOT_EXIST"
    assert wallet.refused("/payments/T0/pay") == (404, "order_not_found")
    assert wallet.demo.call("alipay.trade.query", {}).sub_code == "ACQ.INVALID_PARAMETER"


def test_the_platforms_number_wins(wallet: Any) -> None:
    said, other = wallet.place(), wallet.placed()
    found = wallet.demo.query(other, trade_no=said.node["trade_no"])
    assert found.node["out_trade_no"] == said.node["out_trade_no"]


def test_numbers_belong_to_one_seller(wallet: Any) -> None:
    said = wallet.place()
    number, trade_no = said.node["out_trade_no"], said.node["trade_no"]
    assert wallet.gulou.query(number).sub_code == "ACQ.TRADE_NOT_EXIST"
    assert wallet.gulou.query(number, trade_no=trade_no).sub_code == "ACQ.TRADE_NOT_EXIST"
    wallet.placed("gulou", out_trade_no=number, total_amount="9.00")
    assert wallet.refused(f"/payments/{number}/pay") == (409, "merchant_needed")
    assert pay(wallet, number, merchant="gulou").json()["amount_fen"] == 900
    assert wallet.state(number) == "WAIT_BUYER_PAY"


@pytest.mark.parametrize(
    ("change", "sub_code"),
    [
        ({"total_amount": 15}, "INVALID_PARAMETER"),
        ({"total_amount": "15"}, "INVALID_PARAMETER"),
        ({"total_amount": "15.0"}, "INVALID_PARAMETER"),
        ({"total_amount": "015.00"}, "INVALID_PARAMETER"),
        ({"total_amount": "0.00"}, "INVALID_PARAMETER"),
        ({"total_amount": "-1.00"}, "INVALID_PARAMETER"),
        ({"total_amount": "1e2"}, "INVALID_PARAMETER"),
        ({"total_amount": "１５.00"}, "INVALID_PARAMETER"),
        ({"total_amount": "100000000.01"}, "INVALID_PARAMETER"),
        ({"total_amount": None}, "INVALID_PARAMETER"),
        ({"out_trade_no": "a-b"}, "INVALID_PARAMETER"),
        ({"out_trade_no": "a" * 65}, "INVALID_PARAMETER"),
        ({"subject": "a/b"}, "INVALID_PARAMETER"),
        ({"subject": "a=b"}, "INVALID_PARAMETER"),
        ({"subject": "a&b"}, "INVALID_PARAMETER"),
        ({"subject": "a" * 257}, "INVALID_PARAMETER"),
        ({"subject": None}, "INVALID_PARAMETER"),
        ({"op_app_id": None}, "INVALID_PARAMETER"),
        ({"op_app_id": "2021000000000000"}, "UNBOUND_APPLICATION"),
        ({"product_code": None}, "PRODUCT_NOT_SUPPORT_IN_TINY_APP"),
        ({"product_code": "QUICK_WAP_WAY"}, "PRODUCT_NOT_SUPPORT_IN_TINY_APP"),
        ({"seller_id": "2088000000000000"}, "SELLER_NOT_EXIST"),
        ({"buyer_open_id": None}, "INVALID_PARAMETER"),
        ({"buyer_open_id": "nobody"}, "BUYER_NOT_EXIST"),
        ({"buyer_id": "patient-one"}, "INVALID_PARAMETER"),
        ({"buyer_open_id": None, "buyer_id": "patient-one"}, "BUYER_NOT_EXIST"),
        ({"time_expire": "2020-01-01 00:00:00"}, "NOW_TIME_AFTER_EXPIRE_TIME_ERROR"),
        ({"time_expire": "2099-01-01T00:00:00"}, "INVALID_PARAMETER"),
        ({"time_expire": 4070908800}, "INVALID_PARAMETER"),
        ({"timeout_express": "1.5h"}, "INVALID_PARAMETER"),
        ({"timeout_express": "16d"}, "INVALID_PARAMETER"),
        ({"body": "a" * 129}, "INVALID_PARAMETER"),
        ({"passback_params": ["a"]}, "INVALID_PARAMETER"),
    ],
)
def test_a_trade_with_a_mistake_is_refused(wallet: Any, change: dict[str, Any], sub_code: str) -> None:
    order = wallet.demo.order(wallet.number(), wallet.open_id, **change)
    said = wallet.demo.place(order, wallet.url)
    assert (said.node["code"], said.sub_code, said.proved) == ("40004", f"ACQ.{sub_code}", True)
    assert wallet.control.items("/ledger") == []


def test_nobody_is_told_by_an_address_with_a_query(wallet: Any) -> None:
    order = wallet.demo.order(wallet.number(), wallet.open_id)
    assert wallet.demo.place(order, wallet.url + "?a=b").sub_code == "ACQ.INVALID_PARAMETER"


def test_an_open_id_counts_at_the_app_it_was_given_by(wallet: Any) -> None:
    """Where another app calls, the payer goes as op_buyer_open_id; answers show that app's own id (section 5.3)."""
    order = wallet.gulou.order(wallet.number(), wallet.open_id)
    assert "op_buyer_open_id" in order
    assert wallet.gulou.place(order).node["code"] == "10000"
    wrong = {**order, "buyer_open_id": order["op_buyer_open_id"]}
    del wrong["op_buyer_open_id"]
    assert wallet.gulou.place(wrong).sub_code == "ACQ.BUYER_NOT_EXIST"
    shown = wallet.gulou.query(order["out_trade_no"]).node
    assert shown["buyer_open_id"] not in (wallet.open_id, None)
    assert wallet.demo.query(wallet.placed()).node["buyer_open_id"] == wallet.open_id


def test_a_trade_can_be_paid_until_it_ends(wallet: Any) -> None:
    number = wallet.placed(time_expire=china(300))
    wallet.control.post("/clock", advance_seconds=290)
    assert wallet.state(number) == "WAIT_BUYER_PAY"
    wallet.control.post("/clock", advance_seconds=11)
    assert wallet.refused(f"/payments/{number}/pay") == (409, "order_expired")
    assert wallet.state(number) == "TRADE_CLOSED"
    assert wallet.demo.place(wallet.demo.order(number, wallet.open_id)).sub_code == "ACQ.TRADE_HAS_CLOSE"
    assert wallet.control.items("/notices") == []


@pytest.mark.parametrize(("span", "seconds"), [("1m", 60), ("90m", 5400), ("1h", 3600), ("15d", 15 * 86400)])
def test_a_span_ends_a_trade_too(wallet: Any, span: str, seconds: int) -> None:
    number = wallet.placed(timeout_express=span)
    wallet.control.post("/clock", advance_seconds=seconds - 10)
    assert wallet.state(number) == "WAIT_BUYER_PAY"
    wallet.control.post("/clock", advance_seconds=11)
    assert wallet.state(number) == "TRADE_CLOSED"


def test_until_midnight(wallet: Any) -> None:
    number = wallet.placed(timeout_express="1c")
    ends = wallet.running.sandbox.store.one("select time_expire from alipay_trades where out_trade_no = ?", (number,))
    assert wire.stamp(ends["time_expire"]).endswith(" 00:00:00")


def test_the_instant_wins_over_the_span(wallet: Any) -> None:
    number = wallet.placed(timeout_express="15d", time_expire=china(60))
    wallet.control.post("/clock", advance_seconds=61)
    assert wallet.state(number) == "TRADE_CLOSED"


def test_a_failed_attempt_leaves_the_trade_open(wallet: Any) -> None:
    number = wallet.placed()
    assert wallet.control.post(f"/payments/{number}/fail") == {
        "out_trade_no": number,
        "state": "WAIT_BUYER_PAY",
        "failures": 1,
    }
    assert pay(wallet, number).status_code == 200
    assert wallet.control.call("POST", f"/payments/{number}/fail", {}).status_code == 409


def test_the_pay_sheet_checks_what_it_is_given(wallet: Any) -> None:
    said, other = wallet.place(), wallet.place()
    number = said.node["out_trade_no"]
    assert wallet.refused(f"/payments/{number}/pay", client_params={}) == (409, "pay_params_invalid")
    assert wallet.refused(f"/payments/{number}/pay", client_params={"tradeNO": 1}) == (409, "pay_params_invalid")
    params = {"tradeNO": other.node["trade_no"]}
    assert wallet.refused(f"/payments/{number}/pay", client_params=params) == (409, "prepay_unknown")
    paid = pay(wallet, number, client_params={"tradeNO": said.node["trade_no"]}).json()
    assert (paid["state"], paid["transaction_id"]) == ("TRADE_SUCCESS", said.node["trade_no"])


def test_the_platform_can_take_another_sum(wallet: Any) -> None:
    number = wallet.placed()
    pay(wallet, number, amount_fen=1)
    assert wallet.demo.query(number).node["total_amount"] == "0.01"


def test_pay_and_close_at_once_have_one_winner(wallet: Any) -> None:
    for _ in range(5):
        number = wallet.placed()
        with ThreadPoolExecutor(2) as pool:
            closing, paying = pool.submit(wallet.demo.close, number), pool.submit(pay, wallet, number)
        closed, paid = closing.result().sub_code is None, paying.result().status_code == 200
        assert closed is not paid
        assert wallet.state(number) == ("TRADE_CLOSED" if closed else "TRADE_SUCCESS")


def test_a_query_shows_money_only_once_there_is_some(wallet: Any) -> None:
    number = wallet.placed()
    waiting = wallet.demo.query(number, query_options=["fund_bill_list"]).node
    assert (waiting["receipt_amount"], "send_pay_date" in waiting, "fund_bill_list" in waiting) == (
        "0.00",
        False,
        False,
    )
    pay(wallet, number)
    paid = wallet.demo.query(number, query_options=["fund_bill_list"]).node
    assert (paid["receipt_amount"], paid["buyer_pay_amount"]) == ("15.00", "15.00")
    assert paid["fund_bill_list"] == [{"amount": "15.00", "fund_channel": "ALIPAYACCOUNT"}]
    assert "fund_bill_list" not in wallet.demo.query(number).node


def test_unpaired_braces_and_quotes_travel_whole(wallet: Any) -> None:
    """A counter of braces that does not know strings fails on this genuine answer (section 12.4-3)."""
    subject = '挂号}{{"费\\" \n号'
    number = wallet.placed(subject=subject)
    said = wallet.demo.query(number)
    assert (said.node["subject"], said.proved) == (subject, True)


def test_the_ledger_shows_both_wallets_and_can_tell_them_apart(wallet: Any, open_box: Any) -> None:
    box = open_box(wallet.running)
    number = wallet.paid()
    box.demo.place(box.demo.order(number, box.openid, box.url))
    wallet.demo.refund(number, "R1", "5.00")
    entries = wallet.control.items("/ledger", out_trade_no=number)
    assert [(entry["channel"], entry["kind"], entry["state"]) for entry in entries] == [
        ("alipay", "trade", "TRADE_SUCCESS"),
        ("wechat_pay", "trade", "NOTPAY"),
        ("alipay", "refund", "REFUND_SUCCESS"),
    ]
    assert entries[0]["mchid"] == wallet.demo.credentials["seller_id"]
    assert len(wallet.control.items("/ledger", channel="alipay")) == 2


def test_a_number_of_both_wallets_needs_its_wallet(wallet: Any, open_box: Any) -> None:
    box = open_box(wallet.running)
    number = wallet.placed()
    box.demo.place(box.demo.order(number, box.openid, box.url))
    assert wallet.refused(f"/payments/{number}/pay", merchant="demo") == (409, "merchant_needed")
    assert pay(wallet, number, channel="alipay").json()["state"] == "TRADE_SUCCESS"
    assert pay(wallet, number, mchid=box.demo.credentials["mchid"]).json()["state"] == "SUCCESS"
    assert wallet.refused(f"/payments/{number}/pay", channel="alipay", merchant="gulou") == (404, "order_not_found")


@given(fen=st.integers(1, 10**10))
def test_amounts_come_back_as_they_went(fen: int) -> None:
    text = wire.yuan(fen)
    assert wire.fen_of(text) == fen
    assert text[-3] == "."


@given(text=st.text(max_size=12))
def test_no_other_text_is_an_amount(text: str) -> None:
    fen = wire.fen_of(text)
    assert fen is None or wire.yuan(fen) == text


def test_a_card_is_told_of_the_trade_of_its_event_and_of_what_goes_back_to_it(wallet: Any) -> None:
    number = wallet.placed()
    wallet.control.post(f"/payments/{number}/pay", bank="ICBC_DEBIT")
    paid = wallet.demo.query(number, query_options=["fund_bill_list"]).node
    card = {"fund_channel": "BANKCARD", "fund_type": "DEBIT_CARD", "bank_code": "ICBC"}
    assert paid["fund_bill_list"] == [{"amount": "15.00", **card}]
    wallet.notice(number)
    told = dict(parse_qsl(wallet.receiver.received[-1].body.decode()))
    assert json.loads(told["fund_bill_list"]) == [
        {"amount": "15.00", "fundChannel": "BANKCARD", "fundType": "DEBIT_CARD", "bankCode": "ICBC"}
    ]
    wallet.demo.refund(number, "R1", "5.00")
    back = wallet.demo.query_refund(number, "R1", query_options=["deposit_back_info"]).node["deposit_back_info"]
    assert (back["has_deposit_back"], back["dback_status"], back["dback_amount"]) == ("true", "S", "5.00")
    purse = wallet.paid()
    wallet.demo.refund(purse, "R1", "5.00")
    assert "deposit_back_info" not in wallet.demo.query_refund(purse, "R1", query_options=["deposit_back_info"]).node
