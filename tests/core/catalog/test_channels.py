"""Numbers kept for channels: as many as the policy says, spread over the half day, everybody's at the set instant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from catalog_folder import Folder
from fakes import ManualClock
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.catalog.channels import keep_for_channels, return_channels
from core.catalog.publish import extend_schedules
from core.catalog.recompile import recompile_terms
from core.invariants import check_invariants
from core.jobs.queue import LeasedJob
from core.locks import lock_schedules
from core.transactions import Transactions
from models.base import new_id
from models.schedule import PoolChannel, Schedule, Slot, SlotStatus, WithheldReason
from models.states import StateEvent

SHARES = {"share_on_site": 20, "share_elders": 10, "channels_return_days_before": 1, "channels_return_time": "18:00"}
FRIDAY = datetime(2026, 11, 27, 0, 0, tzinfo=UTC).date()
BACK = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


def publish(folder: Folder, transactions: Transactions, **policy: Any) -> None:
    folder.row("rosters.csv", 2)["numbers_per_segment"] = "5"
    folder.policies = [{"level": "hospital", "code": "H2", "policy": SHARES | policy}]
    folder.load(transactions)
    extend_schedules(transactions)


def of_friday(transactions: Transactions) -> list[Slot]:
    query = select(Slot).join(Schedule, Schedule.id == Slot.schedule_id).where(Schedule.visit_date == FRIDAY)
    return transactions.read(lambda session, _now: list(session.scalars(query.order_by(Slot.sequence))))


def run(transactions: Transactions) -> None:
    class Bench:
        """What the job uses of a workbench."""

    bench: Any = Bench()
    bench.transactions = transactions
    return_channels(bench, LeasedJob(new_id(), "return_channels", {}, 1, 1))


def sound(transactions: Transactions) -> bool:
    return not transactions.read(lambda session, now: check_invariants(session, now=now))


def test_2_1_3_shares_are_kept_and_spread(folder: Folder, transactions: Transactions) -> None:
    publish(folder, transactions)
    slots = of_friday(transactions)
    assert Counter(slot.channel for slot in slots) == {None: 14, PoolChannel.ON_SITE: 4, PoolChannel.ELDERS: 2}
    kept = [slot for slot in slots if slot.channel]
    assert {(slot.status, slot.withheld_reason) for slot in kept} == {(SlotStatus.WITHHELD, WithheldReason.CHANNEL)}
    assert len({slot.starts_at for slot in kept if slot.channel is PoolChannel.ON_SITE}) == 4
    assert sound(transactions)


def test_2_1_4_they_flow_back_at_the_instant_and_not_before(
    folder: Folder, transactions: Transactions, clock: ManualClock
) -> None:
    publish(folder, transactions)
    clock.set(BACK - timedelta(milliseconds=1))
    run(transactions)
    assert Counter(slot.status for slot in of_friday(transactions))[SlotStatus.WITHHELD] == 6
    clock.set(BACK)
    run(transactions)
    assert {slot.status for slot in of_friday(transactions)} == {SlotStatus.FREE}
    moves = select(StateEvent).where(StateEvent.to_status == "free")
    assert len(transactions.read(lambda session, _now: session.scalars(moves).all())) == 6
    assert sound(transactions)


def test_many_half_days_flow_back_a_few_in_each_transaction(
    folder: Folder, transactions: Transactions, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patients who book of the others do not wait for all of them."""
    publish(folder, transactions, release_days_before=60)
    clock.set(BACK + timedelta(days=60))
    locked: list[int] = []

    def seen(session: Session, schedule_ids: Sequence[UUID]) -> tuple[Sequence[Schedule], Sequence[Slot]]:
        locked.append(len(schedule_ids))
        return lock_schedules(session, schedule_ids)

    monkeypatch.setattr("core.catalog.channels.lock_schedules", seen)
    run(transactions)
    every = transactions.read(lambda session, _now: session.scalars(select(Schedule.id)).all())
    assert sum(locked) > 5, "else nothing is seen here"
    assert max(locked) == 5
    assert sum(locked) <= len(every)
    kept = select(Slot.id).where(Slot.status == SlotStatus.WITHHELD)
    assert transactions.read(lambda session, _now: session.scalars(kept).all()) == []
    assert sound(transactions)


def test_a_change_of_the_instant_reaches_what_stands(
    folder: Folder, transactions: Transactions, clock: ManualClock
) -> None:
    publish(folder, transactions)
    publish(folder, transactions, channels_return_time="12:00")
    recompile_terms(transactions)
    clock.set(BACK - timedelta(hours=6))
    run(transactions)
    assert {slot.status for slot in of_friday(transactions)} == {SlotStatus.FREE}


def test_a_roster_that_changes_takes_its_kept_numbers_along(folder: Folder, transactions: Transactions) -> None:
    publish(folder, transactions, release_days_before=0)
    folder.row("rosters.csv", 2)["fee_fen"] = "100"
    assert folder.load(transactions).withdrawn > 0
    extend_schedules(transactions)
    assert Counter(bool(slot.channel) for slot in of_friday(transactions)) == {False: 14, True: 6}


@given(
    st.integers(1, 60),
    st.fixed_dictionaries({str(channel): st.integers(0, 100) for channel in PoolChannel}),
)
def test_no_number_is_kept_twice_and_never_more_than_there_are(count: int, shares: dict[str, int]) -> None:
    compiled: Any = type("Compiled", (), {"shares": shares, "channels_return_at": BACK})
    slots = [{"id": new_id(), "hospital_id": None, "channel": None} for _ in range(count)]
    events = keep_for_channels(slots, compiled, now=BACK - timedelta(days=1))
    kept = Counter(slot["channel"] for slot in slots if slot["channel"])
    assert len(events) == kept.total() == min(count, sum(count * share // 100 for share in shares.values()))
    for channel in PoolChannel:
        assert kept[channel] <= count * shares[str(channel)] // 100
    assert keep_for_channels([{"channel": None}], compiled, now=BACK) == []
