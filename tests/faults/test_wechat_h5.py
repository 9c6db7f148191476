"""WeChat Pay from a browser, over HTTP with real signatures: whoever is logged in, from wherever they are."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from cases import Case
from partners import case_at
from stage import Stage

from core.clock import hospital_day
from core.reconciliation.day import MerchantDay, reconcile
from models.account import Provider
from models.payment import PaymentStatus
from models.states import Actor, Cause, CauseKind

H5 = "wechat_h5"
ADDRESS, ANOTHER = "203.0.113.7", "203.0.113.8"
OPERATOR = Cause(Actor.OPERATOR, CauseKind.COMMAND, "reconcile")


def open_from(stage: Stage, case: Case, address: str) -> Any:
    """The case's phone asks from there."""
    headers = {"Authorization": f"Bearer {case.stranger.phone.token}", "Idempotency-Key": str(uuid4())}
    answer = stage.app.test_client().post(
        f"/api/v1/appointments/{case.appointment_id}/payments",
        json={"channel": H5},
        headers=headers,
        environ_base={"REMOTE_ADDR": address},
    )
    if answer.status_code == 201:
        case.trade_no = answer.json["out_trade_no"]
    return answer


@pytest.mark.parametrize("provider", [Provider.WECHAT_MINIAPP, Provider.WECHAT_OFFICIAL, Provider.ALIPAY_MINIAPP])
def test_a_number_is_paid_in_a_browser_and_given_back(
    stage: Stage, provider: Provider, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    case = stage.case(stage.town.stranger(provider), channel=H5)
    opened = open_from(stage, case, ADDRESS)
    assert opened.status_code == 201, opened.json
    (place,) = opened.json["client_params"].values()
    assert urlsplit(place).path == "/pages/pay"
    assert stage.deliver(case.pay(client_params=opened.json["client_params"]))["state"] == "delivered"
    stage.work()
    assert case.is_booked()
    assert case.cancel().status == 200
    stage.work_until(case.is_refunded, "refunded")
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0
    told = "".join(capfd.readouterr()) + caplog.text
    assert "/payments" in told  # the log is there
    assert ADDRESS not in told


def test_asking_again_from_the_same_place_gives_a_fresh_way_to_the_same_number(stage: Stage) -> None:
    case = stage.case(channel=H5)
    first, second = open_from(stage, case, ADDRESS).json, open_from(stage, case, ADDRESS).json
    assert first["out_trade_no"] == second["out_trade_no"]
    assert first["client_params"] != second["client_params"]
    assert [one.status for one in case.payments()] == [PaymentStatus.PENDING]


def test_from_another_network_the_number_is_closed_and_another_takes_its_place(stage: Stage) -> None:
    """WeChat would take the same number for another order; whoever leaves the house has to be able to pay."""
    case = stage.case(channel=H5)
    first = open_from(stage, case, ADDRESS).json
    second = open_from(stage, case, ANOTHER)
    assert second.status_code == 201, second.json
    assert [one.status for one in case.payments()] == [PaymentStatus.CLOSED, PaymentStatus.PENDING]
    assert second.json["out_trade_no"] != first["out_trade_no"]
    states = {one["out_trade_no"]: one["state"] for one in case.ledger()}
    assert states == {first["out_trade_no"]: "CLOSED", second.json["out_trade_no"]: "NOTPAY"}
    stage.deliver(case.pay())
    stage.work()
    assert case.is_booked()


def test_who_has_paid_meanwhile_is_told_so_from_another_network(stage: Stage) -> None:
    stage.control("POST", "/faults", {"target": "notice.payment", "kind": "drop"})
    case = stage.case(channel=H5)
    open_from(stage, case, ADDRESS)
    case.pay()
    again = open_from(stage, case, ANOTHER)
    assert (again.status_code, again.json["code"]) == (409, "already_paid")
    assert case.is_booked()
    assert len(case.payments()) == 1


def test_the_pay_sheet_of_the_mini_program_is_closed_first(stage: Stage) -> None:
    case = stage.opened()
    jsapi = case.trade_no
    case.channel = H5
    assert open_from(stage, case, ADDRESS).status_code == 201
    states = {one["out_trade_no"]: one["state"] for one in case.ledger()}
    assert states == {jsapi: "CLOSED", case.trade_no: "NOTPAY"}


def test_a_hospital_whose_account_has_it_not_does_not_offer_it(stage: Stage) -> None:
    case = case_at(stage, "kouqiang")
    reply = open_from(stage, case, ADDRESS)
    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, "#/channel")


def test_a_sub_merchants_browser_money_is_in_its_bill(stage_of_its_own: Stage) -> None:
    stage = stage_of_its_own
    case = case_at(stage, "fuyou")
    assert open_from(stage, case, ADDRESS).status_code == 201
    stage.deliver(case.pay())
    stage.work()
    assert case.is_booked()
    today = hospital_day(stage.clock.now())
    stage.control("POST", "/clock", {"offset_seconds": 2 * 86400})  # a bill is there at ten of the next morning
    assert reconcile(stage.workbench, MerchantDay("wechat_pay", "fuyou", today), cause=OPERATOR) == []
    assert [one["merchant"] for one in case.ledger()] == ["fuyou"]
