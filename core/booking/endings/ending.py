"""The end of an appointment, whoever ends it: the claim first, the money and the number by jobs of their own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from core.booking.clinic.offers import resume_offers
from core.booking.endings.let_go import let_slot_go
from core.notices.write import tell
from core.payments.charge_account import ChargeAccount
from core.payments.surplus import return_surplus
from models.appointment import Appointment, CancelReason
from models.notice import NoticeKind
from models.payment import RefundReason
from models.states import Cause


def end_appointment(
    session: Session,
    account: ChargeAccount,
    appointment: Appointment,
    *,
    why: CancelReason,
    refund: RefundReason = RefundReason.CANCELLED,
    now: datetime,
    cause: Cause,
) -> None:
    """What was paid for it becomes due for return, and the patient is told. Where it was to take the place of one whose
    clinic is suspended, whatever else is held for that can be had again. Raises: IllegalTransition."""
    appointment.cancel(session, why=why, at=now, cause=cause)
    account.charge.void(appointment.id, at=now)
    return_surplus(session, account, reason=refund, now=now, cause=cause)
    let_slot_go(session, account, appointment, now=now, cause=cause)
    tell(session, NoticeKind.APPOINTMENT_CANCELLED, appointment, now=now, reason=why)
    if appointment.beside_replaced:
        resume_offers(session, account, appointment, now=now)


def end_replacement(
    session: Session,
    account: ChargeAccount,
    appointment: Appointment,
    *,
    why: CancelReason,
    now: datetime,
    cause: Cause,
) -> None:
    """Whatever was to take its place and is not paid yet ends with it. Raises: IllegalTransition."""
    beside = account.replacement_of(appointment)
    if beside is not None:
        end_appointment(session, account, beside, why=why, now=now, cause=cause)
