"""A family's numbers: all of them or none, neighbours, one payment, and then each for itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from families import Asked, at_another_hospital, bundled, elsewhere, family, ids_of, pay, states
from harness import Patient, beside, relatives
from hospital_acts import suspend
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.booking.neighbours import nearest
from core.booking.views import view_appointment
from core.refusals import AlreadyBooked, HoldOpen, NotPayable, SoldOut
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.base import new_id
from models.charge import Charge
from models.errors import NotFound, ValidationFailed
from models.schedule import Schedule, Slot, SlotStatus


def set_slots(patient: Patient, status: SlotStatus, *sequences: int) -> None:
    taken = update(Slot).where(Slot.schedule_id == patient.schedule_id, Slot.sequence.in_(sequences))
    patient.write(lambda session, _now: session.execute(taken.values(status=status)))


def nothing_was_written(patient: Patient) -> bool:
    def look(session: Session) -> bool:
        free = session.scalars(select(Slot.status)).all()
        rows = session.scalars(select(Charge.id)).all() + session.scalars(select(Appointment.id)).all()
        return set(free) == {SlotStatus.FREE} and not rows

    return patient.read(look)


def test_one_hold_one_charge_one_payment(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=4)
    bundle = bundled(patient, family(patient, 3))
    ids = ids_of(bundle)
    assert [one.slot.sequence for one in bundle.items] == [1, 2, 3]
    assert states(patient, ids) == ["pending"] * 3
    assert len({one.charge.id for one in bundle.items}) == 1
    assert bundle.hold_expires_at == patient.clock.now() + timedelta(minutes=15)
    assert (bundle.money.due_fen, [line.appointment_id for line in bundle.money.lines]) == (15000, ids)
    patient.assert_sound()
    pay(patient, ids[1])
    assert [one.amount_fen for one in patient.payments()] == [15000]
    assert states(patient, ids) == ["booked"] * 3
    patient.assert_sound()
    shown = patient.read(
        lambda session: view_appointment(session, appointment_id=ids[0], account_id=patient.account_id)
    )
    assert shown.bundle == sorted(ids[1:]) == bundle.items[0].bundle


def test_each_is_cancelled_and_given_back_alone(patient: Patient) -> None:
    cheaper = elsewhere(patient)
    first, second = family(patient)
    ids = ids_of(bundled(patient, [first, (second[0], cheaper)]))
    pay(patient, ids[0])
    patient.cancel(ids[1])
    patient.work()
    assert states(patient, ids) == [AppointmentStatus.BOOKED, CancelReason.PATIENT]
    assert [one.amount_fen for one in patient.refunds()] == [3000]
    patient.assert_sound()
    views = [
        patient.read(
            lambda session, one=one: view_appointment(session, appointment_id=one, account_id=patient.account_id)
        )
        for one in ids
    ]
    assert [one.refund and one.refund.amount_fen for one in views] == [None, 3000]
    patient.cancel(ids[0])
    patient.work()
    assert [one.amount_fen for one in patient.refunds()] == [3000, 5000]
    patient.assert_sound()


def test_a_payment_whose_notice_is_lost_is_found_when_the_hold_ends(patient: Patient) -> None:
    ids = ids_of(bundled(patient, family(patient)))
    assert patient.open_payment(ids[0]) is None
    patient.gateway.pay(patient.payments()[0].out_trade_no)
    patient.work(after=timedelta(minutes=16))
    assert states(patient, ids) == ["booked"] * 2
    patient.assert_sound()


def test_unpaid_all_of_it_ends_and_money_after_that_goes_back_whole(patient: Patient) -> None:
    """The platform is silent until the cap, and paid then."""
    ids = ids_of(bundled(patient, family(patient)))
    assert patient.open_payment(ids[0]) is None
    (payment,) = patient.payments()
    patient.gateway.down = "before"
    patient.work(after=timedelta(minutes=16))
    patient.work(after=timedelta(minutes=31))
    assert states(patient, ids) == [CancelReason.PAYMENT_TIMEOUT] * 2
    patient.assert_sound()
    patient.gateway.down = None
    patient.hear(patient.gateway.pay(payment.out_trade_no))
    patient.work()
    assert [one.amount_fen for one in patient.refunds()] == [10000]
    assert states(patient, ids) == [CancelReason.PAYMENT_TIMEOUT] * 2
    patient.assert_sound()


def test_one_that_is_cancelled_before_the_payment_is_not_paid_for(patient: Patient) -> None:
    """The sheet that is open asks for both: what comes is kept for the one, and the rest goes back."""
    ids = ids_of(bundled(patient, family(patient)))
    assert patient.open_payment(ids[0]) is None
    (payment,) = patient.payments()
    patient.cancel(ids[1])
    patient.hear(patient.gateway.pay(payment.out_trade_no))
    patient.work()
    assert states(patient, ids) == [AppointmentStatus.BOOKED, CancelReason.PATIENT]
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    patient.assert_sound()


@pytest.mark.parametrize("sheet_is_open", [False, True])
def test_nobody_pays_for_the_part_whose_clinic_is_suspended(patient: Patient, sheet_is_open: bool) -> None:
    """Also not on a sheet that was opened before, over all of it: what is too much goes back at once."""
    first, (other, _) = family(patient)
    called_off = elsewhere(patient, fee_fen=3000)
    ids = ids_of(bundled(patient, [first, (other, called_off)]))
    assert not sheet_is_open or patient.open_payment(ids[0]) is None
    suspend(patient, called_off)
    with pytest.raises(NotPayable):
        patient.open_payment(ids[1])
    if sheet_is_open:
        patient.hear(patient.gateway.pay(patient.payments()[0].out_trade_no))
        patient.work()
    else:
        pay(patient, ids[0])
    assert [one.amount_fen for one in patient.payments()] == [8000 if sheet_is_open else 5000]
    assert [one.amount_fen for one in patient.refunds()] == ([3000] if sheet_is_open else [])
    assert states(patient, ids) == ["booked", "suspended"]
    patient.assert_sound()


def test_it_counts_as_one_open_hold(patient: Patient) -> None:
    """Of the two that an account may have."""
    bundled(patient, family(patient, 3))
    (other,) = relatives(patient, 1)
    there = elsewhere(patient)
    assert patient.book(dependent_id=other, schedule_id=there)
    patient.assert_sound()
    (one_more,) = relatives(patient, 1)
    with pytest.raises(HoldOpen):
        patient.book(dependent_id=one_more, schedule_id=there)


def test_all_or_none(patient: Patient) -> None:
    full = elsewhere(patient, numbers=0)
    first, second = family(patient)
    with pytest.raises(SoldOut) as refused:
        bundled(patient, [first, (second[0], full)])
    assert refused.value.facts["dependent_id"] == str(second[0])
    assert nothing_was_written(patient)
    with pytest.raises(SoldOut):
        bundled(patient, family(patient, 4))  # of three numbers
    assert nothing_was_written(patient)


def test_a_rule_that_refuses_one_refuses_all_and_says_whom(patient: Patient) -> None:
    asked = family(patient, 2, schedule_id=beside(patient, numbers=5))
    had = patient.book(PayMode.ON_SITE, dependent_id=asked[1][0], schedule_id=asked[1][1])
    with pytest.raises(AlreadyBooked) as refused:
        bundled(patient, asked)
    assert refused.value.facts == {"dependent_id": str(asked[1][0]), "appointment_ids": [str(had)]}
    assert patient.read(lambda session: len(session.scalars(select(Appointment)).all())) == 1


def test_neighbours_where_there_are_any_else_the_nearest(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=9)
    set_slots(patient, SlotStatus.SUSPENDED, 2, 4, 5)  # free are 1, 3, 6, 7, 8, 9
    assert [one.slot.sequence for one in bundled(patient, family(patient, 3), PayMode.ON_SITE).items] == [6, 7, 8]
    assert [one.slot.sequence for one in bundled(patient, relatives_for(patient), PayMode.ON_SITE).items] == [1, 3]


def relatives_for(patient: Patient) -> Asked:
    return [(one, patient.schedule_id) for one in relatives(patient)]


@given(st.sets(st.integers(1, 60), max_size=20), st.integers(2, 5))
def test_the_nearest_are_those_with_the_least_between_them(sequences: set[int], many: int) -> None:
    free = {new_id(): one for one in sequences}
    found = nearest(free, many)
    if len(sequences) < many:
        assert found is None
        return
    assert found is not None
    places = [free[one] for one in found]
    assert places == sorted(set(places))
    assert len(places) == many
    ordered = sorted(sequences)
    tightest = min(ordered[at + many - 1] - ordered[at] for at in range(len(ordered) - many + 1))
    assert places[-1] - places[0] == tightest


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ("twice", "#/items/1/dependent_id", "repeated"),
        ("other_day", "#/items/1/schedule_id", "other_half_day"),
        ("other_hospital", "#/items/1/schedule_id", "other_half_day"),
        ("no_segment", "#/items/0/segment_starts_at", "no_such_segment"),
        ("pay", "#/pay", "not_offered"),
    ],
)
def test_what_is_no_bundle(patient: Patient, change: str, pointer: str, code: str) -> None:
    (first, second), wish, how = family(patient), dict[str, Any](), PayMode.ONLINE
    day = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).visit_date)
    if change == "twice":
        second = first
    elif change == "other_day":
        second = (second[0], beside(patient, visit_date=day + timedelta(days=1)))
    elif change == "other_hospital":
        second = (second[0], at_another_hospital(patient, day))
    elif change == "no_segment":
        wish["segment_starts_at"] = patient.clock.now()
    else:
        first = (first[0], beside(patient, terms={"pay_modes": ["online"]}))
        how = PayMode.ON_SITE
    with pytest.raises(ValidationFailed) as refused:
        bundled(patient, [first, second], how, **wish)
    assert [(one.pointer, one.code) for one in refused.value.errors] == [(pointer, code)]
    assert nothing_was_written(patient)


@pytest.mark.parametrize("whose", ["nobody", "another"])
def test_whoever_is_not_ones_own_is_not_found(patient: Patient, whose: str) -> None:
    asked = [*family(patient, 1), (uuid4(), patient.schedule_id)]
    with pytest.raises(NotFound):
        bundled(patient, asked)
    assert nothing_was_written(patient)


def test_without_a_bundle_in_the_policy_there_is_none(patient: Patient) -> None:
    there = beside(patient, terms={"max_in_bundle": 2})
    with pytest.raises(ValidationFailed) as refused:
        bundled(patient, family(patient, 3, schedule_id=there))
    assert [(one.pointer, one.code) for one in refused.value.errors] == [("#/items", "too_long")]
