"""Exchanging a number where the hospital hands them out: the old one is kept, there and with us, until the hospital has
confirmed the new one, however its answer fares, and the money follows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any
from uuid import UUID

import pytest
from arriving import at_the_desk
from exchanging import later, money_kept, states
from fakes_hospital import LOST, FakeHospital, claim_of, connect, pay, settled
from families import bundled, ids_of
from harness import Patient, beside, relatives
from hospital_acts import ORDER, substitute, suspend
from sqlalchemy import select, update

from core.booking.clinic.change_clinic import reopen_schedule
from core.booking.clinic.suspend import preview_suspension
from core.ports import HospitalRefusal, HospitalSays
from core.refusals import AlreadyPaid, NotPayable, NotReschedulable
from models.appointment import AppointmentStatus, CancelReason, PayMode
from models.hospital import Hospital
from models.hospital_claim import HospitalClaim
from models.notice import Notice
from models.offer import Offer
from models.payment import RefundReason, RefundStatus
from models.schedule import SlotStatus

MINUTE = timedelta(minutes=1)
BOOKED, PENDING, ARRIVED = AppointmentStatus.BOOKED, AppointmentStatus.PENDING, AppointmentStatus.ARRIVED
FEE = 5000
CHEAPER, SAME, DEARER = 3000, FEE, 8000
FEES = [CHEAPER, SAME, DEARER]


@pytest.fixture
def his(patient: Patient) -> FakeHospital:
    return connect(patient)


def confirmed(patient: Patient, his: FakeHospital, **wish: Any) -> UUID:
    """A number that the hospital has confirmed, and that is paid for."""
    appointment_id = patient.book(**wish)
    patient.work()
    pay(patient, appointment_id)
    patient.work()
    assert patient.appointment(appointment_id).status is BOOKED
    his.calls.clear()
    return appointment_id


def exchanging(patient: Patient, his: FakeHospital, fee: int) -> tuple[UUID, UUID]:
    """One that stands, and one that is to take its place: of a dearer one the difference is on its way."""
    old = confirmed(patient, his)
    new = patient.reschedule(old, later(patient, fee_fen=fee))
    return old, new


def paid_up(patient: Patient, new: UUID, fee: int) -> None:
    if fee > FEE:
        pay(patient, new)


def told(patient: Patient) -> list[tuple[str, str | None]]:
    query = select(Notice.kind, Notice.reason).order_by(Notice.id)
    return patient.read(lambda session: [(str(kind), reason) for kind, reason in session.execute(query)])


def claims(patient: Patient, his: FakeHospital, *appointments: UUID) -> list[HospitalSays]:
    return [his.claims.get(patient.appointment(one).number, HospitalSays.NONE) for one in appointments]


def traces(patient: Patient, old: UUID) -> list[int]:
    """How often anything of it has moved."""
    records = [old, patient.appointment(old).slot_id, claim_of(patient, old).id]
    return [len(patient.moves(one)) for one in records]


@pytest.mark.parametrize("fee", FEES)
def test_the_old_number_stands_until_the_hospital_has_confirmed_the_new_one(
    patient: Patient, his: FakeHospital, fee: int
) -> None:
    old, new = exchanging(patient, his, fee)
    assert (states(patient, old, new), patient.appointment(new).beside_replaced) == ([BOOKED, PENDING], True)
    assert patient.appointment(new).awaiting == [*["payment"] * (fee > FEE), "hospital"]
    assert (patient.slot(old).status, patient.slot(new).status) == (SlotStatus.BOOKED, SlotStatus.HELD)
    assert patient.refunds() == []
    patient.assert_sound()
    with pytest.raises(NotReschedulable) as refused:
        patient.reschedule(old, later(patient))
    assert refused.value.facts == {"reason": "waiting"}
    if fee > FEE:
        patient.work()
        pay(patient, new)
    settled(patient)
    assert states(patient, old, new) == [CancelReason.RESCHEDULED, BOOKED]
    assert his.calls[1:] == ["hold", "confirm", "release"], "the old one goes back last"
    assert claims(patient, his, old, new) == [HospitalSays.RELEASED, HospitalSays.CONFIRMED]
    assert (his.paid[patient.appointment(new).number], patient.appointment(new).hospital_sequence) == (fee, 77)
    assert (patient.slot(old).status, patient.slot(new).status) == (SlotStatus.FREE, SlotStatus.BOOKED)
    assert money_kept(patient) == fee
    back = [(one.amount_fen, one.reason, one.status) for one in patient.refunds()]
    assert back == [(FEE - fee, RefundReason.RESCHEDULED, RefundStatus.PROCESSING)] * (fee < FEE)
    assert told(patient) == [("appointment_booked", None), ("appointment_rescheduled", None)]
    patient.assert_sound()
    patient.cancel(new)
    settled(patient)
    assert (money_kept(patient), claims(patient, his, new)) == (0, [HospitalSays.RELEASED])
    patient.assert_sound()


def test_paid_on_site_no_money_is_in_the_way(patient: Patient, his: FakeHospital) -> None:
    old = patient.book(PayMode.ON_SITE)
    patient.work()
    new = patient.reschedule(old, later(patient, fee_fen=DEARER))
    assert (states(patient, old, new), patient.appointment(new).awaiting) == ([BOOKED, PENDING], ["hospital"])
    patient.assert_sound()
    settled(patient)
    assert states(patient, old, new) == [CancelReason.RESCHEDULED, BOOKED]
    assert claims(patient, his, old, new) == [HospitalSays.RELEASED, HospitalSays.CONFIRMED]
    patient.assert_sound()


# --- the hospital says no, or nothing


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize(("verb", "fee"), [("find", SAME), ("hold", DEARER), ("confirm", CHEAPER), ("confirm", DEARER)])
def test_what_is_not_answered_is_asked_back_and_the_numbers_are_swapped_once(
    patient: Patient, his: FakeHospital, fee: int, verb: str, how: Any
) -> None:
    old, new = exchanging(patient, his, fee)
    his.faults = [(verb, how)]
    patient.work()
    assert states(patient, old)[0] is BOOKED or claims(patient, his, new) == [HospitalSays.CONFIRMED]
    patient.assert_sound()
    paid_up(patient, new, fee)
    settled(patient)
    assert (states(patient, old, new), his.faults) == ([CancelReason.RESCHEDULED, BOOKED], [])
    assert claims(patient, his, old, new) == [HospitalSays.RELEASED, HospitalSays.CONFIRMED]
    assert money_kept(patient) == fee
    patient.assert_sound()


@pytest.mark.parametrize("how", LOST)
def test_the_old_number_is_sold_and_the_difference_sent_only_once_the_hospital_has_it_back(
    patient: Patient, his: FakeHospital, how: Any
) -> None:
    old, new = exchanging(patient, his, CHEAPER)
    his.faults = [("release", how)]

    def goes_away(verb: str) -> None:
        his.away = verb == "confirm"

    his.meanwhile = goes_away
    settled(patient, most=3)
    assert states(patient, old, new) == [CancelReason.RESCHEDULED, BOOKED]
    assert (patient.slot(old).status, [one.status for one in patient.refunds()]) == (
        SlotStatus.WITHHELD,
        [RefundStatus.DUE],
    )
    patient.assert_sound()
    his.away, his.meanwhile = False, lambda _verb: None
    settled(patient)
    assert (patient.slot(old).status, [one.status for one in patient.refunds()]) == (
        SlotStatus.FREE,
        [RefundStatus.PROCESSING],
    )
    patient.assert_sound()


def test_an_old_number_that_the_hospital_keeps_leaves_the_difference_to_the_desk(
    patient: Patient, his: FakeHospital
) -> None:
    old, new = exchanging(patient, his, CHEAPER)
    his.faults = [("release", HospitalRefusal.USED)]
    settled(patient)
    assert states(patient, old, new) == [CancelReason.RESCHEDULED, BOOKED]
    assert patient.slot(old).status is SlotStatus.SUSPENDED
    assert [one.status for one in patient.refunds()] == [RefundStatus.DESK]
    patient.assert_sound()


@pytest.mark.parametrize("kept", [False, True])
def test_an_old_number_is_not_sold_again_where_its_clinic_was_called_off_and_takes_place_after_all(
    patient: Patient, his: FakeHospital, kept: bool
) -> None:
    """Before the hospital has it back, or where it keeps it."""
    old, new = exchanging(patient, his, SAME)

    def goes_away(verb: str) -> None:
        his.away = verb == "confirm"

    his.meanwhile = goes_away
    settled(patient, most=3)
    assert states(patient, old, new) == [CancelReason.RESCHEDULED, BOOKED]
    suspend(patient)
    settled(patient, most=12)
    if kept:
        his.away, his.faults = False, [("release", HospitalRefusal.USED)]
        settled(patient)
    patient.write(lambda session, now: reopen_schedule(session, schedule_id=patient.schedule_id, order=ORDER, now=now))
    assert patient.slot(old).status is (SlotStatus.SUSPENDED if kept else SlotStatus.WITHHELD)
    patient.assert_sound()
    his.away = False
    settled(patient)
    assert patient.slot(old).status is (SlotStatus.SUSPENDED if kept else SlotStatus.FREE)
    patient.assert_sound()


@pytest.mark.parametrize(
    ("verb", "reason"),
    [("hold", HospitalRefusal.LIMIT), ("hold", HospitalRefusal.TAKEN), ("confirm", HospitalRefusal.TAKEN)],
)
@pytest.mark.parametrize("fee", FEES)
def test_a_refusal_leaves_the_old_number_untouched_and_is_told(
    patient: Patient, his: FakeHospital, fee: int, verb: str, reason: HospitalRefusal
) -> None:
    old, new = exchanging(patient, his, fee)
    before = traces(patient, old)
    if verb == "confirm" and fee > FEE:
        patient.work()
    his.faults = [(verb, reason)]
    paid_up(patient, new, fee)
    settled(patient)
    assert states(patient, old, new) == [BOOKED, CancelReason.HOSPITAL_REFUSED]
    assert (traces(patient, old), claims(patient, his, old)) == (before, [HospitalSays.CONFIRMED])
    taken = reason is HospitalRefusal.TAKEN
    assert patient.slot(new).status is (SlotStatus.SUSPENDED if taken else SlotStatus.FREE)
    assert (money_kept(patient), "release" in his.calls) == (FEE, False)
    assert [(one.amount_fen, one.status) for one in patient.refunds()] == [(DEARER - FEE, RefundStatus.PROCESSING)] * (
        fee > FEE
    )
    news, *more = told(patient)[1:]
    assert news == ("appointment_cancelled", "hospital_refused")
    assert set(more) <= {("payment_returned", "late_payment")}, "where the difference arrived after the word"
    patient.assert_sound()
    again = patient.reschedule(old, later(patient, fee_fen=fee))  # it has not been exchanged yet
    paid_up(patient, again, fee)
    settled(patient)
    assert (states(patient, old, again), money_kept(patient)) == ([CancelReason.RESCHEDULED, BOOKED], fee)
    patient.assert_sound()


@pytest.mark.parametrize("fee", FEES)
def test_a_hospital_that_is_down_for_a_while_swaps_when_it_is_back(
    patient: Patient, his: FakeHospital, fee: int
) -> None:
    old, new = exchanging(patient, his, fee)
    his.away = True
    paid_up(patient, new, fee)
    for _ in range(20):
        patient.work(after=2 * MINUTE)
        assert states(patient, old, new) == [BOOKED, PENDING]
        patient.assert_sound()
    his.away = False
    settled(patient)
    assert (states(patient, old, new), money_kept(patient)) == ([CancelReason.RESCHEDULED, BOOKED], fee)
    patient.assert_sound()


@pytest.mark.parametrize("fee", FEES)
def test_a_hospital_that_stays_down_is_given_up_and_the_old_number_stands(
    patient: Patient, his: FakeHospital, fee: int
) -> None:
    old, new = exchanging(patient, his, fee)
    before, his.away = traces(patient, old), True
    paid_up(patient, new, fee)
    for _ in range(80):
        patient.work(after=2 * MINUTE)
    assert (states(patient, old, new), traces(patient, old)) == ([BOOKED, CancelReason.ERROR], before)
    assert (money_kept(patient), told(patient)[1:]) == (FEE, [("appointment_cancelled", "error")])
    patient.assert_sound()
    his.away = False
    settled(patient)
    assert patient.slot(new).status is SlotStatus.FREE
    assert claims(patient, his, old) == [HospitalSays.CONFIRMED]
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING] * (fee > FEE)
    patient.assert_sound()


def test_an_unpaid_difference_lapses_and_the_old_number_stands(patient: Patient, his: FakeHospital) -> None:
    old, new = exchanging(patient, his, DEARER)
    before = traces(patient, old)
    patient.work()
    assert patient.open_payment(new) is None
    patient.work(after=16 * MINUTE)
    settled(patient)
    assert (states(patient, old, new), traces(patient, old)) == ([BOOKED, CancelReason.PAYMENT_TIMEOUT], before)
    assert claims(patient, his, old, new) == [HospitalSays.CONFIRMED, HospitalSays.RELEASED]
    assert (money_kept(patient), patient.slot(new).status) == (FEE, SlotStatus.FREE)
    patient.assert_sound()


@pytest.mark.parametrize("paid", [False, True])
def test_where_the_hospital_holds_nothing_the_difference_decides(
    patient: Patient, his: FakeHospital, paid: bool
) -> None:
    """It has confirmed the new number at once, and has it back where the difference is not paid."""
    old, new = exchanging(patient, his, DEARER)
    his.claims[patient.appointment(new).number] = HospitalSays.CONFIRMED
    patient.work()
    assert (states(patient, old, new), patient.appointment(new).awaiting) == ([BOOKED, PENDING], ["payment"])
    patient.assert_sound()
    if paid:
        pay(patient, new)
    patient.work(after=16 * MINUTE)
    settled(patient)
    swapped = [CancelReason.RESCHEDULED, BOOKED]
    assert states(patient, old, new) == (swapped if paid else [BOOKED, CancelReason.PAYMENT_TIMEOUT])
    assert claims(patient, his, old, new)[paid] is HospitalSays.CONFIRMED
    assert claims(patient, his, old, new)[not paid] is HospitalSays.RELEASED
    assert money_kept(patient) == (DEARER if paid else FEE)
    patient.assert_sound()


# --- what happens meanwhile

# The fee of the new one, and when it happens: before the hospital was asked for anything, or while it is called.
MEANWHILE = pytest.mark.parametrize(
    ("fee", "stage"),
    [
        (SAME, "asked"),
        (DEARER, "asked"),
        (CHEAPER, "hold"),
        (SAME, "confirm"),
        (DEARER, "confirm"),
    ],
)


@dataclass
class Meanwhile:
    """An exchange that is under way, and what happens at that stage of it."""

    patient: Patient
    his: FakeHospital
    fee: int
    stage: str

    def __post_init__(self) -> None:
        self.old, self.new = exchanging(self.patient, self.his, self.fee)
        self.before = traces(self.patient, self.old)

    def happens(self, act: Callable[[], object]) -> None:
        """And all that comes of it."""
        done: list[str] = []

        def once(verb: str) -> None:
            if verb == self.stage and not done:
                done.append(verb)
                act()

        self.his.meanwhile = once
        if self.stage == "asked":
            once("asked")
        self.pay()
        settled(self.patient)
        assert done == [self.stage]

    def pay(self) -> None:
        """The difference, unless nothing is to be paid any more."""
        if self.fee > FEE:
            with suppress(AlreadyPaid, NotPayable):
                pay(self.patient, self.new)

    @property
    def states(self) -> list[str]:
        return states(self.patient, self.old, self.new)

    @property
    def there(self) -> list[HospitalSays]:
        return claims(self.patient, self.his, self.old, self.new)

    @property
    def slots(self) -> list[SlotStatus]:
        return [self.patient.slot(one).status for one in (self.old, self.new)]

    def the_old_one_stands(self, status: AppointmentStatus = BOOKED) -> None:
        """Nothing is left of the new one, and the money is the old one's."""
        assert (self.states[0], self.there[0], self.slots[0]) == (status, HospitalSays.CONFIRMED, SlotStatus.BOOKED)
        assert self.there[1] in {HospitalSays.NONE, HospitalSays.RELEASED}
        assert [one.to_status for one in self.patient.moves(self.new)] == ["pending", "cancelled"], "never theirs"
        assert money_kept(self.patient) == FEE
        if status is BOOKED:
            assert traces(self.patient, self.old) == self.before
        self.patient.assert_sound()


@MEANWHILE
def test_cancelling_the_old_number_ends_both(patient: Patient, his: FakeHospital, fee: int, stage: str) -> None:
    one = Meanwhile(patient, his, fee, stage)
    one.happens(lambda: patient.cancel(one.old))
    assert one.states == [CancelReason.PATIENT, CancelReason.PATIENT]
    assert one.there[0] is HospitalSays.RELEASED
    assert one.there[1] in {HospitalSays.NONE, HospitalSays.RELEASED}
    assert one.slots == [SlotStatus.FREE, SlotStatus.FREE]
    assert (money_kept(patient), {back.status for back in patient.refunds()}) == (0, {RefundStatus.PROCESSING})
    patient.assert_sound()


@MEANWHILE
def test_cancelling_the_new_number_keeps_the_old_one(patient: Patient, his: FakeHospital, fee: int, stage: str) -> None:
    one = Meanwhile(patient, his, fee, stage)
    one.happens(lambda: patient.cancel(one.new))
    assert (one.states[1], one.slots[1]) == (CancelReason.PATIENT, SlotStatus.FREE)
    one.the_old_one_stands()


@MEANWHILE
def test_the_new_clinic_called_off_keeps_the_old_number(
    patient: Patient, his: FakeHospital, fee: int, stage: str
) -> None:
    """Even where the hospital confirms it after its numbers were suspended, and before anybody looked at them."""
    one = Meanwhile(patient, his, fee, stage)
    one.happens(lambda: suspend(patient, patient.appointment(one.new).schedule_id))
    assert (one.states[1], one.slots[1]) == (CancelReason.SUSPENDED, SlotStatus.SUSPENDED)
    one.the_old_one_stands()


@MEANWHILE
@pytest.mark.parametrize("refused", [False, True])
def test_the_old_clinic_called_off_leaves_its_money_to_the_new_number(
    patient: Patient, his: FakeHospital, fee: int, stage: str, refused: bool
) -> None:
    """Where the hospital then refuses that one, all of it goes back."""
    one = Meanwhile(patient, his, fee, stage)
    if refused:
        his.faults = [("confirm", HospitalRefusal.OTHER)]
    one.happens(lambda: suspend(patient))
    one.pay()  # the whole of it, where it was not paid before
    settled(patient)
    assert one.states[0] in {CancelReason.SUSPENDED, CancelReason.RESCHEDULED}
    assert one.states[1] == (CancelReason.HOSPITAL_REFUSED if refused else BOOKED)
    assert (money_kept(patient), one.there[0]) == (0 if refused else fee, HospitalSays.RELEASED)
    patient.assert_sound()


@MEANWHILE
def test_once_the_old_number_was_used_there_is_no_exchange(
    patient: Patient, his: FakeHospital, fee: int, stage: str
) -> None:
    one = Meanwhile(patient, his, fee, stage)
    one.happens(lambda: at_the_desk(patient, "check_in_at_desk", one.old, overrule=True))
    patient.work(after=16 * MINUTE)
    settled(patient)
    assert one.states[1] in {CancelReason.ERROR, CancelReason.PAYMENT_TIMEOUT}
    assert one.slots[1] is SlotStatus.FREE
    one.the_old_one_stands(ARRIVED)


def test_another_number_of_the_same_order_is_given_back_in_full_meanwhile(patient: Patient) -> None:
    """Bought together while the numbers were ours: the money of the exchanged one counts once, not for both of it."""
    child = relatives(patient, 1)[0]
    first, second = ids_of(bundled(patient, [(one, patient.schedule_id) for one in (patient.dependent_id, child)]))
    pay(patient, first)
    patient.work()
    his = connect(patient)
    new = patient.reschedule(first, later(patient))
    his.away = True
    patient.work()
    patient.assert_sound()
    patient.cancel(second)
    assert [one.amount_fen for one in patient.refunds()] == [FEE]
    patient.assert_sound()
    his.away = False
    settled(patient)
    assert states(patient, first, second, new) == [CancelReason.RESCHEDULED, CancelReason.PATIENT, BOOKED]
    assert money_kept(patient) == FEE
    patient.assert_sound()


@pytest.mark.parametrize("refused", [False, True])
def test_a_cheaper_doctor_is_for_whoever_keeps_that_number(patient: Patient, his: FakeHospital, refused: bool) -> None:
    """The price is settled once it is known which of the two it is."""
    old, new = exchanging(patient, his, SAME)
    his.away = True
    substitute(patient, patient.schedule_id, fee_fen=CHEAPER)
    substitute(patient, patient.appointment(new).schedule_id, fee_fen=CHEAPER - 1000)
    for _ in range(3):
        patient.work(after=MINUTE)
        assert money_kept(patient) == FEE
        patient.assert_sound()
    his.away = False
    if refused:
        his.faults = [("hold", HospitalRefusal.OTHER)]
    settled(patient)
    patient.work(after=2 * MINUTE)
    swapped = [CancelReason.RESCHEDULED, BOOKED]
    assert states(patient, old, new) == ([BOOKED, CancelReason.HOSPITAL_REFUSED] if refused else swapped)
    assert money_kept(patient) == (CHEAPER if refused else CHEAPER - 1000)
    patient.assert_sound()


# --- a hospital that begins, or ends, to hand out its numbers itself


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("fee", FEES)
def test_what_was_sold_while_the_numbers_were_ours_is_kept_for_as_long(
    patient: Patient, fee: int, refused: bool
) -> None:
    old = patient.paid()
    his = connect(patient)
    new = patient.reschedule(old, later(patient, fee_fen=fee))
    assert states(patient, old, new) == [BOOKED, PENDING]
    if refused:
        his.faults = [("hold", HospitalRefusal.OTHER)]
    paid_up(patient, new, fee)
    settled(patient)
    swapped = [CancelReason.RESCHEDULED, BOOKED]
    assert states(patient, old, new) == ([BOOKED, CancelReason.HOSPITAL_REFUSED] if refused else swapped)
    assert money_kept(patient) == (FEE if refused else fee)
    assert patient.slot(old).status is (SlotStatus.BOOKED if refused else SlotStatus.FREE)
    patient.assert_sound()


def test_what_the_hospital_gave_is_given_back_there_for_a_number_of_ours(patient: Patient, his: FakeHospital) -> None:
    old = confirmed(patient, his)
    patient.write(lambda session, _now: session.execute(update(Hospital).values(system=None)))
    new = patient.reschedule(old, later(patient, fee_fen=CHEAPER))
    assert states(patient, old, new) == [CancelReason.RESCHEDULED, BOOKED]
    assert (patient.slot(old).status, [one.status for one in patient.refunds()]) == (
        SlotStatus.WITHHELD,
        [RefundStatus.DUE],
    )
    patient.assert_sound()
    settled(patient)
    assert (claims(patient, his, old), patient.slot(old).status) == ([HospitalSays.RELEASED], SlotStatus.FREE)
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING]
    ours = select(HospitalClaim.id).where(HospitalClaim.appointment_id == new)
    assert patient.read(lambda session: session.scalar(ours)) is None
    patient.assert_sound()


@pytest.mark.parametrize("fee", FEES)
def test_whoever_keeps_the_old_number_is_offered_no_second_one_for_the_same_money(
    patient: Patient, his: FakeHospital, fee: int
) -> None:
    """The hospital's system is taken away while it has yet to answer, so that numbers could be held here."""
    old = confirmed(patient, his)
    new_clinic = later(patient, fee_fen=fee, clinic_type="EXPERT")
    new = patient.reschedule(old, new_clinic)
    beside(patient, visit_date=patient.appointment(new).visit_date, starts=time(13), clinic_type="EXPERT")
    his.away = True
    paid_up(patient, new, fee)
    patient.work()
    assert patient.appointment(new).awaiting == ["hospital"]
    patient.write(lambda session, _now: session.execute(update(Hospital).values(system=None)))
    foreseen = patient.write(lambda session, now: preview_suspension(session, schedule_id=new_clinic, now=now))
    assert foreseen.counts.offers == {"none": 1}
    suspend(patient, new_clinic)
    patient.work()
    assert patient.read(lambda session: list(session.scalars(select(Offer.id)))) == []
    assert states(patient, old, new) == [BOOKED, CancelReason.SUSPENDED]
    patient.assert_sound()
    his.away = False
    settled(patient)
    assert (states(patient, old)[0], money_kept(patient)) == (BOOKED, FEE)
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING] * (fee > FEE)
    patient.assert_sound()


def test_whoever_was_seen_for_the_old_number_is_offered_none_for_the_same_money(
    patient: Patient, his: FakeHospital
) -> None:
    old = confirmed(patient, his)
    new_clinic = later(patient, clinic_type="EXPERT")
    new = patient.reschedule(old, new_clinic)
    beside(patient, visit_date=patient.appointment(new).visit_date, starts=time(13), clinic_type="EXPERT")
    his.away = True
    patient.work()
    patient.write(lambda session, _now: session.execute(update(Hospital).values(system=None)))
    at_the_desk(patient, "check_in_at_desk", old, overrule=True)
    at_the_desk(patient, "fulfil", old)
    suspend(patient, new_clinic)
    patient.work()
    assert patient.read(lambda session: list(session.scalars(select(Offer.id)))) == []
    assert states(patient, old, new) == [AppointmentStatus.FULFILLED, CancelReason.SUSPENDED]
    assert (money_kept(patient), patient.refunds()) == (FEE, [])
    patient.assert_sound()
