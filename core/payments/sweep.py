"""A second net under the job table: whatever is still open and has no job gets one again."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.jobs.queue import LeasedJob, enqueue
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus
from models.payment import LIVE_PAYMENT, Payment, Refund, RefundStatus
from models.platform import EventState, PlatformEvent

_PATIENCE = timedelta(minutes=2)
_AT_ONCE = 200


def sweep(workbench: Workbench, _job: LeasedJob) -> None:
    """Find holds past their end, payments and refunds nobody asks about, and messages nobody applied."""
    workbench.transactions.write(_sweep)


def _sweep(session: Session, now: datetime) -> None:
    late = now - _PATIENCE
    open_job = partial(enqueue, session, run_at=now, now=now, bring_forward=False)
    holds = select(Appointment.id).where(
        Appointment.status == AppointmentStatus.PENDING, Appointment.hold_expires_at < late
    )
    for one in session.scalars(holds.limit(_AT_ONCE)):
        open_job("end_hold", dedup=f"end_hold:{one}", appointment_id=str(one))
    payments = select(Payment.id).where(Payment.status.in_(LIVE_PAYMENT), Payment.created_at < late)
    for one in session.scalars(payments.limit(_AT_ONCE)):
        open_job("ask_payment", dedup=f"ask:{one}", payment_id=str(one))
    open_refund = [RefundStatus.DUE, RefundStatus.UNKNOWN, RefundStatus.PROCESSING, RefundStatus.ABNORMAL]
    refunds = select(Refund.id).where(Refund.status.in_(open_refund), Refund.created_at < late)
    for one in session.scalars(refunds.limit(_AT_ONCE)):
        open_job("push_refund", dedup=f"push_refund:{one}", refund_id=str(one))
    events = select(PlatformEvent.id).where(
        PlatformEvent.state == EventState.RECEIVED, PlatformEvent.received_at < late
    )
    for one in session.scalars(events.limit(_AT_ONCE)):
        open_job("apply_event", dedup=f"apply_event:{one}", platform_event_id=str(one))
