"""A hospital that has a system of its own from now on: what was sold before stands, nothing is exchanged past it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes_hospital import connect
from harness import REQUEST, Patient, beside
from hospital_acts import offer_instead
from sqlalchemy import func, select

from core.booking.clinic.take_offer import accept_offer
from core.refusals import NotReschedulable, OfferEnded
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.schedule import Schedule

TWO_HOURS = timedelta(hours=2)


@pytest.mark.parametrize(("pay", "fee"), [(PayMode.ONLINE, 8000), (PayMode.ONLINE, 5000), (PayMode.ON_SITE, 5000)])
def test_what_was_sold_before_is_not_exchanged_for_what_the_hospital_has_yet_to_promise(
    patient: Patient, pay: PayMode, fee: int
) -> None:
    """It could refuse the new number after the old one was let go, or two could stand for one price."""
    old = patient.paid() if pay is PayMode.ONLINE else patient.book(pay)
    day = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).visit_date)
    there = beside(patient, visit_date=day + timedelta(days=1), fee_fen=fee)
    connect(patient)
    with pytest.raises(NotReschedulable) as refused:
        patient.reschedule(old, there)
    assert refused.value.facts == {"reason": "hospital"}
    assert patient.appointment(old).status is AppointmentStatus.BOOKED
    assert patient.read(lambda session: session.scalar(select(func.count()).select_from(Appointment))) == 1
    patient.assert_sound()


def test_what_was_offered_before_is_not_given_without_the_hospitals_word(patient: Patient) -> None:
    lost, there = patient.paid(), beside(patient)
    offer = patient.write(lambda session, now: offer_instead(session, lost, there, now=now))
    connect(patient)
    of = {"offer_id": offer.id, "account_id": patient.account_id, "cause": REQUEST, "vault": patient.workbench.vault}
    with pytest.raises(OfferEnded):
        patient.write(lambda session, now: accept_offer(session, now=now, **of))
    patient.work(after=TWO_HOURS)
    assert patient.appointment(lost).cancel_reason is CancelReason.SUSPENDED
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    patient.assert_sound()
