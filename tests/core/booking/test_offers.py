"""Other numbers are held for whoever lost theirs by a suspension: ranked, never dearer, until answered (2.10)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fakes import FakeAdapters, ManualClock
from harness import Patient, beside, race
from hospital_acts import ORDER, suspend
from offering import Clinics, make_clinics
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.clinic.affected import settle_suspension
from core.booking.clinic.change_clinic import substitute_doctor
from core.booking.clinic.suspend import preview_suspension
from core.jobs.queue import LeasedJob
from core.refusals import AlreadyBooked, NotReschedulable, OfferEnded, PersonLimit
from core.transactions import Overloaded
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.base import new_id
from models.charge import ChargeLine, FeeKind
from models.notice import Notice, NoticeKind
from models.offer import OfferKind, OfferStatus
from models.schedule import Schedule, SlotStatus

KINDS = [OfferKind.SAME_DOCTOR, OfferKind.SAME_RANK, OfferKind.OTHER_CAMPUS]


@pytest.fixture
def clinics(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Clinics:
    return make_clinics(workbench, clock, adapters)


def test_numbers_are_ranked_held_told_and_never_dearer(clinics: Clinics) -> None:
    patient = clinics.patient
    paid = patient.paid()
    foreseen = patient.read(
        lambda session: preview_suspension(session, schedule_id=patient.schedule_id, now=patient.clock.now())
    )
    offers = clinics.suspended()
    assert [(one.kind, one.fee_fen) for one in offers] == list(zip(KINDS, (3000, 5000, 5000), strict=True))
    assert [one.schedule_id for one in offers] == [clinics.later, clinics.same_day, clinics.elsewhere]
    assert foreseen.counts.offers == {**dict.fromkeys(KINDS, 1), "none": 0}
    assert {one.expires_at - patient.clock.now() for one in offers} == {timedelta(hours=2)}
    assert patient.appointment(paid).status is AppointmentStatus.BOOKED
    told = patient.read(lambda session: session.scalars(select(Notice.kind).order_by(Notice.id)).all())
    assert told[-1] is NoticeKind.OFFERS_MADE
    patient.assert_sound()
    patient.work(after=timedelta(minutes=119))
    suspend(patient)
    patient.work()
    assert len(clinics.offers()) == 3
    patient.work(after=timedelta(minutes=1))
    assert {one.status for one in clinics.offers()} == {OfferStatus.EXPIRED}
    assert patient.appointment(paid).cancel_reason is CancelReason.SUSPENDED
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    clinics.assert_all_back()


@pytest.mark.parametrize(("which", "fee", "back"), [(0, 3000, [2000]), (1, 5000, []), (2, 5000, [])])
def test_what_is_taken_costs_no_more_and_what_it_costs_less_goes_back(
    clinics: Clinics, which: int, fee: int, back: list[int]
) -> None:
    patient = clinics.patient
    paid = patient.paid()
    new_one = clinics.accept(clinics.suspended()[which])
    patient.work()
    old, new = patient.appointment(paid), patient.appointment(new_one)
    assert (old.status, old.cancel_reason) == (AppointmentStatus.CANCELLED, CancelReason.SUSPENDED)
    assert (new.status, new.fee_fen, new.charge_id) == (AppointmentStatus.BOOKED, fee, old.charge_id)
    assert [one.amount_fen for one in patient.refunds()] == back
    kinds = patient.read(lambda session: session.scalars(select(ChargeLine.kind).order_by(ChargeLine.id)).all())
    assert (FeeKind.DISCOUNT in kinds) is (which == 1)
    assert patient.slot(new_one).status is SlotStatus.BOOKED
    patient.assert_sound()
    with pytest.raises(OfferEnded):
        clinics.accept(clinics.offers()[2])
    patient.cancel(new_one)
    patient.work()
    assert sum(one.amount_fen for one in patient.refunds()) == 5000
    clinics.assert_all_back()


@pytest.mark.parametrize("given_by_a_doctor", [False, True])
def test_2_14_nobody_is_offered_a_clinic_that_is_not_for_them(clinics: Clinics, given_by_a_doctor: bool) -> None:
    """But whoever was seen though the clinic was not for them either."""
    patient = clinics.patient
    patient.book(PayMode.ON_SITE)

    def for_children(session: Session, _now: Any) -> None:
        for one in (clinics.later, clinics.elsewhere):
            half_day = session.get_one(Schedule, one)
            half_day.terms = half_day.terms | {"age_to": 14}
        if given_by_a_doctor:
            appointment = session.scalars(select(Appointment)).one()
            appointment.terms = appointment.terms | {"age_to": 14}

    patient.write(for_children)
    offered = [one.schedule_id for one in clinics.suspended()]
    everywhere = [clinics.later, clinics.same_day, clinics.elsewhere]
    assert offered == (everywhere if given_by_a_doctor else [clinics.same_day])


def test_what_has_become_cheaper_since_it_was_offered_costs_that_much(clinics: Clinics) -> None:
    patient = clinics.patient
    patient.paid()
    there = clinics.suspended()[2]
    patient.clock.advance(timedelta(minutes=5))

    def cheaper(session: Session, now: Any) -> None:
        schedule = session.get_one(Schedule, there.schedule_id)
        how: dict[str, Any] = {"schedule_id": schedule.id, "doctor_id": schedule.doctor_id, "fee_fen": 1000}
        substitute_doctor(session, order=ORDER, now=now, **how)

    patient.write(cheaper)
    patient.work(after=timedelta(minutes=5))
    new = clinics.accept(there)
    patient.work()
    assert (patient.appointment(new).fee_fen, [one.amount_fen for one in patient.refunds()]) == (1000, [4000])
    patient.assert_sound()


@pytest.mark.parametrize("ends", ["cancelled", "suspended"])
def test_what_was_not_paid_before_is_paid_and_given_back_like_any_other(clinics: Clinics, ends: str) -> None:
    """The number that is taken has a charge of its own then, on which there is nothing of the lost one."""
    patient = clinics.patient
    patient.book()
    taken = clinics.accept(clinics.suspended()[0])
    assert patient.open_payment(taken) is None
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    patient.work()
    assert patient.appointment(taken).status is AppointmentStatus.BOOKED
    if ends == "cancelled":
        patient.cancel(taken)
    else:
        suspend(patient, clinics.later)
        patient.work(after=timedelta(days=1))
    patient.work()
    assert patient.appointment(taken).status is AppointmentStatus.CANCELLED
    assert [one.amount_fen for one in patient.refunds()] == [3000]
    patient.assert_sound()


def test_taking_one_ends_an_exchange_that_was_being_paid(clinics: Clinics) -> None:
    """The sheet over the difference is closed; nobody pays it and has it back."""
    patient = clinics.patient
    old = patient.paid()
    day = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).visit_date)
    new = patient.reschedule(old, beside(patient, visit_date=day + timedelta(days=9), fee_fen=9000))
    assert patient.open_payment(new) is None
    taken = clinics.accept(clinics.suspended()[0])
    patient.work()
    assert [patient.appointment(one).cancel_reason for one in (old, new)] == ["suspended", "patient"]
    assert (patient.appointment(taken).status, patient.payments()[-1].status) == ("booked", "closed")
    assert [one.amount_fen for one in patient.refunds()] == [2000]
    patient.assert_sound()


def test_what_the_hospital_gave_instead_uses_up_no_exchange_of_the_patients(clinics: Clinics) -> None:
    patient = clinics.patient
    patient.paid()
    there = clinics.suspended()[0]
    new = clinics.accept(there)
    day = patient.read(lambda session: session.get_one(Schedule, there.schedule_id).visit_date)
    next_days = [beside(patient, visit_date=day + timedelta(days=more), fee_fen=3000) for more in (1, 2)]
    newest = patient.reschedule(new, next_days[0])
    assert patient.appointment(newest).status is AppointmentStatus.BOOKED
    with pytest.raises(NotReschedulable):
        patient.reschedule(newest, next_days[1])
    patient.assert_sound()


def test_who_has_not_paid_yet_pays_for_the_new_one_and_never_for_the_old(clinics: Clinics) -> None:
    patient = clinics.patient
    held = patient.book()
    assert patient.open_payment(held) is None
    offers = clinics.suspended()
    late = patient.gateway.pay(patient.payments()[0].out_trade_no)
    new_one = clinics.accept(offers[0])
    assert patient.open_payment(new_one) is None
    patient.hear(late)
    patient.hear(patient.gateway.pay(patient.payments()[1].out_trade_no))
    patient.work(after=timedelta(minutes=1))
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    assert (patient.appointment(new_one).status, patient.appointment(new_one).fee_fen) == ("booked", 3000)
    patient.assert_sound()


def test_who_has_not_paid_yet_keeps_the_time_to_answer(clinics: Clinics) -> None:
    held = clinics.patient.book()
    clinics.suspended()
    clinics.patient.work(after=timedelta(minutes=119))
    assert clinics.patient.appointment(held).status is AppointmentStatus.PENDING
    clinics.patient.work(after=timedelta(minutes=1))
    assert clinics.patient.appointment(held).cancel_reason is CancelReason.SUSPENDED
    clinics.assert_all_back()


def test_visits_of_a_week_count_when_offers_are_made_and_when_one_is_taken(clinics: Clinics) -> None:
    """As for every booking: one visit in seven days is all that the later clinic and the other campus allow."""
    patient = clinics.patient
    patient.paid()
    for schedule_id in (clinics.later, clinics.elsewhere):
        one_a_week(patient, schedule_id)
    assert [one.kind for one in clinics.suspended()] == list(KINDS)
    day = patient.read(lambda session: session.get_one(Schedule, clinics.later).visit_date)
    there = beside(patient, visit_date=day + timedelta(days=4))
    visit = patient.book(PayMode.ON_SITE, schedule_id=there)
    later, same_day, _ = clinics.offers()
    with pytest.raises(PersonLimit):
        clinics.accept(later)
    patient.cancel(visit)
    assert patient.appointment(clinics.accept(same_day)).status is AppointmentStatus.BOOKED
    patient.assert_sound()


def test_nobody_is_offered_what_the_week_does_not_allow(clinics: Clinics) -> None:
    patient = clinics.patient
    patient.paid()
    one_a_week(patient, clinics.later)
    day = patient.read(lambda session: session.get_one(Schedule, clinics.later).visit_date)
    patient.book(PayMode.ON_SITE, schedule_id=beside(patient, visit_date=day + timedelta(days=6)))
    assert [one.schedule_id for one in clinics.suspended()] == [clinics.same_day, clinics.elsewhere]


def one_a_week(patient: Patient, schedule_id: UUID) -> None:
    def step(session: Session, _now: Any) -> None:
        schedule = session.get_one(Schedule, schedule_id)
        schedule.terms = {**schedule.terms, "max_per_person_7_days": 1}

    patient.write(step)


def test_who_pays_on_site_and_who_refuses_all(clinics: Clinics) -> None:
    patient, other = clinics.patient, clinics.stranger()
    paid, there = patient.paid(), other.book(PayMode.ON_SITE)
    offers = clinics.suspended()
    mine, theirs = offers[:3], offers[3:]
    assert other.appointment(clinics.accept(theirs[0], other)).pay_mode is PayMode.ON_SITE
    assert other.appointment(there).cancel_reason is CancelReason.SUSPENDED
    for one in mine:
        clinics.refuse(one)
    patient.work()
    assert patient.appointment(paid).cancel_reason is CancelReason.SUSPENDED
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    patient.assert_sound()


def test_one_after_the_other_in_the_order_of_booking_and_cut_off_in_between(clinics: Clinics) -> None:
    """Two numbers of each for three patients; the job dies after the first, and the next worker goes on."""
    others = [clinics.stranger() for _ in range(2)]
    first, second, third = clinics.patient.paid(), *(one.book(PayMode.ON_SITE) for one in others)
    suspend(clinics.patient)
    job = LeasedJob(new_id(), "settle_suspension", {"schedule_id": str(clinics.patient.schedule_id)}, 1, 1)
    settle_suspension(clinics.patient.workbench, job)
    clinics.patient.work()
    assert [one.appointment_id for one in clinics.offers()] == [first] * 3 + [second] * 3
    assert clinics.patient.appointment(third).cancel_reason is CancelReason.SUSPENDED
    clinics.patient.assert_sound()


def test_a_held_number_whose_own_clinic_is_suspended_is_withdrawn(clinics: Clinics) -> None:
    patient = clinics.patient
    paid = patient.paid()
    offers = clinics.suspended()
    for one in (clinics.later, clinics.same_day):
        suspend(patient, one)
    with pytest.raises(OfferEnded):
        clinics.accept(offers[0])
    patient.work()
    assert [one.status for one in clinics.offers()] == ["withdrawn", "withdrawn", "open"]
    suspend(patient, clinics.elsewhere)
    patient.work()
    assert patient.appointment(paid).cancel_reason is CancelReason.SUSPENDED
    clinics.assert_all_back()


def test_whoever_cancels_a_suspended_appointment_is_never_too_late(clinics: Clinics) -> None:
    patient = clinics.patient
    paid = patient.paid()
    patient.write(lambda session, now: setattr(session.get_one(Appointment, paid), "cancel_before", now))
    clinics.suspended()
    patient.cancel(paid)
    patient.work()
    assert patient.appointment(paid).cancel_reason is CancelReason.SUSPENDED
    assert {one.status for one in clinics.offers()} == {OfferStatus.WITHDRAWN}
    clinics.assert_all_back()


def test_what_was_booked_since_may_stand_in_the_way(clinics: Clinics) -> None:
    patient = clinics.patient
    patient.paid()
    offers = clinics.suspended()
    patient.book(PayMode.ON_SITE, schedule_id=clinics.later)
    with pytest.raises(AlreadyBooked):
        clinics.accept(offers[0])
    clinics.accept(offers[1])
    patient.assert_sound()


RIVALS: dict[str, Callable[[Clinics, UUID], Any]] = {
    "expiry": lambda clinics, _: clinics.patient.work(),
    "another offer": lambda clinics, _: clinics.accept(clinics.offers()[1]),
    "the same again": lambda clinics, _: clinics.accept(clinics.offers()[0]),
    "refusal": lambda clinics, _: clinics.refuse(clinics.offers()[0]),
    "suspension of the other": lambda clinics, _: suspend(clinics.patient, clinics.later),
    "cancelling": lambda clinics, paid: clinics.patient.cancel(paid),
}


@pytest.mark.parametrize("rival", list(RIVALS))
def test_taking_an_offer_against_whatever_ends_it(clinics: Clinics, rival: str) -> None:
    """Truly at once: the patient has one appointment and no more, or none and all of the money."""
    patient = clinics.patient
    paid = patient.paid()
    offer = clinics.suspended()[0]
    if rival == "expiry":
        patient.clock.set(offer.expires_at - timedelta(microseconds=1))

        def late() -> Any:
            patient.clock.set(offer.expires_at)
            return RIVALS[rival](clinics, paid)

        results = race(lambda: clinics.accept(offer), late)
    else:
        results = race(lambda: clinics.accept(offer), lambda: RIVALS[rival](clinics, paid))
    for one in results:
        refused = (OfferEnded, Overloaded, PersonLimit, AlreadyBooked)
        assert not isinstance(one, Exception) or isinstance(one, refused) or rival == "cancelling", one
    for _ in range(3):  # what was taken may be suspended in its turn, with offers of its own
        patient.work(after=timedelta(hours=2))
    standing = patient.read(
        lambda session: session.scalars(select(Appointment).where(Appointment.status == "booked")).all()
    )
    back = sum(one.amount_fen for one in patient.refunds())
    assert patient.appointment(paid).cancel_reason is CancelReason.SUSPENDED
    assert len(standing) <= 1
    assert back == 5000 - sum(one.fee_fen for one in standing)
    taken = [one.accepted_as_id for one in clinics.offers() if one.status is OfferStatus.ACCEPTED]
    assert taken == [one.id for one in standing] or rival == "suspension of the other"
    assert not [one for one in clinics.offers() if one.status is OfferStatus.OPEN]
    patient.assert_sound()
