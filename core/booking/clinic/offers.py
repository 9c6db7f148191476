"""Offers: numbers held for an appointment whose clinic is suspended. All under the lock of its charge.

An offered slot is withheld with the reason `offered` as long as its offer is open. An offer that ends lets its number
go, which a job then puts back on sale. Where the hospital's own system must agree to the one that was taken, the others
wait for its answer: their time stands still, and nobody answers them meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from core.booking.clinic.alternatives import Alternative, first_free, suited
from core.booking.clinic.soon import settle_suspension_soon
from core.booking.endings.resting import return_slot_soon
from core.booking.tariff import price_for
from core.booking.terms import Terms
from core.locks import lock_charge
from core.notices.write import tell
from core.payments.charge_account import ChargeAccount, lock_charge_account
from models.appointment import Appointment, AppointmentStatus
from models.base import new_id
from models.notice import NoticeKind
from models.offer import Offer, OfferKind, OfferStatus
from models.person import Dependent
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus, WithheldReason
from models.states import Cause


@dataclass
class Offered:
    """A charge, locked, with the offers of one of its appointments and their slots."""

    account: ChargeAccount
    appointment: Appointment
    offers: list[Offer]

    @property
    def open(self) -> list[Offer]:
        return [one for one in self.offers if one.status is OfferStatus.OPEN]

    @property
    def waits_for_hospital(self) -> bool:
        """One of them was taken, and the hospital has yet to agree."""
        beside = self.account.replacement_of(self.appointment)
        return beside is not None and beside.id in {one.accepted_as_id for one in self.offers}

    def slot(self, offer: Offer) -> Slot:
        return self.account.slots[offer.slot_id]

    def is_held(self, offer: Offer) -> bool:
        """Its number waits for the answer: that clinic was not suspended meanwhile."""
        slot = self.slot(offer)
        return slot.status is SlotStatus.WITHHELD and slot.withheld_reason is WithheldReason.OFFERED


def lock_offered(session: Session, charge_id: UUID, appointment_id: UUID) -> Offered:
    """Whoever touches an offer holds the charge of its appointment. Raises: NotFound."""
    lock_charge(session, charge_id)
    offers = offers_of(session, appointment_id)
    account = lock_charge_account(session, charge_id, besides=[one.slot_id for one in offers])
    appointment = next(one for one in account.appointments if one.id == appointment_id)
    return Offered(account, appointment, offers)


def offers_of(session: Session, appointment_id: UUID) -> list[Offer]:
    """As they are now, the best first."""
    query = select(Offer).where(Offer.appointment_id == appointment_id).order_by(Offer.id)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def waits_for_hospital(appointment_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """As `Offered.waits_for_hospital`, of the appointment with this id."""
    taken, new = aliased(Offer), aliased(Appointment)
    waiting = and_(new.id == taken.accepted_as_id, new.status == AppointmentStatus.PENDING, new.beside_replaced)
    return exists().where(taken.appointment_id == appointment_id, waiting)


def make_offers(
    session: Session,
    offered: Offered,
    alternatives: Sequence[Alternative],
    *,
    version: int,
    now: datetime,
    cause: Cause,
) -> list[Offer]:
    """Hold one number of each kind where there is one, and tell the patient. An unpaid appointment stands as long as
    they have to answer; nothing can be paid for it meanwhile."""
    appointment = offered.appointment
    terms = Terms.from_document(appointment.terms)
    ends_at = terms.offer_ends_at(appointment.visit_date, now=now)
    made: dict[OfferKind, Offer] = {}
    for one in suited(session, appointment, alternatives):
        if len(made) == terms.offers_most:
            break
        if one.kind in made:
            continue
        offer = _hold(session, one, appointment, version=version, ends_at=ends_at, now=now, cause=cause)
        if offer is not None:
            made[one.kind] = offer
    if made:
        _let_stand(appointment, terms, ends_at)
        subject = f"{appointment.id}:{version}"
        tell(session, NoticeKind.OFFERS_MADE, appointment, now=now, reason="suspended", subject=subject)
    return list(made.values())


def _hold(
    session: Session,
    one: Alternative,
    appointment: Appointment,
    *,
    version: int,
    ends_at: datetime,
    now: datetime,
    cause: Cause,
) -> Offer | None:
    slot = first_free(session, one, now=now)
    if slot is None or not still_open(session, one.schedule.id):
        return None
    price = price_for(session.get_one(Dependent, appointment.dependent_id), one.schedule, one.terms)
    slot.withhold(session, why=WithheldReason.OFFERED, at=now, cause=cause)
    offer = Offer(
        id=new_id(),
        hospital_id=slot.hospital_id,
        appointment_id=appointment.id,
        schedule_id=slot.schedule_id,
        slot_id=slot.id,
        version=version,
        kind=one.kind,
        fee_fen=min(price.due_fen, appointment.fee_fen),
        expires_at=min(ends_at, one.terms.segment_closes_at(slot.starts_at)),
        created_at=now,
    )
    offer.make(session, at=now, cause=cause)
    session.flush()
    return offer


def _let_stand(appointment: Appointment, terms: Terms, until: datetime) -> None:
    if appointment.status is AppointmentStatus.PENDING and appointment.awaiting_payment:
        appointment.hold_expires_at = max(appointment.hold_expires_at or until, until)
        appointment.close_by = appointment.hold_expires_at + terms.close_cap


def still_open(session: Session, schedule_id: UUID) -> bool:
    """As it is now: whoever has a number asks again whether its clinic takes place."""
    return session.scalar(select(Schedule.status).where(Schedule.id == schedule_id)) is ScheduleStatus.OPEN


def end_lapsed(session: Session, offered: Offered, *, now: datetime, cause: Cause) -> None:
    """Offers whose time is over, and those whose own clinic is suspended by now."""
    for offer in offered.open:
        if not offered.is_held(offer):
            offer.withdraw(session, at=now, cause=cause, reason="suspended")
        elif now >= offer.expires_at and not offered.waits_for_hospital:
            offer.expire(session, at=now, cause=cause)
            return_slot_soon(session, offered.slot(offer), now=now)


def withdraw_offers(session: Session, offered: Offered, *, reason: str, now: datetime, cause: Cause) -> None:
    """There is nothing to answer any more."""
    for offer in offered.open:
        offer.withdraw(session, at=now, cause=cause, reason=reason)
        if offered.is_held(offer):
            return_slot_soon(session, offered.slot(offer), now=now)


def decline(session: Session, offered: Offered, offer: Offer, *, now: datetime, cause: Cause) -> None:
    offer.decline(session, at=now, cause=cause)
    if offered.is_held(offer):
        return_slot_soon(session, offered.slot(offer), now=now)


def resume_offers(session: Session, account: ChargeAccount, ended: Appointment, *, now: datetime) -> None:
    """`ended` was to take the place of another. Where the clinic of that one is suspended its patient is where they
    were before: what else is held for them is so for as long as it would have been when they took this one."""
    lost = account.replaced_by(ended)
    if lost is None or not account.is_suspended(lost):
        return
    offers = offers_of(session, lost.id)
    for offer in offers if ended.id in {one.accepted_as_id for one in offers} else []:
        if offer.status is OfferStatus.OPEN:
            offer.expires_at = min(offer.expires_at + (now - ended.created_at), _sold_until(session, offer))
    settle_suspension_soon(session, lost.schedule_id, now=now)


def _sold_until(session: Session, offer: Offer) -> datetime:
    terms = Terms.from_document(session.get_one(Schedule, offer.schedule_id).terms)
    return terms.segment_closes_at(session.get_one(Slot, offer.slot_id).starts_at)
