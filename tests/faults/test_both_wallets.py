"""The same attacks and accidents on both wallets, over HTTP with real signatures (F-42, F-46 to F-48, A-20 to A-23)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from both_wallets import ALIPAY, WALLETS, WAYS, WAYS_ON_ONE_KIND, WECHAT, Wallet, on_one_kind
from cases import Case
from sqlalchemy import func, select
from stage import Stage
from structlog.testing import capture_logs
from wire import Reply, eventually

from models.notice import Notice
from models.payment import PaymentStatus, RefundReason, RefundStatus


def notices_told(stage: Stage) -> int:
    with stage.town.database.read() as session:
        return session.scalar(select(func.count()).select_from(Notice)) or 0


def assert_nothing_moved(stage: Stage, case: Case) -> None:
    assert case.moves() == ["pending"]
    assert [one.status for one in case.payments()] == [PaymentStatus.PENDING]
    assert case.refunds() == []
    assert notices_told(stage) == 0


# --- the whole way


@WAYS
def test_a_number_is_paid_and_given_back(stage: Stage, wallet: Wallet) -> None:
    case = wallet.paid(stage)
    assert case.cancel().status == 200
    stage.work_until(case.is_refunded, "refunded")
    assert case.moves() == ["pending", "booked", "cancelled"]
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0


@WAYS
def test_f_45_without_any_event_it_is_found_by_asking(stage: Stage, wallet: Wallet) -> None:
    """F-45."""
    wallet.spoil(stage, "notice.payment", "drop")
    wallet.spoil(stage, "notice.refund", "drop")
    case = wallet.opened(stage)
    case.pay()
    stage.work_until(case.is_booked, "booked by asking", most=60)
    assert case.cancel().status == 200
    stage.work_until(case.is_refunded, "refunded by asking")
    assert stage.inbox() == []
    assert case.kept_fen() == 0


@WALLETS
def test_the_channel_of_the_other_wallet_is_not_open(stage: Stage, wallet: Wallet) -> None:
    case = wallet.case(stage)
    other = ALIPAY if wallet is WECHAT else WECHAT
    case.channel = other.channel
    reply = case.open_payment()
    assert (reply.status, reply.json["errors"][0]["pointer"]) == (422, "#/channel")


# --- one event, many times


@WALLETS
@pytest.mark.usefixtures("a_worker_runs")
def test_f_42_one_payment_event_twenty_times_at_once_has_one_effect(stage: Stage, wallet: Wallet) -> None:
    """F-42."""
    case = wallet.opened(stage)
    wallet.spoil(stage, "notice.payment", "drop")
    event_id = case.pay()
    sent = stage.control("POST", f"/notices/{event_id}/resend", {"copies": 20, "concurrently": True})["attempts"]
    answers = {(one["status"], one["answer"] or "") for one in sent if one["status"] != 503}
    assert answers == {wallet.taken}
    taken = sum(one["status"] == wallet.taken[0] for one in sent)
    eventually(case.is_booked, "booked")
    eventually(lambda: stage.inbox() == [("applied", None, taken)], "one row, each copy counted")
    assert case.moves() == ["pending", "booked"]
    assert case.counts() == (["trade"], 1, 0)
    assert notices_told(stage) == 1


@WALLETS
def test_a_23_a_genuine_event_sent_again_much_later_changes_nothing(stage: Stage, wallet: Wallet) -> None:
    """A-23. The platform itself sends it again with a fresh stamp, where it has one; the state makes it harmless."""
    case = wallet.paid(stage)
    (notice,) = stage.control("GET", f"/notices?out_trade_no={case.trade_no}")["items"]
    assert case.cancel().status == 200
    stage.work_until(case.is_refunded, "refunded")
    sent = stage.control("POST", f"/notices/{notice['id']}/resend", {"copies": 3})["attempts"]
    assert {(one["status"], one["answer"] or "") for one in sent} == {wallet.taken}
    stage.work()
    assert case.moves() == ["pending", "booked", "cancelled"]
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0


# --- what nothing proves

FORGERIES: dict[str, dict[str, Any]] = {
    "signed by a stranger": {"signed_by": "stranger"},
    "signed by another merchant's platform key": {"signed_by": "gulou"},
    "another app inside": {"app": "2021000000000001"},
    "a bit of the body turned": {"tamper": {"body": 40}},
    "not what the platform writes": {"body": "success"},
    "empty": {"body": ""},
}


@on_one_kind
@WALLETS
@pytest.mark.parametrize("name", FORGERIES)
def test_a_20_a_22_f_47_what_nothing_proves_is_refused_and_kept_apart(stage: Stage, wallet: Wallet, name: str) -> None:
    """F-47, A-20, A-22."""
    case = wallet.opened(stage)
    assert wallet.forge(stage, case, **FORGERIES[name]) == [wallet.refused]
    stage.work()
    assert_nothing_moved(stage, case)
    assert len(stage.refused()) == 1
    assert stage.inbox() == []


@on_one_kind
@pytest.mark.parametrize(
    "lie",
    [
        {"seller": "2088000000000001"},
        {"fields": {"app_id": None}},
        {"fields": {"seller_id": None}},
        {"fields": {"notify_id": None}},
        {"sign": ""},
        {"sign": "AAAA"},
        {"tamper": {"sign": 5}},
        {"fields": {"sign_type": "RSA"}, "signed_by": "stranger"},
    ],
    ids=str,
)
def test_a_21_what_alipays_form_lacks_or_bends_is_refused(stage: Stage, lie: dict[str, Any]) -> None:
    """A-21, A-22: seller and app must be ours; the sender does not choose how it is proven."""
    case = ALIPAY.opened(stage)
    assert ALIPAY.forge(stage, case, **lie) == [ALIPAY.refused]
    stage.work()
    assert_nothing_moved(stage, case)
    assert stage.inbox() == []


@on_one_kind
def test_a_field_of_alipays_form_that_stands_twice_is_refused(stage: Stage) -> None:
    """A-11: two readers could each believe another one."""
    case = ALIPAY.opened(stage)
    made = stage.control("POST", "/notices/forge", ALIPAY.forgery(stage, case))
    with stage.app.test_client() as client:
        twice = f"{made['body']}&total_amount=0.01"
        answer = client.post("/callbacks/alipay/demo", data=twice, headers=made["headers"])
        assert (answer.status_code, answer.text) == ALIPAY.refused
        in_query = client.post("/callbacks/alipay/demo?total_amount=0.01", data=made["body"], headers=made["headers"])
        assert in_query.text == "success"  # only the body is read, and it is genuine
    assert_nothing_moved(stage, case)


@on_one_kind
@WALLETS
@pytest.mark.parametrize("door", ["gulou", "xiehe"])
def test_a_22_a_genuine_event_at_another_merchants_door_proves_nothing(stage: Stage, wallet: Wallet, door: str) -> None:
    """A-22: path, merchant and key must all agree."""
    case = wallet.opened(stage)
    assert wallet.forge(stage, case, door=door) == [wallet.refused]
    stage.work()
    assert_nothing_moved(stage, case)


@on_one_kind
@pytest.mark.parametrize("seconds", [-301, -300, -299, 0, 299, 300, 301])
def test_a_23_wechats_stamp_is_good_for_less_than_300_seconds(stage: Stage, seconds: int) -> None:
    """A-23. The stage's clock stands still, so the distance is exact but for the second that the forge runs in."""
    case = WECHAT.opened(stage)
    stamp = int(stage.clock.now().timestamp()) + seconds
    ((status, _),) = WECHAT.forge(stage, case, timestamp=str(stamp))
    distance = abs(stage.clock.now().timestamp() - stamp)
    assert status == (204 if distance < 300 else 401)


@on_one_kind
@pytest.mark.parametrize("ago", [timedelta(minutes=6), timedelta(hours=25), timedelta(days=400)], ids=str)
def test_a_23_alipays_event_has_no_age(stage: Stage, ago: timedelta) -> None:
    """It is sent again for 25 hours: notify_id and the states make a replay harmless."""
    case = ALIPAY.opened(stage)
    case.pay()
    stamp = (stage.clock.now() - ago + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")
    told = {"notify_time": stamp, "notify_id": "2026112200222100000000000000000001"}
    assert ALIPAY.forge(stage, case, fields=told) == [(200, "success")]
    assert ALIPAY.forge(stage, case, fields=told) == [(200, "success")]
    stage.work_until(case.is_booked, "booked")
    assert case.counts() == (["trade"], 1, 0)


# --- validly signed, and not true


@on_one_kind
@WALLETS
@pytest.mark.parametrize("fen", [1, 4999, 5001, 500000])
def test_a_signed_event_of_another_sum_confirms_nothing_and_the_platform_is_asked(
    stage: Stage, wallet: Wallet, fen: int
) -> None:
    """F-46. Nobody has paid: whoever could sign this could not make us believe it."""
    case = wallet.opened(stage)
    assert wallet.forge(stage, case, amount_fen=fen) == [wallet.taken]
    stage.work()
    assert wallet.asked(stage, "pay.query", case.trade_no) == 1
    assert stage.inbox() == [("quarantined", None, 1)]
    assert_nothing_moved(stage, case)


@on_one_kind
@WALLETS
def test_a_wrong_event_about_a_true_payment_is_put_right_by_asking(stage: Stage, wallet: Wallet) -> None:
    case = wallet.opened(stage)
    wallet.spoil(stage, "notice.payment", "wrong_amount")
    stage.deliver(case.pay())
    stage.work()
    assert case.is_booked()
    assert stage.inbox() == [("quarantined", None, 1)]
    assert case.payments()[0].received_fen == 5000


@WAYS
@pytest.mark.parametrize("really", [1, 5001])
def test_another_sum_really_paid_confirms_nothing_and_goes_back_in_full(
    stage: Stage, wallet: Wallet, really: int
) -> None:
    """F-46."""
    case = wallet.opened(stage)
    stage.deliver(case.pay(amount_fen=really))
    stage.work_until(lambda: case.refunds() and case.refunds()[0].succeeded_at, "the money is back")
    (refund,) = case.refunds()
    assert (refund.reason, refund.amount_fen) == (RefundReason.AMOUNT_DIFFERS, really)
    assert case.moves() == ["pending"]
    assert case.kept_fen() == 0


@WALLETS
def test_f_48_an_event_about_a_number_that_is_not_ours_is_taken_and_ignored(stage: Stage, wallet: Wallet) -> None:
    """F-48."""
    case = wallet.opened(stage)
    assert wallet.forge(stage, case, number="P20261122NOBODYKNOWS") == [wallet.taken]
    stage.work()
    assert stage.inbox() == [("ignored", "unknown_number", 1)]
    assert_nothing_moved(stage, case)


@on_one_kind
def test_one_wallets_event_about_the_others_number_is_ignored(stage: Stage) -> None:
    """The merchant accounts have one name with us, and each signs for its own money only."""
    case = WECHAT.opened(stage)
    assert ALIPAY.forge(stage, case) == [(200, "success")]
    stage.work()
    assert stage.inbox() == [("ignored", "unknown_number", 1)]
    assert_nothing_moved(stage, case)


# --- refunds


@WAYS
def test_f_43_events_out_of_order_end_where_the_platform_is(stage: Stage, wallet: Wallet) -> None:
    """F-43: the refund's event first, the payment's long after it."""
    case = wallet.opened(stage)
    wallet.spoil(stage, "notice.payment", "drop")
    event_id = case.pay()
    stage.work_until(case.is_booked, "booked by asking", most=60)
    assert case.cancel().status == 200
    stage.work_until(case.is_refunded, "refunded")
    stage.control("POST", f"/notices/{event_id}/resend", {})
    stage.work()
    assert case.moves() == ["pending", "booked", "cancelled"]
    assert case.counts() == (["refund", "trade"], 1, 1)


@WAYS_ON_ONE_KIND
def test_f_52_a_refund_whose_balance_is_short_keeps_its_number_and_comes_again(stage: Stage, wallet: Wallet) -> None:
    """F-52. The first refusal wakes somebody; to the patient it is on its way."""
    case = wallet.paid(stage)
    wallet.spoil(stage, "refund.create", "not_enough", times=1)
    assert case.cancel().status == 200
    with capture_logs() as logs:
        stage.work()
    assert [one["alarm"] for one in logs if one["event"] == "refund_refused"] == [True]
    assert case.shown()["refund"]["status"] == "due"
    (refund,) = case.refunds()
    assert (refund.status, bool(refund.last_refusal)) == (RefundStatus.DUE, True)
    stage.work_until(case.is_refunded, "refunded once there is money")
    assert [one.out_refund_no for one in case.refunds()] == [refund.out_refund_no]
    assert case.kept_fen() == 0


@WAYS_ON_ONE_KIND
@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_f_51_a_refund_that_was_not_answered_is_asked_about_and_never_doubled(
    stage: Stage, wallet: Wallet, kind: str
) -> None:
    """F-30, F-51."""
    case = wallet.paid(stage)
    wallet.spoil(stage, "refund.create", kind, times=1)
    assert case.cancel().status == 200
    stage.work_until(case.is_refunded, "refunded")
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0


@on_one_kind
@WALLETS
@pytest.mark.parametrize("kind", ["drop_after", "bad_signature", "error"])
def test_f_37_a_prepay_that_was_not_answered_is_one_number_all_the_same(
    stage: Stage, wallet: Wallet, kind: str
) -> None:
    """F-37, F-40, F-41."""
    case = wallet.case(stage)
    wallet.spoil(stage, "pay.create", kind, times=1)
    first = case.open_payment_once("the-first-tap-on-pay")
    assert isinstance(first, Reply)
    assert first.status == 503
    assert case.open_payment("the-second-tap-on-pay").status == 201
    stage.deliver(case.pay())
    stage.work_until(case.is_booked, "booked")
    assert case.counts() == (["trade"], 1, 0)


@WAYS
def test_the_number_of_a_hold_that_ends_is_closed_at_the_platform_before_it_is_free(
    stage: Stage, wallet: Wallet
) -> None:
    case = wallet.opened(stage)
    stage.work_until(lambda: case.status() == "cancelled", "the hold has ended", step=20)
    assert [one.status for one in case.payments()] == [PaymentStatus.CLOSED]
    assert wallet.asked(stage, "pay.close", case.trade_no) >= 1
