"""A half day that is given to another doctor, moved, closed or opened again: who has a number keeps it or may leave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from factories import make_doctor
from fakes import FakeAdapters, ManualClock
from harness import Patient, beside, join, make_patient, race
from hospital_acts import ORDER, suspend
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.clinic.change_clinic import (
    Changed,
    close_schedule,
    move_schedule,
    reopen_schedule,
    substitute_doctor,
)
from core.booking.clinic.schedule_changes import ChangeRefused
from core.catalog.halfdays import standing_keys
from core.clock import HOSPITAL_ZONE
from core.refusals import CancelDeadlinePassed, NumbersInFlight, ScheduleClosed, SoldOut
from core.transactions import Overloaded
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.hospital import Department
from models.notice import Notice
from models.schedule import PoolChannel, Schedule, Slot, SlotStatus, WithheldReason

R = TypeVar("R")


def stranger(patient: Patient) -> Patient:
    return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)


def act(patient: Patient, verb: Callable[..., R], **how: Any) -> R:
    wanted = {"schedule_id": patient.schedule_id, "order": ORDER} | how
    return patient.write(lambda session, now: verb(session, now=now, **wanted))


def schedule(patient: Patient) -> Schedule:
    return patient.read(lambda session: session.get_one(Schedule, patient.schedule_id))


def told(patient: Patient, kind: str) -> list[UUID | None]:
    query = select(Notice.appointment_id).where(Notice.kind == kind).order_by(Notice.id)
    return patient.read(lambda session: list(session.scalars(query)))


@pytest.fixture
def doctor_id(patient: Patient) -> UUID:
    """Another doctor of the same department."""

    def step(session: Session, _now: datetime) -> UUID:
        first = session.get_one(Schedule, patient.schedule_id)
        return make_doctor(session, session.get_one(Department, first.department_id)).id

    return patient.write(step)


def too_late(patient: Patient, appointment_id: UUID) -> None:
    patient.write(lambda session, now: setattr(session.get_one(Appointment, appointment_id), "cancel_before", now))


def test_a_cheaper_doctor_gives_the_difference_back_once_and_whoever_minds_may_leave(
    patient: Patient, doctor_id: UUID
) -> None:
    unpaid, there = stranger(patient), stranger(patient)
    paid, held, on_site = patient.paid(), unpaid.book(), there.book(PayMode.ON_SITE)
    assert unpaid.open_payment(held) is None
    too_late(patient, paid)
    with pytest.raises(CancelDeadlinePassed):
        patient.cancel(paid)
    for _ in range(2):
        done: Changed = act(patient, substitute_doctor, doctor_id=doctor_id, fee_fen=3000)
        patient.work()
    assert (done.news, done.version, done.counts.appointments) == (False, 1, {"booked": 2, "pending": 1})
    assert told(patient, "doctor_substituted") == [paid, held, on_site]
    assert [one.amount_fen for one in patient.refunds()] == [2000]
    assert [patient.appointment(one).fee_fen for one in (paid, held, on_site)] == [3000, 5000, 3000]
    unpaid.hear(unpaid.gateway.pay(unpaid.payments()[-1].out_trade_no))
    patient.work()
    patient.work(after=timedelta(minutes=50))
    assert (patient.appointment(held).status, patient.appointment(held).fee_fen) == ("booked", 3000)
    assert [one.amount_fen for one in patient.refunds()] == [2000, 2000]
    patient.assert_sound()
    patient.cancel(paid)
    patient.work()
    assert patient.appointment(paid).cancel_reason is CancelReason.SUSPENDED
    assert sum(one.amount_fen for one in patient.refunds()) == 7000
    assert SlotStatus.FREE in {one.status for one in patient.slots()}
    patient.assert_sound()


@pytest.mark.parametrize("pays", [True, False])
def test_a_cheaper_doctor_spoils_no_exchange_that_is_being_paid(patient: Patient, doctor_id: UUID, pays: bool) -> None:
    """The difference stays what was asked; whoever keeps the old number after all has its own once that is sure."""
    old = patient.paid()
    there = beside(patient, visit_date=schedule(patient).visit_date + timedelta(days=1), fee_fen=8000)
    new = patient.reschedule(old, there)
    assert patient.open_payment(new) is None
    act(patient, substitute_doctor, doctor_id=doctor_id, fee_fen=3000)
    patient.work()
    if pays:
        patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    patient.work()
    for _ in range(2):
        patient.work(after=timedelta(minutes=50))
    assert patient.appointment(new).status == ("booked" if pays else "cancelled")
    assert (patient.appointment(old).status, patient.appointment(old).fee_fen) == (
        ("cancelled", 5000) if pays else ("booked", 3000)
    )
    assert [one.amount_fen for one in patient.refunds()] == ([] if pays else [2000])
    patient.assert_sound()


def test_a_dearer_doctor_costs_those_who_have_a_number_nothing(patient: Patient, doctor_id: UUID) -> None:
    paid = patient.paid()
    act(patient, substitute_doctor, doctor_id=doctor_id, fee_fen=9000)
    patient.work()
    assert (patient.appointment(paid).fee_fen, patient.refunds()) == (5000, [])
    later = stranger(patient).book(PayMode.ON_SITE)
    assert patient.appointment(later).fee_fen == 9000
    patient.work(after=timedelta(days=1, seconds=1))
    too_late(patient, paid)
    with pytest.raises(CancelDeadlinePassed):
        patient.cancel(paid)
    patient.assert_sound()


def test_a_doctor_is_at_one_place_at_a_time(patient: Patient, doctor_id: UUID) -> None:
    def give(session: Session, _now: datetime) -> None:
        other = session.get_one(Schedule, busy)
        other.doctor_id, other.doctor_code = doctor_id, "BUSY"

    busy = beside(patient)
    patient.write(give)
    patient.write(lambda session, _now: setattr(session.get_one(Schedule, patient.schedule_id), "doctor_code", "BUSY"))
    starts_at = schedule(patient).starts_at + timedelta(minutes=30)
    with pytest.raises(ChangeRefused):
        act(patient, move_schedule, starts_at=starts_at, campus_id=None)


def test_whoever_books_while_the_doctor_changes_is_told_or_buys_the_new_one(patient: Patient, doctor_id: UUID) -> None:
    patient.schedule_id = beside(patient, numbers=8)
    strangers = [stranger(patient) for _ in range(8)]
    results = race(
        lambda: act(patient, substitute_doctor, doctor_id=doctor_id, fee_fen=9000),
        *(lambda one=one: one.book(PayMode.ON_SITE) for one in strangers),
    )
    patient.work()
    seen = set(told(patient, "doctor_substituted"))
    for one in results[1:]:
        assert not isinstance(one, Exception) or isinstance(one, (Overloaded, NumbersInFlight, SoldOut)), one
        if isinstance(one, UUID):
            assert one in seen or patient.appointment(one).fee_fen == 9000
    patient.assert_sound()


def test_a_deadline_before_ones_segment_moves_with_it(
    workbench: Workbench, clock: ManualClock, adapters: FakeAdapters
) -> None:
    terms = {"cancel_minutes_before_segment": 60}
    patient = make_patient(workbench, clock, adapters, starts=time(13), terms=terms)
    mine = patient.paid()
    to = datetime.combine(schedule(patient).visit_date, time(8), HOSPITAL_ZONE)
    act(patient, move_schedule, starts_at=to, campus_id=None)
    patient.work()
    assert patient.appointment(mine).cancel_before == to - timedelta(hours=1)
    patient.clock.set(to)
    with pytest.raises(CancelDeadlinePassed):
        patient.cancel(mine)


def test_a_moved_clinic_keeps_its_numbers_and_its_roster_makes_no_second_one(patient: Patient) -> None:
    paid = patient.paid()
    before, slots = schedule(patient), patient.slots()
    later = datetime.combine(before.visit_date, time(9, 30), HOSPITAL_ZONE).astimezone(UTC)
    for _ in range(2):
        done: Changed = act(patient, move_schedule, starts_at=later, campus_id=None)
        patient.work()
    assert (done.news, done.version, told(patient, "clinic_moved")) == (False, 1, [paid])
    by = later - before.starts_at
    assert [(one.sequence, one.starts_at) for one in patient.slots()] == [
        (one.sequence, one.starts_at + by) for one in slots
    ]
    assert schedule(patient).closes_at == before.closes_at + by
    day = before.visit_date
    keys = patient.read(lambda session: standing_keys(session, [before.department_id], first=day, last=day))
    assert {key[5] for key in keys} == {before.starts_at, later}
    with pytest.raises(ChangeRefused):
        act(patient, move_schedule, starts_at=later + timedelta(days=1), campus_id=None)
    patient.clock.set(later - timedelta(milliseconds=1))
    patient.cancel(paid)
    assert patient.appointment(paid).cancel_reason is CancelReason.SUSPENDED
    patient.work()
    patient.assert_sound()


def test_closed_sells_nothing_and_keeps_what_was_sold(patient: Patient) -> None:
    paid = patient.paid()
    assert [act(patient, close_schedule).news for _ in range(2)] == [True, False]
    with pytest.raises(ScheduleClosed):
        stranger(patient).book()
    assert act(patient, reopen_schedule).version == 2
    stranger(patient).book(PayMode.ON_SITE)
    assert patient.appointment(paid).status is AppointmentStatus.BOOKED
    patient.assert_sound()


def test_opened_again_whoever_still_has_a_number_keeps_it_and_what_was_returned_stays_away(patient: Patient) -> None:
    """One waits for an answer to the only offer there was, one was refunded; the third number nobody had."""
    clinic_type = schedule(patient).clinic_type
    elsewhere = beside(patient, numbers=1, starts=time(13), clinic_type=clinic_type)
    waits, gone = patient.paid(), stranger(patient).paid()
    suspend(patient)
    patient.work()
    assert patient.appointment(gone).cancel_reason is CancelReason.SUSPENDED
    done: Changed = act(patient, reopen_schedule)
    patient.work()
    assert (done.news, done.version, done.slots) == (True, 2, 2)
    assert patient.appointment(waits).status is AppointmentStatus.BOOKED
    assert [one.status for one in patient.slots()] == [SlotStatus.BOOKED, SlotStatus.SUSPENDED, SlotStatus.FREE]
    assert told(patient, "clinic_reopened") == [waits]
    left = patient.read(lambda session: session.scalars(select(Slot.status).where(Slot.schedule_id == elsewhere)).all())
    assert left == [SlotStatus.FREE]
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    patient.assert_sound()
    assert suspend(patient).version == 3
    patient.work(after=timedelta(minutes=1))
    patient.work(after=timedelta(hours=2))
    assert patient.appointment(waits).cancel_reason is CancelReason.SUSPENDED
    patient.assert_sound()


def test_opened_again_before_anybody_was_seen_to_nothing_has_happened(patient: Patient) -> None:
    paid, other = patient.paid(), stranger(patient)
    held = other.book()
    suspend(patient)
    act(patient, reopen_schedule)
    patient.work()
    assert [patient.appointment(one).status for one in (paid, held)] == ["booked", "pending"]
    assert [one.status for one in patient.slots()] == [SlotStatus.BOOKED, SlotStatus.HELD, SlotStatus.FREE]
    assert patient.refunds() == []
    patient.assert_sound()


def test_opened_again_a_number_that_was_left_freely_before_is_sold_again(patient: Patient, doctor_id: UUID) -> None:
    """Its patient went because of another doctor, and lost nothing by the suspension."""
    left = patient.book(PayMode.ON_SITE)
    act(patient, substitute_doctor, doctor_id=doctor_id, fee_fen=None)
    patient.work()
    patient.cancel(left)
    assert patient.appointment(left).cancel_reason is CancelReason.SUSPENDED
    patient.work()
    patient.work(after=timedelta(minutes=1))
    assert patient.slot(left).status is SlotStatus.FREE
    suspend(patient)
    patient.clock.advance(timedelta(minutes=1))
    act(patient, reopen_schedule)
    assert {one.status for one in patient.slots()} == {SlotStatus.FREE}
    patient.assert_sound()


def test_opened_again_a_number_waits_until_its_prepay_is_known_to_be_closed(patient: Patient) -> None:
    gone = patient.book()
    patient.open_payment(gone)
    patient.gateway.down = "before"
    patient.cancel(gone)
    patient.work()
    suspend(patient)
    act(patient, reopen_schedule)
    patient.work()
    assert (patient.slot(gone).status, patient.slot(gone).withheld_reason) == ("withheld", WithheldReason.CLOSING)
    patient.assert_sound()
    patient.gateway.down = None
    patient.work(after=timedelta(minutes=1))
    patient.work(after=timedelta(minutes=5))
    assert {one.status for one in patient.slots()} == {SlotStatus.FREE}
    patient.assert_sound()


@pytest.mark.parametrize("until", [timedelta(minutes=2), timedelta(minutes=1)])
def test_opened_again_a_channel_has_its_number_until_it_is_everybodys(patient: Patient, until: timedelta) -> None:
    def keep(session: Session, now: datetime) -> None:
        session.get_one(Schedule, patient.schedule_id).channels_return_at = now + until
        slot = session.get_one(Slot, patient.slots()[0].id)
        slot.channel = PoolChannel.ELDERS
        slot.withhold(session, why=WithheldReason.CHANNEL, at=now, cause=ORDER.cause)

    patient.write(keep)
    suspend(patient)
    patient.clock.advance(timedelta(minutes=1))
    act(patient, reopen_schedule)
    kept, *others = patient.slots()
    held = (SlotStatus.WITHHELD, WithheldReason.CHANNEL)
    assert (kept.status, kept.withheld_reason) == (held if until > timedelta(minutes=1) else (SlotStatus.FREE, None))
    assert {one.status for one in others} == {SlotStatus.FREE}
    patient.work(after=timedelta(minutes=10))
    assert {one.status for one in patient.slots()} == {SlotStatus.FREE}
    patient.assert_sound()
