"""Waiting for a number: in strict order, by the rules of every booking, and nobody else gets it meanwhile."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import make_department, make_doctor
from fakes import FakeAdapters, ManualClock
from harness import Patient, beside, make_patient, race, relatives, same_person
from hospital_acts import suspend
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session
from waiting import (
    MINUTE,
    SLOW,
    another,
    found,
    fresh,
    leave,
    notices,
    offering,
    pay,
    schedule_of,
    status,
    view,
    wait,
)

from core.booking import case as booking_case
from core.booking.waitlist import offers as waitlist_offers
from core.booking.waitlist.refusals import NumbersFree, WaitlistClosed, WaitlistExists, WaitlistLimit
from core.clock import HOSPITAL_ZONE
from core.refusals import NumbersInFlight
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.errors import NotFound, ValidationFailed
from models.hospital import Hospital, Period
from models.notice import Notice
from models.schedule import Schedule, Slot, SlotStatus


@pytest.fixture
def holder(patient: Patient) -> tuple[Patient, UUID]:
    """Whoever has the only number of a half day, which rests an hour when it is let go."""
    alone = fresh(patient, numbers=1, terms=SLOW)
    return alone, alone.book(PayMode.ON_SITE)


Holder = tuple[Patient, UUID]


def test_a_freed_number_goes_to_the_first_who_waits_and_to_nobody_else(holder: Holder) -> None:
    patient, had = holder
    first, second = another(patient), another(patient)
    entries = [wait(first), wait(second)]
    assert [view(one, entry).ahead for one, entry in zip((first, second), entries, strict=True)] == [0, 1]
    assert view(second, entries[1]).places[0].reasons == ["people_ahead"]
    patient.cancel(had)
    patient.work()
    offered = found(first, entries[0])
    assert offered is not None
    assert (offered.status, offered.slot_id) == (AppointmentStatus.PENDING, patient.appointment(had).slot_id)
    assert (status(first, entries[0]), status(second, entries[1])) == ("offered", "waiting")
    assert notices(first) == ["waitlist_offered"]
    with pytest.raises(NumbersInFlight):
        another(patient).book(PayMode.ON_SITE)
    pay(first, offered.id)
    first.work(after=MINUTE)
    assert status(first, entries[0]) == "booked"
    assert view(second, entries[1]).ahead == 0
    patient.assert_sound()


def test_what_is_not_paid_for_passes_on_to_the_next(holder: Holder) -> None:
    patient, had = holder
    first, second = another(patient), another(patient)
    entries = [wait(first), wait(second)]
    patient.cancel(had)
    patient.work()
    offered = found(first, entries[0])
    assert offered is not None
    assert offered.hold_expires_at is not None
    patient.clock.set(offered.hold_expires_at - timedelta(milliseconds=1))
    patient.work()
    assert first.appointment(offered.id).status == "pending"
    patient.clock.set(offered.hold_expires_at)
    patient.work()
    patient.work(after=MINUTE)
    assert (status(first, entries[0]), status(second, entries[1])) == ("passed", "offered")
    assert notices(first)[-1] == "waitlist_ended"
    patient.assert_sound()


def test_one_that_a_rule_refuses_is_passed_over_and_keeps_its_place(holder: Holder) -> None:
    patient, had = holder
    first, second = another(patient), another(patient)
    entries = [wait(first), wait(second)]
    other = beside(patient)
    blocked = first.book(PayMode.ONLINE, schedule_id=other)
    patient.cancel(had)
    patient.work()
    assert (status(first, entries[0]), status(second, entries[1])) == ("waiting", "offered")
    reasons = view(first, entries[0]).places[0].reasons
    assert reasons == ["already_booked", "no_number_yet"]
    first.cancel(blocked)
    second.cancel(found(second, entries[1]).id)  # type: ignore[union-attr]
    patient.work()
    assert status(first, entries[0]) == "offered"
    patient.assert_sound()


def test_whoever_is_elsewhere_at_that_time_is_passed_over(patient: Patient) -> None:
    alone = fresh(patient, numbers=1, terms=SLOW | {"may_overlap": False})
    had = alone.book(PayMode.ON_SITE)
    first, second = another(alone), another(alone)
    entries = [wait(first), wait(second)]
    other = fresh(patient, numbers=1, terms={"may_overlap": False}).schedule_id
    first.book(PayMode.ON_SITE, schedule_id=other)
    alone.cancel(had)
    alone.work()
    assert (found(first, entries[0]), view(first, entries[0]).places[0].reasons) == (
        None,
        ["overlaps", "no_number_yet"],
    )
    assert found(second, entries[1]) is not None
    alone.assert_sound()


def test_whoever_let_a_number_go_is_not_offered_it_again(patient: Patient) -> None:
    patient = fresh(patient, numbers=1, terms=SLOW | {"let_go_rest_minutes": 120})
    had = patient.book(PayMode.ONLINE)
    entry = wait(patient)
    patient.cancel(had)
    patient.work()
    assert view(patient, entry).places[0].reasons == ["own_number", "no_number_yet"]
    patient.work(after=timedelta(hours=1))
    assert patient.slot(had).status is SlotStatus.FREE


def test_without_anybody_who_may_have_it_it_goes_back_at_its_time(holder: Holder) -> None:
    patient, had = holder
    cheap = another(patient)
    late = another(patient)
    too_soon = schedule_of(patient).starts_at - patient.clock.now()
    entries = [wait(late, not_within_minutes=too_soon // MINUTE + 60)]
    with pytest.raises(WaitlistClosed):
        wait(cheap, max_fee_fen=4999)
    with pytest.raises(WaitlistClosed):
        wait(cheap, periods=[Period.AFTERNOON])
    patient.cancel(had)
    patient.work(after=timedelta(minutes=59))
    assert patient.slot(had).status is SlotStatus.WITHHELD
    patient.work(after=MINUTE)
    assert patient.slot(had).status is SlotStatus.FREE
    assert status(late, entries[0]) == "waiting"


def test_a_number_that_rests_is_offered_to_whoever_came_meanwhile_before_it_is_sold(holder: Holder) -> None:
    patient, had = holder
    patient.cancel(had)
    patient.work()
    late = another(patient)
    entry = wait(late)
    patient.work(after=timedelta(hours=1))
    assert status(late, entry) == "offered"


def test_several_of_one_entry_are_served_one_after_the_other(patient: Patient) -> None:
    patient = fresh(patient, numbers=2, terms=SLOW)
    had = [one.book(PayMode.ON_SITE) for one in (patient, another(patient))]
    owners = {one.id: one.account_id for one in map(patient.appointment, had)}
    family = another(patient)
    child = relatives(family, 1)
    entry = wait(family, [family.dependent_id, *child], pay=PayMode.ON_SITE)
    for appointment_id in had:
        Patient(**{**vars(patient), "account_id": owners[appointment_id]}).cancel(appointment_id)
        patient.work(after=MINUTE)
    assert status(family, entry) == "booked"
    assert [found(family, entry, place).dependent_id for place in (0, 1)] == [family.dependent_id, *child]  # type: ignore[union-attr]
    patient.assert_sound()


def test_a_number_lost_through_no_fault_leaves_the_place_in_the_queue(holder: Holder) -> None:
    patient, had = holder
    first = another(patient)
    entry = wait(first)
    patient.cancel(had)
    patient.work()
    suspend(patient)
    patient.work()
    patient.work(after=MINUTE)
    assert status(first, entry) == "waiting"
    assert view(first, entry).places[0].place.appointment_id is None
    patient.assert_sound()


@pytest.mark.parametrize(
    ("ahead", "until"),
    [
        (timedelta(days=3), timedelta(hours=24)),
        (timedelta(hours=30), None),  # 22:00 of the day before comes first
        (timedelta(hours=23), timedelta(minutes=30)),
    ],
)
def test_how_long_a_number_is_kept(holder: Holder, ahead: timedelta, until: timedelta | None) -> None:
    patient, had = holder
    first = another(patient)
    entry = wait(first)
    starts_at = schedule_of(patient).starts_at
    patient.clock.set(starts_at - ahead)
    patient.cancel(had)
    patient.work()
    offered = found(first, entry)
    assert offered is not None
    expected = starts_at - timedelta(hours=10) if until is None else patient.clock.now() + until
    assert offered.hold_expires_at == expected


def test_waiting_ends_at_the_close_of_the_day_before(holder: Holder) -> None:
    patient, _ = holder
    first = another(patient)
    entry = wait(first)
    closes = schedule_of(patient).starts_at - timedelta(hours=9)
    assert view(first, entry).entry.expires_at == closes
    patient.clock.set(closes - timedelta(milliseconds=1))
    patient.work()
    assert status(first, entry) == "waiting"
    patient.work(after=timedelta(minutes=5))
    assert status(first, entry) == "expired"
    assert notices(first) == ["waitlist_ended"]


def test_waiting_ends_when_every_number_would_come_too_late(holder: Holder) -> None:
    """It tells so, and is not in the way of the person's next wish any longer."""
    patient, _ = holder
    first, minutes = another(patient), 48 * 60 + 120
    over = datetime.combine(schedule_of(patient).visit_date - timedelta(days=2), time(22), tzinfo=HOSPITAL_ZONE)
    entry = wait(first, not_within_minutes=minutes)
    assert view(first, entry).entry.expires_at == over
    patient.clock.set(over - timedelta(milliseconds=1))
    wait(another(patient), not_within_minutes=minutes)
    patient.work()
    assert status(first, entry) == "waiting"
    patient.work(after=timedelta(minutes=5))
    assert (status(first, entry), notices(first)) == ("expired", ["waitlist_ended"])
    with pytest.raises(WaitlistClosed):
        wait(first, not_within_minutes=minutes)
    wait(first, not_within_minutes=minutes - 10)


def test_of_a_family_only_those_who_got_none_are_told_so(patient: Patient) -> None:
    patient = fresh(patient, numbers=2, terms=SLOW)
    holders = [patient, another(patient)]
    had = [one.book(PayMode.ON_SITE) for one in holders]
    family = another(patient)
    child = relatives(family, 1)[0]
    entry = wait(family, [family.dependent_id, child])
    for one, appointment_id in zip(holders, had, strict=True):
        one.cancel(appointment_id)
    patient.work()
    offered = found(family, entry)
    assert offered is not None
    pay(family, offered.id)
    family.work(after=MINUTE)
    family.work(after=timedelta(hours=1))
    lapses = found(family, entry, 1)
    assert lapses is not None
    family.cancel(lapses.id)
    family.work(after=MINUTE)
    assert status(family, entry) == "passed"
    ended = select(Notice.dependent_id).where(Notice.kind == "waitlist_ended")
    assert family.read(lambda session: list(session.scalars(ended))) == [child]
    family.assert_sound()


def test_an_opening_after_the_list_is_over_is_not_named(holder: Holder) -> None:
    patient, _ = holder
    first = another(patient)
    over = schedule_of(patient).starts_at - timedelta(hours=9)
    patient.clock.set(over)
    with pytest.raises(WaitlistClosed) as closed:
        wait(first)
    assert closed.value.retry_at is None


def test_it_opens_when_all_is_full_and_by_day_only(holder: Holder) -> None:
    patient, _ = holder
    first = another(patient)
    night = schedule_of(patient).starts_at - timedelta(days=1, hours=2, milliseconds=1)
    patient.clock.set(night)
    with pytest.raises(WaitlistClosed) as closed:
        wait(first)
    assert closed.value.retry_at == night + timedelta(milliseconds=1)
    patient.clock.set(night + timedelta(milliseconds=1))
    wait(first)
    other = beside(patient, visit_date=schedule_of(patient).visit_date)
    with pytest.raises(NumbersFree) as free:
        wait(another(patient))
    assert free.value.facts == {"schedule_id": str(other)}


def test_a_doctor_of_another_department_who_has_the_clinic_can_be_waited_for(holder: Holder) -> None:
    patient, _ = holder

    def give(session: Session, _now: datetime) -> UUID:
        schedule = session.get_one(Schedule, patient.schedule_id)
        guest = make_doctor(session, make_department(session, session.get_one(Hospital, schedule.hospital_id)))
        schedule.doctor_id, schedule.doctor_code = guest.id, guest.code
        return guest.id

    guest = patient.write(give)
    waiting = another(patient)
    assert status(waiting, wait(waiting, doctor_ids=[guest])) == "waiting"


def test_limits_are_of_the_person_and_tell_nothing_of_others(holder: Holder) -> None:
    patient, _ = holder
    first = another(patient)
    entry = wait(first)
    with pytest.raises(WaitlistExists):
        wait(first)
    with pytest.raises(WaitlistLimit):
        wait(same_person(first))
    with pytest.raises(NotFound):
        wait(first, doctor_ids=[UUID(int=1)])
    with pytest.raises(NotFound):
        wait(first, [patient.dependent_id])
    with pytest.raises(NotFound):
        leave(patient, entry)
    leave(first, entry)
    leave(first, entry)
    assert status(first, entry) == "left"
    for _ in range(3):
        elsewhere = make_patient(first.workbench, first.clock, first.adapters, numbers=0)
        wait(Patient(**{**vars(first), "schedule_id": elsewhere.schedule_id}))
    with pytest.raises(WaitlistLimit) as reached:
        wait(first)
    assert reached.value.facts["limit"] == 3


def test_whoever_left_is_offered_nothing(holder: Holder) -> None:
    patient, had = holder
    first, second = another(patient), another(patient)
    entries = [wait(first), wait(second)]
    leave(first, entries[0])
    patient.cancel(had)
    patient.work()
    assert (status(first, entries[0]), status(second, entries[1])) == ("left", "offered")


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"date_to": date(2020, 1, 1)}, "#/date_to"),
        ({"date_from": date(2020, 1, 1), "date_to": date(2020, 1, 2)}, "#/date_from"),
    ],
)
def test_what_cannot_be_waited_for(holder: Holder, wish: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        wait(another(holder[0]), **wish)
    assert [error.pointer for error in refused.value.errors] == [pointer]


# --- at once


def test_two_freed_numbers_go_to_the_first_two_and_each_once(patient: Patient) -> None:
    patient = fresh(patient, numbers=2, terms=SLOW)
    holders = [patient, another(patient)]
    had = [one.book(PayMode.ON_SITE) for one in holders]
    waiting = [another(patient) for _ in range(3)]
    entries = [wait(one) for one in waiting]
    for one, appointment_id in zip(holders, had, strict=True):
        one.cancel(appointment_id)
    slots = [patient.slot(one).id for one in had]
    bench = patient.workbench
    race(*(offering(bench, slot_id) for slot_id in slots for _ in range(2)))
    assert [status(one, entry) for one, entry in zip(waiting, entries, strict=True)] == [
        "offered",
        "offered",
        "waiting",
    ]
    assert {found(one, entry).slot_id for one, entry in zip(waiting[:2], entries[:2], strict=True)} == set(slots)  # type: ignore[union-attr]
    patient.assert_sound()


def test_a_hit_and_a_public_claim_never_share_a_number(patient: Patient) -> None:
    """The number returns in the moment in which others ask for it, and one waits."""
    patient = fresh(patient, numbers=1)
    had = patient.book(PayMode.ON_SITE)
    first = another(patient)
    entry = wait(first)
    public = [another(patient) for _ in range(4)]
    patient.cancel(had)
    got = race(patient.work, *(_booking(one) for one in public))
    taken = [one for one in got[1:] if isinstance(one, UUID)]
    assert (status(first, entry), taken) == ("offered", [])
    patient.assert_sound()


def _booking(patient: Patient) -> Any:
    return lambda: patient.book(PayMode.ON_SITE)


def test_a_job_that_dies_between_hold_and_notice_leaves_nothing(
    holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient, had = holder
    first = another(patient)
    entry = wait(first)

    class Died(BaseException):
        pass

    def die(*_args: Any, **_how: Any) -> None:
        raise Died

    patient.cancel(had)
    job = offering(patient.workbench, patient.slot(had).id)
    with monkeypatch.context() as broken:
        broken.setattr(waitlist_offers, "tell", die)
        with pytest.raises(Died):
            job()
    assert (status(first, entry), notices(first)) == ("waiting", [])
    assert patient.slot(had).status is SlotStatus.WITHHELD
    patient.work()
    assert (status(first, entry), notices(first)) == ("offered", ["waitlist_offered"])
    patient.assert_sound()


# --- any order

STEPS = st.lists(
    st.tuples(st.sampled_from(["free", "wait", "wait", "leave", "lapse", "block"]), st.integers(0, 4)),
    min_size=5,
    max_size=16,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_comes_the_first_who_may_is_served(
    workbench: Workbench, clock: ManualClock, adapters: FakeAdapters, steps: list[tuple[str, int]]
) -> None:
    clinic = make_patient(workbench, clock, adapters, numbers=6, terms=SLOW)
    story = Story(clinic)
    for act, who in steps:
        getattr(story, act)(who)
    clinic.assert_sound()


class Story:
    """What should be, kept beside what is: a list of those who wait, the first who may comes first."""

    def __init__(self, clinic: Patient) -> None:
        self.clinic = clinic
        self.full = [another(clinic) for _ in range(6)]
        self.had = [(one, one.book(PayMode.ON_SITE)) for one in self.full]
        self.people = [another(clinic) for _ in range(5)]
        self.queue: list[tuple[int, UUID]] = []
        self.blocked: set[int] = set()
        self.offered: list[tuple[int, UUID]] = []

    def wait(self, who: int) -> None:
        if who not in [one for one, _ in self.queue + self.offered]:
            self.clinic.clock.advance(timedelta(seconds=1))
            self.queue.append((who, wait(self.people[who])))

    def leave(self, who: int) -> None:
        for one, entry in [pair for pair in self.queue if pair[0] == who]:
            leave(self.people[one], entry)
            self.queue.remove((one, entry))

    def block(self, who: int) -> None:
        """Something unpaid elsewhere keeps them from any number."""
        if who not in self.blocked and who not in [one for one, _ in self.offered]:
            elsewhere = make_patient(self.clinic.workbench, self.clinic.clock, self.clinic.adapters)
            terms = {"schedule_id": elsewhere.schedule_id}
            self.people[who].book(PayMode.ONLINE, **terms)
            far = timedelta(days=30)
            self.clinic.write(lambda session, now: _keep(session, self.people[who], now + far))
            self.blocked.add(who)

    def free(self, _who: int) -> None:
        if self.had:
            one, appointment_id = self.had.pop()
            one.cancel(appointment_id)
            self._served()

    def lapse(self, _who: int) -> None:
        if self.offered:
            who, entry = self.offered.pop(0)
            self.people[who].cancel(found(self.people[who], entry).id)  # type: ignore[union-attr]
            self._served()

    def _served(self) -> None:
        self.clinic.work()
        self.clinic.work(after=MINUTE)
        able = [pair for pair in self.queue if pair[0] not in self.blocked]
        if able:
            self.queue.remove(able[0])
            self.offered.append(able[0])
        for who, entry in self.offered:
            assert status(self.people[who], entry) == "offered"
        for who, entry in self.queue:
            assert status(self.people[who], entry) == "waiting"


def test_a_wish_asks_as_often_whatever_the_number_of_half_days(patient: Patient) -> None:
    """It holds account and persons meanwhile."""
    one, seen = fresh(patient, numbers=1, terms=SLOW), []
    one.book(PayMode.ON_SITE)
    engine = one.workbench.transactions.database.engine

    def statements_of(waiting: Patient) -> int:
        seen.clear()
        listen = lambda *said: seen.append(said[2])  # noqa: E731 - the same one is taken away again
        event.listen(engine, "before_cursor_execute", listen)
        wait(waiting)
        event.remove(engine, "before_cursor_execute", listen)
        return len(seen)

    alone = statements_of(another(one))
    for _ in range(9):
        full = beside(one, numbers=1, starts=time(13), terms=SLOW)
        booked = update(Slot).where(Slot.schedule_id == full).values(status=SlotStatus.BOOKED)
        one.write(lambda session, _now, booked=booked: session.execute(booked))
    assert statements_of(another(one)) == alone


def test_the_dependents_of_a_phone_are_held_before_the_number(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A doctor's extra number holds them, and then every number of the half day."""
    one = fresh(patient, numbers=1, terms=SLOW | {"max_per_phone_month": 9})
    had, waiting = one.book(PayMode.ON_SITE), another(one)
    entry, order = wait(waiting), list[str]()
    hold, lock = booking_case.hold_phones, waitlist_offers.lock_slot
    monkeypatch.setattr(booking_case, "hold_phones", lambda *said: (order.append("phone"), hold(*said)))
    monkeypatch.setattr(waitlist_offers, "lock_slot", lambda *said: (order.append("slot"), lock(*said))[1])
    one.cancel(had)
    one.work()
    assert found(waiting, entry) is not None
    assert order[:2] == ["phone", "slot"]


# --- what another account did is not told, and what was said is kept to


def test_an_appointment_through_another_account_is_the_generic_limit(patient: Patient) -> None:
    one = fresh(patient, numbers=1, terms=SLOW | {"may_overlap": False})
    had, waiting = one.book(PayMode.ON_SITE), another(one)
    entry = wait(waiting)
    same_person(waiting).book(PayMode.ON_SITE, schedule_id=fresh(one).schedule_id)
    one.cancel(had)
    one.work()
    assert view(waiting, entry).places[0].reasons[0] == "person_limit"


def test_a_number_given_back_through_another_account_is_the_generic_limit(patient: Patient) -> None:
    one = fresh(patient, numbers=1, terms=SLOW | {"let_go_rest_minutes": 120})
    waiting = another(one)
    other = same_person(waiting)
    had, entry = other.book(PayMode.ON_SITE), wait(waiting)
    other.cancel(had)
    one.work()
    assert view(waiting, entry).places[0].reasons[0] == "person_limit"


def test_a_number_freed_at_night_is_found_for_whoever_waits(patient: Patient) -> None:
    terms = {"return_after_seconds": 600, "return_spread_seconds": 0, "closed_from": "23:00", "closed_until": "06:00"}
    one = fresh(patient, numbers=1, terms=terms)
    had, waiting = one.book(PayMode.ON_SITE), another(one)
    entry = wait(waiting)
    one.clock.set(one.clock.now().astimezone(HOSPITAL_ZONE).replace(hour=23, minute=10, second=0, microsecond=0))
    one.cancel(had)
    one.work()
    assert found(waiting, entry) is not None


def test_nobody_is_given_a_number_above_the_price_they_named(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where it became dearer after they were listed for it."""
    one = fresh(patient, numbers=1, terms=SLOW)
    had, waiting = one.book(PayMode.ON_SITE), another(one)
    entry = wait(waiting, max_fee_fen=5000)
    listed = waitlist_offers._queue

    def dearer(session: Session, now: datetime, *, slot_id: UUID) -> Any:
        queue = listed(session, now, slot_id=slot_id)
        assert queue[1]
        one.write(lambda inner, _now: setattr(inner.get_one(Schedule, one.schedule_id), "fee_fen", 9000))
        return queue

    monkeypatch.setattr(waitlist_offers, "_queue", dearer)
    one.cancel(had)
    one.work()
    assert found(waiting, entry) is None


ELDERS: dict[str, Any] = {"age_from": 65, "age_to": 150, "percent": 80, "basis": "老年人优惠"}


def test_a_ceiling_is_of_what_this_person_pays(patient: Patient) -> None:
    """Of the three whom it is too dear for by the list, one pays a fifth of that; the number goes to them, not to the
    first in the queue."""
    one = fresh(patient, numbers=1, terms=SLOW | {"fee_discounts": [ELDERS]})
    had = one.book(PayMode.ON_SITE)
    young, old = another(one), another(one, birth_date=date(1950, 1, 1))
    for who, most in ((young, 4999), (old, 999)):
        with pytest.raises(WaitlistClosed):
            wait(who, max_fee_fen=most)
    child = relatives(old, 1)[0]
    entries = [wait(old, [child, old.dependent_id], max_fee_fen=1000), wait(young, max_fee_fen=5000)]
    one.cancel(had)
    one.work()
    assert (found(old, entries[0], 0), found(young, entries[1])) == (None, None)
    offered = found(old, entries[0], 1)
    assert offered is not None
    assert (offered.dependent_id, offered.fee_fen) == (old.dependent_id, 1000)
    one.assert_sound()


def test_whoever_may_have_a_free_number_at_their_price_does_not_wait(patient: Patient) -> None:
    one = fresh(patient, numbers=1, terms={"fee_discounts": [ELDERS]})
    full = beside(one, numbers=0, fee_fen=900)
    assert full
    wait(another(one), max_fee_fen=1000)
    with pytest.raises(NumbersFree) as free:
        wait(another(one, birth_date=date(1950, 1, 1)), max_fee_fen=1000)
    assert free.value.facts == {"schedule_id": str(one.schedule_id)}


def _keep(session: Session, patient: Patient, until: datetime) -> None:
    for one in session.scalars(select(Appointment).where(Appointment.account_id == patient.account_id)):
        if one.status is AppointmentStatus.PENDING:
            one.hold_expires_at = one.close_by = until
