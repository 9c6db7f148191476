"""Other numbers for a lost one where the hospital hands them out: what was lost stands, with all that is held for it,
until the hospital has agreed to the one that was taken, and after a refusal the patient is where they were."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from arriving import at_the_desk
from exchanging import money_kept, states
from fakes import FakeAdapters, ManualClock
from fakes_hospital import LOST, FakeHospital, claim_of, connect, pay, settled
from harness import Patient, beside
from hospital_acts import ORDER, suspend
from offering import Clinics, lost, make_clinics
from sqlalchemy import select, update

from core.booking.clinic import affected
from core.booking.clinic.change_clinic import reopen_schedule
from core.booking.clinic.suspend import preview_suspension
from core.booking.views import view_appointment
from core.ports import HospitalRefusal, HospitalSays, VisitEvent, VisitKind
from core.refusals import OfferEnded, ScheduleSuspended
from core.workbench import Workbench
from models.appointment import AppointmentStatus, CancelReason, PayMode
from models.hospital import Hospital
from models.hospital_claim import HospitalClaim
from models.notice import Notice
from models.payment import RefundReason, RefundStatus
from models.schedule import SlotStatus
from models.strike import Strike

MINUTE, TWO_HOURS = timedelta(minutes=1), timedelta(hours=2)
BOOKED, PENDING = AppointmentStatus.BOOKED, AppointmentStatus.PENDING
FEE = 5000
FEES = [3000, FEE, FEE]
"""Of the three that are offered, the third of them with a discount in between."""


@pytest.fixture
def clinics(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Clinics:
    return make_clinics(workbench, clock, adapters)


@pytest.fixture
def his(clinics: Clinics) -> FakeHospital:
    return connect(clinics.patient)


def offers(clinics: Clinics) -> list[str]:
    return [str(one.status) for one in clinics.offers()]


def shown(patient: Patient, appointment_id: UUID) -> list[UUID]:
    account = patient.account_id
    view = patient.read(lambda session: view_appointment(session, appointment_id=appointment_id, account_id=account))
    return [one.offer.id for one in view.offers]


def told(patient: Patient) -> list[tuple[str, str | None]]:
    query = select(Notice.kind, Notice.reason).order_by(Notice.id)
    return patient.read(lambda session: [(str(kind), reason) for kind, reason in session.execute(query)])


def there(patient: Patient, his: FakeHospital, *appointments: UUID) -> list[HospitalSays]:
    return [his.claims.get(patient.appointment(one).number, HospitalSays.NONE) for one in appointments]


def unanswered(clinics: Clinics) -> None:
    """Nobody takes or refuses any while the hospital has yet to agree to one."""
    for one in clinics.offers():
        for act in (clinics.accept, clinics.refuse):
            with pytest.raises(OfferEnded):
                act(one)


@pytest.mark.parametrize("pay", list(PayMode))
@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_lost_number_stands_until_the_hospital_has_agreed_to_the_other(
    clinics: Clinics, his: FakeHospital, which: int, pay: PayMode
) -> None:
    patient = clinics.patient
    old = lost(clinics, his, pay)
    before = told(patient)
    new = clinics.accept(clinics.offers()[which])
    assert (states(patient, old, new), patient.appointment(new).beside_replaced) == ([BOOKED, PENDING], True)
    assert (patient.appointment(new).awaiting, patient.appointment(new).fee_fen) == (["hospital"], FEES[which])
    assert patient.appointment(new).charge_id == patient.appointment(old).charge_id
    assert (patient.slot(new).status, patient.refunds()) == (SlotStatus.HELD, [])
    assert sorted(offers(clinics)) == ["accepted", "open", "open"]
    assert shown(patient, old) == []
    unanswered(clinics)
    patient.assert_sound()
    settled(patient)
    assert states(patient, old, new) == [CancelReason.SUSPENDED, BOOKED]
    assert his.calls == ["find", "hold", "confirm", "release"], "the lost one goes back last"
    assert there(patient, his, old, new) == [HospitalSays.RELEASED, HospitalSays.CONFIRMED]
    assert sorted(offers(clinics)) == ["accepted", "withdrawn", "withdrawn"]
    assert (patient.slot(old).status, patient.slot(new).status) == (SlotStatus.SUSPENDED, SlotStatus.BOOKED)
    online = pay is PayMode.ONLINE
    back = [(one.amount_fen, one.reason, one.status) for one in patient.refunds()]
    assert back == [(2000, RefundReason.SUSPENDED, RefundStatus.PROCESSING)] * (online and which == 0)
    assert money_kept(patient) == (FEES[which] if online else 0)
    assert told(patient)[len(before) :] == [("appointment_booked", None)]
    assert patient.read(lambda session: session.scalars(select(Strike)).all()) == []
    patient.assert_sound()
    patient.cancel(new)
    settled(patient)
    assert (money_kept(patient), there(patient, his, new)) == (0, [HospitalSays.RELEASED])
    clinics.assert_all_back()


@pytest.mark.parametrize(("verb", "why"), [("hold", "limit"), ("hold", "taken"), ("confirm", "other")])
def test_after_a_refusal_the_others_can_be_had_for_as_long_as_before(
    clinics: Clinics, his: FakeHospital, verb: str, why: str
) -> None:
    patient = clinics.patient
    old = lost(clinics, his)
    patient.clock.advance(110 * MINUTE)
    first, second, third = clinics.offers()
    refused = clinics.accept(first)
    his.faults, his.away = [(verb, HospitalRefusal(why))], True
    patient.work(after=30 * MINUTE)
    assert (states(patient, old, refused), offers(clinics)) == ([BOOKED, PENDING], ["accepted", "open", "open"])
    patient.assert_sound()
    his.away = False
    settled(patient)
    assert states(patient, old, refused) == [BOOKED, CancelReason.HOSPITAL_REFUSED]
    assert (told(patient)[-1], patient.refunds()) == (("appointment_cancelled", "hospital_refused"), [])
    assert patient.slot(refused).status is (SlotStatus.SUSPENDED if why == "taken" else SlotStatus.FREE)
    assert shown(patient, old) == [second.id, third.id]
    ended = patient.appointment(refused).ended_at
    assert ended is not None
    assert {one.expires_at - ended for one in clinics.offers()[1:]} == {10 * MINUTE}, "as was left when it was taken"
    patient.assert_sound()
    clinics.refuse(second)
    new = clinics.accept(third)
    settled(patient)
    assert states(patient, old, new) == [CancelReason.SUSPENDED, BOOKED]
    assert (money_kept(patient), offers(clinics)) == (FEE, ["accepted", "declined", "accepted"])
    patient.assert_sound()


@pytest.mark.parametrize("declined", [False, True])
def test_after_a_refusal_with_nothing_else_or_no_answer_all_of_the_money_goes_back(
    clinics: Clinics, his: FakeHospital, declined: bool
) -> None:
    """At once where nothing else is held, else when that is over."""
    patient = clinics.patient
    old = lost(clinics, his)
    if declined:
        for one in clinics.offers()[1:]:
            clinics.refuse(one)
    refused = clinics.accept(clinics.offers()[0])
    his.faults = [("hold", HospitalRefusal.OTHER)]
    patient.work()
    if not declined:
        assert (states(patient, old), shown(patient, old)) == ([BOOKED], [one.id for one in clinics.offers()[1:]])
        patient.work(after=TWO_HOURS)
    settled(patient)
    assert states(patient, old, refused) == [CancelReason.SUSPENDED, CancelReason.HOSPITAL_REFUSED]
    assert [(one.amount_fen, one.reason) for one in patient.refunds()] == [(FEE, RefundReason.SUSPENDED)]
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING]
    assert there(patient, his, old) == [HospitalSays.RELEASED]
    clinics.assert_all_back()


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("verb", ["hold", "confirm"])
def test_what_is_not_answered_is_asked_back_and_the_lost_one_ends_once(
    clinics: Clinics, his: FakeHospital, verb: str, how: Any
) -> None:
    patient = clinics.patient
    old = lost(clinics, his)
    new = clinics.accept(clinics.offers()[0])
    his.faults = [(verb, how)]
    patient.work()
    assert states(patient, old)[0] is BOOKED or there(patient, his, new) == [HospitalSays.CONFIRMED]
    patient.assert_sound()
    settled(patient)
    assert (states(patient, old, new), his.faults) == ([CancelReason.SUSPENDED, BOOKED], [])
    assert (money_kept(patient), there(patient, his, old, new)) == (
        3000,
        [HospitalSays.RELEASED, HospitalSays.CONFIRMED],
    )
    patient.assert_sound()


@pytest.mark.parametrize("comes_back", [True, False])
def test_nothing_ends_while_the_hospital_is_down(clinics: Clinics, his: FakeHospital, comes_back: bool) -> None:
    """Not the lost number, nor what else is held; and where the hospital is given up that is open again."""
    patient = clinics.patient
    old = lost(clinics, his)
    patient.clock.advance(119 * MINUTE)
    new = clinics.accept(clinics.offers()[0])
    his.away = True
    for _ in range(55):
        patient.work(after=2 * MINUTE)
    assert (states(patient, old, new), offers(clinics)) == ([BOOKED, PENDING], ["accepted", "open", "open"])
    patient.assert_sound()
    his.away = not comes_back
    for _ in range(6):
        patient.work(after=2 * MINUTE)
        patient.assert_sound()
    if comes_back:
        assert states(patient, old, new) == [CancelReason.SUSPENDED, BOOKED]
        assert sorted(offers(clinics)) == ["accepted", "withdrawn", "withdrawn"]
        assert money_kept(patient) == 3000
        return
    assert states(patient, old, new) == [CancelReason.SUSPENDED, CancelReason.ERROR]
    assert (offers(clinics), money_kept(patient)) == (["accepted", "expired", "expired"], 0)
    his.away = False
    settled(patient)
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING]
    clinics.assert_all_back()


def test_who_waits_for_the_hospital_holds_up_nobody(
    clinics: Clinics, his: FakeHospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job sees to one at a time, and the first of them is waiting."""
    monkeypatch.setattr(affected, "_AT_ONCE", 1)
    patient, other = clinics.patient, clinics.stranger()
    old, theirs = patient.paid(), other.book(PayMode.ON_SITE)
    patient.work()
    assert len(clinics.suspended()) == 6
    patient.clock.advance(119 * MINUTE)
    new = clinics.accept(clinics.offers()[0])
    his.away = True
    patient.work(after=2 * MINUTE)
    assert states(patient, old, theirs, new) == [BOOKED, CancelReason.SUSPENDED, PENDING]
    back(clinics, his)
    assert states(patient, old, new) == [CancelReason.SUSPENDED, BOOKED]


# --- what happens meanwhile


def taken(clinics: Clinics, his: FakeHospital) -> tuple[UUID, UUID]:
    """The lost one, and the one that was taken; the hospital does not answer yet."""
    old = lost(clinics, his)
    new = clinics.accept(clinics.offers()[0])
    his.away = True
    clinics.patient.work()
    return old, new


def back(clinics: Clinics, his: FakeHospital) -> None:
    clinics.patient.assert_sound()
    his.away = False
    settled(clinics.patient)
    clinics.patient.assert_sound()


def test_cancelling_the_lost_number_ends_both(clinics: Clinics, his: FakeHospital) -> None:
    old, new = taken(clinics, his)
    clinics.patient.cancel(old)
    back(clinics, his)
    assert states(clinics.patient, old, new) == [CancelReason.SUSPENDED, CancelReason.PATIENT]
    assert set(there(clinics.patient, his, old, new)) <= {HospitalSays.RELEASED, HospitalSays.NONE}
    assert (money_kept(clinics.patient), offers(clinics)[1:]) == (0, ["withdrawn", "withdrawn"])
    clinics.assert_all_back()


def test_cancelling_the_one_that_was_taken_leaves_the_others(clinics: Clinics, his: FakeHospital) -> None:
    old, new = taken(clinics, his)
    clinics.patient.cancel(new)
    back(clinics, his)
    assert states(clinics.patient, old, new) == [BOOKED, CancelReason.PATIENT]
    second = clinics.accept(clinics.offers()[1])
    settled(clinics.patient)
    assert states(clinics.patient, old, second) == [CancelReason.SUSPENDED, BOOKED]
    clinics.patient.assert_sound()


def test_the_other_clinic_called_off_as_well_leaves_the_rest(clinics: Clinics, his: FakeHospital) -> None:
    """And no more numbers are offered for the one that was never theirs."""
    old, new = taken(clinics, his)
    suspend(clinics.patient, clinics.later)
    suspend(clinics.patient, clinics.same_day)
    clinics.patient.work()
    back(clinics, his)
    assert states(clinics.patient, old, new) == [BOOKED, CancelReason.SUSPENDED]
    assert offers(clinics) == ["accepted", "withdrawn", "open"]
    third = clinics.accept(clinics.offers()[2])
    settled(clinics.patient)
    assert (states(clinics.patient, old, third), money_kept(clinics.patient)) == ([CancelReason.SUSPENDED, BOOKED], FEE)
    clinics.patient.assert_sound()


@pytest.mark.parametrize("more", [True, False])
def test_one_that_is_held_called_off_meanwhile_ends_nothing_else(
    clinics: Clinics, his: FakeHospital, more: bool
) -> None:
    """Though the time for what is left, if anything is, would be over by now."""
    patient = clinics.patient
    old = lost(clinics, his)
    if not more:
        clinics.refuse(clinics.offers()[2])
    patient.clock.advance(90 * MINUTE)
    new = clinics.accept(clinics.offers()[0])
    his.away = True
    patient.work(after=40 * MINUTE)
    suspend(patient, clinics.same_day)
    patient.work()
    assert states(patient, old, new) == [BOOKED, PENDING]
    assert offers(clinics) == ["accepted", "withdrawn", "open" if more else "declined"]
    back(clinics, his)
    assert states(patient, old, new) == [CancelReason.SUSPENDED, BOOKED]


@pytest.mark.parametrize("keeps", ["old", "new"])
def test_the_lost_clinic_takes_place_after_all(clinics: Clinics, his: FakeHospital, keeps: str) -> None:
    """The patient is told, and has the one they took unless they give it back."""
    patient = clinics.patient
    old, new = taken(clinics, his)
    patient.write(lambda session, now: reopen_schedule(session, schedule_id=patient.schedule_id, order=ORDER, now=now))
    patient.work()
    assert (told(patient)[-1][0], offers(clinics)) == ("clinic_reopened", ["accepted", "withdrawn", "withdrawn"])
    if keeps == "old":
        patient.cancel(new)
    back(clinics, his)
    swapped = [CancelReason.RESCHEDULED, BOOKED]
    assert states(patient, old, new) == ([BOOKED, CancelReason.PATIENT] if keeps == "old" else swapped)
    assert money_kept(patient) == (FEE if keeps == "old" else 3000)
    assert patient.slot(old).status is (SlotStatus.BOOKED if keeps == "old" else SlotStatus.FREE)


def test_a_patient_who_comes_all_the_same_has_no_other(clinics: Clinics, his: FakeHospital) -> None:
    """By the word of the hospital's own system: our desk checks nobody in where no clinic takes place."""
    old, new = taken(clinics, his)
    with pytest.raises(ScheduleSuspended):
        at_the_desk(clinics.patient, "check_in_at_desk", old, overrule=True)
    numbers = [clinics.patient.appointment(one).number for one in (old, new)]
    his.seen.append(VisitEvent("0", numbers[0], VisitKind.ARRIVED, clinics.patient.clock.now()))
    his.away, his.deaf_to = False, {(verb, numbers[1]) for verb in ("hold", "confirm", "ask")}
    clinics.patient.work(after=MINUTE)
    his.deaf_to = set()
    back(clinics, his)
    assert states(clinics.patient, old, new) == [AppointmentStatus.ARRIVED, CancelReason.ERROR]
    assert (money_kept(clinics.patient), offers(clinics)[1:]) == (FEE, ["withdrawn", "withdrawn"])


# --- who gets none, and where the hospital begins or ends to hand out its numbers itself


@pytest.mark.parametrize("paid", [False, True])
def test_none_for_what_is_not_the_patients_yet(clinics: Clinics, his: FakeHospital, paid: bool) -> None:
    """Unpaid, or paid before the hospital has agreed: it ends at once, and the money goes back."""
    patient = clinics.patient
    old = patient.book()
    patient.work()
    if paid:
        his.away = True
        pay(patient, old)
        patient.work()
    foreseen = patient.write(lambda session, now: preview_suspension(session, schedule_id=patient.schedule_id, now=now))
    assert (foreseen.counts.offers, clinics.suspended()) == ({"none": 1}, [])
    his.away = False
    settled(patient)
    assert (states(patient, old), money_kept(patient)) == ([CancelReason.SUSPENDED], 0)
    clinics.assert_all_back()


@pytest.mark.parametrize("refused", [False, True])
def test_what_was_lost_and_offered_while_the_numbers_were_ours(clinics: Clinics, refused: bool) -> None:
    patient = clinics.patient
    old = patient.paid()
    first = clinics.suspended()[0]
    his = connect(patient)
    his.faults = [("hold", HospitalRefusal.OTHER)] if refused else []
    new = clinics.accept(first)
    assert states(patient, old, new) == [BOOKED, PENDING]
    settled(patient)
    wanted = [BOOKED, CancelReason.HOSPITAL_REFUSED] if refused else [CancelReason.SUSPENDED, BOOKED]
    assert (states(patient, old, new), money_kept(patient)) == (wanted, FEE if refused else 3000)
    patient.assert_sound()


def test_what_was_offered_before_for_an_unpaid_one_is_not_given_without_the_hospitals_word(clinics: Clinics) -> None:
    patient = clinics.patient
    old = patient.book()
    first = clinics.suspended()[0]
    connect(patient)
    with pytest.raises(OfferEnded):
        clinics.accept(first)
    patient.work(after=TWO_HOURS)
    settled(patient)
    assert states(patient, old) == [CancelReason.SUSPENDED]
    clinics.assert_all_back()


def test_a_lost_one_of_a_system_that_is_gone_is_given_back_there(clinics: Clinics, his: FakeHospital) -> None:
    patient = clinics.patient
    old = lost(clinics, his)
    patient.write(lambda session, _now: session.execute(update(Hospital).values(system=None)))
    new = clinics.accept(clinics.offers()[0])
    assert states(patient, old, new) == [CancelReason.SUSPENDED, BOOKED]
    settled(patient)
    assert (there(patient, his, old), claim_of(patient, old).status) == ([HospitalSays.RELEASED], "released")
    ours = select(HospitalClaim.id).where(HospitalClaim.appointment_id == new)
    assert patient.read(lambda session: session.scalar(ours)) is None
    patient.assert_sound()


def test_another_hold_of_the_patient_is_not_in_the_way(clinics: Clinics, his: FakeHospital) -> None:
    """Nobody chose to lose the number, and what is held for it is no hold of theirs."""
    patient = clinics.patient
    old = lost(clinics, his)
    day = patient.appointment(old).visit_date
    held = patient.book(schedule_id=beside(patient, visit_date=day + timedelta(days=9)))
    new = clinics.accept(clinics.offers()[0])
    assert states(patient, old, held, new) == [BOOKED, PENDING, PENDING]
    patient.assert_sound()
    settled(patient)
    assert states(patient, old, new) == [CancelReason.SUSPENDED, BOOKED]
    patient.assert_sound()


def test_taking_one_ends_an_exchange_that_the_hospital_has_not_agreed_to(clinics: Clinics, his: FakeHospital) -> None:
    patient = clinics.patient
    old = patient.paid()
    patient.work()
    day = patient.appointment(old).visit_date
    exchange = patient.reschedule(old, beside(patient, visit_date=day + timedelta(days=9)))
    his.away = True
    first = clinics.suspended()[0]
    new = clinics.accept(first)
    patient.assert_sound()
    his.away = False
    settled(patient)
    assert states(patient, old, exchange, new) == [CancelReason.SUSPENDED, CancelReason.PATIENT, BOOKED]
    assert (money_kept(patient), there(patient, his, exchange)) == (3000, [HospitalSays.RELEASED])
    patient.assert_sound()


def test_an_exchange_that_the_hospital_agrees_to_lets_go_what_was_held(clinics: Clinics, his: FakeHospital) -> None:
    patient = clinics.patient
    old = patient.paid()
    patient.work()
    day = patient.appointment(old).visit_date
    new = patient.reschedule(old, beside(patient, visit_date=day + timedelta(days=9)))
    his.away = True
    clinics.suspended()
    his.away = False
    settled(patient)
    assert states(patient, old, new) == [CancelReason.SUSPENDED, BOOKED]
    assert offers(clinics) == ["withdrawn"] * 3
    clinics.assert_all_back()
