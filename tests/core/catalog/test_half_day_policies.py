"""A policy of one half day alone, by the file that has the other levels: it wins, and nothing later loses it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from catalog_folder import Folder
from clerk import DAY, Clerk
from factories import make_doctor
from harness import Patient
from hospital_acts import ORDER
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.clinic.change_clinic import substitute_doctor
from core.booking.half_day_names import HalfDayName
from core.booking.policy import BookingPolicy
from core.booking.replay.simulate import Asked, Refused, simulate
from core.booking.terms import Terms
from core.catalog.faults import InvalidDirectory
from core.catalog.folder import read_directory
from core.catalog.publish import extend_schedules
from core.catalog.recompile import half_days_not_found, recompile_terms
from core.transactions import Transactions
from models.appointment import Appointment, PayMode
from models.base import new_id
from models.hospital import Department, Doctor, Hospital
from models.policy import BookingPolicyRow, PolicyLevel
from models.schedule import Schedule

SECOND = "H1-D1/DOC1/2026-11-30/morning/EXPERT"


def entry(name: str, **policy: Any) -> dict[str, Any]:
    return {"level": "schedule", "code": name, "policy": policy}


def held(transactions: Transactions, **where: Any) -> list[tuple[date, int]]:
    """The hold minutes of the half days there are."""
    query = select(Schedule).filter_by(**where).order_by(Schedule.visit_date)
    return transactions.read(
        lambda session, _now: [(one.visit_date, one.terms["hold_minutes"]) for one in session.scalars(query)]
    )


def test_a_half_day_has_rules_of_its_own_when_it_is_published(folder: Folder, transactions: Transactions) -> None:
    folder.policies = [
        {"level": "doctor", "code": "DOC1", "policy": {"hold_minutes": 20, "close_cap_minutes": 9}},
        entry(SECOND, hold_minutes=40),
    ]
    folder.load(transactions)
    extend_schedules(transactions)
    assert held(transactions, doctor_code="DOC1") == [
        (date(2026, 11, 23), 20), (date(2026, 11, 30), 40), (date(2026, 12, 7), 20),
    ]  # fmt: skip
    second = transactions.read(
        lambda session, _now: session.scalar(select(Schedule).filter_by(visit_date=date(2026, 11, 30)))
    )
    assert second is not None
    assert Terms.from_document(second.terms).close_cap_minutes == 9  # what it leaves alone is the doctor's
    assert recompile_terms(transactions) == 0


def test_it_is_set_and_taken_back_while_the_half_day_stands(folder: Folder, transactions: Transactions) -> None:
    folder.load(transactions)
    extend_schedules(transactions)
    usual = held(transactions, doctor_code="DOC1")
    folder.policies = [entry(SECOND, hold_minutes=40)]
    folder.load(transactions)
    assert recompile_terms(transactions) == 1
    assert [minutes for _, minutes in held(transactions, doctor_code="DOC1")] == [15, 40, 15]

    folder.policies = [
        {"level": "hospital", "code": "H1", "policy": {"hold_minutes": 22}},
        entry(SECOND, hold_minutes=40),
    ]
    folder.load(transactions)
    assert recompile_terms(transactions) == 4
    assert [minutes for _, minutes in held(transactions, doctor_code="DOC1")] == [22, 40, 22]

    folder.policies = []
    assert folder.load(transactions).files["policies.json"].retired == 2
    recompile_terms(transactions)
    assert held(transactions, doctor_code="DOC1") == usual
    assert recompile_terms(transactions) == 0


def test_what_is_sold_far_ahead_is_published_alone(folder: Folder, transactions: Transactions) -> None:
    far = "H1-D1/DOC1/2027-01-04/morning/EXPERT"
    folder.policies = [entry(far, release_days_before=60), entry(SECOND.replace("11-30", "11-16"), hold_minutes=40)]
    folder.load(transactions)
    assert transactions.read(half_days_not_found) == [far]
    extend_schedules(transactions)
    assert [day for day, _ in held(transactions, doctor_code="DOC1")][-2:] == [date(2026, 12, 7), date(2027, 1, 4)]
    assert transactions.read(half_days_not_found) == []
    folder.policies.append(entry("H1-D1/DOC1/2026-12-07/morning/ORDINARY", hold_minutes=40))
    folder.load(transactions)
    assert transactions.read(half_days_not_found) == ["H1-D1/DOC1/2026-12-07/morning/ORDINARY"]


def test_a_single_date_of_the_directory_has_it_too(folder: Folder, transactions: Transactions) -> None:
    sitting = {key: value for key, value in folder.row("rosters.csv").items() if key not in {"weekday", "synthetic"}}
    folder.files["schedules.csv"] = [sitting | {"visit_date": "2026-12-05"}]
    folder.policies = [entry("H1-D1/DOC1/2026-12-05/morning/EXPERT", hold_minutes=40)]
    folder.load(transactions)
    assert held(transactions) == [(date(2026, 12, 5), 40)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_code"),
        ("H1-D1/DOC1/2026-11-30/morning", "bad_code"),
        ("H1-D1/DOC1/2026-11-31/morning/EXPERT", "bad_code"),
        ("H1-D1/DOC1/20261130/morning/EXPERT", "bad_code"),
        ("H1-D1/DOC1/2026-11-30/noon/EXPERT", "bad_code"),
        ("H1-D1/DOC1/2026-11-30/morning/", "bad_code"),
        ("H1-D9/DOC1/2026-11-30/morning/EXPERT", "dangling"),
        ("H1-D1/DOC9/2026-11-30/morning/EXPERT", "dangling"),
        ("H1-D1/DOC2/2026-11-30/morning/EXPERT", "other_hospital"),
    ],
)
def test_a_name_that_cannot_be_one_is_told(folder: Folder, text: str, code: str) -> None:
    folder.policies = [entry(text, hold_minutes=40)]
    with pytest.raises(InvalidDirectory) as refused:
        read_directory(folder.write())
    assert [(fault.line, fault.column, fault.code) for fault in refused.value.faults] == [(1, "code", code)]


def test_a_name_reads_as_it_is_written() -> None:
    assert str(HalfDayName.parse(SECOND)) == SECOND
    clinic = "H1-D1//2026-11-25/afternoon/GENERAL"
    assert HalfDayName.parse(clinic).doctor == ""
    assert str(HalfDayName.parse(clinic)) == clinic


# --- where it is given to another doctor, sold, and tried out


def policy_of(clerk: Clerk, name: str, document: dict[str, Any]) -> None:
    """Set for the hospital of the clerk."""

    def put(session: Session, now: datetime) -> None:
        hospital = session.scalars(select(Hospital).where(Hospital.code == clerk.codes[0])).one()
        row = {"level": PolicyLevel.SCHEDULE, "subject": name, "document": BookingPolicy.parse(document).to_document()}
        session.add(BookingPolicyRow(id=new_id(), hospital_id=hospital.id, version=1, updated_at=now, **row))

    clerk.patient.write(put)


def test_an_imported_half_day_keeps_it_whoever_takes_the_clinic(patient: Patient, tmp_path: Path) -> None:
    clerk, transactions = Clerk(patient, tmp_path / "file.csv"), patient.workbench.transactions
    name = f"{clerk.codes[1]}//{DAY}/afternoon/FILE"
    policy_of(clerk, name, {"hold_minutes": 40, "pay_modes": ["on_site"]})
    clerk.load(clerk.row())
    recompile_terms(transactions)  # those of the harness have terms of their own
    assert held(transactions, clinic_type="FILE") == [(DAY, 40)]

    def hire(session: Session, _now: datetime) -> Doctor:
        return make_doctor(session, session.scalars(select(Department).where(Department.code == clerk.codes[1])).one())

    doctor = patient.write(hire)
    give = {"schedule_id": clerk.half_day().id, "doctor_id": doctor.id, "fee_fen": None, "order": ORDER}
    patient.write(lambda session, now: substitute_doctor(session, now=now, **give))
    recompile_terms(transactions)
    assert held(transactions, clinic_type="FILE") == [(DAY, 40)]
    # By the name that it has now a word wins over that which it was published under.
    policy_of(clerk, name.replace("//", f"/{doctor.code}/"), {"hold_minutes": 41})
    assert recompile_terms(transactions) == 1
    assert held(transactions, clinic_type="FILE") == [(DAY, 41)]
    assert clerk.half_day().terms["pay_modes"] == ["on_site"]


def test_what_was_sold_keeps_its_terms_and_the_replay_goes_by_the_half_day(patient: Patient, tmp_path: Path) -> None:
    clerk = Clerk(patient, tmp_path / "file.csv")
    schedule = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id))
    name = f"{clerk.codes[1]}//{schedule.visit_date}/{schedule.period}/{schedule.clinic_type}"
    booked = patient.book(PayMode.ON_SITE)
    before = patient.read(lambda session: session.scalars(select(Appointment)).one())

    assert refused(clerk) == []
    policy_of(clerk, name, {"age_from": 60, "cancel_days_before": 3})
    recompile_terms(patient.workbench.transactions)
    assert refused(clerk) == [["not_eligible"]]
    # What the half day says itself wins over what is tried for its hospital.
    assert refused(clerk, age_from=0) == [["not_eligible"]]
    after = patient.read(lambda session: session.scalars(select(Appointment)).one())
    assert booked is not None
    assert (after.terms, after.cancel_before) == (before.terms, before.cancel_before)
    now = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id))
    assert now.terms["age_from"] == 60
    assert now.cancel_before < schedule.cancel_before


def refused(clerk: Clerk, **policy: Any) -> Sequence[Sequence[str]]:
    told: list[Refused] = []
    simulate(clerk.patient.workbench.transactions, Asked(clerk.codes[0], BookingPolicy(**policy)), told=told.append)
    return [[error.code for error in one.errors] for one in told]
