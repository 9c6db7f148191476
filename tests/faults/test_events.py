"""What the platform sends, over HTTP and with real signatures: doubled, forged, old, foreign, or not true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from cases import Case, spoil
from harness import race
from sqlalchemy import func, select
from stage import Stage
from wire import Reply, eventually, over_http

from core.ports import CloseOutcome
from models.notice import Notice
from models.payment import PaymentStatus, RefundReason

on_one_kind = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For what is decided before any row is touched, or the same on both by other tests."""

DAY = {"trade_type": "JSAPI", "bank_type": "OTHERS", "success_time": "2026-11-22T10:00:00+08:00"}


def trade(stage: Stage, case: Case, **changes: Any) -> dict[str, Any]:
    """What a genuine event would say of this number, had it been paid."""
    demo = next(one for one in _merchants(stage) if one["merchant"] == "demo")
    said = {
        "appid": demo["appid"],
        "mchid": demo["mchid"],
        "out_trade_no": case.trade_no,
        "transaction_id": "4200001234202611220000000001",
        "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功",
        "payer": {"openid": case.stranger.open_id},
        "amount": {"total": 5000, "payer_total": 5000, "currency": "CNY", "payer_currency": "CNY"},
        **DAY,
    }
    return said | changes


def _merchants(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.control("GET", "/credentials")["wechat_pay"]
    return found


def forge(stage: Stage, *, path: str = "/callbacks/wechat-pay/demo", **how: Any) -> list[int]:
    """Send a crafted message; the statuses it was answered with."""
    sent = stage.control("POST", "/notices/forge", {"merchant": "demo", "url": stage.base_url + path, **how})
    return [one["status"] for one in sent["attempts"]]


def notices_told(stage: Stage) -> int:
    with stage.town.database.read() as session:
        return session.scalar(select(func.count()).select_from(Notice)) or 0


# --- one event, many times


@pytest.mark.usefixtures("a_worker_runs")
def test_one_payment_event_twenty_times_at_once_has_one_effect(stage: Stage) -> None:
    case = stage.opened()
    spoil(stage, "notice.payment", "drop")
    event_id = case.pay()
    sent = stage.control("POST", f"/notices/{event_id}/resend", {"copies": 20, "concurrently": True})["attempts"]
    assert {one["status"] for one in sent} <= {204, 503}
    taken = sum(one["status"] == 204 for one in sent)
    assert taken > 0
    eventually(case.is_booked, "booked")
    eventually(lambda: stage.inbox() == [("applied", None, taken)], "one row, each copy counted")
    assert case.moves() == ["pending", "booked"]
    assert case.counts() == (["trade"], 1, 0)
    assert notices_told(stage) == 1


@pytest.mark.usefixtures("a_worker_runs")
def test_one_refund_event_twenty_times_at_once_has_one_effect(stage: Stage) -> None:
    """F-42."""
    case = stage.opened()
    case.pay()
    eventually(case.is_booked, "booked")
    spoil(stage, "notice.refund", "drop")
    assert case.cancel().status == 200
    (refund,) = eventually(case.refunds, "the refund is due")
    (notice,) = eventually(
        lambda: stage.control("GET", f"/notices?out_refund_no={refund.out_refund_no}")["items"], "the refund is done"
    )
    stage.control("POST", f"/notices/{notice['id']}/resend", {"copies": 20, "concurrently": True})
    eventually(case.is_refunded, "refunded")
    assert len([one for one in stage.inbox() if one[0] == "applied"]) == 2
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0


# --- what nothing proves

FORGERIES: dict[str, tuple[str, dict[str, Any]]] = {
    "signed by a stranger": ("bad_signature", {"signed_by": "stranger"}),
    "signed by another merchant": ("unknown_serial", {"signed_by": "gulou"}),
    "signed by another merchant under our key's name": ("bad_signature", {"signed_by": "gulou", "serial": "OURS"}),
    "a probe of the platform": ("signtest", {"signature": "WECHATPAY/SIGNTEST/dGVzdA=="}),
    "no signature": ("missing_header", {"headers": {"Wechatpay-Signature": None}}),
    "not base64": ("bad_base64", {"signature": "abcde"}),
    "no text at all": ("bad_header", {"signature": "!!!!"}),
    "another scheme": ("signature_type", {"signature_type": "WECHATPAY2-SM2-WITH-SM3"}),
    "a bit of the body turned": ("bad_signature", {"tamper": {"body": 30}}),
    # Six letters of 64 become none of base64 that way, which is noticed before the signature is tried.
    "a bit of the signature turned": ("bad_signature or bad_header", {"tamper": {"signature": 0}}),
    "301 seconds old": ("stale", {"stamp_offset": -301}),
    "301 seconds early": ("stale", {"stamp_offset": 301}),
    "sealed by another merchant": ("sealed", {"sealed_by": "gulou"}),
    "another app inside": ("foreign_app", {"changes": {"appid": "wx0000000000000000"}}),
    "another merchant inside": ("foreign_merchant", {"changes": {"mchid": "1900000001"}}),
    "not JSON": ("unreadable", {"body": "success"}),
}


@on_one_kind
@pytest.mark.parametrize("name", FORGERIES)
def test_a_20_a_21_a_24_f_57_what_nothing_proves_is_refused_and_kept_apart(stage: Stage, name: str) -> None:
    """A-20, A-21, A-22, A-24, F-47, F-57."""
    reason, how = FORGERIES[name]
    case, how = stage.opened(), dict(how)
    plaintext = trade(stage, case, **how.pop("changes", {}))
    if "stamp_offset" in how:  # counted from the clock that judges it, which stands still while we prepare
        how["timestamp"] = str(int(stage.clock.now().timestamp()) + how.pop("stamp_offset"))
    if how.get("serial") == "OURS":
        how["serial"] = next(one["public_key_id"] for one in _merchants(stage) if one["merchant"] == "demo")
    assert forge(stage, plaintext=plaintext, **how) == [401]
    stage.work()
    assert_nothing_moved(stage, case)
    (told,) = stage.refused()
    assert told in reason.split(" or ")
    assert stage.inbox() == []


def test_f_58_an_event_under_a_new_certificate_is_taken_once_we_have_spoken_ourselves(stage: Stage) -> None:
    """F-58: who sends fetches the certificates for everybody; an event alone makes nobody call out."""
    xiehe = next(one for one in _merchants(stage) if one["merchant"] == "xiehe")
    made = stage.control("POST", "/merchants/xiehe/certificates", {})
    event = {"merchant": "xiehe", "event_type": "CONTRACT.ADD", "plaintext": {"mchid": xiehe["mchid"]}}
    event |= {"path": "/callbacks/wechat-pay/xiehe", "signed_with": made["serial_no"]}

    def fetched() -> int:
        count: int = stage.control("GET", "/calls?operation=pay.certificates&caller=xiehe")["count"]
        return count

    before = fetched()
    assert (forge(stage, **event), fetched()) == ([401], before)
    gateway = stage.workbench.adapters.gateway_of("wechat_jsapi", "xiehe", "patient")
    for _ in range(2):
        assert gateway.close_payment("P-nobody-made-it") is CloseOutcome.NO_SUCH_NUMBER
    assert (forge(stage, **event), fetched()) == ([204], before + 1)
    assert stage.refused() == ["unknown_serial"]


def assert_nothing_moved(stage: Stage, case: Case) -> None:
    assert case.moves() == ["pending"]
    assert [one.status for one in case.payments()] == [PaymentStatus.PENDING]
    assert case.refunds() == []
    assert notices_told(stage) == 0


def test_a_flood_of_forgeries_leaves_a_sample(stage: Stage) -> None:
    """A-29."""
    case = stage.opened()
    answers = forge(stage, plaintext=trade(stage, case), signed_by="stranger", copies=60, concurrently=True)
    assert set(answers) == {401}
    assert 0 < len(stage.refused()) < 60
    assert_nothing_moved(stage, case)


def test_a_genuine_event_sent_by_somebody_else_again_changes_nothing(stage: Stage) -> None:
    """A-22, A-23. Overheard and sent on: at once it is a twin; at another merchant's door it proves nothing."""
    case = stage.opened()
    message = stage.control("POST", "/notices/forge", {"merchant": "demo", "plaintext": trade(stage, case)})
    send, body = over_http(stage.base_url), message["body"]
    assert message["headers"]["Wechatpay-Signature"]
    spoil(stage, "notice.payment", "drop")
    case.pay()
    for path, expected in (("wechat-pay/demo", 204), ("wechat-pay/demo", 204), ("wechat-pay/gulou", 401)):
        assert _post(stage, f"/callbacks/{path}", message["headers"], body) == expected
    assert send("POST", "/callbacks/wechat-pay/nobody", None, {}).status == 404
    stage.work()
    assert stage.inbox() == [("applied", None, 2)]
    assert case.is_booked()
    behind = max(timedelta(0), datetime.now(UTC) - stage.clock.now())  # stamps are the machine's time
    stage.clock.advance(behind + timedelta(seconds=301))
    assert _post(stage, "/callbacks/wechat-pay/demo", message["headers"], body) == 401
    assert sorted(stage.refused()) == ["stale", "unknown_serial"]
    assert case.counts() == (["trade"], 1, 0)


def _post(stage: Stage, path: str, headers: dict[str, str], body: str) -> int:
    with stage.app.test_client() as client:
        return client.post(path, headers=headers, data=body.encode()).status_code


# --- validly signed, and not true


@on_one_kind
@pytest.mark.parametrize(
    "changes",
    [
        {"amount": {"total": 4999, "payer_total": 4999, "currency": "CNY", "payer_currency": "CNY"}},
        {"amount": {"total": 5001, "payer_total": 5001, "currency": "CNY", "payer_currency": "CNY"}},
        {"amount": {"total": 5000, "payer_total": 5000, "currency": "USD", "payer_currency": "USD"}},
    ],
    ids=["less", "more", "dollars"],
)
def test_a_signed_event_of_another_sum_confirms_nothing_and_the_platform_is_asked(
    stage: Stage, changes: dict[str, Any]
) -> None:
    """F-46. Nobody has paid. Whoever could sign this could not make us believe it."""
    case = stage.opened()
    assert forge(stage, plaintext=trade(stage, case, **changes)) == [204]
    stage.work()
    assert stage.asked("pay.query", case.trade_no) == 1
    assert stage.inbox() == [("quarantined", None, 1)]
    assert_nothing_moved(stage, case)


@on_one_kind
@pytest.mark.parametrize("kind", ["wrong_amount", "wrong_currency"])
def test_a_wrong_event_about_a_true_payment_is_put_right_by_asking(stage: Stage, kind: str) -> None:
    case = stage.opened()
    spoil(stage, "notice.payment", kind)
    stage.deliver(case.pay())
    stage.work()
    assert case.is_booked()
    assert stage.inbox() == [("quarantined", None, 1)]
    assert case.payments()[0].received_fen == 5000
    assert case.counts() == (["trade"], 1, 0)


@pytest.mark.parametrize("really", [1, 5001])
def test_another_sum_really_paid_confirms_nothing_and_goes_back_in_full(stage: Stage, really: int) -> None:
    case = stage.opened()
    stage.deliver(case.pay(amount_fen=really))
    stage.work_until(lambda: case.refunds() and case.refunds()[0].succeeded_at, "the money is back")
    (refund,) = case.refunds()
    assert (refund.reason, refund.amount_fen) == (RefundReason.AMOUNT_DIFFERS, really)
    assert case.moves() == ["pending"]
    assert case.kept_fen() == 0


@on_one_kind
@pytest.mark.parametrize("kind", ["wrong_amount", "unknown_number"])
def test_a_refund_event_that_is_not_true_is_put_right_by_asking(stage: Stage, kind: str) -> None:
    case = stage.paid()
    spoil(stage, "notice.refund", kind)
    assert case.cancel().status == 200
    stage.work_until(case.is_refunded, "refunded")
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0


def test_an_event_about_a_number_that_is_not_ours_is_taken_and_ignored(stage: Stage) -> None:
    case = stage.opened()
    assert forge(stage, plaintext=trade(stage, case, out_trade_no="P20261122NOBODYKNOWS")) == [204]
    stage.work()
    assert stage.inbox() == [("ignored", "unknown_number", 1)]
    assert_nothing_moved(stage, case)


def test_an_event_about_what_was_found_by_asking_is_no_news(stage: Stage) -> None:
    case = stage.opened()
    spoil(stage, "notice.payment", "drop")
    event_id = case.pay()
    stage.work_until(case.is_booked, "booked by asking")
    stage.control("POST", f"/notices/{event_id}/resend", {"copies": 2, "concurrently": True})
    stage.work()
    assert case.moves() == ["pending", "booked"]
    assert case.counts() == (["trade"], 1, 0)
    assert notices_told(stage) == 1


def test_events_out_of_order_end_where_the_platform_is(stage: Stage) -> None:
    """The refund's event first, the payment's long after it."""
    case = stage.opened()
    spoil(stage, "notice.payment", "drop")
    event_id = case.pay()
    stage.work_until(case.is_booked, "booked by asking")
    assert case.cancel().status == 200
    stage.work_until(case.is_refunded, "refunded")
    stage.control("POST", f"/notices/{event_id}/resend", {})
    stage.work()
    assert case.moves() == ["pending", "booked", "cancelled"]
    assert case.counts() == (["refund", "trade"], 1, 1)


# --- two taps


def test_two_taps_on_pay_at_once_are_one_number(stage: Stage) -> None:
    case = stage.case()
    replies = race(*(partial(case.open_payment, f"a-tap-of-its-own-{at}") for at in range(4)))
    numbers = {reply.json["out_trade_no"] for reply in replies if isinstance(reply, Reply)}
    assert len(numbers) == 1
    assert case.counts() == (["trade"], 1, 0)
