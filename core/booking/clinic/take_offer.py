"""A patient's answer to an offer. Taking it ends the suspended appointment and begins the other one in one transaction.
Where the hospital's own system must agree, the new one stands beside the suspended one until it has, and no longer
where it refuses; what else is held waits for that.

It never costs more: a dearer number is given with a discount, for a cheaper one the difference goes back. What was paid
stays with the charge, which the new appointment shares; where nothing is paid yet it gets a charge of its own, so that
money for the old one can only go back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.booking.charge_lines import price_lines
from core.booking.clinic.alternatives import limit_reached, needs_hospital, others_than
from core.booking.clinic.offers import Offered, decline, lock_offered, withdraw_offers
from core.booking.clinic.soon import settle_suspension_soon
from core.booking.clinic.suspended import AFFECTED, end_suspended
from core.booking.day.not_me import is_frozen
from core.booking.endings.end_hold import end_of_hold
from core.booking.endings.ending import end_replacement
from core.booking.tariff import price_for
from core.booking.terms import Terms
from core.booking.write import claim_at_hospital
from core.dependents.granted import Use, granted_dependent, hold_live, note_uses
from core.hospital.soon import settle_soon
from core.locks import lock_account_and_person
from core.notices.write import tell
from core.numbers import appointment_number
from core.payments.charge_account import ChargeAccount
from core.payments.closing import close_soon
from core.payments.refunds import due_refund
from core.refusals import AlreadyBooked, AppointmentFrozen, OfferEnded, PersonLimit
from core.rights.access import AccessAction
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.base import new_id
from models.charge import Charge
from models.errors import NotFound
from models.grant import Grant, Scope
from models.hospital import Hospital
from models.notice import NoticeKind
from models.offer import Offer
from models.payment import RefundReason
from models.person import Dependent
from models.schedule import Schedule, Slot
from models.sealing import Vault
from models.states import Cause

_NO_SURCHARGE = "clinic suspended by the hospital, no surcharge"


def accept_offer(
    session: Session, *, offer_id: UUID, account_id: UUID, now: datetime, cause: Cause, vault: Vault
) -> Appointment:
    """Take the number that is held, one's own or under a grant to book; the new appointment.

    Raises: NotFound, OfferEnded, AppointmentFrozen, AlreadyBooked, PersonLimit."""
    offered, offer, grant = _lock(session, offer_id, account_id, now=now)
    old = offered.appointment
    _refuse_unless_offered(session, offered, offer, now=now)
    if is_frozen(session, old.id):  # the desk decides whose it is before anything is given for it
        raise AppointmentFrozen()
    schedule = session.get_one(Schedule, offer.schedule_id, populate_existing=True)
    _refuse_over_limit(session, old, schedule)
    end_replacement(session, offered.account, old, why=CancelReason.PATIENT, now=now, cause=cause)
    taken = _Taken(offered, offer, schedule, grant)
    new = (_beside if needs_hospital(session, old) else _in_its_place)(session, taken, now=now, cause=cause)
    new.seal_complaint(vault, old.complaint(vault))
    if grant is not None:
        note_uses(session, [Use(grant, AccessAction.APPOINTMENT_BOOKED, new.id)], now=now)
    session.flush()
    return new


@dataclass(frozen=True)
class _Taken:
    """An offer that may be taken, and under which grant, if under one."""

    offered: Offered
    offer: Offer
    schedule: Schedule
    grant: Grant | None


def _in_its_place(session: Session, taken: _Taken, *, now: datetime, cause: Cause) -> Appointment:
    """The number is ours to give: the suspended appointment ends."""
    offered, offer, account = taken.offered, taken.offer, taken.offered.account
    old, slot = offered.appointment, offered.slot(offer)
    was_paid = old.pay_mode is PayMode.ONLINE and not old.awaiting_payment
    old.cancel(session, why=CancelReason.SUSPENDED, at=now, cause=cause)
    account.charge.void(old.id, at=now)
    session.flush()  # the unique indexes see one of the two at every moment
    charge = account.charge if was_paid else _new_charge(session, old, now=now)
    new = _appointment(session, taken, charge=charge, system=None, now=now, cause=cause)
    (slot.hold if new.awaiting_payment else slot.book)(session, at=now, cause=cause)
    offer.accept(session, appointment_id=new.id, at=now, cause=cause)
    withdraw_offers(session, offered, reason="another_taken", now=now, cause=cause)
    _settle_money(session, account, charge, surplus_fen=old.fee_fen - new.fee_fen, now=now, cause=cause)
    settle_soon(session, old, now=now)  # it may be of a system that the hospital no longer has
    if not new.awaiting_payment:
        tell(session, NoticeKind.APPOINTMENT_BOOKED, new, now=now)
    return new


def _beside(session: Session, taken: _Taken, *, now: datetime, cause: Cause) -> Appointment:
    """The hospital must agree: as in an exchange the other one stands until it has (`core/hospital/follow.py`)."""
    offered, offer = taken.offered, taken.offer
    system = session.scalar(select(Hospital.system).where(Hospital.id == offer.hospital_id))
    new = _appointment(session, taken, charge=offered.account.charge, system=system, now=now, cause=cause)
    session.add_all(claim_at_hospital(new, now=now, cause=cause))
    offered.slot(offer).hold(session, at=now, cause=cause)
    offer.accept(session, appointment_id=new.id, at=now, cause=cause)
    return new


def refuse_offer(session: Session, *, offer_id: UUID, account_id: UUID, now: datetime, cause: Cause) -> Appointment:
    """Not this one. With the last of them the suspended appointment ends, and all of the money goes back.

    Raises: NotFound, OfferEnded."""
    offered, offer, grant = _lock(session, offer_id, account_id, now=now)
    if not offer.may_be_taken(now=now) or offered.appointment.status not in AFFECTED or offered.waits_for_hospital:
        raise OfferEnded()
    decline(session, offered, offer, now=now, cause=cause)
    if not offered.open:
        end_suspended(session, offered.account, offered.appointment, now=now, cause=cause)
        settle_suspension_soon(session, offered.appointment.schedule_id, now=now)
    if grant is not None:
        note_uses(session, [Use(grant, AccessAction.APPOINTMENT_CANCELLED, offered.appointment.id)], now=now)
    session.flush()
    return offered.appointment


def _lock(session: Session, offer_id: UUID, account_id: UUID, *, now: datetime) -> tuple[Offered, Offer, Grant | None]:
    """Account → person → charge with everything that hangs on it. Raises: NotFound."""
    whom = func.coalesce(Dependent.merged_into_id, Dependent.id, type_=Dependent.id.type)
    named = session.execute(
        select(Appointment.id, Appointment.charge_id, Appointment.account_id, Appointment.person_id, whom)
        .join(Offer, Offer.appointment_id == Appointment.id)
        .join(Dependent, Dependent.id == Appointment.dependent_id)
        .where(Offer.id == offer_id)
    ).one_or_none()
    # Of what is nobody's the same is asked as of what is another's, so that both take as long.
    appointment_id, charge_id, owner_id, person_id, dependent_id = named or (offer_id, offer_id, None, None, offer_id)
    grant = None
    if owner_id != account_id:
        granted = granted_dependent(
            session, account_id=account_id, dependent_id=dependent_id, scope=Scope.BOOK, now=now
        )
        owner_id, grant = granted.dependent.account_id, granted.grant
    if owner_id is None or person_id is None:
        raise NotFound()
    lock_account_and_person(session, owner_id, person_id)
    offered = lock_offered(session, charge_id, appointment_id)
    if offered.account.charge.account_id != owner_id:  # joined into another meanwhile
        raise NotFound()
    if grant is not None:
        hold_live(session, grant, now=now)
    return offered, next(one for one in offered.offers if one.id == offer_id), grant


def _refuse_unless_offered(session: Session, offered: Offered, offer: Offer, *, now: datetime) -> None:
    """A clinic that is closed meanwhile keeps what it was offered for. A hospital that has a system of its own by now
    must agree, which it can only beside what is the patient's for sure. Raises: OfferEnded."""
    status = offered.appointment.status
    if status not in AFFECTED or not offer.may_be_taken(now=now) or not offered.is_held(offer):
        raise OfferEnded()
    if offered.waits_for_hospital:
        raise OfferEnded()
    if status is not AppointmentStatus.BOOKED and needs_hospital(session, offered.appointment):
        raise OfferEnded()


def _refuse_over_limit(session: Session, old: Appointment, schedule: Schedule) -> None:
    """What the person has booked since may stand in the way. Raises: AlreadyBooked, PersonLimit."""
    others = others_than(session, old)
    limit = limit_reached(schedule, others)
    if limit is None:
        return
    own = all(one.account_id == old.account_id for one in others)
    raise AlreadyBooked() if own and limit in {"schedule", "department_day", "doctor_day"} else PersonLimit()


def _new_charge(session: Session, old: Appointment, *, now: datetime) -> Charge:
    charge = Charge(
        id=new_id(), hospital_id=old.hospital_id, account_id=old.account_id, currency="CNY", created_at=now, lines=[]
    )
    session.add(charge)
    session.flush()
    return charge


def _appointment(
    session: Session, taken: _Taken, *, charge: Charge, system: str | None, now: datetime, cause: Cause
) -> Appointment:
    """The same patient, with the same wish, at the other place, under that one's terms; at its price where that has
    fallen below the offered one. `system` must agree, where the hospital has one."""
    old, offer, schedule, grant = taken.offered.appointment, taken.offer, taken.schedule, taken.grant
    terms = Terms.from_document(schedule.terms)
    price = price_for(session.get_one(Dependent, old.dependent_id), schedule, terms)
    price = price.at_most(offer.fee_fen, basis=_NO_SURCHARGE)
    unpaid = old.awaiting_payment and price.due_fen > 0
    expires_at = now + terms.hold_for if unpaid else None
    new = Appointment(
        id=new_id(),
        number=appointment_number(now=now),
        hospital_id=schedule.hospital_id,
        account_id=old.account_id,
        dependent_id=old.dependent_id,
        person_id=old.person_id,
        department_id=schedule.department_id,
        schedule_id=schedule.id,
        slot_id=offer.slot_id,
        charge_id=charge.id,
        visit_date=schedule.visit_date,
        awaiting_payment=unpaid,
        awaiting_hospital=system is not None,
        pay_mode=old.pay_mode,
        payer_kind=old.payer_kind,
        fee_fen=price.due_fen,
        hold_expires_at=expires_at,
        close_by=None if expires_at is None else expires_at + terms.close_cap,
        cancel_before=terms.cancel_before(schedule.cancel_before, session.get_one(Slot, offer.slot_id).starts_at),
        terms=schedule.terms,
        one_per_department_day=terms.one_per_department_day,
        visit_card_id=old.visit_card_id,
        replaces_id=old.id,
        beside_replaced=system is not None,
        created_at=now,
        grant_id=None if grant is None else grant.id,
        booked_through=old.booked_through,
        notice_version=old.notice_version,
        hospital_system=system,
        hospital_sequence=None,
    )
    new.enter(session, AppointmentStatus.PENDING if new.awaiting else AppointmentStatus.BOOKED, at=now, cause=cause)
    session.flush()
    if expires_at is not None:
        session.add(end_of_hold(new.id, expires_at, now=now))
    charge.lines.extend(price_lines(new, price))
    return new


def _settle_money(
    session: Session, account: ChargeAccount, charge: Charge, *, surplus_fen: int, now: datetime, cause: Cause
) -> None:
    """What was paid for the old number beyond the price of the new one goes back; what nothing is due for is closed."""
    if charge is account.charge:
        for payment in account.payments:
            back = min(surplus_fen, account.kept_fen(payment))
            due_refund(session, account, payment, reason=RefundReason.SUSPENDED, amount_fen=back, now=now, cause=cause)
            surplus_fen -= back
    elif account.live_payments:
        close_soon(session, account, now=now)
