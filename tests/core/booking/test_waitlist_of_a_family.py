"""Several people of one entry: each is found a number as soon as there is one, and each stands for themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from harness import REQUEST, Patient, race, relatives
from hospital_acts import suspend
from sqlalchemy import select
from sqlalchemy.orm import Session
from waiting import MINUTE, SLOW, another, found, fresh, leave, notices, offering, pay, status, view, wait

from core.booking.waitlist import follow as waitlist_follow
from core.booking.waitlist.refusals import WaitlistExists
from core.booking.waitlist.wait import leave_for
from core.jobs.queue import LeasedJob
from models.appointment import AppointmentStatus, PayMode
from models.base import new_id
from models.notice import Notice
from models.person import Dependent
from models.schedule import SlotStatus


class Clinic:
    """A full half day, a family that waits in one entry, and one who waits behind them."""

    def __init__(self, patient: Patient, *, of_family: int, numbers: int, **terms: Any) -> None:
        self.patient = fresh(patient, numbers=numbers, terms=SLOW | terms)
        self._holders = [self.patient, *(another(self.patient) for _ in range(numbers - 1))]
        self._had = [(one, one.book(PayMode.ON_SITE)) for one in self._holders]
        self.slots = [one.slot(had).id for one, had in self._had]
        self.family = another(self.patient)
        self.named = [self.family.dependent_id, *relatives(self.family, of_family - 1)]
        self.entry = wait(self.family, self.named)
        self.behind = another(self.patient)
        self.entry_behind = wait(self.behind)

    def free(self, count: int = 1) -> None:
        for _ in range(count):
            one, had = self._had.pop(0)
            one.cancel(had)

    def offered(self, place: int) -> UUID:
        appointment = found(self.family, self.entry, place)
        assert appointment is not None
        return appointment.id

    def states(self) -> list[str | None]:
        """Of the appointments of those whom the entry names."""
        each = [found(self.family, self.entry, place) for place in range(len(self.named))]
        return [None if one is None else str(one.status) for one in each]

    def told_ended(self) -> list[UUID | None]:
        ended = select(Notice.dependent_id).where(Notice.kind == "waitlist_ended").order_by(Notice.id)
        return self.patient.read(lambda session: list(session.scalars(ended)))

    def follow(self) -> None:
        job = LeasedJob(new_id(), "follow_offer", {"entry_id": str(self.entry)}, attempts=1, lease_no=1)
        waitlist_follow.follow_offer(self.patient.workbench, job)


def test_each_freed_number_is_offered_to_the_next_of_the_family_at_once(patient: Patient) -> None:
    clinic = Clinic(patient, of_family=2, numbers=3)
    clinic.free()
    clinic.patient.work()
    assert (clinic.states(), status(clinic.family, clinic.entry)) == (["pending", None], "offered")
    shown = view(clinic.family, clinic.entry)
    assert (shown.ahead, [one.reasons for one in shown.places]) == (0, [[], ["no_number_yet"]])
    assert view(clinic.behind, clinic.entry_behind).ahead == 1
    clinic.free()
    clinic.patient.work()
    assert (clinic.states(), status(clinic.family, clinic.entry)) == (["pending", "pending"], "offered")
    assert [found(clinic.family, clinic.entry, at).dependent_id for at in (0, 1)] == clinic.named  # type: ignore[union-attr]
    assert view(clinic.family, clinic.entry).ahead is None
    assert status(clinic.behind, clinic.entry_behind) == "waiting"
    clinic.free()
    clinic.patient.work()
    assert status(clinic.behind, clinic.entry_behind) == "offered"
    for place in (1, 0):
        pay(clinic.family, clinic.offered(place))
        clinic.patient.work(after=MINUTE)
        assert status(clinic.family, clinic.entry) == ("offered" if place else "booked")
    assert notices(clinic.family).count("waitlist_offered") == 2
    clinic.patient.assert_sound()


def test_past_the_open_holds_of_the_account_the_next_is_passed_over_and_keeps_the_place(patient: Patient) -> None:
    """Numbers found one by one are not one hold, as a bundle is: each has a charge and a deadline of its own."""
    clinic = Clinic(patient, of_family=3, numbers=4)
    clinic.free(3)
    clinic.patient.work()
    assert clinic.states() == ["pending", "pending", None]
    assert view(clinic.family, clinic.entry).places[2].reasons == ["hold_open", "no_number_yet"]
    assert status(clinic.behind, clinic.entry_behind) == "offered"
    pay(clinic.family, clinic.offered(0))
    clinic.free()
    clinic.patient.work()
    assert clinic.states() == ["booked", "pending", "pending"]
    clinic.patient.assert_sound()


def test_where_an_account_holds_one_at_a_time_they_come_one_after_the_other(patient: Patient) -> None:
    clinic = Clinic(patient, of_family=2, numbers=2, max_open_holds_account=1)
    clinic.free(2)
    clinic.patient.work()
    assert clinic.states() == ["pending", None]
    assert view(clinic.family, clinic.entry).places[1].reasons == ["hold_open", "no_number_yet"]
    assert status(clinic.behind, clinic.entry_behind) == "offered"
    clinic.patient.assert_sound()


@pytest.mark.parametrize("of_family", [2, 3])
def test_one_number_that_lapses_takes_nothing_from_the_others(patient: Patient, of_family: int) -> None:
    clinic = Clinic(patient, of_family=of_family, numbers=2, let_go_rest_minutes=120)
    clinic.free(2)
    clinic.patient.work()
    clinic.family.cancel(clinic.offered(0))
    clinic.patient.work(after=MINUTE)
    clinic.patient.work(after=MINUTE)
    # That number is nothing for the account for a time; it goes to the next behind them.
    assert (status(clinic.family, clinic.entry), clinic.told_ended()) == ("offered", [clinic.named[0]])
    assert clinic.states() == ["cancelled", "pending", None][:of_family]
    assert status(clinic.behind, clinic.entry_behind) == "offered"
    pay(clinic.family, clinic.offered(1))
    clinic.patient.work(after=MINUTE)
    assert status(clinic.family, clinic.entry) == ("passed" if of_family == 2 else "waiting")
    assert clinic.told_ended() == [clinic.named[0]]
    clinic.patient.assert_sound()


def test_whoever_let_theirs_go_may_begin_to_wait_again_while_the_others_wait_on(patient: Patient) -> None:
    clinic = Clinic(patient, of_family=2, numbers=2, let_go_rest_minutes=120)
    clinic.free()
    clinic.patient.work()
    with pytest.raises(WaitlistExists):
        wait(clinic.family)
    clinic.family.cancel(clinic.offered(0))
    clinic.patient.work(after=MINUTE)
    assert status(clinic.family, clinic.entry) == "waiting"
    with pytest.raises(WaitlistExists):
        wait(clinic.family, clinic.named[1:])
    wait(clinic.family)


def test_a_number_lost_through_no_fault_puts_that_one_back_and_leaves_the_other(patient: Patient) -> None:
    clinic = Clinic(patient, of_family=2, numbers=2)
    clinic.free(2)
    clinic.patient.work()
    pay(clinic.family, clinic.offered(1))
    suspend(clinic.patient)
    clinic.patient.work(after=MINUTE)
    clinic.patient.work(after=MINUTE)
    # It was theirs when the clinic was called off: what follows for it is the suspension's, not the waitlist's.
    assert clinic.states() == [None, "cancelled"]
    assert (status(clinic.family, clinic.entry), clinic.told_ended()) == ("waiting", [])


def test_a_number_taken_up_and_given_back_before_anybody_looked_was_taken_up(patient: Patient) -> None:
    clinic = Clinic(patient, of_family=1, numbers=1)
    clinic.free()
    clinic.patient.work()
    pay(clinic.family, clinic.offered(0))
    clinic.family.cancel(clinic.offered(0))
    clinic.patient.work(after=MINUTE)
    assert (status(clinic.family, clinic.entry), clinic.told_ended()) == ("booked", [])


def test_who_leaves_keeps_both_numbers_to_pay_for(patient: Patient) -> None:
    clinic = Clinic(patient, of_family=3, numbers=3)
    clinic.free(2)
    clinic.patient.work()
    leave(clinic.family, clinic.entry)
    clinic.free()
    clinic.patient.work(after=MINUTE)
    assert (status(clinic.family, clinic.entry), clinic.states()) == ("left", ["pending", "pending", None])
    assert status(clinic.behind, clinic.entry_behind) == "offered"
    for place in (0, 1):
        pay(clinic.family, clinic.offered(place))
    assert clinic.states() == ["booked", "booked", None]
    clinic.patient.assert_sound()


def test_the_jobs_change_nothing_the_second_time(patient: Patient) -> None:
    clinic = Clinic(patient, of_family=2, numbers=2)
    clinic.free(2)
    clinic.patient.work()
    offered = [clinic.offered(place) for place in (0, 1)]
    for _ in range(2):
        for slot_id in clinic.slots:
            offering(clinic.patient.workbench, slot_id)()
        clinic.follow()
    assert [clinic.offered(place) for place in (0, 1)] == offered
    assert (status(clinic.family, clinic.entry), notices(clinic.family)) == ("offered", ["waitlist_offered"] * 2)
    clinic.family.cancel(offered[0])
    for _ in range(2):
        clinic.follow()
    assert (status(clinic.family, clinic.entry), clinic.told_ended()) == ("offered", [clinic.named[0]])
    clinic.patient.assert_sound()


def test_nobody_waits_for_whoever_was_removed_meanwhile(patient: Patient) -> None:
    clinic = Clinic(patient, of_family=2, numbers=1)
    clinic.free()
    clinic.patient.work()

    def remove(session: Session, now: datetime) -> None:
        child = session.get_one(Dependent, clinic.named[1])
        leave_for(session, child, now=now, cause=REQUEST)
        child.archived_at = now

    clinic.patient.write(remove)
    assert status(clinic.family, clinic.entry) == "offered"
    pay(clinic.family, clinic.offered(0))
    clinic.patient.work(after=MINUTE)
    assert status(clinic.family, clinic.entry) == "booked"


# --- at once


def test_two_numbers_freed_at_once_go_to_the_two_of_the_family(patient: Patient) -> None:
    for _ in range(3):
        clinic = Clinic(patient, of_family=2, numbers=2)
        clinic.free(2)
        race(*(offering(clinic.patient.workbench, slot_id) for slot_id in clinic.slots for _ in range(3)))
        assert (clinic.states(), status(clinic.family, clinic.entry)) == (["pending", "pending"], "offered")
        assert {clinic.family.slot(clinic.offered(place)).id for place in (0, 1)} == set(clinic.slots)
        assert status(clinic.behind, clinic.entry_behind) == "waiting"
        clinic.patient.assert_sound()


def test_a_second_number_found_while_the_first_is_settled_is_not_forgotten(patient: Patient) -> None:
    """Either way round: the entry is offered that number, and it is known what becomes of it."""
    for _ in range(3):
        clinic = Clinic(patient, of_family=2, numbers=2)
        clinic.free()
        clinic.patient.work()
        pay(clinic.family, clinic.offered(0))
        clinic.free()
        acts: list[Callable[[], None]] = [offering(clinic.patient.workbench, slot_id) for slot_id in clinic.slots]
        race(clinic.follow, *acts, clinic.follow)
        assert (clinic.states(), status(clinic.family, clinic.entry)) == (["booked", "pending"], "offered")
        pay(clinic.family, clinic.offered(1))
        clinic.patient.work(after=MINUTE)
        assert status(clinic.family, clinic.entry) == "booked"
        clinic.patient.assert_sound()


def test_a_number_found_between_look_and_lock_is_looked_at_too(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic = Clinic(patient, of_family=2, numbers=2)
    clinic.free()
    clinic.patient.work()
    look, looks = waitlist_follow.places_of, list[int]()

    def stale_once(session: Session, entry_id: UUID) -> Any:
        places = look(session, entry_id)
        looks.append(len(looks))
        return [] if looks == [0] else places

    first = clinic.offered(0)
    monkeypatch.setattr(waitlist_follow, "places_of", stale_once)
    pay(clinic.family, first)
    assert len(looks) == 4
    assert (clinic.states(), status(clinic.family, clinic.entry)) == (["booked", None], "waiting")


def test_what_rests_is_free_where_nobody_of_the_family_is_left(patient: Patient) -> None:
    clinic = Clinic(patient, of_family=2, numbers=2)
    leave(clinic.behind, clinic.entry_behind)
    clinic.free(2)
    clinic.patient.work()
    first = clinic.offered(0)
    clinic.family.cancel(first)
    clinic.patient.work(after=timedelta(hours=1))
    assert clinic.family.appointment(first).status is AppointmentStatus.CANCELLED
    assert clinic.family.slot(first).status is SlotStatus.FREE
