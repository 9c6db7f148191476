"""Alipay from a browser, in a patient's day: whoever is logged in may pay, and only the platform's word counts."""

from __future__ import annotations

from datetime import timedelta

import requests
from both_wallets import on_one_kind
from browser_of_alipay import do, opened, paid
from cases import Case
from stage import Stage
from structlog.testing import capture_logs
from wire import Reply

from models.account import Provider
from models.payment import PaymentStatus


def handed_out(stage: Stage, provider: Provider = Provider.WECHAT_MINIAPP) -> tuple[Case, str]:
    """The case, and where its link leads to."""
    case = stage.case(stage.town.stranger(provider), channel="alipay_wap")
    reply = case.open_payment()
    assert (reply.status, set(reply.json["client_params"])) == (201, {"url"})
    return case, opened(reply.json["client_params"]["url"])


def test_it_is_confirmed_by_the_event_whoever_is_logged_in(stage: Stage) -> None:
    for provider in (Provider.WECHAT_MINIAPP, Provider.ALIPAY_MINIAPP):
        case, cashier = handed_out(stage, provider)
        paid(cashier)
        (notice,) = stage.control("GET", f"/notices?out_trade_no={case.trade_no}")["items"]
        assert stage.deliver(notice["id"])["state"] == "delivered"
        stage.work()
        assert case.is_booked()
        assert case.cancel().status == 200
        stage.work_until(case.is_refunded, "given back")
        assert case.kept_fen() == 0


def test_to_come_back_is_no_payment_whoever_sends_people_back(stage: Stage) -> None:
    stage.control("POST", "/faults", {"target": "alipay.notice.payment", "kind": "drop"})
    case, cashier = handed_out(stage)
    page = f"{stage.base_url}/callbacks/alipay-return/demo"
    assert requests.get(f"{stage.base_url}/callbacks/alipay-return/nobody", timeout=10).status_code == 404
    back = paid(cashier)
    assert back.startswith(page)
    bent = back.replace("total_amount=", "total_amount=1")
    with capture_logs() as logs:
        pages = [requests.get(one, timeout=10) for one in (page, back, bent, f"{page}?out_trade_no={case.trade_no}")]
    assert [one.status_code for one in pages] == [200] * 4
    assert "不作任何判断" in pages[0].text
    assert {one.text for one in pages} == {pages[0].text}
    assert sum(one["event"] == "return_refused" for one in logs) == 2
    assert [one.status for one in case.payments()] == [PaymentStatus.PENDING], "the page decides nothing"
    stage.work_until(case.is_booked, "Alipay was asked")


@on_one_kind
def test_one_that_nobody_opens_lets_the_patient_pay_another_way(stage: Stage) -> None:
    case, _ = handed_out(stage)
    other = Case(case.place, case.stranger, case.schedule_id, case.appointment_id)
    refused = other.open_payment_once()
    assert isinstance(refused, Reply)
    assert (refused.status, refused.code) == (409, "link_open")
    assert refused.json["retry_at"] == case.shown()["payment"]["expires_at"]
    stage.work(after=timedelta(minutes=5, seconds=1))
    assert [one.status for one in case.payments()] == [PaymentStatus.CLOSED]


@on_one_kind
def test_one_that_was_opened_is_closed_for_another_way(stage: Stage) -> None:
    case, cashier = handed_out(stage)
    assert do(cashier, "log_in").ok
    other = Case(case.place, case.stranger, case.schedule_id, case.appointment_id)
    assert other.open_payment().status == 201
    assert do(cashier, "pay").status_code == 409
    stage.deliver(other.pay())
    stage.work()
    assert other.is_booked()
