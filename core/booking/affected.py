"""Whoever has a number of a suspended half day: their appointments end one by one, and their money goes back.

No strike follows from it: the reason is `suspended`, whoever would have come late or not at all. Whoever is at the
hospital already (arrived) is left to the desk, which alone can end such an appointment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from core.booking.ending import end_appointment
from core.jobs.queue import LeasedJob, enqueue
from core.payments.charge_account import ChargeAccount, lock_charge_account
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.charge import ChargeLine
from models.payment import Payment, PaymentStatus, RefundReason
from models.schedule import Schedule, ScheduleStatus
from models.states import Actor, Cause, CauseKind

SETTLE = "settle_suspension"
_AT_ONCE = 25
"""So many appointments in one go: all of them take less time than the job's lease."""
AFFECTED = frozenset({AppointmentStatus.PENDING, AppointmentStatus.BOOKED})


@dataclass(frozen=True)
class Counts:
    """Whose plans an act of the hospital touches: appointments by their state, and what was paid for those to come."""

    appointments: Mapping[str, int]
    paid_fen: int


def count_affected(session: Session, schedule_id: UUID) -> Counts:
    states = session.execute(
        select(Appointment.status, func.count())
        .where(Appointment.schedule_id == schedule_id)
        .group_by(Appointment.status)
        .order_by(Appointment.status)
    )
    affected = and_(Appointment.schedule_id == schedule_id, Appointment.status.in_(AFFECTED))
    paid = select(Payment.charge_id).where(Payment.status == PaymentStatus.SUCCEEDED)
    fees = select(func.sum(ChargeLine.amount_fen)).where(
        ChargeLine.appointment_id.in_(select(Appointment.id).where(affected)),
        ChargeLine.voided_at.is_(None),
        ChargeLine.charge_id.in_(paid),
    )
    return Counts({str(status): count for status, count in states}, session.scalar(fees) or 0)


def settle_soon(session: Session, schedule_id: UUID, *, now: datetime) -> None:
    """Have a job look after everybody who has a number of a suspended half day."""
    of = str(schedule_id)
    enqueue(session, SETTLE, run_at=now, now=now, dedup=f"{SETTLE}:{of}", schedule_id=of)


def unsettled() -> ColumnElement[bool]:
    """Appointments that suspending has yet to end."""
    suspended = select(Schedule.id).where(Schedule.status == ScheduleStatus.SUSPENDED)
    return and_(Appointment.status.in_(AFFECTED), Appointment.schedule_id.in_(suspended))


def settle_suspension(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """End them in the order in which they were booked, and come back for the rest."""
    schedule_id = UUID(job.payload["schedule_id"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    waiting = workbench.transactions.read(partial(_waiting, schedule_id=schedule_id))
    for charge_id, appointment_id in waiting[:_AT_ONCE]:
        workbench.transactions.write(partial(_settle, charge_id=charge_id, appointment_id=appointment_id, cause=cause))
    return workbench.transactions.clock.now() if len(waiting) > _AT_ONCE else None


def _waiting(session: Session, _now: datetime, *, schedule_id: UUID) -> list[tuple[UUID, UUID]]:
    rows = session.execute(
        select(Appointment.charge_id, Appointment.id)
        .where(Appointment.schedule_id == schedule_id, unsettled())
        .order_by(Appointment.id)
        .limit(_AT_ONCE + 1)
    )
    return [(charge_id, appointment_id) for charge_id, appointment_id in rows]


def _settle(session: Session, now: datetime, *, charge_id: UUID, appointment_id: UUID, cause: Cause) -> None:
    account = lock_charge_account(session, charge_id)
    appointment = next(one for one in account.appointments if one.id == appointment_id)
    if appointment.status not in AFFECTED:
        return  # ended meanwhile, or at the hospital by now
    status = session.scalar(select(Schedule.status).where(Schedule.id == appointment.schedule_id))
    if status is ScheduleStatus.SUSPENDED:
        end_suspended(session, account, appointment, now=now, cause=cause)


def end_suspended(
    session: Session, account: ChargeAccount, appointment: Appointment, *, now: datetime, cause: Cause
) -> None:
    """The claim ends, what was paid becomes due for return, and an open prepay is closed. The number stays suspended.

    Raises: IllegalTransition."""
    why, refund = CancelReason.SUSPENDED, RefundReason.SUSPENDED
    end_appointment(session, account, appointment, why=why, refund=refund, now=now, cause=cause)
