"""Rosters become schedules with their numbers, once, and day 30 still sells."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from catalog_folder import Folder
from fakes import ManualClock
from sqlalchemy import func, select

from core.booking.terms import Terms
from core.catalog import publish
from core.catalog.halfdays import HalfDay, Made
from core.catalog.publish import extend_schedules, extend_schedules_job
from core.catalog.recompile import recompile_terms
from core.clock import HOSPITAL_ZONE, hospital_day
from core.jobs.queue import LeasedJob
from core.transactions import Transactions
from models.base import new_id
from models.database import Database
from models.hospital import Department, Period, Roster
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus
from models.states import StateEvent


def schedules(transactions: Transactions, **where: Any) -> Sequence[Schedule]:
    return transactions.read(
        lambda session, _now: session.scalars(
            select(Schedule).filter_by(**where).order_by(Schedule.visit_date, Schedule.starts_at)
        ).all()
    )


def slots(transactions: Transactions, schedule: Schedule) -> Sequence[Slot]:
    return transactions.read(
        lambda session, _now: session.scalars(
            select(Slot).where(Slot.schedule_id == schedule.id).order_by(Slot.sequence)
        ).all()
    )


def test_a_half_day_has_its_segments_and_numbers(folder: Folder, transactions: Transactions) -> None:
    folder.load(transactions)
    extend_schedules(transactions)
    first = schedules(transactions, doctor_code="DOC1")[0]
    assert (first.visit_date, first.period, first.clinic_type) == (date(2026, 11, 23), Period.MORNING, "EXPERT")
    assert first.starts_at == datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
    assert first.ends_at == datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    assert (first.fee_fen, first.status) == (5000, ScheduleStatus.OPEN)

    numbers = slots(transactions, first)
    assert [slot.sequence for slot in numbers] == list(range(1, 9))
    assert [slot.starts_at for slot in numbers] == sorted(slot.starts_at for slot in numbers)
    assert {(slot.starts_at, slot.ends_at) for slot in numbers} == {
        (first.starts_at + timedelta(minutes=30) * part, first.starts_at + timedelta(minutes=30) * (part + 1))
        for part in range(4)
    }
    assert {(slot.status, slot.moved, slot.hospital_id) for slot in numbers} == {
        (SlotStatus.FREE, 0, first.hospital_id)
    }


def test_a_number_is_born_without_an_event(folder: Folder, transactions: Transactions) -> None:
    folder.load(transactions)
    extend_schedules(transactions)
    assert transactions.read(lambda session, _now: session.scalar(select(func.count()).select_from(StateEvent))) == 0


def test_the_terms_are_those_of_the_policies(folder: Folder, transactions: Transactions) -> None:
    folder.policies = [
        {"level": "hospital", "code": "H1", "policy": {"hold_minutes": 20, "cancel_days_before": 1}},
        {"level": "department", "code": "H1-G1", "policy": {"hold_minutes": 21, "cancel_time": "15:00"}},
        {"level": "doctor", "code": "DOC1", "policy": {"hold_minutes": 22}},
    ]
    folder.load(transactions)
    extend_schedules(transactions)
    doctor, clinic = schedules(transactions, doctor_code="DOC1")[0], schedules(transactions, doctor_code="")[0]
    assert Terms.from_document(doctor.terms).hold_minutes == 22
    assert Terms.from_document(clinic.terms).hold_minutes == 21
    assert doctor.cancel_before == datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
    assert doctor.terms_version == doctor.terms["version"]
    other = schedules(transactions, doctor_code="DOC2")[0]
    assert Terms.from_document(other.terms).hold_minutes == 15


def test_a_second_run_makes_nothing(folder: Folder, transactions: Transactions) -> None:
    folder.load(transactions)
    made = extend_schedules(transactions)
    assert made == Made(schedules=7, slots=3 * 8 + 2 * 15 + 2 * 4)
    assert extend_schedules(transactions) == Made()


def test_more_rosters_than_fit_one_transaction_are_all_published(
    folder: Folder, transactions: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_ROSTERS_AT_ONCE", 1)
    folder.load(transactions)
    assert extend_schedules(transactions).schedules == 7
    assert extend_schedules(transactions) == Made()


def test_day_thirty_still_sells(folder: Folder, transactions: Transactions, clock: ManualClock) -> None:
    folder.load(transactions)
    extend_schedules(transactions)
    for _ in range(30):
        clock.advance(timedelta(days=1))
        extend_schedules(transactions)
    today = hospital_day(clock.now())
    ahead = {row.visit_date for row in schedules(transactions) if row.visit_date >= today}
    expected = {today + timedelta(days=day) for day in range(16)}
    assert ahead == {day for day in expected if day.isoweekday() in (1, 3, 5)}
    on_sale = [row for row in schedules(transactions) if row.shown_status(remaining=1, now=clock.now()) == "open"]
    assert len({row.visit_date for row in on_sale}) >= 6


def test_after_a_month_of_silence_the_coming_days_are_there_and_the_past_is_not(
    folder: Folder, transactions: Transactions, clock: ManualClock
) -> None:
    folder.load(transactions)
    clock.advance(timedelta(days=30))
    extend_schedules(transactions)
    assert min(row.visit_date for row in schedules(transactions)) >= hospital_day(clock.now())


def test_a_hospital_that_releases_earlier_is_published_further_ahead(
    folder: Folder, transactions: Transactions
) -> None:
    folder.policies = [{"level": "hospital", "code": "H2", "policy": {"release_days_before": 28}}]
    folder.load(transactions)
    extend_schedules(transactions)
    assert schedules(transactions, doctor_code="DOC2")[-1].visit_date == date(2026, 12, 18)
    assert schedules(transactions, doctor_code="DOC1")[-1].visit_date == date(2026, 12, 7)


def test_what_can_no_longer_be_booked_today_is_not_published(
    folder: Folder, transactions: Transactions, clock: ManualClock
) -> None:
    folder.load(transactions)
    last_segment = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    clock.set(last_segment - timedelta(minutes=30))
    extend_schedules(transactions)
    assert schedules(transactions, doctor_code="DOC1")[0].visit_date == date(2026, 11, 30)


def test_a_retired_roster_and_an_offline_department_are_not_published(
    folder: Folder, transactions: Transactions
) -> None:
    folder.load(transactions)

    def change(session: Any, now: datetime) -> None:
        session.scalars(select(Roster).where(Roster.doctor_code == "DOC2")).one().retired_at = now
        session.scalars(select(Department).where(Department.code == "H1-D1")).one().online = False

    transactions.write(change)
    assert extend_schedules(transactions) == Made()


def test_two_workers_at_once_publish_every_half_day_once(
    folder: Folder, database: Database, clock: ManualClock
) -> None:
    transactions = Transactions(database, clock)
    folder.load(transactions)
    made: list[Made] = []
    start = threading.Barrier(4)

    def run() -> None:
        start.wait(10)
        made.append(extend_schedules(transactions))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum((one.schedules for one in made), 0) == 7
    assert len(made) == 4
    assert len(schedules(transactions)) == 7


def test_the_job_publishes_and_is_done(folder: Folder, transactions: Transactions) -> None:
    class Bench:
        """What the job uses of a workbench."""

    bench: Any = Bench()
    bench.transactions = transactions
    folder.load(transactions)
    job = LeasedJob(new_id(), "extend_schedules", {}, 1, 1)
    assert extend_schedules_job(bench, job) is None
    assert len(schedules(transactions)) == 7


def test_a_half_day_that_runs_to_the_last_minute_of_the_day_stays_on_its_day() -> None:
    half_day = HalfDay(
        hospital_id=new_id(), campus_id=new_id(), department_id=new_id(), doctor_id=None, doctor_code="",
        visit_date=date(2026, 12, 1), period=Period.EVENING, starts=time(0, 0), ends=time(23, 45), clinic_type="X",
        fee_fen=0, segment_minutes=15, numbers_per_segment=1,
    )  # fmt: skip
    assert half_day.starts_at == datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
    assert half_day.ends_at.astimezone(HOSPITAL_ZONE).date() == date(2026, 12, 1)
    assert half_day.compiled([]).closes_at == half_day.ends_at - timedelta(minutes=45)


# --- a policy that changes -------------------------------------------------------------------------------------------


def test_a_changed_policy_reaches_the_schedules_to_come(
    folder: Folder, transactions: Transactions, clock: ManualClock
) -> None:
    folder.load(transactions)
    extend_schedules(transactions)
    before = schedules(transactions, doctor_code="DOC1")[0]
    clock.advance(timedelta(days=2))  # the first Monday is over
    folder.policies = [
        {"level": "hospital", "code": "H1", "policy": {"cancel_days_before": 1, "closes_minutes_before": 60}}
    ]
    folder.load(transactions)
    assert recompile_terms(transactions) == 4  # two Mondays and two Wednesdays
    assert recompile_terms(transactions) == 0

    past, coming, _ = schedules(transactions, doctor_code="DOC1")
    assert (past.id, past.terms_version, past.cancel_before) == (before.id, before.terms_version, before.cancel_before)
    assert coming.cancel_before == datetime(2026, 11, 28, 16, 0, tzinfo=UTC)
    assert coming.closes_at == coming.ends_at - timedelta(minutes=90)
    assert Terms.from_document(coming.terms).segment_closes_minutes_before == 60
    other = schedules(transactions, doctor_code="DOC2")[0]
    assert other.closes_at == other.ends_at - timedelta(minutes=45)
