"""The end of an appointment because its clinic does not take place."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from core.booking.endings.ending import end_appointment
from core.payments.charge_account import ChargeAccount
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.payment import RefundReason
from models.states import Cause

AFFECTED = frozenset({AppointmentStatus.PENDING, AppointmentStatus.BOOKED})
"""Whose visit is to come."""
TO_END = AFFECTED | {AppointmentStatus.NOSHOW}
"""Nobody misses a clinic that did not take place, whenever the hospital says so."""


def end_suspended(
    session: Session, account: ChargeAccount, appointment: Appointment, *, now: datetime, cause: Cause
) -> None:
    """The claim ends, what was paid becomes due for return, and an open prepay is closed. The number stays suspended,
    and offers that are still open are withdrawn by the job.

    Raises: IllegalTransition."""
    why, refund = CancelReason.SUSPENDED, RefundReason.SUSPENDED
    end_appointment(session, account, appointment, why=why, refund=refund, now=now, cause=cause)
