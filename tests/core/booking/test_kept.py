"""Numbers kept for a channel: the desk gives them out until they become everybody's, to nobody who may not book."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from eligible import codes, elsewhere, restrict, set_schedule
from harness import Patient, join, race, same_person
from sqlalchemy import select

from core.booking.kept import KeptOrder, KeptRefused, issue_kept_number
from core.booking.rules.refusals import Overlaps
from core.booking.views import AppointmentView
from core.catalog.channels import return_channels
from core.jobs.queue import LeasedJob
from core.refusals import AlreadyBooked, NotReleased, NumbersInFlight, PersonLimit, ScheduleClosed, ScheduleSuspended
from models.appointment import AppointmentStatus, PayMode
from models.audit import AuditEntry
from models.base import new_id
from models.errors import NotFound
from models.person import Dependent
from models.schedule import PoolChannel, Schedule, ScheduleStatus, Slot, SlotStatus, WithheldReason
from models.states import Actor, Cause, CauseKind

DESK = Cause(Actor.OPERATOR, CauseKind.COMMAND, "kept", "desk")
ON_SITE, ELDERS = PoolChannel.ON_SITE, PoolChannel.ELDERS


def keep(patient: Patient, *channels: PoolChannel) -> None:
    """The first numbers of the half day that the patient wants, one for each of these, for two hours from now."""

    def step(session: Any, now: Any) -> None:
        session.get_one(Schedule, patient.schedule_id).channels_return_at = now + timedelta(hours=2)
        slots = session.scalars(select(Slot).where(Slot.schedule_id == patient.schedule_id).order_by(Slot.sequence))
        for slot, channel in zip((one for one in slots if one.channel is None), channels, strict=False):
            slot.withhold(session, why=WithheldReason.CHANNEL, at=now, cause=DESK)
            slot.channel = channel

    patient.write(step)


def issue(patient: Patient, channel: PoolChannel = ON_SITE, *, pay: PayMode = PayMode.ON_SITE) -> AppointmentView:
    order = KeptOrder(patient.schedule_id, patient.dependent_id, channel, "李护士", pay)
    return patient.write(
        lambda session, now: issue_kept_number(session, order, now=now, cause=DESK, vault=patient.workbench.vault)
    )


def stranger(patient: Patient) -> Patient:
    return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)


def everybodys(patient: Patient) -> None:
    return_channels(patient.workbench, LeasedJob(new_id(), "return_channels", {}, 1, 1))


def test_2_1_3_the_desk_gives_what_nobody_gets_online(patient: Patient) -> None:
    keep(patient, ON_SITE, ON_SITE, ON_SITE)
    with pytest.raises(NumbersInFlight):
        stranger(patient).book()
    made = issue(patient).appointment
    slot = patient.slot(made.id)
    assert (made.status, slot.status, slot.sequence) == (AppointmentStatus.BOOKED, SlotStatus.BOOKED, 1)
    entry = patient.read(lambda session: session.scalars(select(AuditEntry)).one())
    assert (entry.actor, entry.dependent_id, entry.action) == ("李护士", patient.dependent_id, "kept_number.issue")
    assert entry.facts == {"appointment_id": str(made.id), "channel": "on_site"}
    patient.assert_sound()


def test_2_1_3_to_be_paid_online_it_is_held_and_when_it_lapses_everybodys(patient: Patient) -> None:
    keep(patient, ON_SITE)
    made = issue(patient, pay=PayMode.ONLINE).appointment
    assert (made.status, patient.slot(made.id).status) == (AppointmentStatus.PENDING, SlotStatus.HELD)
    patient.work(after=timedelta(minutes=16))
    patient.work(after=timedelta(minutes=10))
    assert patient.slot(made.id).status is SlotStatus.FREE
    patient.assert_sound()


def test_2_1_3_each_channel_has_its_own_and_elders_are_sixty(patient: Patient) -> None:
    keep(patient, ELDERS)
    with pytest.raises(KeptRefused, match="none is left"):
        issue(patient)
    with pytest.raises(KeptRefused, match="60 years"):
        issue(patient, ELDERS)
    day: date = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).visit_date)

    def born(on: date) -> None:
        def step(session: Any, _now: Any) -> None:
            session.get_one(Dependent, patient.dependent_id).birth_date = on

        patient.write(step)

    born(day.replace(year=day.year - 60) + timedelta(days=1))
    with pytest.raises(KeptRefused, match="60 years"):
        issue(patient, ELDERS)
    born(day.replace(year=day.year - 60))
    assert issue(patient, ELDERS)


def test_2_1_3_every_rule_holds_but_capacity_and_hours(patient: Patient) -> None:
    keep(patient, ON_SITE, ON_SITE, ON_SITE)
    now = patient.clock.now()
    set_schedule(patient, release_at=now + timedelta(days=1))
    with pytest.raises(NotReleased):
        issue(patient)
    set_schedule(patient, release_at=now, closes_at=now)  # online booking has ended
    with pytest.raises(ScheduleClosed):
        patient.book()
    assert issue(patient)
    with pytest.raises(AlreadyBooked):
        issue(patient)
    with pytest.raises(PersonLimit):
        issue(same_person(patient))
    for status, refusal in ((ScheduleStatus.SUSPENDED, ScheduleSuspended), (ScheduleStatus.CLOSED, ScheduleClosed)):
        set_schedule(patient, status=status)
        with pytest.raises(refusal):
            issue(stranger(patient))
    patient.dependent_id = patient.account_id
    with pytest.raises(NotFound):
        issue(patient)


def test_2_6_whoever_is_restricted_is_given_one_at_the_desk(patient: Patient) -> None:
    keep(patient, ON_SITE)
    restrict(patient)
    assert codes(patient) == ["restricted", "restricted", "identity_required"]
    assert issue(patient).appointment.status is AppointmentStatus.BOOKED


def test_2_1_3_what_has_begun_is_not_given_out(patient: Patient) -> None:
    keep(patient, ON_SITE)
    starts_at = patient.slots()[0].starts_at
    patient.clock.advance(starts_at - patient.clock.now())
    with pytest.raises(KeptRefused, match="none is left"):
        issue(patient)


def test_2_1_3_two_desks_and_one_number(patient: Patient) -> None:
    keep(patient, ON_SITE)
    results = race(*(partial(issue, stranger(patient)) for _ in range(6)))
    assert sorted(type(one).__name__ for one in results) == ["AppointmentView"] + ["KeptRefused"] * 5
    patient.assert_sound()


@pytest.mark.parametrize("_", range(3))
def test_2_1_3_the_desks_and_the_moment_at_which_they_are_everybodys(patient: Patient, _: int) -> None:
    keep(patient, ON_SITE, ON_SITE, ON_SITE)
    patient.clock.advance(timedelta(hours=2))
    results = race(*(partial(issue, stranger(patient)) for _ in range(4)), partial(everybodys, patient))
    assert {type(one).__name__ for one in results} <= {"AppointmentView", "KeptRefused", "NoneType"}
    given = sum(isinstance(one, AppointmentView) for one in results)
    everybodys(patient)
    statuses = [slot.status for slot in patient.slots()]
    assert (statuses.count(SlotStatus.BOOKED), statuses.count(SlotStatus.FREE)) == (given, 3 - given)
    patient.assert_sound()


def test_2_1_3_nobody_is_given_one_at_a_time_at_which_they_are_elsewhere(patient: Patient) -> None:
    patient.book(PayMode.ON_SITE)
    ends_at = patient.slots()[0].ends_at
    patient.schedule_id = elsewhere(patient, numbers=30, terms={"may_overlap": False})
    keep(patient, ON_SITE)
    with pytest.raises(Overlaps):
        issue(patient)
    keep(patient, *[ON_SITE] * 12)
    assert patient.slot(issue(patient).appointment.id).starts_at == ends_at
