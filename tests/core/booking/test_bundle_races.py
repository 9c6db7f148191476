"""Families who want the same numbers at the same moment, in threads of their own."""

from __future__ import annotations

from families import bundled, elsewhere, family, ids_of, pay, states
from harness import Patient, beside, race, relatives

from core.booking.bundle import BundleView
from core.refusals import NumbersInFlight, SoldOut
from models.appointment import PayMode
from models.errors import DomainError


def test_families_share_no_number(patient: Patient) -> None:
    """Five numbers, four families of two: whoever is refused holds nothing."""
    patient.schedule_id = beside(patient, numbers=5)
    families = [[(one, patient.schedule_id) for one in relatives(patient)] for _ in range(4)]
    told = race(*(lambda asked=asked: bundled(patient, asked, PayMode.ON_SITE) for asked in families))
    won = [one for one in told if isinstance(one, BundleView)]
    assert len(won) == 2
    assert all(isinstance(one, SoldOut | NumbersInFlight) for one in told if one not in won)
    held = [one.slot.id for bundle in won for one in bundle.items]
    assert len(held) == len(set(held)) == 4
    patient.assert_sound()


def test_two_families_across_two_departments_both_ways(patient: Patient) -> None:
    """Neither waits for the other for ever, and all get what there is."""
    there = elsewhere(patient, numbers=2)
    a, b = relatives(patient), relatives(patient)
    here = patient.schedule_id
    told = race(
        lambda: bundled(patient, [(a[0], here), (a[1], there)], PayMode.ON_SITE),
        lambda: bundled(patient, [(b[0], there), (b[1], here)], PayMode.ON_SITE),
    )
    assert all(isinstance(one, BundleView) for one in told), told
    patient.assert_sound()


def test_paying_twice_on_two_phones_keeps_one(patient: Patient) -> None:
    ids = ids_of(bundled(patient, family(patient)))
    told = race(*(lambda one=one: patient.open_payment(one) for one in ids))
    assert not [one for one in told if isinstance(one, Exception) and not isinstance(one, DomainError)]
    live = [one for one in patient.payments() if one.is_live]
    assert [one.amount_fen for one in live] == [10000]
    pay(patient, ids[0])
    assert states(patient, ids) == ["booked"] * 2
    patient.assert_sound()
