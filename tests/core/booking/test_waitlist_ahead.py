"""How many wait ahead: those who could take the same numbers. And what is told to whoever may not wait."""

from __future__ import annotations

from datetime import datetime, time

import pytest
from harness import REQUEST, Patient, beside, relatives, same_person
from sqlalchemy.orm import Session
from waiting import SLOW, another, fresh, view, wait

from core.booking.waitlist.refusals import WaitlistClosed, WaitlistLimit
from core.booking.waitlist.wait import leave_for
from models.appointment import PayMode
from models.hospital import Period
from models.person import Dependent


@pytest.fixture
def full(patient: Patient) -> Patient:
    """A morning and an afternoon, each without any number left."""
    one = fresh(patient, numbers=1, terms=SLOW)
    one.book(PayMode.ON_SITE)
    beside(one, numbers=0, starts=time(13), terms=SLOW)
    return one


def test_whose_half_days_are_others_is_not_ahead(full: Patient) -> None:
    morning, afternoon, any_time = another(full), another(full), another(full)
    wait(morning, periods=[Period.MORNING])
    entries = [wait(afternoon, periods=[Period.AFTERNOON]), wait(any_time)]
    assert [view(one, entry).ahead for one, entry in zip((afternoon, any_time), entries, strict=True)] == [0, 2]
    last = another(full)
    both = wait(last, periods=[Period.AFTERNOON, Period.MORNING])
    assert view(last, both).ahead == 3


def test_whoever_was_removed_is_not_ahead(full: Patient) -> None:
    family, behind = another(full), another(full)
    child = relatives(family, 1)[0]
    wait(family, [family.dependent_id, child])
    entry = wait(behind)
    assert view(behind, entry).ahead == 2

    def remove(session: Session, now: datetime) -> None:
        dependent = session.get_one(Dependent, child)
        leave_for(session, dependent, now=now, cause=REQUEST)
        dependent.archived_at = now

    family.write(remove)
    assert view(behind, entry).ahead == 1


def test_the_limit_that_is_named_is_the_one_that_refuses(full: Patient) -> None:
    """Though the account itself waits for nothing."""
    first = another(full)
    wait(first)
    with pytest.raises(WaitlistLimit) as reached:
        wait(same_person(first))
    assert reached.value.facts["limit"] == 1


def test_a_price_that_is_never_met_is_told_as_such(full: Patient) -> None:
    with pytest.raises(WaitlistClosed) as closed:
        wait(another(full), max_fee_fen=4999)
    assert closed.value.facts == {"least_fee_fen": 5000}
    with pytest.raises(WaitlistClosed) as nothing:
        wait(another(full), max_fee_fen=4999, periods=[Period.EVENING])
    assert nothing.value.facts == {}
