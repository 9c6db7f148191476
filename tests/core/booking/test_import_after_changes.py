"""A file after the hospital has moved a half day of it, or given it to another doctor: nothing is sold twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from clerk import DAY, Clerk
from factories import make_doctor
from harness import Patient
from hospital_acts import ORDER, suspend
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.clinic.change_clinic import close_schedule, move_schedule, substitute_doctor
from core.catalog.publish import extend_schedules
from core.clock import HOSPITAL_ZONE
from models.base import new_id
from models.hospital import Campus, Department, Doctor, Hospital, Period, Roster
from models.schedule import Schedule, ScheduleStatus

AT_TEN = datetime.combine(DAY, time(10), tzinfo=HOSPITAL_ZONE)
MORNING = {"period": "morning", "starts": "08:00", "ends": "09:00"}


@pytest.fixture
def clerk(patient: Patient, tmp_path: Path) -> Clerk:
    return Clerk(patient, tmp_path / "file.csv")


@pytest.fixture
def doctors(clerk: Clerk) -> tuple[str, str]:
    def build(session: Session, _now: datetime) -> tuple[str, str]:
        department = session.scalars(select(Department).where(Department.code == clerk.codes[1])).one()
        return make_doctor(session, department).code, make_doctor(session, department).code

    return clerk.patient.write(build)


def act(clerk: Clerk, verb: Callable[..., Any], schedule_id: UUID, **how: Any) -> None:
    clerk.patient.write(lambda session, now: verb(session, schedule_id=schedule_id, order=ORDER, now=now, **how))


def move(clerk: Clerk, schedule_id: UUID, starts_at: datetime = AT_TEN, campus_id: UUID | None = None) -> None:
    act(clerk, move_schedule, schedule_id, starts_at=starts_at, campus_id=campus_id)


def substitute(clerk: Clerk, schedule_id: UUID, code: str) -> None:
    query = select(Doctor.id).where(Doctor.code == code)
    doctor_id = clerk.patient.read(lambda session: session.scalars(query).one())
    act(clerk, substitute_doctor, schedule_id, doctor_id=doctor_id, fee_fen=2000)


def half_days(clerk: Clerk) -> list[tuple[str, str]]:
    """Of whom and when; in the order of their time."""
    query = select(Schedule).where(Schedule.clinic_type == "FILE").order_by(Schedule.starts_at, Schedule.doctor_code)
    found = clerk.patient.read(lambda session: session.scalars(query).all())
    return [(one.doctor_code, f"{one.starts_at.astimezone(HOSPITAL_ZONE):%H:%M}") for one in found]


def test_the_same_file_again_publishes_nothing_that_was_moved_or_given_away(
    clerk: Clerk, doctors: tuple[str, str]
) -> None:
    absent, substituted = doctors
    rows = clerk.row(**MORNING), clerk.row(**MORNING, doctor_code=absent)
    clerk.load(*rows)
    moved, given = clerk.half_day(doctor_code="").id, clerk.half_day(doctor_code=absent).id
    move(clerk, moved)
    substitute(clerk, given, substituted)
    done = clerk.load(*rows)
    assert (done.new.schedules, done.unchanged, done.refitted, done.replaced) == (0, 2, 0, 0)
    assert half_days(clerk) == [(substituted, "08:00"), ("", "10:00")]
    assert [(one.line, one.now) for one in done.changed_since] == [
        (2, f"half day {moved}, no doctor {DAY} 10:00-11:00"),
        (3, f"half day {given}, {substituted} {DAY} 08:00-09:00"),
    ]
    clerk.patient.assert_sound()


def test_of_a_chain_of_moves_each_row_stands_for_what_was_published_as_it_says(clerk: Clerk) -> None:
    """The second at ten goes to noon, then the first takes its time."""
    early = clerk.row(**MORNING, fee="50", numbers_per_segment="2")
    late = clerk.row(period="morning", starts="10:00", ends="11:00", fee="20", numbers_per_segment="4")
    clerk.load(early, late)
    query = select(Schedule.id).where(Schedule.clinic_type == "FILE").order_by(Schedule.starts_at)
    first, second = clerk.patient.read(lambda session: session.scalars(query).all())
    move(clerk, second, AT_TEN + timedelta(hours=2))
    move(clerk, first)
    for rows in ((early, late), (late, early)):
        done = clerk.load(*rows)
        assert (done.new.schedules, done.unchanged, done.refitted, done.replaced) == (0, 2, 0, 0)
    assert half_days(clerk) == [("", "10:00"), ("", "12:00")]
    clerk.patient.assert_sound()


def test_another_doctor_and_then_another_time_is_still_the_same_half_day(
    clerk: Clerk, doctors: tuple[str, str]
) -> None:
    clerk.load(clerk.row(**MORNING, doctor_code=doctors[0]))
    one = clerk.half_day().id
    substitute(clerk, one, doctors[1])
    move(clerk, one)
    move(clerk, one, AT_TEN + timedelta(hours=4))
    for row in (
        clerk.row(**MORNING, doctor_code=doctors[0]),
        clerk.row(**MORNING, doctor_code=doctors[1], fee="20"),
        clerk.row(period="morning", starts="10:00", ends="11:00", doctor_code=doctors[1], fee="20"),
        clerk.row(doctor_code=doctors[1], fee="20"),
    ):
        assert (done := clerk.load(row)).new.schedules == 0
        assert done.unchanged == 1
    assert half_days(clerk) == [(doctors[1], "14:00")]


def test_a_move_by_less_than_its_length_or_to_another_campus_alone_is_no_other_wish(clerk: Clerk) -> None:
    def build(session: Session, _now: datetime) -> UUID:
        hospital = session.scalars(select(Hospital).where(Hospital.code == clerk.codes[0])).one()
        campus = Campus(id=new_id(), hospital_id=hospital.id, code="NEW", name="新院区", address="测试路2号")
        session.add(campus)
        return campus.id

    old = clerk.patient.read(lambda session: session.scalars(select(Campus.code)).first()) or ""
    row = clerk.row(**MORNING, campus_code=old)
    clerk.load(row)
    move(clerk, clerk.half_day().id, AT_TEN - timedelta(hours=2), clerk.patient.write(build))
    assert clerk.load(row).unchanged == 1
    move(clerk, clerk.half_day().id, AT_TEN - timedelta(hours=1, minutes=30))
    assert clerk.load(row).unchanged == 1
    assert half_days(clerk) == [("", "08:30")]


def test_other_numbers_in_the_old_row_reach_the_half_day_at_its_new_time(clerk: Clerk) -> None:
    clerk.load(clerk.row(**MORNING))
    move(clerk, clerk.half_day().id)
    done = clerk.load(clerk.row(**MORNING, numbers_per_segment="3"))
    assert (done.refitted, done.numbers_added) == (1, 2)
    assert {one.starts_at for one in clerk.slots()} == {AT_TEN, AT_TEN + timedelta(minutes=30)}
    clerk.patient.assert_sound()
    assert clerk.refused(clerk.row(**MORNING, fee="60")) == [(2, "fee", "numbers_taken")]


def test_a_row_of_the_old_time_beside_one_of_the_new_changes_nothing(clerk: Clerk) -> None:
    """As in `load-directory`: what was moved is not published again under its old name."""
    clerk.load(clerk.row(**MORNING))
    move(clerk, clerk.half_day().id)
    new = clerk.row(period="morning", starts="10:00", ends="11:00", numbers_per_segment="3")
    for rows in ((clerk.row(**MORNING), new), (new, clerk.row(**MORNING))):
        assert clerk.load(*rows).new.schedules == 0
        assert (half_days(clerk), len(clerk.slots())) == ([("", "10:00")], 6)


@pytest.mark.parametrize("status", [ScheduleStatus.CLOSED, ScheduleStatus.SUSPENDED])
def test_what_was_moved_and_then_ended_stays_ended(clerk: Clerk, status: ScheduleStatus) -> None:
    clerk.load(clerk.row(**MORNING))
    one = clerk.half_day().id
    move(clerk, one)
    if status is ScheduleStatus.CLOSED:
        act(clerk, close_schedule, one)
    else:
        suspend(clerk.patient, schedule_id=one)
    assert clerk.load(clerk.row(**MORNING)).unchanged == 1
    assert clerk.refused(clerk.row(**MORNING, numbers_per_segment="3")) == [(2, "", "not_open")]
    assert clerk.half_day().status is status


def test_no_roster_is_published_in_the_place_of_what_a_file_brought_and_the_hospital_moved(clerk: Clerk) -> None:
    def build(session: Session, _now: datetime) -> None:
        one = session.scalars(select(Schedule).where(Schedule.clinic_type == "FILE")).one()
        session.add(
            Roster(
                id=new_id(), hospital_id=one.hospital_id, campus_id=one.campus_id, department_id=one.department_id,
                doctor_id=None, doctor_code="", weekday=DAY.isoweekday(), period=Period.MORNING, starts=time(8),
                ends=time(12), clinic_type="FILE", fee_fen=5000, segment_minutes=30, numbers_per_segment=2,
            )
        )  # fmt: skip

    clerk.load(clerk.row(period="morning", starts="08:30", ends="09:30"))
    clerk.patient.write(build)
    move(clerk, clerk.half_day().id, AT_TEN + timedelta(hours=4))
    extend_schedules(clerk.patient.workbench.transactions, days=7)
    here = select(Schedule).where(Schedule.clinic_type == "FILE", Schedule.visit_date == DAY)
    assert len(clerk.patient.read(lambda session: session.scalars(here).all())) == 1
