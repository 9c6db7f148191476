"""What is refused by its field, and what by a rule at its very instant."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from harness import Patient, beside, join, relatives, same_person
from sqlalchemy import event, select, update

from core.refusals import (
    AlreadyBooked,
    FeeChanged,
    FieldsRequired,
    HoldOpen,
    IdentityRequired,
    NotReleased,
    NumbersInFlight,
    PersonLimit,
    ScheduleClosed,
    ScheduleSuspended,
    SoldOut,
)
from models.appointment import Appointment, PayerKind, PayMode
from models.base import new_id
from models.database import Database
from models.errors import NotFound, ValidationFailed
from models.job import Job
from models.notice import Notice
from models.person import Dependent
from models.schedule import Schedule, ScheduleStatus, SlotStatus

MILLISECOND = timedelta(milliseconds=1)


def jobs(patient: Patient) -> list[Job]:
    return patient.read(lambda session: list(session.scalars(select(Job).order_by(Job.id))))


def notices(patient: Patient) -> list[Notice]:
    return patient.read(lambda session: list(session.scalars(select(Notice).order_by(Notice.id))))


def set_schedule(patient: Patient, **values: Any) -> None:
    patient.write(
        lambda session, _now: session.execute(
            update(Schedule).where(Schedule.id == patient.schedule_id).values(**values)
        )
    )


def refused_field(patient: Patient, **wish: Any) -> tuple[str, str]:
    with pytest.raises(ValidationFailed) as refused:
        patient.book(**wish)
    (fault,) = refused.value.errors
    return fault.pointer, fault.code


# --- what is refused by its field


def test_a_segment_that_does_not_exist(patient: Patient) -> None:
    nowhere = patient.slots()[0].starts_at + MILLISECOND
    assert refused_field(patient, segment_starts_at=nowhere) == ("#/segment_starts_at", "no_such_segment")


def test_a_way_to_pay_that_is_not_offered(patient: Patient) -> None:
    only_online = beside(patient, terms={"pay_modes": ["online"]})
    assert refused_field(patient, pay=PayMode.ON_SITE, schedule_id=only_online) == ("#/pay", "not_offered")
    assert refused_field(patient, payer_kind=PayerKind.INSURANCE) == ("#/payer_kind", "not_offered")


def test_a_fee_that_is_no_longer_the_one_shown(patient: Patient) -> None:
    with pytest.raises(FeeChanged) as refused:
        patient.book(expected_fee_fen=4000)
    assert refused.value.facts == {"fee_fen": 5000}
    patient.book(expected_fee_fen=5000)


def test_what_is_not_there_or_not_ones_own(patient: Patient) -> None:
    stranger = same_person(patient)
    with pytest.raises(NotFound):
        patient.book(schedule_id=new_id())
    with pytest.raises(NotFound):
        patient.book(dependent_id=new_id())
    with pytest.raises(NotFound):
        patient.book(dependent_id=stranger.dependent_id)


def test_a_dependent_who_was_archived(patient: Patient) -> None:
    patient.write(lambda session, now: session.execute(update(Dependent).values(archived_at=now)))
    with pytest.raises(NotFound):
        patient.book()


# --- what is refused by a rule, at its very instant


def test_nothing_is_sold_before_the_release(patient: Patient) -> None:
    set_schedule(patient, release_at=patient.clock.now() + MILLISECOND)
    with pytest.raises(NotReleased):
        patient.book()
    patient.clock.advance(MILLISECOND)
    patient.book()


def test_nothing_is_sold_from_the_instant_it_closes(patient: Patient) -> None:
    set_schedule(patient, closes_at=patient.clock.now() + MILLISECOND)
    patient.book(PayMode.ON_SITE)
    patient.clock.advance(MILLISECOND)
    with pytest.raises(ScheduleClosed):
        join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id).book()


def test_a_segment_is_sold_until_half_an_hour_before_it_begins(patient: Patient) -> None:
    schedule_id = beside(patient, numbers=11)
    starts_at = patient.read(lambda session: session.get_one(Schedule, schedule_id)).starts_at
    set_last = {"closes_at": starts_at + timedelta(hours=1)}
    patient.schedule_id = schedule_id
    set_schedule(patient, **set_last)
    patient.clock.set(starts_at - timedelta(minutes=30) - MILLISECOND)
    assert patient.slot(patient.book(PayMode.ON_SITE)).sequence == 1
    patient.clock.advance(MILLISECOND)
    late = join(patient.workbench, patient.clock, patient.adapters, schedule_id)
    assert late.slot(late.book(PayMode.ON_SITE)).sequence == 11
    with pytest.raises(SoldOut):
        join(patient.workbench, patient.clock, patient.adapters, schedule_id).book()


def test_sold_out_is_said_only_when_nothing_can_come_back(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=1)
    holder, late = same_schedule(patient), same_schedule(patient)
    appointment_id = holder.book()
    with pytest.raises(NumbersInFlight) as refused:
        late.book()
    assert refused.value.retry_at == patient.clock.now() + timedelta(minutes=1)
    holder.cancel(appointment_id)
    with pytest.raises(NumbersInFlight):  # withheld: it returns by a job
        late.book()
    patient.work()
    late.book(PayMode.ON_SITE)
    with pytest.raises(SoldOut):
        patient.book()


def same_schedule(patient: Patient) -> Patient:
    return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)


def test_the_rules_of_a_person_are_asked_before_booking(patient: Patient) -> None:
    child = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id, birth_date=date(2020, 1, 1))
    with pytest.raises(FieldsRequired):  # a guardian
        child.book()
    typed = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id, level=0)
    with pytest.raises(IdentityRequired):
        typed.book()
    patient.book()
    with pytest.raises(AlreadyBooked):
        patient.book()
    with pytest.raises(PersonLimit):
        same_person(patient).book()
    with pytest.raises(HoldOpen):
        patient.book(schedule_id=beside(patient, visit_date=date(2026, 11, 26)))


def test_an_account_holds_two_unpaid_numbers_at_most(patient: Patient) -> None:
    first, second, third = relatives(patient, 3)
    patient.book(dependent_id=first)
    patient.book(dependent_id=second)
    with pytest.raises(HoldOpen):
        patient.book(dependent_id=third)


def test_a_refusal_leaves_no_trace(patient: Patient) -> None:
    set_schedule(patient, status=ScheduleStatus.CLOSED)
    with pytest.raises(ScheduleClosed):
        patient.book()
    assert patient.read(lambda session: session.scalars(select(Appointment)).all()) == []
    assert {slot.status for slot in patient.slots()} == {SlotStatus.FREE}


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    ("status", "refusal"), [(ScheduleStatus.SUSPENDED, ScheduleSuspended), (ScheduleStatus.CLOSED, ScheduleClosed)]
)
def test_a_schedule_suspended_while_we_took_a_number_is_seen(
    patient: Patient, database: Database, status: ScheduleStatus, refusal: type[Exception]
) -> None:
    """On SQLite nobody writes meanwhile; on PostgreSQL the claim looks again at the schedule."""

    done = list[bool]()

    def suspend(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE slots") and not done:
            done.append(True)
            set_schedule(patient, status=status)

    event.listen(database.engine, "before_cursor_execute", suspend)
    with pytest.raises(refusal):
        patient.book()
    assert {slot.status for slot in patient.slots()} == {SlotStatus.FREE}
