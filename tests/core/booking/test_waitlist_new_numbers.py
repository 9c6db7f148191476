"""Numbers that nobody gave up: back from a channel, or added by the hospital. Whoever waits is asked first."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from clerk import Clerk, opened
from clerk import another as at_the_clinic
from harness import Patient, race
from sqlalchemy import select
from sqlalchemy.orm import Session
from waiting import SLOW, another, found, fresh, status, wait

from core.catalog.channels import return_channels
from core.jobs.queue import LeasedJob
from core.refusals import NumbersInFlight
from models.appointment import PayMode
from models.base import new_id
from models.hospital import Period
from models.schedule import PoolChannel, Schedule, Slot, SlotStatus, WithheldReason
from models.states import Actor, Cause, CauseKind

DESK = Cause(Actor.OPERATOR, CauseKind.COMMAND, "kept", "desk")
BACK = timedelta(hours=2)


def kept_for_the_desk(patient: Patient) -> Patient:
    """Both numbers of a half day are, for two hours from now."""
    one = fresh(patient, numbers=2, terms=SLOW)

    def keep(session: Session, now: datetime) -> None:
        session.get_one(Schedule, one.schedule_id).channels_return_at = now + BACK
        for slot in session.scalars(select(Slot).where(Slot.schedule_id == one.schedule_id)):
            slot.withhold(session, why=WithheldReason.CHANNEL, at=now, cause=DESK)
            slot.channel = PoolChannel.ON_SITE

    one.write(keep)
    return one


def statuses(patient: Patient) -> list[SlotStatus]:
    query = select(Slot.status).where(Slot.schedule_id == patient.schedule_id).order_by(Slot.sequence)
    return patient.read(lambda session: list(session.scalars(query)))


def everybodys(patient: Patient) -> None:
    return_channels(patient.workbench, LeasedJob(new_id(), "return_channels", {}, 1, 1))


def test_2_8_what_a_channel_gives_back_goes_to_whoever_waits_before_everybody(patient: Patient) -> None:
    one = kept_for_the_desk(patient)
    first = another(one)
    entry = wait(first)
    one.clock.advance(BACK)
    everybodys(one)
    assert statuses(one) == [SlotStatus.WITHHELD] * 2
    with pytest.raises(NumbersInFlight):
        another(one).book(PayMode.ON_SITE)
    one.work()
    assert found(first, entry) is not None
    # Nobody gave them up: what nobody waits for is everybody's without a pause.
    assert sorted(statuses(one)) == [SlotStatus.FREE, SlotStatus.HELD]
    one.assert_sound()


def test_2_8_nobody_asks_for_it_ahead_of_whoever_waits(patient: Patient) -> None:
    one = kept_for_the_desk(patient)
    waiting = [another(one) for _ in range(2)]
    entries = [wait(who) for who in waiting]
    public = [another(one) for _ in range(3)]
    one.clock.advance(BACK)
    race(lambda: everybodys(one), *(partial(who.book, PayMode.ON_SITE) for who in public), one.work)
    one.work()
    assert [status(who, entry) for who, entry in zip(waiting, entries, strict=True)] == ["offered", "offered"]
    one.assert_sound()


def test_where_nobody_waits_for_it_a_channel_gives_back_to_everybody_at_once(patient: Patient) -> None:
    one = kept_for_the_desk(patient)
    too_late = another(one)
    wait(too_late, not_within_minutes=60 * 69)  # of the three days that are left two hours pass
    one.clock.advance(BACK + timedelta(hours=2))
    everybodys(one)
    assert statuses(one) == [SlotStatus.FREE] * 2


@pytest.fixture
def clerk(patient: Patient, tmp_path: Path) -> Clerk:
    return Clerk(patient, tmp_path / "file.csv")


def full(clerk: Clerk) -> None:
    """One number in each half hour, both taken."""
    clerk.load(clerk.row(numbers_per_segment="1"))
    opened(clerk)
    for _ in range(2):
        at_the_clinic(clerk).book(PayMode.ON_SITE)


def test_2_8_numbers_that_the_hospital_adds_go_to_whoever_waits_before_everybody(clerk: Clerk) -> None:
    full(clerk)
    first = at_the_clinic(clerk)
    entry = wait(first, periods=[Period.AFTERNOON])
    assert clerk.load(clerk.row(numbers_per_segment="2")).numbers_added == 2
    with pytest.raises(NumbersInFlight):
        at_the_clinic(clerk).book(PayMode.ON_SITE)
    clerk.patient.work()
    assert found(first, entry) is not None
    assert sorted(one.status for one in clerk.slots()) == ["booked", "booked", "free", "held"]
    clerk.patient.assert_sound()


def test_2_8_and_so_do_those_that_it_gives_again(clerk: Clerk) -> None:
    full(clerk)
    first = at_the_clinic(clerk)
    entry = wait(first, periods=[Period.AFTERNOON])
    clerk.load(clerk.row(numbers_per_segment="2"))
    clerk.load(clerk.row(numbers_per_segment="1"))
    clerk.patient.work()
    assert (status(first, entry), len(clerk.slots())) == ("waiting", 4)
    clerk.load(clerk.row(numbers_per_segment="2"))
    clerk.patient.work()
    assert status(first, entry) == "offered"
    clerk.patient.assert_sound()


def test_where_nobody_waits_numbers_that_are_added_are_everybodys_at_once(clerk: Clerk) -> None:
    full(clerk)
    clerk.load(clerk.row(numbers_per_segment="2"))
    assert at_the_clinic(clerk).book(PayMode.ON_SITE)
    clerk.patient.assert_sound()
