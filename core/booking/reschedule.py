"""Changing to another number of the same hospital (改签): the old one is let go only once the new one is sure.

look (no lock) → lock account, then person → charge, with everything on it → evaluate the rules, the old number aside →
take a slot → appointment, line, event rows beside the old ones

Whoever has nothing more to pay has the new number at once, and what the old one cost more goes back. A dearer one is
held beside the old one until the difference is paid (`core/payments/settle.py`), and one of a hospital with a system of
its own until that has confirmed it (`core/hospital/follow.py`); unpaid or refused, it ends like every booking, and the
old one was never touched. The new slot is locked after the charge's payments: those hold still with their charge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.booking.book import locked_case
from core.booking.case import Case, taker_in
from core.booking.claim import Wanted, count_left, take_slot
from core.booking.day.not_me import is_frozen
from core.booking.endings.let_go import let_replaced_go
from core.booking.look import Surroundings, look_around
from core.booking.rules.evaluation import refuse_by_rules, sold_until
from core.booking.tariff import Price
from core.booking.terms import Terms
from core.booking.wish import Wish
from core.booking.write import Sale, refuse_for_none, write_replacement
from core.dependents.granted import Use, note_uses
from core.payments.charge_account import ChargeAccount, lock_charge_account
from core.refusals import AppointmentFrozen, CancelDeadlinePassed, HoldOpen, NotReschedulable
from core.rights.access import AccessAction
from models.account import Provider
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.errors import FieldError, NotFound, ValidationFailed
from models.person import Dependent
from models.policy import RescheduleScope
from models.schedule import Schedule, SlotStatus
from models.sealing import Vault
from models.states import Cause


@dataclass(frozen=True)
class Move:
    """Where to. How it is paid, what the patient comes for and the card that they bring stay as they are."""

    schedule_id: UUID
    segment_starts_at: datetime | None = None
    expected_fee_fen: int | None = None
    booked_through: Provider | None = None


def reschedule_appointment(
    session: Session, *, appointment_id: UUID, account_id: UUID, to: Move, now: datetime, cause: Cause, vault: Vault
) -> UUID:
    """Exchange one's own number, or another's under a grant to book, for one of another time; the new appointment's id.

    Raises: NotFound, ValidationFailed, NotReschedulable, CancelDeadlinePassed, FeeChanged, HoldOpen, every refusal of
    eligibility, SoldOut, NumbersInFlight."""
    seen = _look_at(session, appointment_id)
    found = _find(session, appointment_id, seen, account_id=account_id, to=to, now=now)
    account = lock_charge_account(session, seen.charge_id)
    old = _still_own(account, appointment_id, found.case)
    _refuse_unless_reschedulable(session, account, old, found.around.schedule, to, now=now)
    wish = replace(found.wish, pay=old.pay_mode, payer_kind=old.payer_kind, complaint=old.complaint(vault))
    wish = replace(wish, notice_version=old.notice_version)
    _refuse_unless_offered(wish, found.case.price, found.terms)
    costs_more = _costs_more(account, old, found.case.price)
    refuse_by_rules(found.case)
    sale = _take(session, replace(found, wish=wish), old, costs_more=costs_more, now=now, cause=cause)
    new_id = write_replacement(session, sale, old.charge_id, now=now, cause=cause, vault=vault)
    if sale.is_sure:
        account = lock_charge_account(session, old.charge_id)
        new = next(one for one in account.appointments if one.id == new_id)
        let_replaced_go(session, account, new, now=now, cause=cause)
    if found.case.grant is not None:
        note_uses(session, [Use(found.case.grant, AccessAction.APPOINTMENT_RESCHEDULED, appointment_id)], now=now)
    return new_id


@dataclass(frozen=True)
class _Seen:
    charge_id: UUID
    dependent_id: UUID
    hospital_id: UUID | None = None
    visit_card_id: UUID | None = None


def _look_at(session: Session, appointment_id: UUID) -> _Seen:
    """Without a lock, whosever it is. Of what is nobody's the same is asked afterwards as of what is another's, so that
    both take as long."""
    whom = func.coalesce(Dependent.merged_into_id, Dependent.id)
    query = select(Appointment.charge_id, whom, Appointment.hospital_id, Appointment.visit_card_id).join(
        Dependent, Dependent.id == Appointment.dependent_id
    )
    row = session.execute(query.where(Appointment.id == appointment_id)).one_or_none()
    return _Seen(appointment_id, appointment_id) if row is None else _Seen(*row)


@dataclass(frozen=True)
class _Found:
    """What is wanted, and the case of it."""

    wish: Wish
    around: Surroundings
    terms: Terms
    wanted: Wanted
    case: Case


def _find(session: Session, appointment_id: UUID, seen: _Seen, *, account_id: UUID, to: Move, now: datetime) -> _Found:
    """Like booking for the same dependent, as far as the old number may be known before it is found to be one's own.

    Raises: NotFound, ValidationFailed."""
    around = look_around(
        session,
        schedule_id=to.schedule_id,
        segment_starts_at=to.segment_starts_at,
        account_id=account_id,
        dependent_id=seen.dependent_id,
        now=now,
    )
    wish = Wish(
        schedule_id=to.schedule_id,
        dependent_id=seen.dependent_id,
        pay=PayMode.ONLINE,
        segment_starts_at=to.segment_starts_at,
        expected_fee_fen=to.expected_fee_fen,
        booked_through=to.booked_through,
        visit_card_id=seen.visit_card_id if around.schedule.hospital_id == seen.hospital_id else None,
    )
    terms = Terms.from_document(around.schedule.terms)
    wanted = Wanted(around.schedule.id, sold_until(terms, now=now), to.segment_starts_at)
    case = locked_case(
        session,
        around,
        wanted,
        account_id=account_id,
        wish=wish,
        terms=terms,
        now=now,
        in_place_of=appointment_id,
    )
    return _Found(wish, around, terms, wanted, case)


def _still_own(account: ChargeAccount, appointment_id: UUID, case: Case) -> Appointment:
    """Accounts may have been joined meanwhile. Raises: NotFound."""
    if account.charge.account_id != case.dependent.account_id:
        raise NotFound()
    return next(one for one in account.appointments if one.id == appointment_id)


def _refuse_unless_reschedulable(
    session: Session, account: ChargeAccount, old: Appointment, schedule: Schedule, to: Move, *, now: datetime
) -> None:
    """By the terms that the old number was sold under. Raises: NotReschedulable, AppointmentFrozen,
    CancelDeadlinePassed, ValidationFailed."""
    if old.status is not AppointmentStatus.BOOKED:
        raise NotReschedulable(reason="status", status=str(old.status))
    if old.follow_up_of_id is not None:
        raise NotReschedulable(reason="follow_up")  # it costs nothing to cancel it and to use the right again
    if is_frozen(session, old.id):  # the desk decides whose it is before it goes anywhere
        raise AppointmentFrozen()
    if not old.may_be_cancelled_by_patient(now=now):
        raise CancelDeadlinePassed(cancel_before=old.cancel_before)
    terms = Terms.from_document(old.terms)
    if _times_changed(account, old) >= terms.max_reschedules:
        raise NotReschedulable(reason="limit", max_reschedules=terms.max_reschedules)
    if account.replacement_of(old) is not None:
        raise NotReschedulable(reason="waiting")
    if schedule.hospital_id != old.hospital_id or not _is_near(session, terms, old, schedule):
        raise NotReschedulable(reason="scope", scope=terms.reschedule_scope)
    if schedule.id == old.schedule_id and to.segment_starts_at in (None, account.slots[old.slot_id].starts_at):
        raise ValidationFailed(FieldError("#/segment_starts_at", "same_segment"))


def _times_changed(account: ChargeAccount, appointment: Appointment) -> int:
    """By the patient, since the first number of the order: what the hospital offered for a suspended one is no wish of
    theirs."""
    before = account.replaced_by(appointment)
    if before is None:
        return 0
    return (before.cancel_reason is CancelReason.RESCHEDULED) + _times_changed(account, before)


def _is_near(session: Session, terms: Terms, old: Appointment, schedule: Schedule) -> bool:
    """Of two schedules of one hospital."""
    if terms.reschedule_scope == RescheduleScope.HOSPITAL:
        return True
    if schedule.department_id != old.department_id:
        return False
    same_doctor = session.get_one(Schedule, old.schedule_id).doctor_code == schedule.doctor_code
    return same_doctor or terms.reschedule_scope == RescheduleScope.DEPARTMENT


def _refuse_unless_offered(wish: Wish, price: Price, terms: Terms) -> None:
    """What the patient did not say in this request is told of the schedule. Raises: ValidationFailed, FeeChanged."""
    try:
        wish.refuse_unless_offered(terms)
    except ValidationFailed:
        raise ValidationFailed(FieldError("#/schedule_id", "not_offered")) from None
    wish.refuse_other_price(price)


def _costs_more(account: ChargeAccount, old: Appointment, price: Price) -> bool:
    """Whether a difference is to be paid online first; one charge waits for one payment.

    Raises: HoldOpen."""
    more = old.pay_mode is PayMode.ONLINE and price.due_fen > old.fee_fen
    if more and account.waiting:
        raise HoldOpen()
    return more


def _take(session: Session, found: _Found, old: Appointment, *, costs_more: bool, now: datetime, cause: Cause) -> Sale:
    """The new number, before the old one is let go. Raises: as `refuse_for_none`."""
    waits = costs_more or found.around.hospital_system is not None
    to = SlotStatus.HELD if waits else SlotStatus.BOOKED
    wanted = replace(found.wanted, taker=taker_in(found.case))
    if found.case.elsewhere:
        wanted = replace(wanted, segment_starts_at=found.case.clear_segment)
    taken = take_slot(session, wanted, to=to, at=now, cause=cause)
    if taken is None:
        refuse_for_none(session, found.around.schedule, count_left(session, found.wanted), now=now)
    case = found.case
    return Sale(
        found.wish,
        found.around,
        found.terms,
        case.dependent,
        case.person_id,
        taken,
        case.card,
        case.grant,
        is_held=costs_more,
        replaces=old,
    )
