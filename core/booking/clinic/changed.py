"""Whoever has a number of a half day that was given to another doctor, or moved: told, free to leave without a strike,
and never charged more. One by one, by a job; doing it again changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session, aliased

from core.booking.charge_lines import CHEAPER_DOCTOR, charge_line
from core.booking.clinic.suspended import AFFECTED
from core.booking.tariff import price_for
from core.booking.terms import Terms
from core.jobs.queue import LeasedJob, enqueue
from core.notices.write import tell
from core.payments.charge_account import ChargeAccount, lock_charge_account
from core.payments.refunds import due_refund
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus
from models.charge import FeeKind
from models.notice import NoticeKind
from models.payment import RefundReason
from models.person import Dependent
from models.schedule import Schedule, ScheduleStatus
from models.schedule_change import ChangeKind, ScheduleChange
from models.states import Actor, Cause, CauseKind

FOLLOW_CHANGE = "follow_change"
_UNDER_WAY = timedelta(minutes=1)
"""A claim that began after the change may have had its number before it: better told once too often."""
_HOLD_ENDS_LATE = timedelta(minutes=1)
"""What is past its time and not ended yet ends by a job of its own, perhaps after this one: look again."""
_TOLD = {ChangeKind.SUBSTITUTED: NoticeKind.DOCTOR_SUBSTITUTED, ChangeKind.MOVED: NoticeKind.CLINIC_MOVED}


def follow_soon(session: Session, schedule_id: UUID, *, now: datetime) -> None:
    """Have a job see to everybody who has a number of a half day that was changed."""
    of = str(schedule_id)
    enqueue(session, FOLLOW_CHANGE, run_at=now, now=now, dedup=f"{FOLLOW_CHANGE}:{of}", schedule_id=of, after=None)


def follow_change(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """In the order in which they were booked; once more when one that is not sure yet, or that is to take the place of
    such a number, is over: their price is settled then."""
    schedule_id = UUID(job.payload["schedule_id"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    standing = workbench.transactions.read(partial(_standing, schedule_id=schedule_id))
    for charge_id, appointment_id, _ in standing:
        workbench.transactions.write(partial(_follow, charge_id=charge_id, appointment_id=appointment_id, cause=cause))
    unpaid = [ends for _, _, ends in standing if ends is not None]
    return max(unpaid) + timedelta(seconds=1) if unpaid else None


def _standing(session: Session, now: datetime, *, schedule_id: UUID) -> list[tuple[UUID, UUID, datetime | None]]:
    # What awaits its hospital alone is looked at again and again: nobody knows when it will answer.
    own = case(
        (Appointment.status == AppointmentStatus.PENDING, func.coalesce(Appointment.close_by, Appointment.created_at))
    )
    beside = aliased(Appointment)
    beside_ends = func.coalesce(beside.close_by, beside.created_at)
    takes_its_place = and_(
        beside.charge_id == Appointment.charge_id,
        beside.replaces_id == Appointment.id,
        beside.status == AppointmentStatus.PENDING,
    )
    rows = session.execute(
        select(
            Appointment.charge_id, Appointment.id, func.coalesce(beside_ends, own, type_=Appointment.created_at.type)
        )
        .outerjoin(beside, takes_its_place)
        .where(Appointment.schedule_id == schedule_id, Appointment.status.in_(AFFECTED))
        .order_by(Appointment.id)
    )
    return [(charge, one, None if ends is None else max(ends, now + _HOLD_ENDS_LATE)) for charge, one, ends in rows]


def _follow(session: Session, now: datetime, *, charge_id: UUID, appointment_id: UUID, cause: Cause) -> None:
    account = lock_charge_account(session, charge_id)
    appointment = next(one for one in account.appointments if one.id == appointment_id)
    schedule = session.get_one(Schedule, appointment.schedule_id, populate_existing=True)
    if appointment.status not in AFFECTED or schedule.status is ScheduleStatus.SUSPENDED:
        return
    changes = session.scalars(
        select(ScheduleChange)
        .where(ScheduleChange.schedule_id == schedule.id, ScheduleChange.kind.in_(_TOLD))
        .where(ScheduleChange.at >= appointment.created_at - _UNDER_WAY)
        .order_by(ScheduleChange.version)
    ).all()
    for change in changes:
        _tell(session, account, appointment, change, now=now)
    terms = Terms.from_document(appointment.terms)
    substituted = any(one.kind is ChangeKind.SUBSTITUTED for one in changes)
    if substituted and terms.substitute_refunds_difference:
        price = price_for(session.get_one(Dependent, appointment.dependent_id), schedule, terms)
        _lower(session, account, appointment, to_fen=price.due_fen, now=now, cause=cause)


def _tell(
    session: Session, account: ChargeAccount, appointment: Appointment, change: ScheduleChange, *, now: datetime
) -> None:
    """For as long as the policy says, and after a move until the visit begins, they may leave without a strike."""
    starts_at = account.slots[appointment.slot_id].starts_at
    terms = Terms.from_document(appointment.terms)
    leave = timedelta(minutes=terms.leave_minutes)
    until = starts_at if change.kind is ChangeKind.MOVED else min(starts_at, change.at + leave)
    appointment.free_to_leave_until = max(appointment.free_to_leave_until or until, until)
    # A deadline that stands before one's segment is never behind it.
    appointment.cancel_before = min(
        appointment.cancel_before, terms.cancel_before(appointment.cancel_before, starts_at)
    )
    subject = f"{appointment.id}:{change.version}"
    tell(session, _TOLD[change.kind], appointment, now=now, reason=str(change.kind), subject=subject)


def _lower(
    session: Session, account: ChargeAccount, appointment: Appointment, *, to_fen: int, now: datetime, cause: Cause
) -> None:
    """A cheaper doctor gives the difference back. While a payment may be under way its amount stays what was asked: for
    the number itself, or for what is to take its place beyond what this one cost."""
    less = appointment.fee_fen - to_fen
    if less <= 0 or appointment.status is not AppointmentStatus.BOOKED or account.replacement_of(appointment):
        return
    account.charge.lines.append(charge_line(appointment, FeeKind.DISCOUNT, -less, basis=CHEAPER_DOCTOR))
    appointment.fee_fen = to_fen
    session.flush()
    for payment in account.payments:
        amount = min(less, account.kept_fen(payment))
        less -= amount
        due_refund(
            session, account, payment, reason=RefundReason.PRICE_LOWERED, amount_fen=amount, now=now, cause=cause
        )
