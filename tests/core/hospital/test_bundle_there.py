"""A family's numbers where the hospital hands them out: it agrees to all of them, or they have none and their money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from exchanging import later, money_kept
from fakes_hospital import LOST, FakeHospital, claim_of, connect, pay, settled
from families import bundled, elsewhere, family, ids_of, states
from harness import Patient
from hospital_acts import suspend
from sqlalchemy import select

from core.booking.views import view_appointment
from core.hospital.settle import settle_claim
from core.jobs.queue import LeasedJob
from core.ports import HospitalRefusal, HospitalSays
from models.appointment import AppointmentStatus, CancelReason, PayMode
from models.base import new_id
from models.notice import Notice
from models.payment import RefundReason, RefundStatus
from models.schedule import SlotStatus

MINUTE = timedelta(minutes=1)
BOOKED, PENDING = AppointmentStatus.BOOKED, AppointmentStatus.PENDING
HELD, CONFIRMED, RELEASED = HospitalSays.HELD, HospitalSays.CONFIRMED, HospitalSays.RELEASED
REFUSED = CancelReason.HOSPITAL_REFUSED
FEE = 5000


@pytest.fixture
def his(patient: Patient) -> FakeHospital:
    return connect(patient)


def booked(patient: Patient, pay: PayMode = PayMode.ONLINE) -> list[UUID]:
    """Two numbers together, of which the hospital has not been told yet."""
    ids = ids_of(bundled(patient, family(patient), pay))
    assert states(patient, ids) == [PENDING, PENDING]
    assert {patient.slot(one).status for one in ids} == {SlotStatus.HELD}
    patient.assert_sound()
    return ids


def fails(patient: Patient, his: FakeHospital, appointment_id: UUID, verb: str, how: Any) -> None:
    his.faults_of[patient.appointment(appointment_id).number] = (verb, how)


def deaf(patient: Patient, his: FakeHospital, appointment_id: UUID, verb: str) -> None:
    his.deaf_to.add((verb, patient.appointment(appointment_id).number))


def there(patient: Patient, his: FakeHospital, ids: list[UUID]) -> list[HospitalSays]:
    return [his.claims.get(patient.appointment(one).number, HospitalSays.NONE) for one in ids]


def told(patient: Patient) -> list[tuple[str, str | None]]:
    query = select(Notice.kind, Notice.reason).order_by(Notice.id)
    return patient.read(lambda session: [(str(kind), reason) for kind, reason in session.execute(query)])


def slots(patient: Patient, ids: list[UUID]) -> list[SlotStatus]:
    return [patient.slot(one).status for one in ids]


def about_claims(his: FakeHospital) -> list[str]:
    return [call for call in his.calls if call in {"hold", "confirm", "release"}]


def nobody_has_anything(patient: Patient, his: FakeHospital, ids: list[UUID], why: str, *, paid: bool) -> None:
    """All of it has ended for this reason, here and there; each part was told, and all of the money is on its way."""
    assert states(patient, ids) == [why] * len(ids)
    assert set(there(patient, his, ids)) <= {RELEASED, HospitalSays.REFUSED, HospitalSays.NONE}
    assert [[one.to_status for one in patient.moves(each)] for each in ids] == [["pending", "cancelled"]] * len(ids)
    assert [one for one in told(patient) if one[0] != "payment_returned"] == [("appointment_cancelled", why)] * len(ids)
    assert (money_kept(patient), {one.status for one in patient.refunds()} <= {RefundStatus.PROCESSING}) == (0, True)
    assert bool(patient.refunds()) is paid
    patient.assert_sound()


def test_held_paid_and_confirmed_as_one(patient: Patient, his: FakeHospital) -> None:
    ids = booked(patient)
    patient.work()
    assert there(patient, his, ids) == [HELD, HELD]
    assert [patient.appointment(one).awaiting for one in ids] == [["payment", "hospital"]] * 2
    pay(patient, ids[0])
    patient.work()
    assert states(patient, ids) == [BOOKED, BOOKED]
    assert about_claims(his) == ["hold", "hold", "confirm", "confirm"]
    assert [his.paid[patient.appointment(one).number] for one in ids] == [FEE, FEE]
    assert [patient.appointment(one).hospital_sequence for one in ids] == [77, 77]
    assert [one.amount_fen for one in patient.payments()] == [2 * FEE]
    assert told(patient) == [("appointment_booked", None)] * 2
    patient.assert_sound()
    patient.cancel(ids[1])
    settled(patient)
    assert (states(patient, ids), there(patient, his, ids)) == ([BOOKED, CancelReason.PATIENT], [CONFIRMED, RELEASED])
    assert (money_kept(patient), slots(patient, ids)) == (FEE, [SlotStatus.BOOKED, SlotStatus.FREE])
    new = patient.reschedule(ids[0], later(patient))
    settled(patient)
    assert states(patient, [ids[0], new]) == [CancelReason.RESCHEDULED, BOOKED]
    assert money_kept(patient) == FEE
    patient.assert_sound()


def test_paid_on_site_it_is_confirmed_once_all_are_held(patient: Patient, his: FakeHospital) -> None:
    ids = booked(patient, PayMode.ON_SITE)
    deaf(patient, his, ids[1], "hold")
    patient.work()
    assert (there(patient, his, ids), states(patient, ids)) == ([HELD, HospitalSays.NONE], [PENDING, PENDING])
    patient.assert_sound()
    his.deaf_to.clear()
    settled(patient)
    assert states(patient, ids) == [BOOKED, BOOKED]
    patient.assert_sound()


@pytest.mark.parametrize("which", [0, 1])
def test_paid_before_the_hospital_has_answered_none_is_confirmed_until_all_are_held(
    patient: Patient, his: FakeHospital, which: int
) -> None:
    ids = booked(patient)
    deaf(patient, his, ids[which], "hold")
    pay(patient, ids[0])
    patient.work()
    assert sorted(there(patient, his, ids)) == [HELD, HospitalSays.NONE]
    assert states(patient, ids) == [PENDING, PENDING]
    patient.assert_sound()
    his.deaf_to.clear()
    settled(patient)
    assert (states(patient, ids), money_kept(patient)) == ([BOOKED, BOOKED], 2 * FEE)
    assert about_claims(his)[-2:] == ["confirm", "confirm"]
    patient.assert_sound()


# --- the hospital says no, or nothing


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("paid", [False, True])
@pytest.mark.parametrize("reason", [HospitalRefusal.LIMIT, HospitalRefusal.TAKEN])
def test_one_that_is_not_held_ends_all(
    patient: Patient, his: FakeHospital, which: int, paid: bool, reason: HospitalRefusal
) -> None:
    ids = booked(patient)
    if paid:
        his.away = True
        pay(patient, ids[0])
        patient.work()
    his.away = False
    fails(patient, his, ids[which], "hold", reason)
    settled(patient)
    nobody_has_anything(patient, his, ids, REFUSED, paid=paid)
    assert "confirm" not in his.calls
    gone = SlotStatus.SUSPENDED if reason is HospitalRefusal.TAKEN else SlotStatus.FREE
    assert slots(patient, ids) == ([gone, SlotStatus.FREE] if which == 0 else [SlotStatus.FREE, gone])


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("pay_mode", list(PayMode))
def test_one_that_is_not_confirmed_ends_those_that_were(
    patient: Patient, his: FakeHospital, which: int, pay_mode: PayMode
) -> None:
    """Given back there first, then the money, and the number last; and nobody was told that they had one."""
    ids = booked(patient, pay_mode)
    other = ids[1 - which]
    deaf(patient, his, ids[which], "confirm")
    if pay_mode is PayMode.ONLINE:
        patient.work()
        pay(patient, ids[0])
    patient.work()
    assert (there(patient, his, [other]), states(patient, ids)) == ([CONFIRMED], [PENDING, PENDING])
    patient.assert_sound()
    his.deaf_to.clear()
    fails(patient, his, ids[which], "confirm", HospitalRefusal.OTHER)
    deaf(patient, his, other, "release")
    for _ in range(4):
        patient.work(after=timedelta(seconds=30))
    assert (states(patient, ids), there(patient, his, [other])) == ([REFUSED, REFUSED], [CONFIRMED])
    assert patient.slot(other).status is SlotStatus.WITHHELD
    assert {one.status for one in patient.refunds()} <= {RefundStatus.DUE}
    patient.assert_sound()
    his.deaf_to.clear()
    settled(patient)
    nobody_has_anything(patient, his, ids, REFUSED, paid=pay_mode is PayMode.ONLINE)
    assert {one.reason for one in patient.refunds()} <= {RefundReason.CANCELLED}
    assert slots(patient, ids) == [SlotStatus.FREE, SlotStatus.FREE]


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("verb", ["hold", "confirm"])
@pytest.mark.parametrize("which", [0, 1])
def test_what_is_not_answered_is_asked_back_and_all_of_it_is_had(
    patient: Patient, his: FakeHospital, which: int, verb: str, how: Any
) -> None:
    ids = booked(patient)
    fails(patient, his, ids[which], verb, how)
    patient.work()
    patient.assert_sound()
    pay(patient, ids[1])
    patient.work()
    assert states(patient, ids) in ([PENDING, PENDING], [BOOKED, BOOKED])
    patient.assert_sound()
    settled(patient)
    assert (states(patient, ids), there(patient, his, ids), his.faults_of) == (
        [BOOKED, BOOKED],
        [CONFIRMED, CONFIRMED],
        {},
    )
    assert (money_kept(patient), [patient.appointment(one).hospital_sequence for one in ids]) == (2 * FEE, [77, 77])
    patient.assert_sound()


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_hospital_that_is_down_for_one_of_them(patient: Patient, his: FakeHospital, comes_back: bool) -> None:
    """The other one is confirmed, and waits; given up, it is given back as well."""
    ids = booked(patient)
    patient.work()
    pay(patient, ids[0])

    def goes_away(verb: str) -> None:
        his.away = verb == "confirm"

    his.meanwhile = goes_away
    patient.work(threads=1)
    assert sorted(there(patient, his, ids)) == [CONFIRMED, HELD]
    for _ in range(30):
        patient.work(after=2 * MINUTE)
        assert states(patient, ids) == [PENDING, PENDING]
    patient.assert_sound()
    his.meanwhile = lambda _verb: None
    his.away = not comes_back
    for _ in range(60):
        patient.work(after=2 * MINUTE)
    his.away = False
    settled(patient)
    if comes_back:
        assert (states(patient, ids), money_kept(patient)) == ([BOOKED, BOOKED], 2 * FEE)
        patient.assert_sound()
    else:
        nobody_has_anything(patient, his, ids, CancelReason.ERROR, paid=True)


def test_unpaid_all_of_it_lapses_there_too(patient: Patient, his: FakeHospital) -> None:
    ids = booked(patient)
    patient.work()
    patient.work(after=16 * MINUTE)
    settled(patient)
    nobody_has_anything(patient, his, ids, CancelReason.PAYMENT_TIMEOUT, paid=False)
    assert (there(patient, his, ids), slots(patient, ids)) == ([RELEASED, RELEASED], [SlotStatus.FREE, SlotStatus.FREE])


def test_where_the_hospital_holds_nothing_the_money_decides(patient: Patient, his: FakeHospital) -> None:
    """It has confirmed one of them at once."""
    ids = booked(patient)
    his.claims[patient.appointment(ids[0]).number] = CONFIRMED
    patient.work()
    assert there(patient, his, ids) == [CONFIRMED, HELD]
    assert [patient.appointment(one).awaiting for one in ids] == [["payment", "hospital"]] * 2
    patient.assert_sound()
    pay(patient, ids[0])
    settled(patient)
    assert states(patient, ids) == [BOOKED, BOOKED]
    patient.assert_sound()


# --- what happens meanwhile


@pytest.mark.parametrize("stage", ["hold", "confirm"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_part_that_the_patient_gives_back_meanwhile_holds_up_nothing(
    patient: Patient, his: FakeHospital, which: int, stage: str
) -> None:
    """Of the other one the hospital keeps, or has confirmed, its number, and has yet to answer for this one."""
    ids = booked(patient)
    gone, stays = ids[which], ids[1 - which]
    deaf(patient, his, gone, stage)
    if stage == "confirm":
        patient.work()
    pay(patient, ids[0])
    patient.work()
    assert there(patient, his, [stays]) == [HELD if stage == "hold" else CONFIRMED]
    patient.cancel(gone)
    patient.work()
    assert states(patient, [gone, stays]) == [CancelReason.PATIENT, BOOKED]
    assert patient.appointment(stays).hospital_sequence == 77
    settled(patient)
    assert (there(patient, his, [gone, stays]), money_kept(patient)) == ([RELEASED, CONFIRMED], FEE)
    assert slots(patient, [gone, stays]) == [SlotStatus.FREE, SlotStatus.BOOKED]
    patient.assert_sound()


def test_what_the_hospital_keeps_of_one_keeps_nobody_elses_money(patient: Patient, his: FakeHospital) -> None:
    ids = booked(patient)
    pay(patient, ids[0])
    settled(patient)
    fails(patient, his, ids[0], "release", HospitalRefusal.USED)
    patient.cancel(ids[0])
    settled(patient)
    assert [one.status for one in patient.refunds()] == [RefundStatus.DESK]
    patient.cancel(ids[1])
    settled(patient)
    assert there(patient, his, ids[1:]) == [RELEASED]
    assert sorted(one.status for one in patient.refunds()) == [RefundStatus.DESK, RefundStatus.PROCESSING]
    patient.assert_sound()


def test_a_number_is_called_by_nothing_before_it_is_sure(patient: Patient, his: FakeHospital) -> None:
    ids = booked(patient)
    deaf(patient, his, ids[1], "confirm")
    patient.work()
    pay(patient, ids[0])
    patient.work()
    assert (patient.appointment(ids[0]).hospital_sequence, states(patient, ids)) == (77, [PENDING, PENDING])
    whose = patient.account_id
    shown = [
        patient.read(lambda session, one=one: view_appointment(session, appointment_id=one, account_id=whose))  # type: ignore[misc]
        for one in ids
    ]
    assert [one.shown_slot.sequence for one in shown] == [None, None]


@pytest.mark.parametrize("paid", [False, True])
def test_a_part_whose_clinic_is_called_off_meanwhile_holds_up_nothing(
    patient: Patient, his: FakeHospital, paid: bool
) -> None:
    first, (other, _) = family(patient)
    called_off = elsewhere(patient, fee_fen=FEE)
    ids = ids_of(bundled(patient, [first, (other, called_off)]))
    deaf(patient, his, ids[1], "hold")
    if paid:
        pay(patient, ids[0])
    patient.work()
    assert there(patient, his, ids) == [HELD, HospitalSays.NONE]
    suspend(patient, called_off)
    patient.work()
    assert states(patient, ids) == [BOOKED if paid else PENDING, CancelReason.SUSPENDED]
    patient.assert_sound()
    if not paid:
        pay(patient, ids[0])
    settled(patient)
    assert (states(patient, ids), money_kept(patient)) == ([BOOKED, CancelReason.SUSPENDED], FEE)
    patient.assert_sound()


def test_the_hospitals_word_about_a_part_that_it_has_called_off_is_about_that_alone(
    patient: Patient, his: FakeHospital
) -> None:
    """It comes before anybody has looked at that clinic's patients."""
    first, (other, _) = family(patient)
    called_off = elsewhere(patient, fee_fen=FEE)
    ids = ids_of(bundled(patient, [first, (other, called_off)], PayMode.ON_SITE))
    suspend(patient, called_off)
    fails(patient, his, ids[1], "hold", HospitalRefusal.SCHEDULE)
    for one in reversed(ids):
        settle_claim(patient.workbench, LeasedJob(new_id(), "settle_claim", {"appointment_id": str(one)}, 1, 1))
    assert states(patient, ids) == [BOOKED, REFUSED]
    settled(patient)
    assert states(patient, ids) == [BOOKED, REFUSED]
    patient.assert_sound()


@pytest.mark.parametrize("paid", [False, True])
def test_a_part_that_costs_nothing_waits_for_the_one_that_is_to_be_paid(
    patient: Patient, his: FakeHospital, paid: bool
) -> None:
    """For as long as that has to be paid; unpaid, it is a number by itself."""
    first, (other, _) = family(patient)
    free = elsewhere(patient, fee_fen=0, terms={"hospital_cap_minutes": 5})
    ids = ids_of(bundled(patient, [first, (other, free)]))
    patient.work()
    patient.work(after=10 * MINUTE)
    assert (there(patient, his, ids), states(patient, ids)) == ([HELD, HELD], [PENDING, PENDING])
    if paid:
        pay(patient, ids[0])
    patient.work(after=16 * MINUTE)
    settled(patient)
    assert states(patient, ids) == [BOOKED if paid else CancelReason.PAYMENT_TIMEOUT, BOOKED]
    assert claim_of(patient, ids[1]).status == "confirmed"
    patient.assert_sound()
