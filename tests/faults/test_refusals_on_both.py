"""A platform that refuses, for now or for good, on both wallets: nothing is doubled, nothing is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests
from both_wallets import WALLETS, WECHAT, Wallet, on_one_kind
from cases import Case
from stage import Stage
from structlog.testing import capture_logs
from wire import Reply, new_key

from core.payments.refund_desk import Word, say_of_refund
from core.payments.to_card import give_to_card
from core.ports import PayeeCard
from models.payment import PaymentStatus, RefundStatus
from models.refund_decision import RefundWay
from models.states import Actor, Cause, CauseKind
from sandbox.testing import MerchantClient

FOR_NOW: dict[str, tuple[str, dict[str, Any]]] = {
    "500": ("error", {"status": 500}),
    "502": ("error", {"status": 502}),
    "too many calls": ("rate_limited", {}),
}


@on_one_kind
@pytest.mark.parametrize("refusal", FOR_NOW)
@WALLETS
def test_f_40_who_is_refused_for_now_asks_again_under_the_same_number(
    stage: Stage, wallet: Wallet, refusal: str
) -> None:
    """Each of the patient's tries is one call; the order stays payable."""
    case, key = wallet.case(stage), new_key()
    kind, figures = FOR_NOW[refusal]
    wallet.spoil(stage, "pay.create", kind, times=2, **figures)
    for tries in (1, 2):
        reply = case.open_payment_once(key)
        assert isinstance(reply, Reply)
        assert (reply.status, reply.code) in {(503, "provider_unavailable"), (503, "outcome_unknown")}
        (payment,) = case.payments()
        assert wallet.asked(stage, "pay.create", payment.out_trade_no) == tries
    assert case.status() == "pending"
    assert case.open_payment(key).status == 201
    assert (case.trade_no, case.counts()) == (payment.out_trade_no, (["trade"], 1, 0))
    stage.deliver(case.pay())
    stage.work()
    assert case.is_booked()


@WALLETS
def test_f_41_what_was_taken_and_never_answered_is_asked_about_until_it_is_known(stage: Stage, wallet: Wallet) -> None:
    """The patient has gone away. Coming back, they pay under the number that there is."""
    case = wallet.case(stage)
    wallet.spoil(stage, "pay.create", "drop_after", times=1)
    wallet.spoil(stage, "pay.query", "drop_before", times=1)
    reply = case.open_payment_once()
    assert isinstance(reply, Reply)
    assert (reply.status, reply.code) == (503, "outcome_unknown")
    (payment,) = case.payments()
    assert payment.status is PaymentStatus.UNKNOWN
    stage.work_until(lambda: case.payments()[0].status is PaymentStatus.PENDING, "it is known to be open", most=30)
    assert wallet.asked(stage, "pay.query", payment.out_trade_no) == 2
    assert case.open_payment().status == 201
    assert (case.trade_no, case.counts()) == (payment.out_trade_no, (["trade"], 1, 0))
    stage.deliver(case.pay())
    stage.work()
    assert case.is_booked()


# --- refunds


def decide(stage: Stage, case: Case, way: RefundWay) -> None:
    """Two people say so of the last one."""
    refund_id = case.refunds()[-1].id
    for operator in ("clerk-1", "clerk-2"):
        word = Word(way, "核对无误", operator)
        decided = stage.workbench.transactions.write(
            lambda session, now, word=word: say_of_refund(session, refund_id, word, now=now)
        )
    assert decided


@WALLETS
def test_f_53_what_is_refused_for_good_waits_for_two_people_and_is_sent_again(stage: Stage, wallet: Wallet) -> None:
    case = wallet.paid(stage)
    wallet.spoil(stage, "refund.create", "account_abnormal", times=1)
    assert case.cancel().status == 200
    with capture_logs() as logs:
        stage.work()
    assert [one["alarm"] for one in logs if one["event"] == "refund_refused"] == [True]
    (refund,) = case.refunds()
    assert (refund.status, case.shown()["refund"]["status"]) == (RefundStatus.DESK, "desk")
    stage.work(after=timedelta(hours=2))
    assert wallet.asked(stage, "refund.create", refund.out_refund_no) == 1
    decide(stage, case, RefundWay.AGAIN)
    stage.work_until(case.is_refunded, "refunded")
    assert wallet.asked(stage, "refund.create", refund.out_refund_no) == 2
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0


def test_f_53_what_the_bank_did_not_take_is_not_over_until_two_people_have_given_it_back(stage: Stage) -> None:
    """WeChat Pay's ABNORMAL: the card is closed. It is not sent again, and is not told as done."""
    case = WECHAT.paid(stage)
    WECHAT.spoil(stage, "refund.create", "abnormal", times=1)
    assert case.cancel().status == 200
    with capture_logs() as logs:
        stage.work_until(lambda: case.refunds()[0].status is RefundStatus.ABNORMAL, "the platform has said so")
    assert [one["alarm"] for one in logs if one["event"] == "refund_abnormal"] == [True]
    assert case.shown()["refund"]["status"] == "abnormal"
    stage.work(after=timedelta(hours=2))
    assert not case.is_refunded()
    decide(stage, case, RefundWay.BY_HAND)
    stage.work_until(case.is_refunded, "given back by hand")
    assert WECHAT.asked(stage, "refund.create", case.refunds()[0].out_refund_no) == 1
    assert case.counts() == (["refund", "trade"], 1, 1)


def test_f_53_what_the_bank_did_not_take_goes_to_the_card_that_two_people_name(stage: Stage) -> None:
    """Nobody keeps the card, and the patient is told only once it has arrived."""
    case = WECHAT.paid(stage)
    WECHAT.spoil(stage, "refund.create", "abnormal", times=1)
    assert case.cancel().status == 200
    stage.work_until(lambda: case.refunds()[0].status is RefundStatus.ABNORMAL, "the platform has said so")
    (refund,) = case.refunds()
    cause = Cause(Actor.OPERATOR, CauseKind.COMMAND, "test")
    card = PayeeCard("ICBC_DEBIT", "6222020200112233445", "张三")
    said = [
        give_to_card(stage.workbench, refund.id, card, why="患者提供新卡", operator=operator, cause=cause)
        for operator in ("clerk-1", "clerk-2")
    ]
    assert said == [None, RefundStatus.PROCESSING]
    assert not case.is_refunded()
    assert "支付平台正在退到付款人的另一账户" in case.shown()["refund"]["words"]["zh"]
    stage.work_until(case.is_refunded, "arrived there")
    assert "退到付款人的另一账户" in case.shown()["refund"]["words"]["zh"], "and not the way it was paid"
    assert WECHAT.asked(stage, "refund.create", refund.out_refund_no) == 1
    assert WECHAT.asked(stage, "refund.abnormal", refund.out_refund_no) == 1
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0


def test_f_53_what_the_console_sends_to_the_hospital_itself_has_not_reached_the_patient(stage: Stage) -> None:
    """MERCHANT_BANK_CARD: WeChat calls it a success. It stays with people until they have given it by hand."""
    case = WECHAT.paid(stage)
    WECHAT.spoil(stage, "refund.create", "abnormal", times=1)
    assert case.cancel().status == 200
    stage.work_until(lambda: case.refunds()[0].status is RefundStatus.ABNORMAL, "the platform has said so")
    (refund,) = case.refunds()
    (account,) = [one for one in stage.control("GET", "/credentials")["wechat_pay"] if one["merchant"] == "demo"]
    console = MerchantClient(account, requests.Session())
    path = f"/v3/refund/domestic/refunds/{refund.platform_refund_no}/apply-abnormal-refund"
    body = {"out_refund_no": refund.out_refund_no, "type": "MERCHANT_BANK_CARD"}
    assert console.call("POST", path, body).status_code == 200
    stage.work(after=timedelta(hours=2))
    told = console.call("GET", f"/v3/refund/domestic/refunds/{refund.out_refund_no}").json()
    assert (told["status"], told["user_received_account"]) == ("SUCCESS", "商户结算银行账户")
    stage.work(after=timedelta(hours=2))
    assert not case.is_refunded()
    assert case.shown()["refund"]["status"] == "abnormal"
    decide(stage, case, RefundWay.BY_HAND)
    stage.work_until(case.is_refunded, "given back by hand")
    assert case.refunds()[0].by_hand


def test_f_54_what_the_platform_closed_goes_out_under_a_number_that_is_linked_to_it(stage: Stage) -> None:
    """WeChat Pay's CLOSED."""
    case = WECHAT.paid(stage)
    WECHAT.spoil(stage, "refund.create", "closed", times=1)
    assert case.cancel().status == 200
    stage.work_until(lambda: len(case.refunds()) == 2 and case.is_refunded(), "refunded under another number")
    closed, second = case.refunds()
    assert (closed.status, second.status, second.replaces_id) == (
        RefundStatus.CLOSED,
        RefundStatus.SUCCEEDED,
        closed.id,
    )
    assert case.counts() == (["refund", "refund", "trade"], 1, 2)
    assert case.kept_fen() == 0
