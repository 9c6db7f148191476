"""A suspended day's refunds, at both wallets, as the platform sees them come (L-12)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from both_wallets import ALIPAY, WALLETS, WECHAT, Wallet
from cases import Case, booked_by
from factories import make_department, make_hospital
from hospital_acts import ORDER
from sqlalchemy.orm import Session
from stage import Stage
from wire import eventually

from core.booking.clinic.suspend import suspend_schedule
from models.payment import RefundStatus

HALF_DAYS, IN_EACH, PER_SECOND = 4, 60, 20
OF_EACH = HALF_DAYS * IN_EACH // 2
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_l_12_a_suspended_day_is_sent_no_faster_than_each_platform_takes_it(stage: Stage) -> None:
    """240 refunds by two workers, half of them at each wallet, in place of 2,000. Meanwhile a patient of another
    hospital has their money back in its turn, and another pays."""
    elsewhere, pays = stage.paid(department_id=_department_of(stage, "gulou")), stage.opened()
    half_days = [
        stage.town.schedule(numbers=IN_EACH, now=stage.clock.now(), terms={"hold_minutes": 240})
        for _ in range(HALF_DAYS)
    ]
    with ThreadPoolExecutor(HALF_DAYS) as pool:
        cases = [one for each in pool.map(partial(_paid, stage), half_days) for one in each]
    stage.work_until(lambda: all(one.payments()[0].paid_at for one in cases), "all have paid", step=0.1)
    stage.control("DELETE", "/calls")
    for half_day in half_days:
        stage.workbench.transactions.write(partial(_suspend, of=half_day))
    with stage.workers(count=2, refunds_per_second=PER_SECOND):
        eventually(lambda: len(_sent(stage, WECHAT, "demo")) >= PER_SECOND, "the day is on its way", within=60)
        assert elsewhere.cancel().status == 200
        pays.pay()
        eventually(lambda: _sent(stage, WECHAT, "gulou"), "another hospital's is sent", within=30)
        eventually(pays.is_booked, "who pays has their number", within=30)
        assert len(_sent(stage, WECHAT, "demo")) < OF_EACH, "while the day's are still on their way"
        eventually(lambda: all(_is_back(one) for one in cases), "everybody has their money", within=120, every=1)
    for wallet in (WECHAT, ALIPAY):
        sent = _sent(stage, wallet, "demo")
        assert len({number for number, _ in sent}) == len(sent) == OF_EACH
        assert _most_in_a_second([at for _, at in sent]) <= PER_SECOND
    assert _is_back(elsewhere)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@WALLETS
def test_f_40_a_platform_that_wants_fewer_refunds_is_left_alone_for_a_moment(stage: Stage, wallet: Wallet) -> None:
    """The next refund of that account waits as well, and both arrive under the numbers that they had."""
    first, second = wallet.paid(stage), wallet.paid(stage)
    wallet.spoil(stage, "refund.create", "rate_limited", times=1)
    assert first.cancel().status == 200
    stage.work()
    (refused,) = first.refunds()
    assert (refused.status, refused.asked_times) == (RefundStatus.DUE, 1)
    assert second.cancel().status == 200
    stage.work(after=SECOND)
    assert [(one.status, one.asked_times) for one in second.refunds()] == [(RefundStatus.DUE, 0)]
    stage.settle(first, second)
    assert [one.out_refund_no for one in first.refunds()] == [refused.out_refund_no]
    assert wallet.asked(stage, "refund.create", refused.out_refund_no) == 2
    assert wallet.asked(stage, "refund.create", second.refunds()[0].out_refund_no) == 1


def _paid(stage: Stage, half_day: UUID) -> list[Case]:
    cases = []
    for wallet in (WECHAT, ALIPAY):
        for stranger in stage.town.strangers(IN_EACH // 2, wallet.provider):
            case = booked_by(stage, stranger, half_day, channel=wallet.channel)
            assert case.open_payment().status == 201
            case.pay()
            cases.append(case)
    return cases


def _department_of(stage: Stage, merchant: str) -> UUID:
    """Of a hospital whose money goes to that account."""
    with stage.town.database.write() as session:
        return make_department(session, make_hospital(session, code=f"T-{merchant}", merchant=merchant)).id


def _suspend(session: Session, now: datetime, *, of: UUID) -> None:
    suspend_schedule(session, schedule_id=of, order=ORDER, now=now)


def _sent(stage: Stage, wallet: Wallet, merchant: str) -> list[tuple[str, datetime]]:
    """The platform's own record: number and instant of every refund that it was told to make."""
    listed: list[dict[str, Any]] = stage.control(
        "GET", f"/calls?operation={wallet.prefix}refund.create&caller={merchant}"
    )["items"]
    return [(one["number"], datetime.fromisoformat(one["at"])) for one in listed]


def _most_in_a_second(instants: list[datetime]) -> int:
    return max(sum(one <= other < one + SECOND for other in instants) for one in instants)


def _is_back(case: Case) -> bool:
    return bool(case.refunds()) and all(one.succeeded_at is not None for one in case.refunds())
