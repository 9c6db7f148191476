"""A hospital that has a system of its own from now on: nothing is given past it (exchanging: `test_exchange.py`)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes_hospital import connect
from harness import REQUEST, Patient, beside
from hospital_acts import offer_instead

from core.booking.clinic.take_offer import accept_offer
from core.refusals import OfferEnded
from models.appointment import CancelReason

TWO_HOURS = timedelta(hours=2)


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
