"""Half days from a file: all or nothing, twice the same, and nobody's number is ever taken away (F-91)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from clerk import CLERK, DAY, Clerk, another, opened
from factories import make_doctor
from harness import Patient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.booking.extra import ExtraReason, Order, issue_extra_number
from core.booking.watch.fairness import add_refusals
from core.catalog.publish import extend_schedules
from core.catalog.timetable import schedule_segments
from core.refusals import SoldOut
from models.appointment import AppointmentStatus, PayMode
from models.base import new_id
from models.hospital import Campus, Department, Hospital, Period, Roster
from models.schedule import Schedule, ScheduleStatus, SlotStatus, Surplus


@pytest.fixture
def clerk(patient: Patient, tmp_path: Path) -> Clerk:
    return Clerk(patient, tmp_path / "file.csv")


def test_a_file_twice_changes_nothing(clerk: Clerk) -> None:
    rows = clerk.row(), clerk.row(visit_date="2026/11/27", doctor_code="", fee="80.5")
    first = clerk.load(*rows)
    assert (first.new.schedules, first.new.slots) == (2, 8)
    made = clerk.half_day(visit_date=DAY)  # type: ignore[arg-type]
    assert (made.fee_fen, made.status, made.starts_at) == (
        5000,
        ScheduleStatus.OPEN,
        datetime(2026, 11, 26, 6, tzinfo=UTC),
    )
    again = clerk.load(*rows)
    assert (again.new.schedules, again.unchanged, again.refitted, again.replaced) == (0, 2, 0, 0)
    assert clerk.half_day(visit_date=DAY).id == made.id  # type: ignore[arg-type]
    clerk.patient.assert_sound()


def test_all_or_nothing_and_every_bad_row_named(clerk: Clerk) -> None:
    assert clerk.refused(
        clerk.row(),
        clerk.row(hospital_code="H-NONE"),
        clerk.row(department_code="D-NONE"),
        clerk.row(doctor_code="DOC-NONE"),
        clerk.row(visit_date="2026-11-21"),
        clerk.row(fee="free"),
        clerk.row(visit_date="2036-11-26"),
    ) == [
        (3, "hospital_code", "unknown_code"),
        (4, "department_code", "unknown_code"),
        (5, "doctor_code", "unknown_code"),
        (6, "visit_date", "in_the_past"),
        (7, "fee", "bad_amount"),
        (8, "visit_date", "too_far"),
    ]
    count = select(func.count()).where(Schedule.clinic_type == "FILE")
    assert clerk.patient.read(lambda session: session.scalar(count)) == 0


def test_with_several_campuses_the_file_must_say_which(clerk: Clerk) -> None:
    def build(session: Session, _now: datetime) -> None:
        hospital = session.scalars(select(Hospital).where(Hospital.code == clerk.codes[0])).one()
        session.add(Campus(id=new_id(), hospital_id=hospital.id, code="NEW", name="新院区", address="测试路2号"))

    clerk.patient.write(build)
    assert clerk.refused(clerk.row()) == [(2, "campus_code", "required")]


def test_a_department_that_is_not_booked_online_gets_none(clerk: Clerk) -> None:
    offline = select(Department).where(Department.code == clerk.codes[1])
    clerk.patient.write(lambda session, _now: setattr(session.scalars(offline).one(), "online", False))
    assert clerk.refused(clerk.row()) == [(2, "department_code", "not_online")]


# --- F-91: other numbers under patients


def test_f_91_more_numbers_are_added_behind_those_that_were_told(clerk: Clerk) -> None:
    clerk.load(clerk.row())
    done = clerk.load(clerk.row(numbers_per_segment="3"))
    assert (done.refitted, done.numbers_added, done.numbers_removed, done.beyond) == (1, 2, 0, [])
    half_past = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)
    assert [(one.sequence, one.starts_at == half_past) for one in clerk.slots()] == [
        (1, False), (2, False), (3, True), (4, True), (5, False), (6, True),
    ]  # fmt: skip
    clerk.patient.assert_sound()


def test_f_91_fewer_numbers_take_free_ones_from_the_end(clerk: Clerk) -> None:
    clerk.load(clerk.row(numbers_per_segment="3"))
    opened(clerk)
    mine = another(clerk).book(PayMode.ON_SITE)
    done = clerk.load(clerk.row(numbers_per_segment="1"))
    assert (done.numbers_removed, done.beyond) == (4, [])
    assert [(one.sequence, one.status) for one in clerk.slots()] == [(1, SlotStatus.BOOKED), (4, SlotStatus.FREE)]
    assert clerk.patient.appointment(mine).status is AppointmentStatus.BOOKED
    clerk.patient.assert_sound()


def test_f_91_nobody_is_cancelled_and_what_is_let_go_is_not_sold_again(clerk: Clerk) -> None:
    clerk.load(clerk.row(ends="14:30"))
    opened(clerk)
    patients = [another(clerk) for _ in range(2)]
    kept = [one.book(PayMode.ON_SITE) for one in patients]
    fewer = clerk.row(ends="14:30", numbers_per_segment="1")
    done = clerk.load(fewer)
    assert (done.numbers_removed, [held for _, held in done.beyond[0].appointments]) == (0, [kept[1]])
    assert {clerk.patient.appointment(one).status for one in kept} == {AppointmentStatus.BOOKED}
    again = clerk.load(fewer)
    assert (again.unchanged, again.refitted, again.beyond) == (1, 0, done.beyond)

    patients[1].cancel(kept[1])
    clerk.patient.work(after=timedelta(hours=3))
    with pytest.raises(SoldOut):
        another(clerk).book(PayMode.ON_SITE)
    assert clerk.load(fewer).beyond == []
    clerk.patient.assert_sound()

    assert clerk.load(clerk.row(ends="14:30")).numbers_added == 1
    assert another(clerk).book(PayMode.ON_SITE)
    assert [one.sequence for one in clerk.slots()] == [1, 2]
    clerk.patient.assert_sound()


def test_f_91_a_number_given_back_to_the_hospital_is_not_counted(clerk: Clerk) -> None:
    clerk.load(clerk.row(ends="14:30"))
    opened(clerk)
    one = another(clerk)
    one.cancel(one.book(PayMode.ON_SITE))
    clerk.patient.work(after=timedelta(hours=3))
    assert clerk.load(clerk.row(ends="14:30", numbers_per_segment="1")).numbers_removed == 1
    first, second = another(clerk), another(clerk)
    assert first.book(PayMode.ON_SITE)
    with pytest.raises(SoldOut):
        second.book(PayMode.ON_SITE)
    told = clerk.patient.write(lambda session, now: schedule_segments(session, clerk.half_day().id, now=now))
    assert [(segment.total, segment.remaining) for segment in told] == [(1, 0)]


def test_an_extra_number_is_beside_those_of_the_file(clerk: Clerk) -> None:
    clerk.load(clerk.row(ends="14:30"))
    one = another(clerk)
    doctor = clerk.patient.write(
        lambda session, _now: make_doctor(session, session.get_one(Department, clerk.half_day().department_id)).code
    )
    order = Order(one.schedule_id, one.dependent_id, doctor, ExtraReason.URGENT, "desk", PayMode.ON_SITE)
    vault = one.workbench.vault
    given = one.write(lambda session, now: issue_extra_number(session, order, now=now, cause=CLERK, vault=vault))
    assert clerk.load(clerk.row(ends="14:30")).unchanged == 1
    assert clerk.load(clerk.row(ends="14:30", numbers_per_segment="1")).numbers_removed == 1
    one.cancel(given.appointment.id)
    one.work(after=timedelta(hours=3))
    assert clerk.load(clerk.row(ends="14:30")).numbers_added == 1
    assert sorted((slot.status, slot.surplus) for slot in clerk.slots() if slot.surplus) == [
        (SlotStatus.WITHHELD, Surplus.EXTRA)
    ]
    clerk.patient.assert_sound()


def test_numbers_taken_back_are_on_sale_again_where_the_hospital_gives_more(clerk: Clerk) -> None:
    clerk.load(clerk.row(ends="14:30"))
    opened(clerk)
    for count in (1, 2):
        another(clerk).book(PayMode.ON_SITE)
        done = clerk.load(clerk.row(ends="14:30", numbers_per_segment="1"))
        assert len(done.beyond) == count - 1
        clerk.load(clerk.row(ends="14:30"))
    assert {one.surplus for one in clerk.slots()} == {None}


# --- another fee, time or place


@pytest.mark.parametrize(
    "but", [{"fee": "60"}, {"starts": "14:30", "ends": "15:30"}, {"ends": "15:30"}, {"segment_minutes": "20"}]
)
def test_what_nobody_had_a_number_of_is_made_anew(clerk: Clerk, but: dict[str, str]) -> None:
    clerk.load(clerk.row())
    before = clerk.half_day()
    done = clerk.load(clerk.row(**but))
    assert (done.replaced, done.new.schedules) == (1, 0)
    assert clerk.half_day().id != before.id
    assert clerk.load(clerk.row(**but)).unchanged == 1
    clerk.patient.assert_sound()


def test_what_only_refused_is_made_anew_or_withdrawn_all_the_same(clerk: Clerk) -> None:
    clerk.load(clerk.row())
    counted = {(clerk.half_day().id, "not_released"): 3}
    clerk.patient.write(lambda session, _now: add_refusals(session, counted))
    assert clerk.load(clerk.row(fee="60")).replaced == 1


@pytest.mark.parametrize(("but", "column"), [({"fee": "60"}, "fee"), ({"starts": "14:30", "ends": "15:30"}, "starts")])
def test_f_91_fee_and_time_stay_where_somebody_has_a_number(clerk: Clerk, but: dict[str, str], column: str) -> None:
    clerk.load(clerk.row())
    opened(clerk)
    mine = another(clerk).book(PayMode.ON_SITE)
    assert clerk.refused(clerk.row(visit_date="2026-11-27"), clerk.row(**but)) == [(3, column, "numbers_taken")]
    assert clerk.patient.appointment(mine).fee_fen == clerk.half_day().fee_fen == 5000


def test_another_time_that_does_not_overlap_is_another_half_day(clerk: Clerk) -> None:
    clerk.load(clerk.row())
    assert clerk.load(clerk.row(starts="15:00", ends="16:00")).new.schedules == 1


def test_what_was_suspended_is_not_changed_by_a_file(clerk: Clerk) -> None:
    clerk.load(clerk.row())
    half_day_id = clerk.half_day().id
    clerk.patient.write(
        lambda session, _now: setattr(session.get_one(Schedule, half_day_id), "status", ScheduleStatus.SUSPENDED)
    )
    assert clerk.refused(clerk.row(numbers_per_segment="3")) == [(2, "", "not_open")]
    assert clerk.load(clerk.row()).unchanged == 1


# --- beside the weekly roster


def test_a_file_stands_for_its_half_day_and_the_roster_is_silent(clerk: Clerk) -> None:
    """Also for a clinic that begins half an hour later than its roster says."""

    def plan(session: Session, _now: datetime) -> None:
        half_day = session.get_one(Schedule, clerk.patient.schedule_id)
        session.add(
            Roster(
                id=new_id(), hospital_id=half_day.hospital_id, department_id=half_day.department_id, doctor_id=None,
                doctor_code="", campus_id=half_day.campus_id, weekday=DAY.isoweekday(), period=Period.AFTERNOON,
                starts=time(14), ends=time(15), clinic_type="FILE",
                fee_fen=5000, segment_minutes=30, numbers_per_segment=2, retired_at=None,
            )
        )  # fmt: skip

    clerk.patient.write(plan)
    clerk.load(clerk.row(starts="14:30", ends="15:30"))
    extend_schedules(clerk.patient.workbench.transactions)
    on_day = select(Schedule.starts_at).where(Schedule.clinic_type == "FILE").order_by(Schedule.starts_at)
    starts = clerk.patient.read(lambda session: list(session.scalars(on_day)))
    assert [one.day for one in starts] == [26, 3]
    assert starts[0] == datetime(2026, 11, 26, 6, 30, tzinfo=UTC)
