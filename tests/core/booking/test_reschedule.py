"""Exchanging a number: the old one is kept until the new one is sure, and the money follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from exchanging import NEXT_DAY, later, states
from factories import make_department, make_hospital, make_schedule
from harness import REQUEST, Patient, beside
from hospital_acts import suspend
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.booking.eligibility import explain_for
from core.booking.views import AppointmentView, view_appointment
from core.locks import lock_appointment, lock_slot
from core.ports import RefundState
from core.refusals import (
    AlreadyPaid,
    CancelDeadlinePassed,
    FeeChanged,
    HoldOpen,
    NotEligible,
    NotPayable,
    NotReschedulable,
    NumbersInFlight,
    ScheduleSuspended,
    SoldOut,
)
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.errors import DomainError, NotFound, ValidationFailed
from models.notice import Notice
from models.payment import PaymentStatus, RefundReason
from models.policy import RescheduleScope
from models.schedule import Schedule, Slot, SlotStatus
from schemas.appointment import AppointmentReply

MILLISECOND = timedelta(milliseconds=1)


def a_week_later(patient: Patient) -> date:
    return patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).visit_date + 7 * NEXT_DAY)


def of_doctor(patient: Patient, code: str, schedule_id: UUID) -> UUID:
    doctor = update(Schedule).where(Schedule.id == schedule_id).values(doctor_code=code)
    patient.write(lambda session, now: session.execute(doctor))
    return schedule_id


def shown(patient: Patient, appointment_id: UUID) -> AppointmentView:
    return patient.read(
        lambda session: view_appointment(session, appointment_id=appointment_id, account_id=patient.account_id)
    )


def pay_difference(patient: Patient, appointment_id: UUID) -> None:
    assert patient.open_payment(appointment_id) is None
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    patient.work()


def dearer(patient: Patient) -> tuple[UUID, UUID]:
    """A paid number, and one of 80 yuan that is to take its place."""
    old = patient.paid()
    return old, patient.reschedule(old, later(patient, fee_fen=8000))


@pytest.mark.parametrize(("pay", "fee"), [(PayMode.ONLINE, 5000), (PayMode.ON_SITE, 5000), (PayMode.ONLINE, 0)])
def test_at_the_same_fee_the_numbers_are_swapped_at_once(patient: Patient, pay: PayMode, fee: int) -> None:
    patient.schedule_id = beside(patient, fee_fen=fee)
    old = patient.paid() if pay is PayMode.ONLINE and fee else patient.book(pay)
    new = patient.reschedule(old, later(patient, fee_fen=fee))
    assert states(patient, old, new) == [CancelReason.RESCHEDULED, AppointmentStatus.BOOKED]
    assert patient.slot(new).status is SlotStatus.BOOKED
    assert (patient.appointment(new).pay_mode, patient.appointment(new).replaces_id) == (pay, old)
    assert patient.refunds() == []
    patient.assert_sound()
    patient.work()
    assert patient.slot(old).status is SlotStatus.FREE
    kinds = patient.read(lambda session: list(session.scalars(select(Notice.kind).order_by(Notice.id))))
    assert kinds == ["appointment_booked", "appointment_rescheduled"]
    seen = shown(patient, new)
    assert seen.money.due_fen == fee
    assert seen.money.paid_fen == (fee if pay is PayMode.ONLINE else 0)
    assert (shown(patient, old).replaced_by_id, seen.replaced_by_id) == (new, None)
    patient.assert_sound()


def test_what_a_cheaper_one_costs_less_goes_back_and_later_the_rest(patient: Patient) -> None:
    old = patient.paid()
    new = patient.reschedule(old, later(patient, fee_fen=3000))
    assert states(patient, old, new) == [CancelReason.RESCHEDULED, AppointmentStatus.BOOKED]
    (back,) = patient.refunds()
    assert (back.amount_fen, back.reason) == (2000, RefundReason.RESCHEDULED)
    patient.assert_sound()
    patient.cancel(new)
    assert [one.amount_fen for one in patient.refunds()] == [2000, 3000]
    patient.work()
    assert sum(one.amount_fen for one in patient.gateway.refunds.values()) == 5000
    patient.assert_sound()


def test_a_dearer_one_waits_beside_the_old_one_until_the_difference_is_paid(patient: Patient) -> None:
    old, new = dearer(patient)
    assert states(patient, old, new) == [AppointmentStatus.BOOKED, AppointmentStatus.PENDING]
    assert (patient.slot(old).status, patient.slot(new).status) == (SlotStatus.BOOKED, SlotStatus.HELD)
    for one in (old, new):
        money = shown(patient, one).money
        assert (money.due_fen, money.paid_fen) == (8000, 5000)
    assert shown(patient, new).payment is None
    assert shown(patient, old).replaced_by_id == new
    patient.assert_sound()
    pay_difference(patient, new)
    assert [one.amount_fen for one in patient.payments()] == [5000, 3000]
    assert states(patient, old, new) == [CancelReason.RESCHEDULED, AppointmentStatus.BOOKED]
    assert patient.refunds() == []
    assert patient.slot(old).status is SlotStatus.FREE
    patient.assert_sound()
    patient.cancel(new)
    assert sorted(one.amount_fen for one in patient.refunds()) == [3000, 5000]
    patient.work()
    patient.assert_sound()


def test_an_unpaid_new_one_lapses_and_the_old_one_stays_untouched(patient: Patient) -> None:
    old, new = dearer(patient)
    moves = len(patient.moves(old))
    assert patient.open_payment(new) is None
    patient.work(after=timedelta(minutes=16))
    assert states(patient, old, new) == [AppointmentStatus.BOOKED, CancelReason.PAYMENT_TIMEOUT]
    assert (len(patient.moves(old)), patient.slot(new).status) == (moves, SlotStatus.FREE)
    late = patient.payments()[-1]
    assert late.status is PaymentStatus.CLOSED
    with pytest.raises(NotPayable):
        patient.intend(new)
    with pytest.raises(AlreadyPaid):
        patient.intend(old)
    patient.assert_sound()
    again = patient.reschedule(old, later(patient, fee_fen=5000))  # what lapsed does not count as an exchange
    assert states(patient, old, again) == [CancelReason.RESCHEDULED, AppointmentStatus.BOOKED]
    patient.assert_sound()


def test_money_for_a_new_one_that_has_lapsed_goes_back_alone(patient: Patient) -> None:
    old, new = dearer(patient)
    assert patient.open_payment(new) is None
    number = patient.payments()[-1].out_trade_no
    patient.gateway.down = "before"
    patient.work(after=timedelta(minutes=16))
    patient.work(after=timedelta(minutes=31))  # past the cap
    assert states(patient, old, new) == [AppointmentStatus.BOOKED, CancelReason.PAYMENT_TIMEOUT]
    patient.gateway.down = None
    patient.hear(patient.gateway.pay(number))
    patient.work()
    (back,) = patient.refunds()
    assert (back.amount_fen, back.reason) == (3000, RefundReason.LATE_PAYMENT)
    assert states(patient, old) == [AppointmentStatus.BOOKED]
    patient.assert_sound()


def test_cancelling_the_new_one_keeps_the_old_one(patient: Patient) -> None:
    old, new = dearer(patient)
    assert patient.open_payment(new) is None
    patient.cancel(new)
    assert states(patient, old, new) == [AppointmentStatus.BOOKED, CancelReason.PATIENT]
    assert patient.refunds() == []
    patient.work()
    assert patient.slot(new).status is SlotStatus.FREE
    assert patient.payments()[-1].status is PaymentStatus.CLOSED
    patient.assert_sound()


def test_cancelling_the_old_one_ends_both(patient: Patient) -> None:
    old, new = dearer(patient)
    assert patient.open_payment(new) is None
    patient.cancel(old)
    assert states(patient, old, new) == [CancelReason.PATIENT, CancelReason.PATIENT]
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    patient.assert_sound()
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    patient.work()
    assert sorted(one.amount_fen for one in patient.refunds()) == [3000, 5000]
    patient.assert_sound()


def test_the_old_clinic_called_off_leaves_the_new_one_at_its_whole_fee(patient: Patient) -> None:
    old, new = dearer(patient)
    assert patient.open_payment(new) is None

    suspend(patient)
    patient.work()
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    patient.assert_sound()
    pay_difference(patient, new)  # the sheet over 30 yuan is closed first
    assert [one.amount_fen for one in patient.payments()] == [5000, 3000, 8000]
    assert states(patient, old, new) == [CancelReason.SUSPENDED, AppointmentStatus.BOOKED]
    patient.assert_sound()


def test_the_new_clinic_called_off_keeps_the_old_number(patient: Patient) -> None:
    """Even where the difference arrives after the numbers were suspended, and before anybody looked at them."""
    old, new = dearer(patient)
    assert patient.open_payment(new) is None
    suspend(patient, patient.appointment(new).schedule_id)
    with pytest.raises(NotPayable):
        patient.intend(new)
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    patient.work()
    assert states(patient, old, new) == [AppointmentStatus.BOOKED, CancelReason.SUSPENDED]
    assert [one.amount_fen for one in patient.refunds()] == [3000]
    patient.assert_sound()


def test_once_the_old_number_was_used_the_difference_goes_back(patient: Patient) -> None:
    old, new = dearer(patient)
    assert patient.open_payment(new) is None
    patient.write(lambda session, now: lock_appointment(session, old).check_in(session, at=now, cause=REQUEST))
    with pytest.raises(NotPayable):
        patient.intend(new)
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    patient.work()
    assert states(patient, old, new) == [AppointmentStatus.ARRIVED, AppointmentStatus.PENDING]
    assert [one.amount_fen for one in patient.refunds()] == [3000]
    patient.assert_sound()
    patient.work(after=timedelta(minutes=16))
    assert states(patient, old, new) == [AppointmentStatus.ARRIVED, CancelReason.PAYMENT_TIMEOUT]
    patient.assert_sound()


def test_until_just_before_the_deadline_of_the_old_terms(patient: Patient) -> None:
    old, to = patient.book(PayMode.ON_SITE), later(patient)
    deadline = patient.appointment(old).cancel_before
    patient.clock.set(deadline)
    with pytest.raises(CancelDeadlinePassed):
        patient.reschedule(old, to)
    patient.clock.set(deadline - MILLISECOND)
    patient.reschedule(old, to)
    patient.assert_sound()


def far(patient: Patient, **where: Any) -> UUID:
    """A schedule of another department, of the same hospital unless told otherwise."""

    def step(session: Session, now: datetime) -> UUID:
        first = session.get_one(Schedule, patient.schedule_id)
        hospital = make_hospital(session) if where else session.get_one(type(make_hospital(session)), first.hospital_id)
        return make_schedule(session, make_department(session, hospital), numbers=3, fee_fen=5000, now=now).id

    return patient.write(step)


def test_how_often_and_how_far_the_terms_say(patient: Patient) -> None:
    wide = {"reschedule_scope": RescheduleScope.HOSPITAL, "max_reschedules": 2}
    table: list[tuple[dict[str, Any], Callable[[Patient], UUID], str | None]] = [
        ({"max_reschedules": 0}, later, "limit"),
        ({}, far, "scope"),
        (wide, lambda one: far(one, elsewhere=True), "scope"),
        ({"reschedule_scope": "doctor"}, lambda one: of_doctor(one, "other", later(one)), "scope"),
        ({"reschedule_scope": "doctor"}, lambda one: of_doctor(one, "same", later(one)), None),
        ({}, lambda one: of_doctor(one, "other", later(one)), None),
        (wide, far, None),
    ]
    own = patient.schedule_id
    for day, (terms, to, reason) in enumerate(table):
        first = patient.read(lambda session: session.get_one(Schedule, own))
        on = first.visit_date + 2 * (day + 1) * NEXT_DAY
        patient.schedule_id = of_doctor(patient, "same", beside(patient, terms=terms, visit_date=on))
        old = patient.book(PayMode.ON_SITE)
        if reason is None:
            new = patient.reschedule(old, to(patient))
            assert states(patient, old, new) == ["rescheduled", "booked"]
        else:
            with pytest.raises(NotReschedulable) as refused:
                patient.reschedule(old, to(patient))
            assert refused.value.facts["reason"] == reason
    patient.assert_sound()


def test_once_per_order(patient: Patient) -> None:
    old = patient.book(PayMode.ON_SITE)
    new = patient.reschedule(old, later(patient))
    with pytest.raises(NotReschedulable) as refused:
        patient.reschedule(new, patient.schedule_id)
    assert refused.value.facts == {"reason": "limit", "max_reschedules": 1}
    with pytest.raises(NotReschedulable) as refused:
        patient.reschedule(old, later(patient))
    assert refused.value.facts == {"reason": "status", "status": "cancelled"}


def test_two_exchanges_keep_what_each_line_gave_back_apart(patient: Patient) -> None:
    patient.schedule_id = beside(patient, terms={"max_reschedules": 2})
    old = patient.paid()
    new = patient.reschedule(old, later(patient, fee_fen=8000, terms={"max_reschedules": 2}))
    pay_difference(patient, new)
    last = patient.reschedule(new, beside(patient, fee_fen=1000))
    assert states(patient, old, new, last) == ["rescheduled", "rescheduled", "booked"]
    assert sorted(one.amount_fen for one in patient.refunds()) == [3000, 4000]
    patient.assert_sound()
    patient.cancel(last)
    patient.work()
    assert sum(one.amount_fen for one in patient.refunds()) == 8000
    patient.assert_sound()


def test_what_was_paid_in_two_goes_back_in_two_and_the_patient_is_told_of_both(patient: Patient) -> None:
    terms = {"max_reschedules": 2}
    patient.schedule_id = beside(patient, terms=terms)
    old = patient.paid()
    new = patient.reschedule(old, later(patient, fee_fen=8000, terms=terms))
    pay_difference(patient, new)
    last = patient.reschedule(new, beside(patient, fee_fen=1000))
    assert told_back(patient, last) == [3000, 4000]
    patient.cancel(last)
    assert told_back(patient, last) == [1000, 3000, 4000]
    closed = max(patient.refunds(), key=lambda one: one.amount_fen)
    patient.work()
    patient.hear(patient.gateway.settle_refund(closed.out_refund_no, RefundState.CLOSED))
    patient.work()
    assert told_back(patient, last) == [1000, 3000, 4000]  # another number has taken its place
    assert shown(patient, old).whole_refund == []  # its money went on to the next one


def told_back(patient: Patient, appointment_id: UUID) -> list[int]:
    """What the patient reads of money on its way back, as it travels."""
    told = AppointmentReply().dump(shown(patient, appointment_id))
    assert told["refund"]["id"] in [one["id"] for one in told["refunds"]]
    return sorted(one["amount_fen"] for one in told["refunds"])


def test_another_time_of_the_same_schedule(patient: Patient) -> None:
    old = patient.book(PayMode.ON_SITE)
    for same in ({}, {"segment_starts_at": patient.slot(old).starts_at}):
        with pytest.raises(ValidationFailed) as refused:
            patient.reschedule(old, patient.schedule_id, **same)
        assert [one.code for one in refused.value.errors] == ["same_segment"]
    elsewhere = max(one.starts_at for one in patient.slots())
    if elsewhere == patient.slot(old).starts_at:  # all in one segment: nothing to move to
        patient.write(
            lambda session, now: session.execute(
                update(Slot)
                .where(Slot.id == patient.slots()[-1].id)
                .values(starts_at=elsewhere + timedelta(minutes=30), ends_at=elsewhere + timedelta(minutes=60))
            )
        )
        elsewhere += timedelta(minutes=30)
    new = patient.reschedule(old, patient.schedule_id, segment_starts_at=elsewhere)
    assert patient.slot(new).starts_at == elsewhere
    patient.assert_sound()


def test_the_old_number_counts_against_no_limit_of_the_new_one(patient: Patient) -> None:
    """On the same day in the same department, where one is allowed; and the two count once while both stand."""
    patient.schedule_id = beside(patient, terms={"max_open_holds_person": 9})
    old = patient.paid()
    new = patient.reschedule(old, beside(patient, fee_fen=8000))
    assert states(patient, old, new) == ["booked", "pending"]
    patient.assert_sound()
    other = far(patient)
    patient.write(
        lambda session, now: session.execute(
            update(Schedule)
            .where(Schedule.id == other)
            .values(terms=session.get_one(Schedule, patient.schedule_id).terms)
        )
    )
    asked = patient.read(
        lambda session: explain_for(
            session,
            schedule_id=other,
            dependent_id=patient.dependent_id,
            account_id=patient.account_id,
            now=patient.clock.now(),
        )
    )
    assert [one.error.code for one in asked.reasons] == []
    pay_difference(patient, new)
    patient.assert_sound()


def empty(patient: Patient, *, status: SlotStatus, **of_schedule: Any) -> UUID:
    schedule_id = later(patient, numbers=1, **of_schedule)
    slots = select(Slot.id).where(Slot.schedule_id == schedule_id)

    def step(session: Session, now: datetime) -> None:
        slot = lock_slot(session, session.scalars(slots).one())
        (slot.hold if status is SlotStatus.HELD else slot.suspend)(session, at=now, cause=REQUEST)

    patient.write(step)
    return schedule_id


def test_what_refuses_a_booking_refuses_an_exchange_and_nothing_has_moved(patient: Patient) -> None:
    old = patient.paid()
    second = later(patient)
    suspend(patient, second)
    table: list[tuple[UUID, dict[str, Any], type[DomainError]]] = [
        (second, {}, ScheduleSuspended),
        (empty(patient, status=SlotStatus.HELD), {}, NumbersInFlight),
        (empty(patient, status=SlotStatus.SUSPENDED), {}, SoldOut),
        (later(patient, terms={"sexes": ["male"]}), {}, NotEligible),
        (empty(patient, status=SlotStatus.SUSPENDED, terms={"sexes": ["male"]}), {}, SoldOut),  # decision 0042
        (later(patient), {"expected_fee_fen": 1}, FeeChanged),
        (later(patient, terms={"pay_modes": ["on_site"]}), {}, ValidationFailed),
        (UUID(int=1), {}, NotFound),
    ]
    before = [len(patient.moves(one)) for one in (old, patient.appointment(old).slot_id)]
    for schedule_id, to, error in table:
        with pytest.raises(error):
            patient.reschedule(old, schedule_id, **to)
    assert [len(patient.moves(one)) for one in (old, patient.appointment(old).slot_id)] == before
    assert patient.read(lambda session: len(session.scalars(select(Appointment)).all())) == 1


def test_while_one_exchange_waits_there_is_no_other(patient: Patient) -> None:
    old, _ = dearer(patient)
    with pytest.raises(NotReschedulable) as refused:
        patient.reschedule(old, later(patient))
    assert refused.value.facts == {"reason": "waiting"}
    with pytest.raises(HoldOpen):
        patient.book(PayMode.ON_SITE, schedule_id=later(patient, visit_date=a_week_later(patient)))
    patient.assert_sound()
