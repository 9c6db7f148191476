"""Events: fields, ladder, faults, resends (protocol sections 8 and 13.2-8; rows F-42 to F-48)."""

import itertools
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.alipay.delivery import LADDER
from sandbox.store import FILE_NAME
from sandbox.testing import Received, eventually, running_sandbox


def answering(*answers: tuple[int, bytes]) -> Callable[[Received], tuple[int, bytes]]:
    """These answers one after another, then `success`."""
    given = iter(answers)
    return lambda _: next(given, (200, b"success"))


def event(wallet: Any, at: int = -1, merchant: str = "demo") -> dict[str, str]:
    fields: dict[str, str] = wallet.accounts[merchant].notice(wallet.receiver.received[at].body)
    return fields


def proved(wallet: Any, at: int = -1, merchant: str = "demo") -> bool:
    believed: bool = wallet.accounts[merchant].proves_notice(wallet.receiver.received[at].body)
    return believed


def test_the_ladder_is_the_platforms() -> None:
    assert [gap // 60 for gap in LADDER] == [4, 10, 10, 60, 120, 360, 900]
    assert sum(LADDER) <= 25 * 3600


@pytest.mark.parametrize("merchant", ["demo", "gulou"])
def test_what_a_payment_says(wallet: Any, merchant: str) -> None:
    said = wallet.place(merchant, passback_params="a%3D1", body="初诊")
    number = said.node["out_trade_no"]
    wallet.control.post(f"/payments/{number}/pay")
    notice = wallet.notice(number)
    assert (notice["channel"], notice["event_type"], notice["merchant"]) == ("alipay", "TRADE_SUCCESS", merchant)
    received, row = wallet.receiver.received[-1], wallet.accounts[merchant].credentials
    assert proved(wallet, merchant=merchant)
    told = event(wallet, merchant=merchant)
    assert told["notify_id"] == notice["id"]
    assert (told["app_id"], told["auth_app_id"], told["seller_id"]) == (row["app_id"], row["app_id"], row["seller_id"])
    assert (told["out_trade_no"], told["trade_no"]) == (number, said.node["trade_no"])
    assert (told["notify_type"], told["trade_status"]) == ("trade_status_sync", "TRADE_SUCCESS")
    assert (told["total_amount"], told["passback_params"], told["body"]) == ("15.00", "a%3D1", "初诊")
    assert told["fund_bill_list"] == '[{"amount":"15.00","fundChannel":"ALIPAYACCOUNT"}]'
    assert told["buyer_open_id"] == wallet.accounts[merchant].query(number).node["buyer_open_id"]
    assert {"refund_fee", "gmt_refund", "out_biz_no", "buyer_id", ""}.isdisjoint(told)
    assert all(told.values())
    assert received.headers["User-Agent"] == "Mozilla/4.0"


def test_a_partial_refund_still_says_success(wallet: Any) -> None:
    """Only refund_fee, gmt_refund and out_biz_no tell it from a payment (section 8.4)."""
    number = wallet.paid()
    wallet.notice(number)
    wallet.demo.refund(number, "R1", "5.00")
    wallet.demo.refund(number, "R2", "4.00")
    eventually(lambda: len(wallet.receiver.received) == 3)
    told = sorted((event(wallet, at) for at in (1, 2)), key=lambda fields: fields["out_biz_no"])
    assert [fields["trade_status"] for fields in told] == ["TRADE_SUCCESS"] * 2
    assert [(fields["out_biz_no"], fields["refund_fee"]) for fields in told] == [("R1", "5.00"), ("R2", "9.00")]
    assert all(len(fields["gmt_refund"]) == len("2026-01-01 00:00:00.000") for fields in told)
    assert len({event(wallet, at)["notify_id"] for at in range(3)}) == 3
    assert all(proved(wallet, at) for at in range(3))


def test_a_full_refund_says_closed(wallet: Any) -> None:
    number = wallet.paid()
    wallet.demo.refund(number, "R1", "15.00")
    assert wallet.notice(number, kind="refund")["event_type"] == "TRADE_CLOSED"
    told = next(fields for fields in (event(wallet, at) for at in range(2)) if "out_biz_no" in fields)
    assert (told["trade_status"], told["refund_fee"]) == ("TRADE_CLOSED", "15.00")
    assert told["gmt_close"]


def test_nothing_else_is_told(wallet: Any) -> None:
    closed, silent = wallet.placed(), wallet.number()
    wallet.demo.close(closed)
    wallet.demo.place(wallet.demo.order(silent, wallet.open_id))
    assert wallet.control.post(f"/payments/{silent}/pay")["event_id"] is None
    wallet.demo.refund(silent, "R1", "5.00")
    assert wallet.control.items("/notices") == []


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, b"SUCCESS"),
        (200, b"success\n"),
        (200, b"\xef\xbb\xbfsuccess"),
        (200, b" success"),
        (200, b'"success"'),
        (200, b"fail"),
        (200, b""),
        (201, b"success"),
        (302, b"success"),
        (500, b"success"),
    ],
)
def test_only_the_very_word_ends_the_retries(wallet: Any, status: int, answer: bytes) -> None:
    wallet.receiver.respond = answering((status, answer))
    notice = wallet.notice(wallet.paid())
    assert [attempt["status"] for attempt in notice["attempts"]] == [status, 200]


def test_a_refused_event_is_sent_eight_times_with_one_number(wallet: Any) -> None:
    wallet.receiver.respond = lambda _: (200, b"fail")
    number = wallet.paid()

    def given_up() -> list[dict[str, Any]]:
        wallet.control.post("/clock", advance_seconds=15 * 3600)
        found: list[dict[str, Any]] = wallet.control.items("/notices", out_trade_no=number, state="given_up")
        return found

    notice = eventually(given_up)[0]
    assert [attempt["answer"] for attempt in notice["attempts"]] == ["fail"] * 8
    assert {event(wallet, at)["notify_id"] for at in range(8)} == {notice["id"]}
    assert all(proved(wallet, at) for at in range(8))


def test_retries_keep_their_distance(data_dir: Path, open_wallet: Callable[[Any], Any]) -> None:
    """At 10000 times the platform's pace: 24, 60 and 60 ms lie between the first four sends."""
    with running_sandbox(data_dir, time_scale=10_000) as running:
        wallet = open_wallet(running)
        wallet.receiver.respond = answering(*[(200, b"fail")] * 3)
        wallet.notice(wallet.paid())
        times = [received.at for received in wallet.receiver.received]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert len(gaps) == 3
        assert all(gap >= pause / 10_000 * 0.9 for gap, pause in zip(gaps, LADDER, strict=False))


def test_timing_faults(wallet: Any) -> None:
    wallet.fault("alipay.notice.payment", "drop", times=1)
    lost = wallet.paid()
    wallet.fault("alipay.notice.payment", "duplicate", times=1, copies=20)
    many = wallet.paid()
    assert [attempt["fault"] for attempt in wallet.notice(many)["attempts"]] == ["duplicate"] * 20
    assert wallet.notice(lost, ended="dropped")["attempts"] == []
    wallet.fault("alipay.notice.payment", "late", times=1, seconds=3600)
    late = wallet.paid()
    assert wallet.control.items("/notices", out_trade_no=late)[0]["attempts"] == []
    wallet.control.post("/clock", advance_seconds=3600)
    wallet.notice(late)


def test_a_refund_can_overtake_the_payment(wallet: Any) -> None:
    wallet.fault("alipay.notice.payment", "reorder", times=1, seconds=60)
    number = wallet.paid()
    wallet.demo.refund(number, "R1", "5.00")
    wallet.notice(number)
    assert ["out_biz_no" in event(wallet, at) for at in range(2)] == [True, False]


@pytest.mark.parametrize("kind", ["forged", "unsigned", "bad_signature"])
def test_a_spoilt_first_attempt_is_followed_by_a_genuine_one(wallet: Any, kind: str) -> None:
    wallet.fault("alipay.notice.payment", kind, times=1)
    client = wallet.demo
    wallet.receiver.respond = lambda received: (200, b"success" if client.proves_notice(received.body) else b"fail")
    notice = wallet.notice(wallet.paid())
    assert [(attempt["answer"], attempt["fault"]) for attempt in notice["attempts"]] == [
        ("fail", kind),
        ("success", None),
    ]
    assert ("sign" in event(wallet, 0)) is (kind != "unsigned")


@pytest.mark.parametrize(
    ("kind", "rest", "changed"),
    [
        ("wrong_amount", {}, {"total_amount": "15.01"}),
        ("wrong_amount", {"amount_fen": 1}, {"total_amount": "0.01"}),
        ("wrong_app", {}, {"app_id": "gulou", "auth_app_id": "gulou"}),
        ("wrong_seller", {}, {"seller_id": "gulou"}),
        ("wrong_merchant", {}, {"app_id": "gulou", "auth_app_id": "gulou", "seller_id": "gulou"}),
    ],
)
def test_false_content_is_signed_all_the_same(
    wallet: Any, kind: str, rest: dict[str, int], changed: dict[str, str]
) -> None:
    wallet.fault("alipay.notice.payment", kind, times=1, attempts=1, **rest)
    wallet.receiver.respond = answering((200, b"fail"))
    wallet.notice(wallet.paid())
    false, true = event(wallet, 0), event(wallet, 1) | {"notify_time": event(wallet, 0)["notify_time"]}
    other = wallet.gulou.credentials
    wanted = {name: other[name.removeprefix("auth_")] if value == "gulou" else value for name, value in changed.items()}
    assert {name: value for name, value in false.items() if true[name] != value} == wanted | {"sign": false["sign"]}
    assert proved(wallet, 0)
    assert proved(wallet, 1)


def test_a_false_number_and_a_message_meant_for_another(wallet: Any) -> None:
    wallet.fault("alipay.notice.payment", "unknown_number", times=1)
    number = wallet.paid()
    wallet.notice(number)
    assert event(wallet)["out_trade_no"] != number
    assert proved(wallet)
    wallet.fault("alipay.notice.payment", "other_merchant", times=1)
    wallet.notice(wallet.paid())
    assert event(wallet)["seller_id"] == wallet.gulou.credentials["seller_id"]
    assert (proved(wallet), proved(wallet, merchant="gulou")) == (False, True)


def test_a_false_refund(wallet: Any) -> None:
    wallet.fault("alipay.notice.refund", "wrong_amount", times=1)
    number = wallet.paid()
    wallet.notice(number)
    wallet.demo.refund(number, "R1", "5.00")
    wallet.notice(number, kind="refund")
    assert (event(wallet)["refund_fee"], event(wallet)["total_amount"]) == ("5.01", "15.00")


def test_faults_match_by_the_names_both_wallets_share(wallet: Any) -> None:
    one, two = wallet.placed(), wallet.placed("gulou")
    seller = wallet.gulou.credentials["seller_id"]
    wallet.fault("alipay.notice.payment", "drop", match={"mchid": seller, "event_type": "TRADE_SUCCESS"})
    for number in (one, two):
        wallet.control.post(f"/payments/{number}/pay")
    wallet.notice(one)
    wallet.notice(two, ended="dropped")


def test_an_event_is_sent_again_on_demand(wallet: Any) -> None:
    notice = wallet.notice(wallet.paid())
    again = wallet.control.post(f"/notices/{notice['id']}/resend", copies=5, concurrently=True)
    assert [attempt["accepted"] for attempt in again["attempts"]] == [True] * 5
    wallet.receiver.respond = lambda _: (200, b"fail")
    again = wallet.control.post(f"/notices/{notice['id']}/resend")
    assert [attempt["accepted"] for attempt in again["attempts"]] == [False]
    assert {event(wallet, at)["notify_id"] for at in range(7)} == {notice["id"]}


def test_events_follow_a_rotation_of_the_certificate(wallet: Any) -> None:
    wallet.fault("alipay.notice.payment", "late", seconds=3600)
    number = wallet.paid("gulou")
    wallet.control.post("/alipay/rotate-certificate", merchant="gulou")
    wallet.control.post("/clock", advance_seconds=3600)
    wallet.notice(number)
    assert not proved(wallet, merchant="gulou")
    wallet.gulou.credentials = wallet.control.get("/credentials")["alipay"][1]
    assert proved(wallet, merchant="gulou")


def test_a_trade_placed_in_gbk_is_told_in_gbk(wallet: Any) -> None:
    client, number = wallet.demo, wallet.number()
    params = client.params(
        "alipay.trade.create", client.order(number, wallet.open_id), charset="GBK", notify_url=wallet.url, sign="x"
    )
    params["sign"] = client.sign(params, "gbk")
    client.send(params, codec="gbk")
    wallet.control.post(f"/payments/{number}/pay")
    wallet.notice(number)
    received = wallet.receiver.received[-1]
    assert "%B9%D2%BA%C5%B7%D1" in received.body.decode()
    assert "charset=GBK" in received.body.decode()


def test_an_older_state_file_is_completed(data_dir: Path, open_wallet: Callable[[Any], Any]) -> None:
    """Before Alipay came, notices said no channel; they belong to WeChat Pay."""
    path = data_dir / "sandbox" / FILE_NAME
    with running_sandbox(data_dir):
        pass
    with sqlite3.connect(path) as state:
        state.execute("alter table notices drop column channel")
        state.execute(
            "insert into notices (id, kind, event_type, mchid, out_trade_no, url, body, signer, state, created_at) "
            "values ('EV-1', 'payment', 'TRANSACTION.SUCCESS', '1', 'T1', 'u', ?, '1', 'delivered', 1)",
            (json.dumps({}).encode(),),
        )
    state.close()
    with running_sandbox(data_dir) as running:
        wallet = open_wallet(running)
        wallet.notice(wallet.paid())
        channels = [notice["channel"] for notice in wallet.control.items("/notices")]
        assert channels == ["wechat_pay", "alipay"]
