"""Families who want the same numbers at the same moment, in threads of their own."""

from __future__ import annotations

from uuid import UUID

from families import bundled, elsewhere, family, ids_of, pay, states
from harness import Patient, beside, join, race, relatives

from core.booking.bundle import BundleView
from core.refusals import NumbersInFlight, SoldOut
from models.appointment import PayMode
from models.errors import DomainError


def families(patient: Patient, count: int) -> list[tuple[Patient, list[UUID]]]:
    """An account each, of two people."""
    made = [join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id) for _ in range(count)]
    return [(one, [one.dependent_id, *relatives(one, 1)]) for one in made]


def test_families_share_no_number(patient: Patient) -> None:
    """Five numbers, four families of two: whoever is refused holds nothing."""
    here = patient.schedule_id = beside(patient, numbers=5)
    wanted = [(who, [(one, here) for one in whom]) for who, whom in families(patient, 4)]
    told = race(*(lambda who=who, asked=asked: bundled(who, asked, PayMode.ON_SITE) for who, asked in wanted))
    won = [one for one in told if isinstance(one, BundleView)]
    assert len(won) == 2, told
    assert all(isinstance(one, SoldOut | NumbersInFlight) for one in told if one not in won)
    held = [one.slot.id for bundle in won for one in bundle.items]
    assert len(held) == len(set(held)) == 4
    patient.assert_sound()


def test_families_and_single_patients_leave_nothing_over(patient: Patient) -> None:
    """Six numbers for two families and two more: whoever asks gets one, for there are enough."""
    here = patient.schedule_id = beside(patient, numbers=6)
    wanted = [(who, [(one, here) for one in whom]) for who, whom in families(patient, 2)]
    singles = [who for who, _ in families(patient, 2)]
    told = race(
        *(lambda who=who, asked=asked: bundled(who, asked, PayMode.ON_SITE) for who, asked in wanted),
        *(lambda who=who: who.book(PayMode.ON_SITE) for who in singles),
    )
    assert not [one for one in told if isinstance(one, Exception)], told
    patient.assert_sound()


def test_two_families_across_two_departments_both_ways(patient: Patient) -> None:
    """Neither waits for the other for ever, and all get what there is."""
    here, there = patient.schedule_id, elsewhere(patient, numbers=2)
    (first, a), (second, b) = families(patient, 2)
    told = race(
        lambda: bundled(first, [(a[0], here), (a[1], there)], PayMode.ON_SITE),
        lambda: bundled(second, [(b[0], there), (b[1], here)], PayMode.ON_SITE),
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
