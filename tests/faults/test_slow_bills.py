"""A platform that trickles its bill: one thread waits for it, however long, and patients wait for nothing (F-56)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from both_wallets import ALIPAY, WALLETS, Wallet
from sqlalchemy import select
from stage import Stage
from wire import eventually

from core.clock import hospital_day
from core.jobs.queue import enqueue
from core.reconciliation.day import RECONCILE
from models.reconciliation import BillDay

SECONDS = 4
"""Each of a day's two files takes as long: several leases, as they are here."""


@pytest.fixture
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.jobs.queue.LEASE", timedelta(seconds=1))
    monkeypatch.setattr("core.jobs.runner._RENEW_SECONDS", 0.2)


@pytest.fixture
def _next_day(stage: Stage) -> Iterator[None]:
    """At the platform, which has a bill at ten of the next morning, whatever time it is now."""
    stage.control("POST", "/clock", {"offset_seconds": 2 * 86400})
    yield
    stage.control("POST", "/clock", {"offset_seconds": 0})


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.usefixtures("_short_leases")
@WALLETS
def test_f_56_a_bill_that_trickles_is_fetched_by_one_thread_while_patients_are_served(
    stage: Stage, wallet: Wallet, request: pytest.FixtureRequest
) -> None:
    case = wallet.paid(stage)
    today = hospital_day(stage.clock.now())
    request.getfixturevalue("_next_day")
    wallet.spoil(stage, "bill.file", "slow_body", seconds=SECONDS)
    stage.control("DELETE", "/calls")
    with stage.workers(count=2):
        _ask_for_bill(stage, wallet, today)
        eventually(lambda: _files(stage, wallet), "it is being fetched", within=30)
        assert case.cancel().status == 200
        eventually(case.is_refunded, "who cancels meanwhile has their money back", within=30)
        assert len(_files(stage, wallet)) == 1, "during the first file"
        eventually(lambda: today in _taken(stage), "the bill is there", within=60)
    assert len(_files(stage, wallet)) == 2


def _ask_for_bill(stage: Stage, wallet: Wallet, day: date) -> None:
    of = {"provider": "alipay" if wallet is ALIPAY else "wechat_pay", "merchant": "demo", "day": day.isoformat()}
    stage.workbench.transactions.write(lambda session, now: enqueue(session, RECONCILE, run_at=now, now=now, **of))


def _files(stage: Stage, wallet: Wallet) -> list[object]:
    found: list[object] = stage.control("GET", f"/calls?operation={wallet.prefix}bill.file")["items"]
    return found


def _taken(stage: Stage) -> list[date]:
    with stage.town.database.read() as session:
        return list(session.scalars(select(BillDay.day)))
