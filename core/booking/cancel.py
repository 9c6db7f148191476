"""Cancelling by the patient: the claim ends at once, the money and the number follow by their own jobs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.release import let_slot_go
from core.notices.write import tell
from core.payments.charge_account import ChargeAccount, lock_own_charge_account
from core.payments.refunds import due_refund
from core.refusals import CancelDeadlinePassed, NotCancellable
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.notice import NoticeKind
from models.payment import RefundReason
from models.states import Cause


def cancel_appointment(
    session: Session, *, appointment_id: UUID, account_id: UUID, now: datetime, cause: Cause
) -> Appointment:
    """End one's own appointment. What was paid becomes due for return; an open prepay is closed before the number
    goes back on sale.

    Raises: NotFound, NotCancellable, CancelDeadlinePassed."""
    account = lock_own_charge_account(session, appointment_id, account_id)
    appointment = next(one for one in account.appointments if one.id == appointment_id)
    _refuse_unless_cancellable(appointment, now=now)
    appointment.cancel(session, why=CancelReason.PATIENT, at=now, cause=cause)
    account.charge.void(appointment.id, at=now)
    _give_money_back(session, account, now=now, cause=cause)
    let_slot_go(session, account, appointment, now=now, cause=cause)
    tell(session, NoticeKind.APPOINTMENT_CANCELLED, appointment, now=now, reason=CancelReason.PATIENT)
    return appointment


def _refuse_unless_cancellable(appointment: Appointment, *, now: datetime) -> None:
    if appointment.may_be_cancelled_by_patient(now=now):
        return
    if appointment.status is AppointmentStatus.BOOKED:
        raise CancelDeadlinePassed(cancel_before=appointment.cancel_before)
    raise NotCancellable(status=str(appointment.status))


def _give_money_back(session: Session, account: ChargeAccount, *, now: datetime, cause: Cause) -> None:
    for payment in account.payments:
        due_refund(session, account, payment, reason=RefundReason.CANCELLED, now=now, cause=cause)
