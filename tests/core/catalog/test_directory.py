"""A directory goes in by code, all or nothing, and a second time without changing anything."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from catalog_folder import Folder
from fakes import ManualClock
from sqlalchemy import func, select

from core.catalog.directory import Loaded, load_directory
from core.catalog.faults import InvalidDirectory
from core.catalog.folder import read_directory
from core.catalog.pinyin import Overrides
from core.catalog.publish import extend_schedules
from core.catalog.recompile import recompile_terms
from core.catalog.texts import spell_out
from core.transactions import Transactions
from models import Base
from models.hospital import Campus, Department, Doctor, Hospital, Period, Roster
from models.person import Sex
from models.policy import BookingPolicyRow
from models.schedule import Schedule, Slot, SlotStatus

DATA = Path(__file__).parents[3] / "data"


def dump(transactions: Transactions) -> dict[str, list[Any]]:
    """Every row of every table."""
    return transactions.read(
        lambda session, _now: {
            table.name: sorted(map(repr, session.execute(select(table)))) for table in Base.metadata.sorted_tables
        }
    )


def one(transactions: Transactions, model: Any, **where: Any) -> Any:
    return transactions.read(lambda session, _now: session.scalars(select(model).filter_by(**where)).one())


def count(transactions: Transactions, model: Any, **where: Any) -> int:
    found = transactions.read(
        lambda session, _now: session.scalar(select(func.count()).select_from(model).filter_by(**where))
    )
    assert found is not None
    return found


def counts(loaded: Loaded, file: str) -> tuple[int, int, int, int]:
    tally = loaded.files[file]
    return tally.added, tally.changed, tally.retired, tally.unchanged


def test_everything_arrives_as_it_was_written(folder: Folder, transactions: Transactions) -> None:
    loaded = folder.load(transactions)
    assert counts(loaded, "departments.csv") == (4, 0, 0, 0)

    hospital = one(transactions, Hospital, code="H1")
    assert (hospital.name, hospital.alias, hospital.merchant, hospital.synthetic) == (
        "南京第一示例医院",
        "一院;示例一院",
        None,
        False,
    )
    assert (hospital.lat, hospital.lng) == (32.05, 118.78)
    member = one(transactions, Department, code="H1-D1")
    assert member.parent_id == one(transactions, Department, code="H1-G1").id
    assert (member.hospital_id, member.position, member.subject_code) == (hospital.id, 2, "03.04")
    women = one(transactions, Department, code="H1-D2")
    assert (women.sex, women.min_age, women.max_age, women.parent_id) == (Sex.FEMALE, 14, None, None)
    doctor = one(transactions, Doctor, code="DOC1")
    assert (doctor.department_id, doctor.sex, doctor.synthetic) == (member.id, Sex.MALE, True)
    roster = one(transactions, Roster, doctor_code="DOC1")
    assert (roster.doctor_id, roster.campus_id) == (doctor.id, one(transactions, Campus, code="H1-A").id)
    assert (roster.period, roster.starts.isoformat(), roster.fee_fen) == (Period.MORNING, "08:00:00", 5000)


def test_a_second_load_changes_nothing(folder: Folder, transactions: Transactions, clock: ManualClock) -> None:
    folder.policies = [{"level": "hospital", "code": "H1", "policy": {"hold_minutes": 20}}]
    folder.load(transactions)
    before = dump(transactions)
    clock.advance(timedelta(hours=1))
    again = folder.load(transactions)
    assert not again.changed_anything
    assert counts(again, "rosters.csv") == (0, 0, 0, 3)
    assert dump(transactions) == before


def test_only_what_differs_is_changed(folder: Folder, transactions: Transactions, clock: ManualClock) -> None:
    folder.load(transactions)
    before = {code: one(transactions, Hospital, code=code) for code in ("H1", "H2")}
    clock.advance(timedelta(hours=1))
    folder.row("hospitals.csv")["name"] = "南京第一新名医院"
    again = folder.load(transactions)
    assert counts(again, "hospitals.csv") == (0, 1, 0, 1)
    renamed, other = one(transactions, Hospital, code="H1"), one(transactions, Hospital, code="H2")
    assert renamed.id == before["H1"].id
    assert renamed.updated_at == clock.now()
    assert "xinming" in renamed.search_text
    assert other.updated_at == before["H2"].updated_at


def test_with_one_bad_row_nothing_is_written(folder: Folder, transactions: Transactions) -> None:
    folder.row("rosters.csv", 2)["fee_fen"] = "-1"
    with pytest.raises(InvalidDirectory):
        folder.load(transactions)
    assert count(transactions, Hospital) == 0


def test_a_code_of_another_hospital_is_refused_and_nothing_is_written(
    folder: Folder, transactions: Transactions, tmp_path: Path
) -> None:
    folder.load(transactions)
    before = dump(transactions)
    other = Folder(tmp_path)
    for rows in other.files.values():
        for row in rows:
            for column, value in row.items():
                if column in ("code", "hospital_code") and value in ("H1", "H2"):
                    row[column] = value + "X"
    with pytest.raises(InvalidDirectory) as raised:
        other.load(transactions)
    assert {(fault.file, fault.column, fault.code) for fault in raised.value.faults} == {
        (file, "code", "other_hospital") for file in ("campuses.csv", "departments.csv", "doctors.csv")
    }
    assert len(raised.value.faults) == 8
    assert dump(transactions) == before


def test_another_folder_leaves_the_other_hospitals_alone(folder: Folder, transactions: Transactions) -> None:
    folder.load(transactions)
    for file, rows in folder.files.items():
        column = "code" if file == "hospitals.csv" else "hospital_code"
        folder.files[file] = [row for row in rows if row[column] == "H2"]
    again = folder.load(transactions)
    assert not again.changed_anything
    assert count(transactions, Roster, retired_at=None) == 3


# --- rosters ---------------------------------------------------------------------------------------------------------


def test_a_roster_that_vanished_is_retired_and_may_come_back(folder: Folder, transactions: Transactions) -> None:
    folder.load(transactions)
    gone = folder.files["rosters.csv"].pop(0)
    assert counts(folder.load(transactions), "rosters.csv") == (0, 0, 1, 2)
    assert one(transactions, Roster, doctor_code="DOC1").retired_at is not None
    assert not folder.load(transactions).changed_anything
    folder.files["rosters.csv"].append(gone)
    assert counts(folder.load(transactions), "rosters.csv") == (0, 1, 0, 2)
    assert one(transactions, Roster, doctor_code="DOC1").retired_at is None


def fees(transactions: Transactions) -> list[tuple[bool, int]]:
    """(released, fee) of DOC1's half days in the order of their dates."""
    return transactions.read(
        lambda session, now: [
            (row.release_at <= now, row.fee_fen)
            for row in session.scalars(
                select(Schedule).where(Schedule.doctor_code == "DOC1").order_by(Schedule.visit_date)
            )
        ]
    )


def test_a_new_fee_reaches_half_days_that_are_not_released_and_no_others(
    folder: Folder, transactions: Transactions
) -> None:
    folder.policies = [{"level": "hospital", "code": "H1", "policy": {"release_days_before": 7}}]
    folder.load(transactions)
    extend_schedules(transactions)  # Mondays: tomorrow is released, the one after is not
    assert fees(transactions) == [(True, 5000), (False, 5000), (False, 5000)]
    folder.row("rosters.csv")["fee_fen"] = "6000"
    assert folder.load(transactions).withdrawn == 2
    extend_schedules(transactions)
    assert fees(transactions) == [(True, 5000), (False, 6000), (False, 6000)]


def test_a_retired_roster_takes_unreleased_half_days_along(folder: Folder, transactions: Transactions) -> None:
    folder.policies = [{"level": "hospital", "code": "H1", "policy": {"release_days_before": 7}}]
    folder.load(transactions)
    extend_schedules(transactions)
    folder.files["rosters.csv"].pop(0)
    folder.load(transactions)
    extend_schedules(transactions)
    assert fees(transactions) == [(True, 5000)]


def test_a_half_day_with_a_touched_number_stays(folder: Folder, transactions: Transactions) -> None:
    """A policy that moved the release behind a sale must not make what was sold disappear."""
    folder.policies = [{"level": "hospital", "code": "H1", "policy": {"release_days_before": 7}}]
    folder.load(transactions)
    extend_schedules(transactions)

    def touch(session: Any, now: Any) -> None:
        last = session.scalars(
            select(Schedule).where(Schedule.doctor_code == "DOC1").order_by(Schedule.visit_date.desc()).limit(1)
        ).one()
        slot = session.scalars(select(Slot).where(Slot.schedule_id == last.id, Slot.sequence == 1)).one()
        slot.status, slot.moved = SlotStatus.FREE, 2

    transactions.write(touch)
    folder.row("rosters.csv")["fee_fen"] = "6000"
    assert folder.load(transactions).withdrawn == 1
    extend_schedules(transactions)
    assert fees(transactions) == [(True, 5000), (False, 6000), (False, 5000)]


# --- single dates ----------------------------------------------------------------------------------------------------


def single(folder: Folder, visit_date: str, **cells: str) -> dict[str, str]:
    plain = {key: value for key, value in folder.row("rosters.csv").items() if key not in ("weekday", "synthetic")}
    return plain | {"visit_date": visit_date} | cells


def test_single_dates_become_schedules_once(folder: Folder, transactions: Transactions) -> None:
    folder.policies = [{"level": "doctor", "code": "DOC1", "policy": {"hold_minutes": 33}}]
    folder.files["schedules.csv"] = [single(folder, "2026-12-05"), single(folder, "2026-11-01")]
    loaded = folder.load(transactions)
    assert counts(loaded, "schedules.csv") == (1, 0, 0, 1)  # what is past is passed over
    schedule = one(transactions, Schedule)
    assert (str(schedule.visit_date), schedule.terms["hold_minutes"]) == ("2026-12-05", 33)
    assert count(transactions, Slot, schedule_id=schedule.id) == 8
    assert not folder.load(transactions).changed_anything


def test_a_single_date_survives_the_retirement_of_a_roster_like_it(folder: Folder, transactions: Transactions) -> None:
    folder.policies = [{"level": "hospital", "code": "H1", "policy": {"release_days_before": 7}}]
    folder.files["schedules.csv"] = [single(folder, "2026-11-30")]  # a Monday
    folder.load(transactions)
    extend_schedules(transactions)
    folder.files["rosters.csv"].pop(0)
    assert folder.load(transactions).withdrawn == 1
    assert {str(day) for day in transactions.read(
        lambda session, _now: session.scalars(select(Schedule.visit_date).where(Schedule.doctor_code == "DOC1")).all()
    )} == {"2026-11-23", "2026-11-30"}  # fmt: skip


# --- policies --------------------------------------------------------------------------------------------------------


def policies(transactions: Transactions) -> dict[tuple[str, str], tuple[int, Any]]:
    return transactions.read(
        lambda session, _now: {
            (str(row.level), row.subject): (row.version, row.document)
            for row in session.scalars(select(BookingPolicyRow))
        }
    )


def test_policies_follow_the_file_and_count_their_versions(folder: Folder, transactions: Transactions) -> None:
    platform = {"level": "platform", "code": "", "policy": {"hold_minutes": 10}}
    folder.policies = [platform, {"level": "department", "code": "H1-D2", "policy": {"hold_minutes": 20}}]
    folder.load(transactions)
    folder.policies[1]["policy"] = {"hold_minutes": 25}
    assert counts(folder.load(transactions), "policies.json") == (0, 1, 0, 1)
    assert policies(transactions)["department", "H1-D2"] == (2, {"hold_minutes": 25})

    folder.policies = []  # the department is under the wider rules again, the platform keeps its own
    assert counts(folder.load(transactions), "policies.json") == (0, 0, 1, 0)
    assert policies(transactions) == {
        ("platform", ""): (1, {"hold_minutes": 10}),
        ("department", "H1-D2"): (3, {}),
    }
    assert not folder.load(transactions).changed_anything


def test_a_folder_without_policies_says_nothing_about_them(folder: Folder, transactions: Transactions) -> None:
    folder.policies = [{"level": "hospital", "code": "H1", "policy": {"hold_minutes": 20}}]
    folder.load(transactions)
    (folder.path / "policies.json").unlink()
    folder.policies = None
    assert not folder.load(transactions).changed_anything
    assert policies(transactions)["hospital", "H1"] == (1, {"hold_minutes": 20})


# --- the product's own sample ----------------------------------------------------------------------------------------


def test_the_sample_loads_and_loads_again_with_no_change(transactions: Transactions) -> None:
    directory = read_directory(DATA / "sample")
    texts = spell_out(directory, Overrides.read(DATA / "pinyin_overrides.json"))

    def load() -> Loaded:
        return transactions.write(lambda session, now: load_directory(session, directory, texts=texts, now=now))

    assert load().changed_anything
    made = extend_schedules(transactions)
    assert made.schedules > 1500
    assert made.slots > 20_000
    assert not load().changed_anything
    assert extend_schedules(transactions).schedules == 0
    assert recompile_terms(transactions) == 0
