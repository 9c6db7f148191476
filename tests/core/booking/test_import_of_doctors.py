"""One doctor in two clinics at one and the same time, as a file has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from clerk import DAY, Clerk
from factories import make_department, make_doctor
from harness import Patient
from hospital_acts import ORDER, suspend
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.booking.clinic.change_clinic import close_schedule
from core.catalog.import_file import Imported
from models.base import new_id
from models.hospital import Campus, Department, Hospital
from models.schedule import Schedule


@pytest.fixture
def clerk(patient: Patient, tmp_path: Path) -> Clerk:
    return Clerk(patient, tmp_path / "file.csv")


@pytest.fixture
def doctor(clerk: Clerk) -> str:
    def build(session: Session, _now: object) -> str:
        return make_doctor(session, _department(session, clerk)).code

    return clerk.patient.write(build)


@pytest.fixture
def elsewhere(clerk: Clerk) -> str:
    """Another department."""

    def build(session: Session, _now: object) -> str:
        return make_department(session, _hospital(session, clerk)).code

    return clerk.patient.write(build)


@pytest.fixture
def campuses(clerk: Clerk) -> tuple[str, str]:
    def build(session: Session, _now: object) -> tuple[str, str]:
        hospital = _hospital(session, clerk)
        old = session.scalars(select(Campus).where(Campus.hospital_id == hospital.id)).one()
        session.add(Campus(id=new_id(), hospital_id=hospital.id, code="NEW", name="新院区", address="测试路2号"))
        return old.code, "NEW"

    return clerk.patient.write(build)


def _hospital(session: Session, clerk: Clerk) -> Hospital:
    return session.scalars(select(Hospital).where(Hospital.code == clerk.codes[0])).one()


def _department(session: Session, clerk: Clerk) -> Department:
    return session.scalars(select(Department).where(Department.code == clerk.codes[1])).one()


def told(done: Imported) -> list[tuple[int, str]]:
    return [(one.line, one.other) for one in done.at_one_time]


def count(clerk: Clerk) -> int | None:
    of_file = select(func.count()).select_from(Schedule).where(Schedule.clinic_type.in_(["FILE", "EXPERT"]))
    return clerk.patient.read(lambda session: session.scalar(of_file))


def test_another_clinic_type_at_that_time_is_told_at_both_rows(clerk: Clerk, doctor: str) -> None:
    department = clerk.codes[1]
    done = clerk.load(
        clerk.row(doctor_code=doctor),
        clerk.row(doctor_code=doctor, clinic_type="EXPERT", starts="14:30", ends="15:30"),
        clerk.row(doctor_code=doctor, clinic_type="EXPERT", starts="15:30", ends="16:30"),
    )
    assert done.new.schedules == 3
    assert told(done) == [
        (2, f"row 3 ({department} {DAY} 14:30-15:30 EXPERT)"),
        (3, f"row 2 ({department} {DAY} 14:00-15:00 FILE)"),
    ]


def test_another_department_is_told_of_what_stands_already(clerk: Clerk, doctor: str, elsewhere: str) -> None:
    clerk.load(clerk.row(doctor_code=doctor))
    stands = clerk.half_day()
    done = clerk.load(clerk.row(doctor_code=doctor, department_code=elsewhere))
    assert done.new.schedules == 1
    other = f"half day {stands.id}, which stands already ({clerk.codes[1]} {DAY} 14:00-15:00 FILE)"
    assert told(done) == [(2, other)]


def test_another_campus_at_that_time_is_a_bad_row_both_times(
    clerk: Clerk, doctor: str, campuses: tuple[str, str]
) -> None:
    old, new = campuses
    here = clerk.row(doctor_code=doctor, campus_code=old)
    there = clerk.row(doctor_code=doctor, campus_code=new, clinic_type="EXPERT")
    other_day = clerk.row(doctor_code=doctor, campus_code=new, visit_date="2026-11-27", fee="free")
    assert clerk.refused(here, there, other_day) == [
        (2, "campus_code", "doctor_busy"),
        (3, "campus_code", "doctor_busy"),
        (4, "fee", "bad_amount"),
    ]
    assert count(clerk) == 0
    clerk.load(here)
    assert clerk.refused(there) == [(2, "campus_code", "doctor_busy")]
    assert count(clerk) == 1


def test_the_same_clinic_twice_is_a_bad_row(clerk: Clerk, doctor: str) -> None:
    """Where another row means the one that stands, it is not a move of that one."""
    once = clerk.row(doctor_code=doctor)
    again = clerk.row(doctor_code=doctor, starts="14:30", ends="15:30")
    twice = [(2, "starts", "doctor_busy"), (3, "starts", "doctor_busy")]
    assert clerk.refused(once, again) == twice
    clerk.load(once)
    assert clerk.refused(once, again) == twice
    assert clerk.load(again).replaced == 1


def test_what_is_meant_to_move_away_is_not_in_the_way(clerk: Clerk, doctor: str, campuses: tuple[str, str]) -> None:
    old, new = campuses
    clerk.load(clerk.row(doctor_code=doctor, campus_code=old))
    there = clerk.row(doctor_code=doctor, campus_code=new)
    expert = clerk.row(doctor_code=doctor, campus_code=new, clinic_type="EXPERT", starts="15:00", ends="16:00")
    done = clerk.load(there, expert)
    assert (done.replaced, done.new.schedules, told(done)) == (1, 1, [])


def test_a_suspended_clinic_is_not_in_the_way(clerk: Clerk, doctor: str, campuses: tuple[str, str]) -> None:
    old, new = campuses
    clerk.load(clerk.row(doctor_code=doctor, campus_code=old))
    suspend(clerk.patient, clerk.half_day().id)
    done = clerk.load(clerk.row(doctor_code=doctor, campus_code=new, clinic_type="EXPERT"))
    assert (done.new.schedules, told(done)) == (1, [])


def test_nor_where_the_hospital_goes_on_listing_it(clerk: Clerk, doctor: str, campuses: tuple[str, str]) -> None:
    old, new = campuses
    listed = clerk.row(doctor_code=doctor, campus_code=old)
    clerk.load(listed)
    suspend(clerk.patient, clerk.half_day().id)
    done = clerk.load(listed, clerk.row(doctor_code=doctor, campus_code=new, clinic_type="EXPERT"))
    assert (done.new.schedules, done.unchanged, told(done)) == (1, 1, [])


def test_one_that_sells_nothing_more_takes_place(clerk: Clerk, doctor: str, campuses: tuple[str, str]) -> None:
    old, new = campuses
    clerk.load(clerk.row(doctor_code=doctor, campus_code=old))
    closed = clerk.half_day().id
    clerk.patient.write(lambda session, now: close_schedule(session, schedule_id=closed, order=ORDER, now=now))
    there = clerk.row(doctor_code=doctor, campus_code=new, clinic_type="EXPERT")
    assert clerk.refused(there) == [(2, "campus_code", "doctor_busy")]


def test_what_stood_so_before_is_only_named(clerk: Clerk, doctor: str, campuses: tuple[str, str]) -> None:
    """A file that changes nothing is not refused for it."""
    old, new = campuses
    here = clerk.row(doctor_code=doctor, campus_code=old)
    clerk.load(here, clerk.row(doctor_code=doctor, campus_code=old, clinic_type="EXPERT"))

    def part(session: Session, _now: object) -> None:
        expert = session.scalars(select(Schedule).where(Schedule.clinic_type == "EXPERT")).one()
        expert.campus_id = session.scalars(select(Campus.id).where(Campus.code == new)).one()

    clerk.patient.write(part)
    done = clerk.load(here, clerk.row(doctor_code=doctor, campus_code=new, clinic_type="EXPERT"))
    assert (done.unchanged, [line for line, _ in told(done)]) == (2, [2, 3])


def test_clinics_without_a_doctor_may_be_at_one_time(clerk: Clerk) -> None:
    done = clerk.load(clerk.row(), clerk.row(starts="14:30", ends="15:30"), clerk.row(clinic_type="EXPERT"))
    assert (done.new.schedules, told(done)) == (3, [])
