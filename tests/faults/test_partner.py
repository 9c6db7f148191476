"""Hospitals whose merchants are sub-merchants of one partner: each gets its own money, over HTTP and signed."""

from __future__ import annotations

import secrets
from datetime import date
from typing import Any

import pytest
from cases import Case
from partners import case_at
from sqlalchemy import select
from stage import Stage

from core.clock import hospital_day
from core.reconciliation.day import MerchantDay, reconcile
from models.payment import PaymentStatus
from models.reconciliation import BillDay, BillLine, Difference
from models.states import Actor, Cause, CauseKind

OPERATOR = Cause(Actor.OPERATOR, CauseKind.COMMAND, "reconcile")


def opened_at(stage: Stage, merchant: str) -> Case:
    case = case_at(stage, merchant)
    opened = case.open_payment()
    assert opened.status == 201, opened
    return case


def paid_at(stage: Stage, merchant: str) -> Case:
    case = opened_at(stage, merchant)
    assert stage.deliver(case.pay())["state"] == "delivered"
    stage.work()
    assert case.is_booked()
    return case


def reconciled(stage: Stage, merchant: str, day: date) -> list[Difference]:
    return reconcile(stage.workbench, MerchantDay("wechat_pay", merchant, day), cause=OPERATOR)


def lines_of(stage: Stage, merchant: str) -> list[tuple[str, str]]:
    query = select(BillLine).join(BillDay).where(BillDay.merchant == merchant).order_by(BillLine.place)
    with stage.town.database.read() as session:
        return [(str(one.kind), one.out_trade_no) for one in session.scalars(query)]


def test_each_hospital_gets_its_own_money_and_its_own_bill(stage_of_its_own: Stage) -> None:
    """One is paid in an app of its own, the other in the partner's; both in the same mini-program, for a patient."""
    stage = stage_of_its_own
    kept, other = paid_at(stage, "fuyou"), paid_at(stage, "kouqiang")
    given_back = paid_at(stage, "fuyou")
    assert given_back.cancel().status == 200
    stage.work_until(given_back.is_refunded, "refunded")
    assert [(one["merchant"], one["kind"]) for one in given_back.ledger()] == [("fuyou", "trade"), ("fuyou", "refund")]
    today = hospital_day(stage.clock.now())
    stage.control("POST", "/clock", {"offset_seconds": 2 * 86400})  # a bill is there at ten of the next morning
    assert [reconciled(stage, merchant, today) for merchant in ("fuyou", "kouqiang")] == [[], []]
    assert sorted(lines_of(stage, "fuyou")) == sorted(
        [("payment", kept.trade_no), ("payment", given_back.trade_no), ("refund", given_back.trade_no)]
    )
    assert lines_of(stage, "kouqiang") == [("payment", other.trade_no)]


def test_without_any_event_it_is_found_by_asking(stage: Stage) -> None:
    """F-45."""
    stage.control("POST", "/faults", {"target": "notice.payment", "kind": "drop", "match": {"merchant": "fuyou"}})
    case = opened_at(stage, "fuyou")
    case.pay()
    stage.work_until(case.is_booked, "booked by asking", most=60)
    assert stage.inbox() == []


def told_of(stage: Stage, case: Case, merchant: str) -> dict[str, Any]:
    """What the platform would say of this number, had it been paid to that sub-merchant."""
    account = next(one for one in stage.control("GET", "/credentials")["wechat_pay"] if one["merchant"] == merchant)
    payer = case.stranger.open_id
    return {
        "sp_appid": account["appid"],
        "sp_mchid": account["mchid"],
        "sub_mchid": account["sub_mchid"],
        **({"sub_appid": account["sub_appids"][0]} if account["sub_appids"] else {}),
        "out_trade_no": case.trade_no,
        "transaction_id": f"42000{secrets.randbelow(10**23):023d}",
        "trade_type": "JSAPI",
        "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功",
        "bank_type": "OTHERS",
        "success_time": "2026-11-22T10:00:00+08:00",
        "payer": {"sub_openid" if account["sub_appids"] else "sp_openid": payer},
        "amount": {"total": 5000, "payer_total": 5000, "currency": "CNY", "payer_currency": "CNY"},
    }


@pytest.mark.parametrize(("door", "of"), [("fuyou", "kouqiang"), ("kouqiang", "fuyou")])
def test_a_genuine_event_of_a_sub_merchant_at_its_siblings_door_proves_nothing(
    stage: Stage, door: str, of: str
) -> None:
    """A-22, with the same keys at both doors."""
    case = opened_at(stage, "fuyou")
    url = f"{stage.base_url}/callbacks/wechat-pay/{door}"
    forged = {"merchant": of, "url": url, "plaintext": told_of(stage, case, of)}
    (sent,) = stage.control("POST", "/notices/forge", forged)["attempts"]
    stage.work()
    assert sent["status"] == 401
    assert stage.refused() == ["foreign_merchant"]
    assert [one.status for one in case.payments()] == [PaymentStatus.PENDING]
    assert case.moves() == ["pending"]
