"""A mini-program whose money WeChat keeps until it knows of the delivery, against the platform's own books."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from both_wallets import ALIPAY, on_one_kind
from cases import Case
from happenings import in_hand
from harness import insistently, race
from sqlalchemy import select
from stage import Stage
from structlog.testing import capture_logs
from wire import over_http

from core.payments.shipping import REPORT, report_shipping
from models.job import Job
from models.shipping import ShippingOutcome, ShippingReport
from sandbox.app import Running
from sandbox.faults import TRANSPORT_KINDS

A_MINUTE = timedelta(minutes=1)
LASTING = {"delay": {"seconds": 0.1}, "slow_body": {"seconds": 0.1}}


@pytest.fixture(autouse=True)
def _managed(platform: Running) -> Iterator[None]:
    """Before the app reads its accounts."""
    path, send = "/control/miniapps/patient", over_http(platform.base_url)
    assert send("POST", path, {"trade_managed": True}, {}).status == 200
    yield
    assert send("POST", path, {"trade_managed": False}, {}).status == 200


def funds(case: Case) -> Any:
    (trade,) = [one for one in case.ledger() if one["kind"] == "trade"]
    return trade["funds"]


def number(case: Case) -> str:
    (payment,) = case.payments()
    assert payment.platform_trade_no is not None
    return payment.platform_trade_no


def outcomes(stage: Stage, case: Case) -> list[ShippingOutcome | None]:
    of = [one.id for one in case.payments()]
    with stage.town.database.read() as session:
        query = select(ShippingReport.outcome).where(ShippingReport.payment_id.in_(of))
        return list(session.scalars(query))


def spoil(stage: Stage, kind: str, **rest: Any) -> None:
    stage.control("POST", "/faults", {"target": "shipping.report", "kind": kind, "times": 1, **rest})


def test_the_money_of_a_registration_is_free_once_it_is_booked(stage: Stage) -> None:
    case = stage.paid()
    assert (funds(case), outcomes(stage, case)) == ("frozen", [None])
    stage.work(after=A_MINUTE)
    assert (funds(case), outcomes(stage, case)) == ("free", [ShippingOutcome.REPORTED])
    stage.work(after=A_MINUTE)
    assert stage.asked("shipping.report", number(case)) == 1


@pytest.mark.parametrize("kind", sorted(TRANSPORT_KINDS))
@on_one_kind
def test_in_every_weather_the_patient_waits_for_nothing_and_the_money_is_free_in_the_end(
    stage: Stage, kind: str
) -> None:
    spoil(stage, kind, **LASTING.get(kind, {}))
    case = stage.paid()
    stage.work_until(lambda: outcomes(stage, case) == [ShippingOutcome.REPORTED], "reported", step=30, most=240)
    assert funds(case) == "free"
    assert case.is_booked()


@on_one_kind
def test_an_order_that_the_platform_does_not_know_yet_is_reported_when_it_does(stage: Stage) -> None:
    for _ in range(2):
        spoil(stage, "error", code=10060001)
    case = stage.paid()
    stage.work_until(lambda: outcomes(stage, case) == [ShippingOutcome.REPORTED], "reported", step=30, most=240)
    assert (funds(case), stage.asked("shipping.report", number(case))) == ("free", 3)


@on_one_kind
def test_what_is_refused_for_good_is_alarmed_and_stays_booked(stage: Stage) -> None:
    spoil(stage, "error", code=10060031)
    case = stage.paid()
    with capture_logs() as logs:
        stage.work(after=A_MINUTE)
    (alarm,) = [one for one in logs if one["event"] == "shipping_report_refused"]
    assert (alarm["payment"], alarm["alarm"]) == (str(case.payments()[0].id), True)
    stage.work(after=A_MINUTE)
    assert (funds(case), outcomes(stage, case)) == ("frozen", [ShippingOutcome.REFUSED])
    assert case.is_booked()


def test_two_workers_at_once_use_up_no_second_report(stage: Stage) -> None:
    """A delivery may be told anew once: the same again is not that."""
    case = stage.paid()
    stage.clock.advance(A_MINUTE)
    job = in_hand(REPORT, payment_id=case.payments()[0].id)
    tell = insistently(lambda: report_shipping(stage.workbench, job))
    assert [one for one in race(tell, tell, tell) if isinstance(one, Exception)] == []
    assert (funds(case), outcomes(stage, case)) == ("free", [ShippingOutcome.REPORTED])
    shipped = stage.platform.sandbox.store.one(
        "select reports from shippings where transaction_id = ?", (number(case),)
    )
    assert shipped is not None
    assert shipped["reports"] == 1


@on_one_kind
def test_what_went_back_first_is_never_reported(stage: Stage) -> None:
    case = stage.paid()
    assert case.cancel().status == 200
    stage.settle(case)
    stage.work(after=A_MINUTE)
    assert (funds(case), outcomes(stage, case)) == ("returned", [ShippingOutcome.NOT_NEEDED])
    assert stage.asked("shipping.report", number(case)) == 0


@on_one_kind
def test_the_other_wallet_waits_for_nobody(stage: Stage) -> None:
    case = ALIPAY.paid(stage)
    stage.work(after=A_MINUTE)
    with stage.town.database.read() as session:
        assert session.scalars(select(Job.id).where(Job.kind == REPORT)).all() == []
    assert outcomes(stage, case) == []
