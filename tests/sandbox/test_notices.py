"""Notices: retry schedule, faults, resends, forgeries (protocol sections 4.7, 8.4, 8.6; rows F-42 to F-48, A-22)."""

import itertools
import json
import threading
import time
from typing import Any

import pytest

from sandbox.config import DEFAULT_TIME_SCALE
from sandbox.testing import PATIENCE, Received, eventually
from sandbox.wechat_pay.delivery import SCHEDULE


def test_the_schedule_is_the_platforms() -> None:
    assert len(SCHEDULE) == 15
    assert sum(SCHEDULE) == 24 * 3600 + 4 * 60
    assert SCHEDULE[0] / DEFAULT_TIME_SCALE == 1


@pytest.mark.parametrize("status", [200, 204])
def test_200_and_204_stop_the_retries(box: Any, status: int) -> None:
    box.receiver.respond = lambda _: status
    notice = box.notice(box.paid())
    assert [attempt["status"] for attempt in notice["attempts"]] == [status]
    assert (notice["delivered"], notice["next_at"]) == (True, None)
    assert notice["id"].startswith("EV-")


def test_a_refused_notice_is_sent_sixteen_times(box: Any) -> None:
    box.receiver.respond = lambda _: 500
    number = box.paid()

    def given_up() -> list[dict[str, Any]]:
        # Hours pass in a moment: whatever is planned becomes due.
        box.control.post("/clock", advance_seconds=6 * 3600)
        return box.control.items("/notices", out_trade_no=number, state="given_up")

    notice = eventually(given_up)[0]
    assert [attempt["status"] for attempt in notice["attempts"]] == [500] * 16
    assert notice["attempts"][0]["answer"] == '{"code":"FAIL","message":"asked to"}'
    assert len({received.body for received in box.receiver.received}) == 1
    assert len({received.headers["Wechatpay-Nonce"] for received in box.receiver.received}) == 16
    assert all(box.demo.proves(received.headers, received.body) for received in box.receiver.received)


def test_retries_keep_their_distance(box: Any) -> None:
    """At 1000 times the platform's pace: 15, 15, 30 and 180 ms lie between the first five sends."""
    box.receiver.respond = lambda _: 204 if len(box.receiver.received) == 5 else 404
    notice = box.notice(box.paid())
    assert [attempt["status"] for attempt in notice["attempts"]] == [404] * 4 + [204]
    times = [received.at for received in box.receiver.received]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(gap >= pause / 1000 * 0.9 for gap, pause in zip(gaps, SCHEDULE, strict=False))


@pytest.mark.parametrize("status", [201, 202, 302, 400, 401])
def test_no_other_status_is_an_acceptance(box: Any, status: int) -> None:
    box.receiver.respond = lambda _: status if len(box.receiver.received) == 1 else 200
    notice = box.notice(box.paid())
    assert [attempt["status"] for attempt in notice["attempts"]] == [status, 200]


def test_nobody_listening_is_a_failed_attempt(box: Any) -> None:
    number = box.number()
    box.demo.place(box.demo.order(number, box.openid, "http://127.0.0.1:9/nobody"))
    box.control.post(f"/payments/{number}/pay")
    attempts = eventually(lambda: box.control.items("/notices", out_trade_no=number)[0]["attempts"])
    assert (attempts[0]["status"], attempts[0]["error"]) == (None, "ConnectionError")


def test_a_receiver_has_five_seconds(box: Any) -> None:
    released = threading.Event()

    def respond(_: Received) -> int:
        if len(box.receiver.received) == 1:
            released.wait(PATIENCE)
        return 204

    box.receiver.respond = respond
    notice = box.notice(box.paid())
    released.set()
    assert [attempt["error"] for attempt in notice["attempts"]] == ["ReadTimeout", None]
    assert notice["attempts"][0]["elapsed_ms"] >= 4900


def test_a_dropped_notice_is_never_sent(box: Any) -> None:
    box.fault("notice.payment", "drop", times=1)
    lost, next_one = box.paid(), box.paid()
    assert box.notice(next_one)["state"] == "delivered"
    assert box.notice(lost, ended="dropped")["attempts"] == []
    assert box.demo.query(lost).json()["trade_state"] == "SUCCESS"


def test_duplicates_come_at_once(box: Any) -> None:
    box.fault("notice.payment", "duplicate", copies=20)
    notice = box.notice(box.paid())
    assert [attempt["fault"] for attempt in notice["attempts"]] == ["duplicate"] * 20
    assert len({received.body for received in box.receiver.received}) == 1
    assert all(box.told(received) for received in box.receiver.received)


def test_a_late_notice(box: Any) -> None:
    box.fault("notice.payment", "late", seconds=3600)
    number = box.paid()
    assert box.control.items("/notices", out_trade_no=number)[0]["attempts"] == []
    box.control.post("/clock", advance_seconds=3600)
    box.notice(number)


def test_a_refund_notice_can_overtake_the_payments(box: Any) -> None:
    box.fault("notice.payment", "reorder", times=1, seconds=60)
    number = box.paid()
    box.demo.refund(number, "R1", 500, box.url)
    box.notice(number)
    kinds = [json.loads(received.body)["event_type"] for received in box.receiver.received]
    assert kinds == ["REFUND.SUCCESS", "TRANSACTION.SUCCESS"]


def test_a_notice_held_for_nothing_goes_out_in_the_end(box: Any) -> None:
    box.fault("notice.payment", "reorder", times=1, seconds=0.1)
    box.notice(box.paid())


@pytest.mark.parametrize("kind", ["forged", "signtest", "unsigned", "unknown_serial", "bad_signature"])
def test_a_spoilt_first_attempt_is_followed_by_a_genuine_one(box: Any, kind: str) -> None:
    box.fault("notice.payment", kind, times=1)
    box.receiver.respond = lambda received: (
        204 if "Wechatpay-Signature" in received.headers and box.demo.proves(received.headers, received.body) else 401
    )
    notice = box.notice(box.paid())
    assert [(attempt["status"], attempt["fault"]) for attempt in notice["attempts"]] == [(401, kind), (204, None)]
    probe = box.receiver.received[0].headers.get("Wechatpay-Signature", "")
    assert probe.startswith("WECHATPAY/SIGNTEST/") is (kind == "signtest")


def test_a_stale_notice_is_signed_but_old(box: Any) -> None:
    box.fault("notice.payment", "stale", times=1, attempts=2)
    box.receiver.respond = lambda _: 204 if len(box.receiver.received) == 3 else 401
    box.notice(box.paid())
    ages = [time.time() - int(received.headers["Wechatpay-Timestamp"]) for received in box.receiver.received]
    assert [round(age / 60) for age in ages] == [5, 5, 0]
    assert all(box.told(received) for received in box.receiver.received)


@pytest.mark.parametrize(
    ("kind", "rest", "path", "value"),
    [
        ("wrong_amount", {}, ("amount", "total"), 1501),
        ("wrong_amount", {"amount_fen": 0}, ("amount", "total"), 0),
        ("wrong_currency", {}, ("amount", "currency"), "USD"),
    ],
)
def test_false_content_is_signed_all_the_same(
    box: Any, kind: str, rest: dict[str, int], path: tuple[str, str], value: object
) -> None:
    box.fault("notice.payment", kind, **rest)
    number = box.paid()
    box.notice(number)
    told = box.told(box.receiver.received[0])
    assert told is not None
    assert told[path[0]][path[1]] == value
    assert box.demo.query(number).json()["amount"]["total"] == 1500


def test_false_parties(box: Any) -> None:
    truth = {"mchid": box.demo.credentials["mchid"], "appid": box.demo.credentials["appid"]}
    for kind, field in (("wrong_merchant", "mchid"), ("wrong_app", "appid"), ("unknown_number", "out_trade_no")):
        box.fault("notice.payment", kind, times=1)
        number = box.paid()
        box.notice(number)
        told = box.told(box.receiver.received[-1])
        assert told is not None
        assert told[field] != (truth | {"out_trade_no": number})[field]


def test_a_message_meant_for_another_merchant(box: Any) -> None:
    box.fault("notice.payment", "other_merchant")
    box.notice(box.paid())
    received = box.receiver.received[0]
    gulou = box.told(received, "gulou")
    assert gulou is not None
    assert gulou["mchid"] == box.merchants["gulou"].credentials["mchid"]
    assert not box.demo.proves(received.headers, received.body)


def test_false_refund_content(box: Any) -> None:
    for at, (kind, field) in enumerate((("wrong_amount", "amount"), ("unknown_number", "out_refund_no"))):
        box.fault("notice.refund", kind, times=1)
        number = box.paid()
        box.demo.refund(number, f"R{at}", 500, box.url)
        box.notice(number, kind="refund")
        told = box.told(box.receiver.received[-1])
        assert told is not None
        assert told[field] not in ({"total": 1500, "refund": 500, "payer_total": 1500, "payer_refund": 500}, f"R{at}")


def test_a_refund_without_its_own_url_sends_nothing(box: Any) -> None:
    number = box.paid()
    box.demo.refund(number, "R1", 500)
    eventually(lambda: box.demo.query_refund("R1").json()["status"] == "SUCCESS")
    assert box.control.items("/notices", kind="refund") == []


@pytest.mark.parametrize("concurrently", [False, True])
def test_a_notice_is_sent_again_on_demand(box: Any, concurrently: bool) -> None:
    notice = box.notice(box.paid())
    again = box.control.post(f"/notices/{notice['id']}/resend", copies=5, concurrently=concurrently)
    assert [attempt["accepted"] for attempt in again["attempts"]] == [True] * 5
    assert len({received.body for received in box.receiver.received}) == 1
    assert len(box.control.items("/notices", id=notice["id"])[0]["attempts"]) == 6
    assert box.control.call("POST", "/notices/EV-0/resend").status_code == 404


def test_a_resend_ends_the_retries(box: Any) -> None:
    box.receiver.respond = lambda _: 500
    box.fault("notice.payment", "late", seconds=3600)
    notice_id = box.control.items("/notices", out_trade_no=box.paid())[0]["id"]
    box.receiver.respond = lambda _: 204
    box.control.post(f"/notices/{notice_id}/resend")
    assert box.control.items("/notices", id=notice_id)[0]["state"] == "delivered"
