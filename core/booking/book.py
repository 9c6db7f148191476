"""Booking: one transaction that ends with the number held for the person, or with nothing.

look (no lock) → lock account → lock person → evaluate the rules → take a slot → look at the schedule again →
charge, line, appointment, event rows, job that ends the hold
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.claim import ClaimedSlot, Wanted, claim_slot, count_left
from core.booking.eligibility import full, gather, refusals, sold_until
from core.booking.policy import Terms
from core.jobs.queue import new_job
from core.locks import lock_account, lock_person
from core.notices.write import tell
from core.numbers import appointment_number
from core.refusals import FeeChanged, ScheduleClosed, ScheduleSuspended
from models.appointment import Appointment, AppointmentStatus, PayerKind, PayMode
from models.base import new_id
from models.charge import Charge, ChargeLine, FeeKind, Leg
from models.errors import FieldError, NotFound, ValidationFailed
from models.notice import NoticeKind
from models.person import Dependent
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus
from models.sealing import Vault
from models.states import Cause

_REGISTRATION_BASIS = "hospital price list"


@dataclass(frozen=True)
class Wish:
    """What a patient asks for."""

    schedule_id: UUID
    dependent_id: UUID
    pay: PayMode
    segment_starts_at: datetime | None = None
    payer_kind: PayerKind = PayerKind.SELF_PAY
    expected_fee_fen: int | None = None
    complaint: str | None = None


def book_appointment(
    session: Session, *, account_id: UUID, wish: Wish, now: datetime, cause: Cause, vault: Vault
) -> Appointment:
    """Hold a number for the dependent until the fee is paid, or book it at once where nothing is to be paid online.

    Raises: NotFound, ValidationFailed, FeeChanged, every refusal of eligibility, SoldOut, NumbersInFlight."""
    schedule = _schedule(session, wish)
    terms = Terms.from_document(schedule.terms)
    _check_wish(wish, schedule, terms)
    wanted = Wanted(schedule.id, sold_until(schedule, now=now), wish.segment_starts_at)
    left = count_left(session, wanted)
    if left.free:  # a full schedule costs no lock
        lock_account(session, account_id)
    dependent = _dependent(session, account_id, wish.dependent_id)
    person_id = lock_person(session, dependent.person_id).id if left.free else dependent.person_id
    case = gather(session, schedule=schedule, dependent=dependent, person_id=person_id, now=now, left=left)
    for refusal in refusals(case):
        raise refusal
    slot = claim_slot(session, wanted, to=_slot_status(wish, schedule), at=now, cause=cause)
    if slot is None:
        raise full(count_left(session, wanted), now=now)
    _look_again(session, schedule)
    return _write(session, dependent, person_id, schedule, terms, slot, wish, now=now, cause=cause, vault=vault)


def _schedule(session: Session, wish: Wish) -> Schedule:
    schedule = session.get(Schedule, wish.schedule_id)
    if schedule is None:
        raise NotFound()
    if wish.segment_starts_at is not None and not session.scalar(
        select(Slot.id).where(Slot.schedule_id == schedule.id, Slot.starts_at == wish.segment_starts_at).limit(1)
    ):
        raise ValidationFailed(FieldError("#/segment_starts_at", "no_such_segment"))
    return schedule


def _check_wish(wish: Wish, schedule: Schedule, terms: Terms) -> None:
    if str(wish.pay) not in terms.pay_modes:
        raise ValidationFailed(FieldError("#/pay", "not_offered"))
    if wish.payer_kind is not PayerKind.SELF_PAY:
        raise ValidationFailed(FieldError("#/payer_kind", "not_offered"))
    if wish.expected_fee_fen is not None and wish.expected_fee_fen != schedule.fee_fen:
        raise FeeChanged(fee_fen=schedule.fee_fen)


def _dependent(session: Session, account_id: UUID, dependent_id: UUID) -> Dependent:
    dependent = session.scalars(
        select(Dependent)
        .where(Dependent.id == dependent_id, Dependent.account_id == account_id, Dependent.archived_at.is_(None))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if dependent is None:
        raise NotFound()
    return dependent


def _pays_online(wish: Wish, schedule: Schedule) -> bool:
    return wish.pay is PayMode.ONLINE and schedule.fee_fen > 0


def _slot_status(wish: Wish, schedule: Schedule) -> SlotStatus:
    return SlotStatus.HELD if _pays_online(wish, schedule) else SlotStatus.BOOKED


def _look_again(session: Session, schedule: Schedule) -> None:
    """Suspending waits for claims under way and then lists appointments: ours must see it if it came first."""
    status = session.scalar(select(Schedule.status).where(Schedule.id == schedule.id))
    if status is ScheduleStatus.SUSPENDED:
        raise ScheduleSuspended()
    if status is not ScheduleStatus.OPEN:
        raise ScheduleClosed()


def _write(
    session: Session,
    dependent: Dependent,
    person_id: UUID,
    schedule: Schedule,
    terms: Terms,
    slot: ClaimedSlot,
    wish: Wish,
    *,
    now: datetime,
    cause: Cause,
    vault: Vault,
) -> Appointment:
    online = _pays_online(wish, schedule)
    charge = Charge(
        id=new_id(),
        hospital_id=schedule.hospital_id,
        account_id=dependent.account_id,
        currency="CNY",
        created_at=now,
    )
    session.add(charge)
    session.flush()
    appointment = Appointment(
        id=new_id(),
        number=appointment_number(now=now),
        hospital_id=schedule.hospital_id,
        account_id=dependent.account_id,
        dependent_id=dependent.id,
        person_id=person_id,
        department_id=schedule.department_id,
        schedule_id=schedule.id,
        slot_id=slot.id,
        charge_id=charge.id,
        visit_date=schedule.visit_date,
        awaiting_payment=online,
        awaiting_hospital=False,
        pay_mode=wish.pay,
        payer_kind=wish.payer_kind,
        fee_fen=schedule.fee_fen,
        hold_expires_at=now + terms.hold_for if online else None,
        close_by=now + terms.hold_for + terms.close_cap if online else None,
        cancel_before=schedule.cancel_before,
        terms=schedule.terms,
        one_per_department_day=terms.one_per_department_day,
        beside_replaced=False,
        created_at=now,
    )
    appointment.seal_complaint(vault, wish.complaint)
    born = AppointmentStatus.PENDING if online else AppointmentStatus.BOOKED
    appointment.enter(session, born, at=now, cause=cause)
    session.flush()
    session.add(_line(charge, appointment))
    _make_due(session, appointment, now=now)
    session.flush()
    return appointment


def _line(charge: Charge, appointment: Appointment) -> ChargeLine:
    return ChargeLine(
        id=new_id(),
        hospital_id=charge.hospital_id,
        charge_id=charge.id,
        appointment_id=appointment.id,
        kind=FeeKind.REGISTRATION,
        leg=Leg.SELF_PAY,
        amount_fen=appointment.fee_fen,
        legal_basis=_REGISTRATION_BASIS,
    )


def _make_due(session: Session, appointment: Appointment, *, now: datetime) -> None:
    if appointment.hold_expires_at is None:
        tell(session, NoticeKind.APPOINTMENT_BOOKED, appointment, now=now)
        return
    # A new row needs no look for an older one: nothing can have made this hold's job before.
    job = new_job(
        "end_hold",
        run_at=appointment.hold_expires_at,
        now=now,
        dedup=f"end_hold:{appointment.id}",
        payload={"appointment_id": str(appointment.id)},
    )
    session.add(job)
