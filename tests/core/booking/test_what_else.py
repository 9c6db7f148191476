"""What else somebody is told of who is refused: only what is open, what they have themselves, and when it passes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from eligible import elsewhere, look, set_schedule, set_slots
from factories import make_doctor
from harness import Patient, beside, relatives
from sqlalchemy import update

from core.booking.eligibility import Eligibility, explain_for
from core.clock import HOSPITAL_ZONE
from models.appointment import Appointment, PayMode
from models.errors import ValidationFailed
from models.hospital import Department
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus

NEXT_DAY = date(2026, 11, 24)


def other_ways(patient: Patient) -> list[str]:
    (reason,) = look(patient).reasons
    return reason.alternatives


def doctor_beside(patient: Patient, **more: Any) -> UUID:
    """A half day of a doctor, in the same department."""

    def step(session: Any, _now: datetime) -> Any:
        first = session.get_one(Schedule, patient.schedule_id)
        return make_doctor(session, session.get_one(Department, first.department_id))

    return beside(patient, doctor=patient.write(step), **more)


def change(patient: Patient, schedule_id: UUID, **values: Any) -> None:
    patient.write(
        lambda session, _now: session.execute(update(Schedule).where(Schedule.id == schedule_id).values(**values))
    )


def sell_out(patient: Patient, schedule_id: UUID) -> None:
    patient.write(
        lambda session, _now: session.execute(
            update(Slot).where(Slot.schedule_id == schedule_id).values(status=SlotStatus.BOOKED)
        )
    )


def on_another_day(patient: Patient) -> UUID:
    return beside(patient, visit_date=NEXT_DAY)


def in_the_afternoon(patient: Patient) -> UUID:
    return beside(patient, starts=time(14))


@pytest.mark.parametrize(
    ("opens", "named"),
    [(on_another_day, "other_day"), (in_the_afternoon, "other_segment"), (doctor_beside, "other_doctor")],
)
def test_another_way_is_named_where_it_is_open(patient: Patient, opens: Callable[[Patient], UUID], named: str) -> None:
    set_slots(patient, SlotStatus.BOOKED)
    assert other_ways(patient) == ["waitlist", "desk"]
    schedule_id = opens(patient)
    assert other_ways(patient) == [named, "waitlist", "desk"]
    now = patient.clock.now()
    for wrong, right in (
        ({"status": ScheduleStatus.SUSPENDED}, {"status": ScheduleStatus.OPEN}),
        ({"release_at": now + timedelta(minutes=1)}, {"release_at": now}),
        ({"closes_at": now}, {"closes_at": now + timedelta(days=1)}),
    ):
        change(patient, schedule_id, **wrong)
        assert other_ways(patient) == ["waitlist", "desk"], wrong
        change(patient, schedule_id, **right)
        assert other_ways(patient) == [named, "waitlist", "desk"]
    sell_out(patient, schedule_id)
    assert other_ways(patient) == ["waitlist", "desk"]


def test_another_departments_numbers_are_none_of_it(patient: Patient) -> None:
    set_slots(patient, SlotStatus.BOOKED)
    elsewhere(patient, visit_date=NEXT_DAY)
    assert other_ways(patient) == ["waitlist", "desk"]


def test_the_waitlist_is_named_while_one_may_wait(patient: Patient) -> None:
    set_slots(patient, SlotStatus.BOOKED)
    schedule = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id))
    closes = datetime.combine(
        schedule.visit_date - timedelta(days=1), time.fromisoformat("23:00"), tzinfo=HOSPITAL_ZONE
    )
    patient.clock.advance(closes - patient.clock.now() - timedelta(milliseconds=1))
    assert other_ways(patient) == ["waitlist", "desk"]
    patient.clock.advance(timedelta(milliseconds=1))
    assert other_ways(patient) == ["desk"]


def test_no_waitlist_where_the_hospital_has_none(patient: Patient) -> None:
    patient.schedule_id = beside(patient, terms={"waitlist": False}, visit_date=NEXT_DAY)
    set_slots(patient, SlotStatus.BOOKED)
    assert other_ways(patient) == ["other_day", "desk"]


def test_of_a_chosen_segment_another_one_is_named(patient: Patient) -> None:
    half_an_hour = timedelta(minutes=30)
    first = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).starts_at)
    second, here = first + half_an_hour, Slot.schedule_id == patient.schedule_id
    later = {"starts_at": second, "ends_at": second + half_an_hour}
    patient.write(lambda session, _now: session.execute(update(Slot).where(here, Slot.sequence > 1).values(later)))

    def told(segment: datetime) -> Eligibility:
        return patient.read(
            lambda session: explain_for(
                session, schedule_id=patient.schedule_id, dependent_id=patient.dependent_id,
                account_id=patient.account_id, now=patient.clock.now(), segment_starts_at=segment,
            )
        )  # fmt: skip

    patient.write(
        lambda session, _now: session.execute(
            update(Slot).where(here, Slot.starts_at == first).values(status=SlotStatus.BOOKED)
        )
    )
    assert look(patient).allowed
    assert told(second).allowed
    (reason,) = told(first).reasons
    assert (reason.error.code, reason.alternatives) == ("sold_out", ["other_segment", "desk"])
    with pytest.raises(ValidationFailed) as refused:
        told(first + timedelta(minutes=1))
    assert [(one.pointer, one.code) for one in refused.value.errors] == [("?segment_starts_at", "no_such_segment")]
    sell_out(patient, patient.schedule_id)
    (reason,) = told(first).reasons
    assert reason.alternatives == ["waitlist", "desk"]


def test_an_open_hold_names_itself_and_when_it_lapses(patient: Patient) -> None:
    held = patient.book(schedule_id=on_another_day(patient))
    until = patient.read(lambda session: session.get_one(Appointment, held).hold_expires_at)
    (reason,) = look(patient).reasons
    assert (reason.error.code, reason.error.facts) == ("hold_open", {"appointment_ids": [str(held)]})
    assert reason.error.retry_at == until


def test_of_several_holds_it_passes_when_enough_have_lapsed(patient: Patient) -> None:
    first, second = relatives(patient)
    held = patient.book(dependent_id=first)
    patient.clock.advance(timedelta(minutes=3))
    patient.book(dependent_id=second)
    until = patient.read(lambda session: session.get_one(Appointment, held).hold_expires_at)
    (reason,) = look(patient).reasons
    assert (reason.error.code, len(reason.error.facts["appointment_ids"])) == ("hold_open", 2)
    assert reason.error.retry_at == until  # two are allowed to none: one of them must be gone


def test_a_number_here_already_names_itself(patient: Patient) -> None:
    had = patient.book(PayMode.ON_SITE)
    on_another_day(patient)
    (reason,) = look(patient).reasons
    assert (reason.error.code, reason.error.facts) == ("already_booked", {"appointment_ids": [str(had)]})
    assert reason.alternatives == ["cancel_first", "other_day"]


def test_a_suspended_half_day_leads_elsewhere(patient: Patient) -> None:
    set_schedule(patient, status=ScheduleStatus.SUSPENDED)
    doctor_beside(patient)
    (reason,) = look(patient).reasons
    assert (reason.error.code, reason.alternatives) == ("schedule_suspended", ["other_doctor"])
