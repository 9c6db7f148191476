"""A freed number is offered to whoever waits for it, one after the other, each in a transaction of its own.

account → person → entry → slot; then the same rules as for every booking, and the same rows. What a rule refuses is
noted and passed over. The number, the appointment, the notice and the job that follows them are one transaction: cut
off anywhere, there is all of it or nothing, and the job of the number begins again with the first who waits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.case import Case, own_case, taker_in
from core.booking.claim import NOBODY, Taken, is_kept_from
from core.booking.look import Surroundings, look_around
from core.booking.rules.evaluation import refusals
from core.booking.rules.overlap import elsewhere_during, meets
from core.booking.rules.refusals import ClosedHours, Overlaps
from core.booking.terms import Terms
from core.booking.waitlist.queue import Waiting, pay_until, waiting_for, was_lost
from core.booking.wish import Wish
from core.booking.write import Sale, write_booking
from core.jobs.queue import enqueue
from core.locks import lock_account_and_person, lock_slot, lock_waitlist_entry
from core.notices.write import tell
from core.refusals import PersonLimit, ScheduleClosed, ScheduleSuspended
from core.transactions import Changed
from core.workbench import Workbench
from models.appointment import HOLDS_SLOT, Appointment, CancelReason
from models.errors import NotFound
from models.notice import NoticeKind
from models.person import Dependent
from models.schedule import Schedule, Slot, SlotStatus, WithheldReason
from models.sealing import Vault
from models.states import Cause
from models.waitlist import OPEN_ENTRY, WaitlistEntry, WaitlistPlace, WaitlistStatus

FOLLOW_OFFER = "follow_offer"
_REFUSED = "hospital_refused"
_NOT_AGAIN = [CancelReason.HOSPITAL_REFUSED, CancelReason.ERROR]
_LOOK = timedelta(minutes=1)
_OWN_NUMBER, _NOT_OFFERED, _GONE = "own_number", "pay_mode_not_offered", "dependent_removed"


@dataclass(frozen=True)
class _Offer:
    """One number for one of those who wait."""

    slot_id: UUID
    schedule_id: UUID
    waiting: Waiting
    cause: Cause
    vault: Vault


def offer_to_waiting(workbench: Workbench, slot_id: UUID, *, cause: Cause) -> None:
    """Give a resting number to the first who waits and may have it."""
    schedule_id, queue = workbench.transactions.read(partial(_queue, slot_id=slot_id))
    for waiting in queue:
        offer = _Offer(slot_id, schedule_id, waiting, cause, workbench.vault)
        try:
            if workbench.transactions.write(partial(_make, offer=offer)):
                return
        except (ScheduleSuspended, ScheduleClosed):
            return


def _queue(session: Session, now: datetime, *, slot_id: UUID) -> tuple[UUID, list[Waiting]]:
    slot = session.get_one(Slot, slot_id)
    schedule = session.get_one(Schedule, slot.schedule_id)
    return schedule.id, waiting_for(session, slot, schedule, now=now) if is_on_offer(slot) else []


def is_resting(slot: Slot) -> bool:
    return slot.status is SlotStatus.WITHHELD and slot.withheld_reason is WithheldReason.COOLING


def is_on_offer(slot: Slot) -> bool:
    """At rest, and not beyond the numbers that the schedule is to have."""
    return is_resting(slot) and slot.surplus is None


def _make(session: Session, now: datetime, *, offer: _Offer) -> bool:
    """Whether the number needs no other taker: it was taken, or is not to be given any more."""
    seen = session.get_one(WaitlistEntry, offer.waiting.entry_id)
    place = session.get_one(WaitlistPlace, offer.waiting.place_id)
    account_id, dependent_id = seen.account_id, _dependent_of(session, place)
    around = look_around(
        session,
        schedule_id=offer.schedule_id,
        segment_starts_at=None,
        account_id=account_id,
        dependent_id=dependent_id,
        now=now,
    )
    if around.person_id is None:
        place.skip(_GONE, at=now)
        return False
    person_id = lock_account_and_person(session, account_id, around.person_id)
    terms = Terms.from_document(around.schedule.terms)
    try:
        case = own_case(
            session, around, terms, dependent_id=dependent_id, account_id=account_id, person_id=person_id, now=now
        )
    except NotFound as error:
        raise Changed() from error
    entry = lock_waitlist_entry(session, seen.id)
    if entry.account_id != account_id:
        raise Changed()
    slot = lock_slot(session, offer.slot_id)
    if not is_on_offer(slot) or is_held(session, slot):
        return True
    session.refresh(place)
    if entry.status not in OPEN_ENTRY or not _waits(session, place):
        return False
    if entry.max_fee_fen is not None and case.price.due_fen > entry.max_fee_fen:
        return False
    wish = Wish(offer.schedule_id, dependent_id, entry.pay_mode)
    why = _refused(session, case, wish, slot)
    if why is not None:
        place.skip(why, at=now)
        return False
    _sell(session, offer, _Sold(case, around, wish, slot, entry, place), now=now)
    return True


def _waits(session: Session, place: WaitlistPlace) -> bool:
    """No number was found yet, or the one that was is lost through no fault of theirs, though the job that follows the
    entry has not noted it yet."""
    if place.appointment_id is None:
        return True
    had = session.get_one(Appointment, place.appointment_id, populate_existing=True)
    return was_lost(had)


def _dependent_of(session: Session, place: WaitlistPlace) -> UUID:
    """Accounts that were joined since may have had the same person twice."""
    dependent = session.get_one(Dependent, place.dependent_id)
    return dependent.merged_into_id or dependent.id


def is_held(session: Session, slot: Slot) -> bool:
    held = select(Appointment.id).where(Appointment.slot_id == slot.id, Appointment.status.in_(HOLDS_SLOT))
    return session.scalars(held.limit(1)).first() is not None


def _refused(session: Session, case: Case, wish: Wish, slot: Slot) -> str | None:
    """The code of the first rule that refuses, and never what another account did. At night the number is found for
    them as well: they waited for it by day."""
    for refusal in refusals(case):
        if not isinstance(refusal, ClosedHours):
            return refusal.code
    if str(wish.pay) not in case.terms.pay_modes:
        return _NOT_OFFERED
    # It is one number that is on offer: nobody looks for another segment of the half day.
    if not case.terms.may_overlap:
        elsewhere = elsewhere_during(case.standing, case.schedule)
        if meets([one for one in elsewhere if one.account_id == case.booker_id], slot):
            return Overlaps.code
        if meets(elsewhere, slot):
            return PersonLimit.code
    return _kept_from(session, case, slot)


def _kept_from(session: Session, case: Case, slot: Slot) -> str | None:
    """Why this very number is not for them. What another account did is not told."""
    lost_by = _lost_by(session, case.person_id, slot)
    if lost_by:
        return _REFUSED if lost_by & case.own_accounts else PersonLimit.code
    taker = taker_in(case)
    if is_kept_from(session, slot.id, replace(taker, person_id=NOBODY)):
        return _OWN_NUMBER
    return PersonLimit.code if is_kept_from(session, slot.id, taker) else None


def _lost_by(session: Session, person_id: UUID, slot: Slot) -> set[UUID]:
    """Under which accounts the hospital, or the desk, did not let them have this number: it would be lost again, and
    whoever is behind them would wait for ever."""
    lost = select(Appointment.account_id).where(
        Appointment.schedule_id == slot.schedule_id,
        Appointment.slot_id == slot.id,
        Appointment.person_id == person_id,
        Appointment.cancel_reason.in_(_NOT_AGAIN),
    )
    return set(session.scalars(lost))


@dataclass(frozen=True)
class _Sold:
    case: Case
    around: Surroundings
    wish: Wish
    slot: Slot
    entry: WaitlistEntry
    place: WaitlistPlace


def _sell(session: Session, offer: _Offer, sold: _Sold, *, now: datetime) -> None:
    """Raises: ScheduleSuspended, ScheduleClosed."""
    case, slot, cause = sold.case, sold.slot, offer.cause
    waits = sold.wish.pays_online(case.price) or sold.around.hospital_system is not None
    event = slot.take(SlotStatus.HELD if waits else SlotStatus.BOOKED, at=now, cause=cause)
    session.flush()
    taken = Taken.of(slot, event)
    until = pay_until(case.terms, slot, case.schedule.visit_date, now=now)
    sale = Sale(
        sold.wish,
        sold.around,
        case.terms,
        case.dependent,
        case.person_id,
        taken,
        case.card,
        grant=None,
        is_held=sold.wish.pays_online(case.price),
        hold_until=until,
    )
    made = write_booking(session, sale, now=now, cause=cause, vault=offer.vault).appointment
    sold.place.appointment_id = made.id
    if sold.entry.status is WaitlistStatus.WAITING:
        sold.entry.offer(session, at=now, cause=cause)
    tell(session, NoticeKind.WAITLIST_OFFERED, made, now=now)
    follow(session, sold.entry.id, run_at=now + _LOOK if waits else now, now=now)


def follow_soon(session: Session, appointment: Appointment, *, now: datetime) -> None:
    """It has ended, or is sure now: where it was on offer to somebody who waits, the entry learns of it at once. The
    caller holds the charge's lock."""
    if appointment.booked_through is not None:
        return  # by the patient's own login: no entry was ever offered it, and nobody need be asked
    of = select(WaitlistPlace.entry_id).join(WaitlistEntry, WaitlistEntry.id == WaitlistPlace.entry_id)
    on_offer = (WaitlistEntry.status == WaitlistStatus.OFFERED) & (WaitlistPlace.appointment_id == appointment.id)
    for entry_id in session.scalars(of.where(WaitlistEntry.account_id == appointment.account_id, on_offer)).all():
        follow(session, entry_id, run_at=now, now=now)


def follow(session: Session, entry_id: UUID, *, run_at: datetime, now: datetime) -> None:
    enqueue(session, FOLLOW_OFFER, run_at=run_at, now=now, dedup=f"{FOLLOW_OFFER}:{entry_id}", entry_id=str(entry_id))
