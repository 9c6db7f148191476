"""Follow-ups (续诊, rules.md 2.12): once more on the same registration, for nothing, and by nobody else."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from eligible import set_schedule
from factories import TERMS, make_department, make_doctor, make_schedule
from harness import REQUEST, Patient, beside, join, race, same_person
from hospital_acts import suspend
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.booking.day import at_desk
from core.booking.extra import ExtraReason, Order, issue_extra_number
from core.booking.follow_up.refusals import NoFollowUp
from core.booking.follow_up.right import FollowUp, allow_follow_up
from core.booking.follow_up.use import Again, book_follow_up
from core.booking.rules.refusals import Overlaps
from core.booking.views import AppointmentView, view_appointment
from core.clock import hospital_day
from core.invariants import check_invariants
from core.refusals import AlreadyBooked, NotReschedulable, ScheduleClosed
from models.appointment import AppointmentStatus, CancelReason, PayMode
from models.audit import AuditEntry
from models.errors import NotFound
from models.hospital import Campus, Department, Hospital
from models.person import Dependent
from models.schedule import Schedule, Surplus

DAY = timedelta(days=1)
COVERS = {"follow_up_days": 3, "max_follow_ups": 2}


def visit(patient: Patient, **terms: Any) -> UUID:
    """They were seen, on the day of the visit."""
    set_schedule(patient, terms=dict(TERMS) | COVERS | terms)
    booked = patient.book(PayMode.ON_SITE)
    patient.clock.advance(patient.slot(booked).starts_at - patient.clock.now())
    for act in (at_desk.check_in_at_desk, at_desk.fulfil):
        patient.write(
            lambda session, now, act=act: act(session, appointment_id=booked, operator="desk", now=now, cause=REQUEST)
        )
    return booked


def allow(patient: Patient, visit_id: UUID) -> date:
    return patient.write(
        lambda session, now: allow_follow_up(session, appointment_id=visit_id, operator="张护士", now=now)
    )


def use(patient: Patient, visit_id: UUID, schedule_id: UUID, at: datetime | None = None) -> AppointmentView:
    return patient.write(
        lambda session, now: book_follow_up(
            session,
            account_id=patient.account_id,
            visit_id=visit_id,
            again=Again(schedule_id, at),
            now=now,
            cause=REQUEST,
            vault=patient.workbench.vault,
        )
    )


def why(patient: Patient, visit_id: UUID, schedule_id: UUID) -> str:
    with pytest.raises(NoFollowUp) as refused:
        use(patient, visit_id, schedule_id)
    return str(refused.value.facts["reason"])


def clinic(patient: Patient, days: int = 1, **schedule: Any) -> UUID:
    """Of the same department, so many days after today."""
    on = hospital_day(patient.clock.now()) + timedelta(days=days)
    return beside(patient, **{"visit_date": on, "terms": COVERS} | schedule)


def seen(patient: Patient, appointment_id: UUID) -> AppointmentView:
    return patient.read(
        lambda session: view_appointment(session, appointment_id=appointment_id, account_id=patient.account_id)
    )


def test_2_12_it_is_free_beside_the_numbers_and_once(patient: Patient) -> None:
    visit_id = visit(patient)
    full = clinic(patient, numbers=1)
    join(patient.workbench, patient.clock, patient.adapters, full).book(PayMode.ON_SITE)
    assert why(patient, visit_id, full) == "none"
    until = allow(patient, visit_id)
    assert until == hospital_day(patient.clock.now()) + 2 * DAY
    assert allow(patient, visit_id) == until
    assert seen(patient, visit_id).follow_up == FollowUp(until, None)
    (entry,) = patient.read(
        lambda session: session.scalars(select(AuditEntry).where(AuditEntry.action == "follow_up.allow")).all()
    )
    assert (entry.actor, entry.dependent_id) == ("张护士", patient.dependent_id)

    made = use(patient, visit_id, full)
    slot = patient.slot(made.appointment.id)
    assert (made.appointment.status, made.appointment.fee_fen, made.money.due_fen) == (AppointmentStatus.BOOKED, 0, 0)
    assert (slot.surplus, slot.sequence) == (Surplus.EXTRA, 2)
    shown = seen(patient, visit_id).follow_up
    assert shown == FollowUp(until, made.appointment.id)
    assert seen(patient, made.appointment.id).appointment.follow_up_of_id == visit_id
    assert why(patient, visit_id, clinic(patient, 2)) == "used"
    with pytest.raises(NoFollowUp):  # it gives no further one
        allow(patient, made.appointment.id)
    patient.assert_sound()


def test_2_12_given_back_it_can_be_used_again_and_its_number_is_nobody_elses(patient: Patient) -> None:
    visit_id = visit(patient)
    allow(patient, visit_id)
    first = use(patient, visit_id, clinic(patient)).appointment.id
    with pytest.raises(NotReschedulable):
        patient.reschedule(first, clinic(patient, 2))
    patient.cancel(first)
    patient.work(after=timedelta(seconds=5))
    assert patient.slot(first).is_withdrawn
    assert seen(patient, visit_id).follow_up == FollowUp(hospital_day(patient.clock.now()) + 2 * DAY, None)
    assert use(patient, visit_id, clinic(patient, 2))
    patient.assert_sound()


def test_2_12_days_and_how_closed_ones_move_them(patient: Patient) -> None:
    """Only days on which the department has a clinic at that campus count, suspended ones do not."""
    visit_id = visit(patient)
    suspend(patient, clinic(patient, 1))
    clinic(patient, 4)
    fifth, last = clinic(patient, 5), clinic(patient, 6)
    today = hospital_day(patient.clock.now())
    assert allow(patient, visit_id) == today + 5 * DAY
    assert why(patient, visit_id, last) == "day"
    before = beside(patient, visit_date=today - DAY)
    assert why(patient, visit_id, before) == "day"
    patient.work(after=4 * DAY)
    assert use(patient, visit_id, fifth)
    patient.assert_sound()


def test_2_12_the_last_day_is_over_at_its_end(patient: Patient) -> None:
    visit_id = visit(patient)
    last = clinic(patient, 2, starts=time(13))
    allow(patient, visit_id)
    schedule = patient.read(lambda session: session.get_one(Schedule, last))
    patient.clock.advance(schedule.ends_at - patient.clock.now())
    with pytest.raises(ScheduleClosed):
        use(patient, visit_id, last)
    tomorrow = clinic(patient, 1)
    assert why(patient, visit_id, tomorrow) == "day"


def test_2_12_whom_the_desk_gives_it(patient: Patient) -> None:
    def refused(visit_id: UUID) -> Any:
        with pytest.raises(NoFollowUp) as one:
            allow(patient, visit_id)
        return one.value.facts["reason"]

    booked = patient.book(PayMode.ON_SITE)
    assert refused(booked) == "not_offered"  # by the terms that it was sold under
    patient.cancel(booked)
    set_schedule(patient, terms=dict(TERMS) | COVERS)
    booked = patient.book(PayMode.ON_SITE)
    assert refused(booked) == "status"
    with pytest.raises(NotFound):
        allow(patient, patient.account_id)
    patient.cancel(booked)
    seen_there = visit(patient)
    patient.clock.advance(3 * DAY)
    assert refused(seen_there) == "over"


def test_2_12_the_same_department_campus_and_rank(patient: Patient) -> None:
    def titled(session: Session, title: str | None, *, campus: UUID | None = None, department: Any = None) -> UUID:
        here = department or session.get_one(Department, session.get_one(Schedule, patient.schedule_id).department_id)
        doctor = make_doctor(session, here, title=title) if title else None
        day = hospital_day(patient.clock.now()) + DAY
        half_day = make_schedule(session, here, doctor=doctor, visit_date=day, terms=COVERS)
        half_day.campus_id = campus or half_day.campus_id
        return half_day.id

    visit_id = visit(patient)

    def build(session: Session, _now: datetime) -> dict[str, UUID]:
        hospital = session.get_one(Hospital, session.get_one(Schedule, patient.schedule_id).hospital_id)
        new = Campus(id=patient.account_id, hospital_id=hospital.id, code="FAR", name="新院区", address="测试路9号")
        session.add(new)
        session.flush()
        seen_by = make_doctor(session, make_department(session, hospital), title="副主任医师")
        session.get_one(Schedule, patient.schedule_id).doctor_id = seen_by.id
        return {
            "department": titled(session, None, department=make_department(session, hospital)),
            "campus": titled(session, None, campus=new.id),
            "higher": titled(session, "主任医师"),
            "unknown": titled(session, "名老中医"),
            "same": titled(session, "副主任医师"),
            "lower": titled(session, "主治医师"),
            "none": titled(session, None),
        }

    at = patient.write(build)
    allow(patient, visit_id)
    told = [why(patient, visit_id, at[name]) for name in ("department", "campus", "higher", "unknown")]
    assert told == ["department", "department", "rank", "rank"]
    for name in ("same", "lower", "none"):
        made = use(patient, visit_id, at[name]).appointment.id
        patient.cancel(made)
    patient.assert_sound()


def test_2_12_only_this_person_and_this_account(patient: Patient) -> None:
    visit_id = visit(patient)
    allow(patient, visit_id)
    there = clinic(patient)
    with pytest.raises(NotFound):
        use(same_person(patient), visit_id, there)
    with pytest.raises(NotFound):
        use(patient, patient.account_id, there)
    patient.write(lambda session, now: remove(session, patient, now))
    with pytest.raises(NotFound):
        use(patient, visit_id, there)


def remove(session: Session, patient: Patient, now: datetime) -> None:
    session.get_one(Dependent, patient.dependent_id).archived_at = now


def test_2_12_limits_neither_refuse_it_nor_count_it(patient: Patient) -> None:
    """One department and day, one day and one week are full already, and as free afterwards as before."""
    tight = {"max_per_person_day": 1, "max_per_person_7_days": 1, "may_overlap": False}
    visit_id = visit(patient, **tight)
    allow(patient, visit_id)
    tomorrow, late = clinic(patient, terms=COVERS | tight), clinic(patient, starts=time(14), terms=COVERS | tight)
    made = use(patient, visit_id, tomorrow).appointment
    assert not made.one_per_department_day
    with pytest.raises(AlreadyBooked):
        patient.book(PayMode.ON_SITE, schedule_id=tomorrow)
    # The visit itself fills the week: a policy that lets two in allows one more, for the follow-up is none.
    two = dict(TERMS) | tight | {"max_per_person_7_days": 2}
    patient.write(lambda session, _now: setattr(session.get_one(Schedule, late), "terms", two))
    assert patient.book(PayMode.ON_SITE, schedule_id=late)
    patient.assert_sound()


def test_2_12_nobody_is_in_two_places_at_once(patient: Patient) -> None:
    visit_id = visit(patient)
    allow(patient, visit_id)
    there = clinic(patient, numbers=80, terms=COVERS | {"may_overlap": False})
    elsewhere = beside(patient, visit_date=hospital_day(patient.clock.now()) + DAY, numbers=80)
    patient.write(
        lambda session, _now: setattr(
            session.get_one(Schedule, elsewhere),
            "department_id",
            make_department(session, hospital_of(session, patient)).id,
        )
    )
    taken = patient.book(PayMode.ON_SITE, schedule_id=elsewhere)
    busy = patient.slot(taken)
    with pytest.raises(Overlaps):
        use(patient, visit_id, there, busy.starts_at)
    made = use(patient, visit_id, there).appointment
    slot = patient.slot(made.id)
    assert slot.starts_at >= busy.ends_at or slot.ends_at <= busy.starts_at


def hospital_of(session: Session, patient: Patient) -> Hospital:
    return session.get_one(Hospital, session.get_one(Schedule, patient.schedule_id).hospital_id)


def test_2_12_suspended_it_is_not_used_up_and_lasts_to_the_next_open_day(patient: Patient) -> None:
    visit_id = visit(patient)
    last = clinic(patient, 2)
    allow(patient, visit_id)
    made = use(patient, visit_id, last).appointment.id
    later = clinic(patient, 5)
    suspend(patient, last)
    patient.work(after=timedelta(seconds=5))
    ended = patient.appointment(made)
    assert (ended.status, ended.cancel_reason) == (AppointmentStatus.CANCELLED, CancelReason.SUSPENDED)
    assert seen(patient, visit_id).follow_up == FollowUp(hospital_day(patient.clock.now()) + 5 * DAY, None)
    assert use(patient, visit_id, later)
    patient.assert_sound()


def test_2_12_so_many_on_a_half_day_and_extra_numbers_beside(patient: Patient) -> None:
    visit_id = visit(patient)
    allow(patient, visit_id)
    there = clinic(patient, terms=COVERS | {"max_follow_ups": 0})
    assert why(patient, visit_id, there) == "full"
    one = clinic(patient, 2, terms=COVERS | {"max_extra_numbers": 1})
    use(patient, visit_id, one)
    other = join(patient.workbench, patient.clock, patient.adapters, one)

    def hire(session: Session, _now: datetime) -> str:
        half_day = session.get_one(Schedule, one)
        return make_doctor(session, session.get_one(Department, half_day.department_id)).code

    order = Order(one, other.dependent_id, patient.write(hire), ExtraReason.OTHER, "李护士", PayMode.ON_SITE)
    vault = patient.workbench.vault
    assert patient.write(lambda session, now: issue_extra_number(session, order, now=now, cause=REQUEST, vault=vault))
    patient.assert_sound()


def test_2_12_two_hands_at_once_use_it_once(patient: Patient) -> None:
    visit_id = visit(patient)
    allow(patient, visit_id)
    there = [clinic(patient, days) for days in (1, 2, 1, 2)]
    done = race(*(lambda at=at: use(patient, visit_id, at) for at in there))
    assert sum(isinstance(one, AppointmentView) for one in done) == 1
    refusals = [one for one in done if isinstance(one, NoFollowUp)]
    assert [one.facts["reason"] for one in refusals] == ["used"] * 3
    patient.assert_sound()


def test_the_invariant_finds_what_no_right_allows(patient: Patient) -> None:
    visit_id = visit(patient)
    allow(patient, visit_id)
    use(patient, visit_id, clinic(patient))
    for harm in ("fee_fen = 1", "visit_date = '2027-01-01'", "follow_up_of_id = id"):
        with pytest.raises(Undone):
            patient.write(lambda session, now, harm=harm: plant(session, patient, harm))


class Undone(Exception):
    """The planted row goes again."""


def plant(session: Session, patient: Patient, harm: str) -> None:
    session.execute(text(f"UPDATE appointments SET {harm} WHERE follow_up_of_id IS NOT NULL"))
    found = check_invariants(session, now=patient.clock.now())
    assert "follow_up_is_rightful" in {one.invariant for one in found}
    raise Undone
