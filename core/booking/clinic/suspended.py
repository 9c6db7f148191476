"""The end of an appointment because its clinic does not take place, and the job that sees to all of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.endings.ending import end_appointment
from core.jobs.queue import enqueue
from core.payments.charge_account import ChargeAccount
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.payment import RefundReason
from models.states import Cause

SETTLE = "settle_suspension"
AFFECTED = frozenset({AppointmentStatus.PENDING, AppointmentStatus.BOOKED})


def settle_soon(session: Session, schedule_id: UUID, *, now: datetime) -> None:
    """Have a job look after everybody who has a number of a suspended half day."""
    of = str(schedule_id)
    enqueue(session, SETTLE, run_at=now, now=now, dedup=f"{SETTLE}:{of}", schedule_id=of)


def end_suspended(
    session: Session, account: ChargeAccount, appointment: Appointment, *, now: datetime, cause: Cause
) -> None:
    """The claim ends, what was paid becomes due for return, and an open prepay is closed. The number stays suspended,
    and offers that are still open are withdrawn by the job.

    Raises: IllegalTransition."""
    why, refund = CancelReason.SUSPENDED, RefundReason.SUSPENDED
    end_appointment(session, account, appointment, why=why, refund=refund, now=now, cause=cause)
