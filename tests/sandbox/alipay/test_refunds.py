"""Refunds: done or pending, counted once, never more than was paid (sections 7.6 and 7.7; rows F-49 to F-54)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.alipay import wire
from sandbox.testing_alipay import Said

QUARTER = 90 * 86400


def test_a_refund_is_done_in_the_call(wallet: Any) -> None:
    number = wallet.paid()
    said = wallet.demo.refund(number, "R1", "5.00", refund_reason="停诊")
    assert (said.node["fund_change"], said.node["refund_fee"], said.node["send_back_fee"]) == ("Y", "5.00", "5.00")
    found = wallet.demo.query_refund(number, "R1", query_options=["gmt_refund_pay"]).node
    assert (found["refund_status"], found["refund_amount"], found["refund_reason"]) == (
        "REFUND_SUCCESS",
        "5.00",
        "停诊",
    )
    assert found["gmt_refund_pay"] == said.node["gmt_refund_pay"]
    assert wallet.state(number) == "TRADE_SUCCESS"


def test_the_refund_fee_is_the_sum_of_all(wallet: Any) -> None:
    number = wallet.paid()
    fees = [wallet.demo.refund(number, f"R{at}", "2.50").node["refund_fee"] for at in range(3)]
    assert fees == ["2.50", "5.00", "7.50"]
    assert wallet.demo.query_refund(number, "R2").node["refund_amount"] == "2.50"


def test_the_same_refund_again_moves_nothing(wallet: Any) -> None:
    number = wallet.paid()
    wallet.demo.refund(number, "R1", "5.00")
    again = wallet.demo.refund(number, "R1", "5.00").node
    assert (again["fund_change"], again["refund_fee"], again["send_back_fee"]) == ("N", "5.00", "0.00")
    assert wallet.demo.refund(number, "R1", "5.01").sub_code == "ACQ.DISCORDANT_REPEAT_REQUEST"
    assert len(wallet.control.items("/ledger", kind="refund")) == 1


def test_a_refund_number_belongs_to_its_trade(wallet: Any) -> None:
    one, two = wallet.paid(), wallet.paid()
    assert wallet.demo.refund(one, "R1", "5.00").node["fund_change"] == "Y"
    assert wallet.demo.refund(two, "R1", "7.00").node["fund_change"] == "Y"


def test_the_whole_sum_returned_in_parts_closes_the_trade(wallet: Any) -> None:
    number = wallet.paid()
    wallet.demo.refund(number, "R1", "5.00")
    wallet.demo.refund(number, "R2", "10.00")
    assert wallet.state(number) == "TRADE_CLOSED"
    assert wallet.demo.refund(number, "R2", "10.00").node["fund_change"] == "N"
    assert wallet.demo.refund(number, "R3", "0.01").sub_code == "ACQ.TRADE_HAS_CLOSE"
    assert wallet.place(out_trade_no=number).sub_code == "ACQ.TRADE_HAS_CLOSE"


def test_more_than_was_paid_is_refused(wallet: Any) -> None:
    number = wallet.paid()
    assert wallet.demo.refund(number, "R1", "15.01").sub_code == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    wallet.demo.refund(number, "R2", "10.00")
    assert wallet.demo.refund(number, "R3", "5.01").sub_code == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    assert wallet.demo.refund(number, "R3", "5.00").node["fund_change"] == "Y"


@pytest.mark.parametrize(
    ("content", "sub_code"),
    [
        ({"refund_amount": 5}, "INVALID_PARAMETER"),
        ({"refund_amount": "5"}, "INVALID_PARAMETER"),
        ({"refund_amount": "0.00"}, "INVALID_PARAMETER"),
        ({"out_request_no": "R 1"}, "INVALID_PARAMETER"),
        ({"out_request_no": 1}, "INVALID_PARAMETER"),
    ],
)
def test_a_refund_with_a_mistake_is_refused(wallet: Any, content: dict[str, Any], sub_code: str) -> None:
    base = {"out_trade_no": wallet.paid(), "out_request_no": "R1", "refund_amount": "5.00"}
    assert wallet.demo.call("alipay.trade.refund", base | content).sub_code == f"ACQ.{sub_code}"


def test_without_a_number_only_all_can_be_returned(wallet: Any) -> None:
    number = wallet.paid()
    part = wallet.demo.call("alipay.trade.refund", {"out_trade_no": number, "refund_amount": "5.00"})
    assert part.sub_code == "ACQ.INVALID_PARAMETER"
    whole = wallet.demo.call("alipay.trade.refund", {"out_trade_no": number, "refund_amount": "15.00"})
    assert whole.node["fund_change"] == "Y"
    assert wallet.demo.query_refund(number, number).node["refund_status"] == "REFUND_SUCCESS"


def test_an_unpaid_trade_has_nothing_to_return(wallet: Any) -> None:
    assert wallet.demo.refund(wallet.placed(), "R1", "5.00").sub_code == "ACQ.TRADE_STATUS_ERROR"


def test_after_the_contracts_term_nothing_is_returned(wallet: Any) -> None:
    number, early = wallet.paid(), wallet.paid()
    wallet.control.post("/clock", advance_seconds=QUARTER - 60)
    assert wallet.demo.refund(early, "R1", "5.00").node["fund_change"] == "Y"
    wallet.control.post("/clock", advance_seconds=61)
    assert wallet.state(number) == "TRADE_FINISHED"
    assert wallet.demo.refund(number, "R1", "5.00").sub_code == "ACQ.TRADE_HAS_FINISHED"
    assert wallet.demo.refund(early, "R1", "5.00").node["fund_change"] == "N"
    assert wallet.place(out_trade_no=number).sub_code == "ACQ.TRADE_HAS_SUCCESS"


def test_a_pending_refund_has_no_status_until_it_is_done(wallet: Any) -> None:
    wallet.fault("alipay.refund.create", "processing", times=1)
    number = wallet.paid()
    said = wallet.demo.refund(number, "R1", "15.00").node
    assert (said["code"], said["fund_change"], said["refund_fee"]) == ("10000", "N", "0.00")
    assert "refund_status" not in wallet.demo.query_refund(number, "R1").node
    assert wallet.demo.refund(number, "R2", "0.01").sub_code == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    assert wallet.demo.refund(number, "R1", "15.00").node["fund_change"] == "N"
    assert wallet.state(number) == "TRADE_SUCCESS"
    assert wallet.control.items("/notices", kind="refund") == []
    assert wallet.control.post("/refunds/R1/settle")["trade_status"] == "TRADE_CLOSED"
    assert wallet.demo.query_refund(number, "R1").node["refund_status"] == "REFUND_SUCCESS"
    assert wallet.demo.refund(number, "R1", "15.00").node["refund_fee"] == "15.00"
    assert wallet.control.call("POST", "/refunds/R1/settle", {}).status_code == 409


def test_a_pending_number_of_two_trades_needs_its_trade(wallet: Any) -> None:
    wallet.fault("alipay.refund.create", "processing")
    one, two = wallet.paid(), wallet.paid()
    for number in (one, two):
        wallet.demo.refund(number, "R1", "5.00")
    assert wallet.refused("/refunds/R1/settle") == (409, "order_needed")
    assert wallet.control.post("/refunds/R1/settle", out_trade_no=two)["out_trade_no"] == two
    assert (
        wallet.control.call("POST", "/refunds/R1/settle", {"out_trade_no": one, "status": "CLOSED"}).status_code == 422
    )


@pytest.mark.parametrize(
    ("kind", "sub_code"),
    [("not_enough", "ACQ.SELLER_BALANCE_NOT_ENOUGH"), ("account_abnormal", "ACQ.BUYER_ENABLE_STATUS_FORBID")],
)
def test_a_declined_refund_can_be_tried_again(wallet: Any, kind: str, sub_code: str) -> None:
    wallet.fault("alipay.refund.create", kind, times=1, match={"out_refund_no": "R1", "merchant": "demo"})
    number = wallet.paid()
    assert wallet.demo.refund(number, "R1", "5.00").sub_code == sub_code
    missing = wallet.demo.query_refund(number, "R1").node
    assert missing == {"code": "10000", "msg": "Success"}
    assert wallet.demo.refund(number, "R1", "5.00").node["fund_change"] == "Y"


def test_twenty_refunds_at_once_return_no_more_than_was_paid(wallet: Any) -> None:
    number = wallet.paid()
    with ThreadPoolExecutor(20) as pool:
        said: list[Said] = list(pool.map(lambda at: wallet.demo.refund(number, f"R{at}", "2.00"), range(20)))
    assert [each.node.get("fund_change") for each in said].count("Y") == 7
    assert max(float(each.node["refund_fee"]) for each in said if each.sub_code is None) == 14


def test_twenty_times_the_same_refund_at_once_is_one(wallet: Any) -> None:
    number = wallet.paid()
    with ThreadPoolExecutor(20) as pool:
        said: list[Said] = list(pool.map(lambda _: wallet.demo.refund(number, "R1", "2.00"), range(20)))
    assert [each.node["fund_change"] for each in said].count("Y") == 1
    assert {each.node["refund_fee"] for each in said} == {"2.00"}


def test_a_refund_number_of_both_wallets_needs_its_wallet(wallet: Any, open_box: Any) -> None:
    box = open_box(wallet.running)
    wallet.fault("refund.create", "processing")
    wallet.fault("alipay.refund.create", "processing")
    wallet.demo.refund(wallet.paid(), "R1", "5.00")
    box.demo.refund(box.paid(), "R1", 500)
    assert wallet.refused("/refunds/R1/settle") == (409, "merchant_needed")
    assert wallet.control.post("/refunds/R1/settle", channel="alipay")["refund_status"] == "REFUND_SUCCESS"
    assert wallet.control.post("/refunds/R1/settle", channel="wechat_pay")["status"] == "SUCCESS"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(parts=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 900)), min_size=1, max_size=8))
def test_what_is_returned_never_exceeds_what_was_paid(wallet: Any, parts: list[tuple[int, int]]) -> None:
    """Whatever the numbers and amounts: the sum agrees with `refund_fee`; the trade closes when it is all."""
    number, returned = wallet.paid(), {}
    for at, fen in parts:
        said = wallet.demo.refund(number, f"R{at}", wire.yuan(fen))
        if said.sub_code is None and said.node["fund_change"] == "Y":
            assert at not in returned
            returned[at] = fen
            assert said.node["refund_fee"] == wire.yuan(sum(returned.values()))
        assert sum(returned.values()) <= 1500
        assert (wallet.state(number) == "TRADE_CLOSED") is (sum(returned.values()) == 1500)
    ledger = wallet.control.items("/ledger", kind="refund", out_trade_no=number)
    assert sorted(entry["amount_fen"] for entry in ledger) == sorted(returned.values())
