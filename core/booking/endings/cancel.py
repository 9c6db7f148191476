"""Cancelling by the patient: the claim ends at once, the money and the number follow by their own jobs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.clinic.soon import settle_suspension_soon
from core.booking.clinic.suspended import AFFECTED, end_suspended
from core.booking.endings.ending import end_appointment, end_replacement
from core.booking.strikes.ledger import count_later
from core.dependents.granted import Use, note_uses
from core.payments.charge_account import lock_charge_account_for
from core.refusals import CancelDeadlinePassed, NotCancellable
from core.rights.access import AccessAction
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.grant import Scope
from models.schedule import SlotStatus
from models.states import Cause
from models.strike import StrikeKind


def cancel_appointment(
    session: Session, *, appointment_id: UUID, account_id: UUID, now: datetime, cause: Cause
) -> Appointment:
    """End one's own appointment, or another's under a grant to book. What was paid becomes due for return; an open
    prepay is closed before the number goes back on sale. With it ends whatever was to take its place and is not paid;
    of such a one alone the other way round, the old number stays. One whose clinic is suspended may be ended at any
    time, and one that the hospital has changed for as long as it says.

    Raises: NotFound, NotCancellable, CancelDeadlinePassed."""
    account, grant = lock_charge_account_for(session, appointment_id, account_id, scope=Scope.BOOK, now=now)
    appointment = next(one for one in account.appointments if one.id == appointment_id)
    suspended = appointment.status in AFFECTED and account.slots[appointment.slot_id].status is SlotStatus.SUSPENDED
    freely = suspended or appointment.may_leave_freely(now=now)
    if not freely:
        _refuse_unless_cancellable(appointment, now=now)
    end_replacement(session, account, appointment, why=CancelReason.PATIENT, now=now, cause=cause)
    was_booked = appointment.status is AppointmentStatus.BOOKED
    if suspended:
        end_suspended(session, account, appointment, now=now, cause=cause)
        settle_suspension_soon(session, appointment.schedule_id, now=now)
    else:
        why = CancelReason.SUSPENDED if freely else CancelReason.PATIENT  # by the hospital's doing: it never counts
        end_appointment(session, account, appointment, why=why, now=now, cause=cause)
    if was_booked and not freely:
        count_later(session, appointment, StrikeKind.CANCEL, now=now)
    if grant is not None:
        note_uses(session, [Use(grant, AccessAction.APPOINTMENT_CANCELLED, appointment.id)], now=now)
    return appointment


def _refuse_unless_cancellable(appointment: Appointment, *, now: datetime) -> None:
    if appointment.may_be_cancelled_by_patient(now=now):
        return
    if appointment.status is AppointmentStatus.BOOKED:
        raise CancelDeadlinePassed(cancel_before=appointment.cancel_before)
    raise NotCancellable(status=str(appointment.status))
