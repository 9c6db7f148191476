"""What follows when a claim on a number has ended: its slot is let go, and what it was kept beside is the patient's.

The number is only marked here; a job puts it back on sale (`core/booking/endings/returning.py`).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from core.booking.clinic.soon import settle_suspension_soon
from core.booking.endings.returning import return_slot_later
from core.booking.waitlist.offers import follow_soon
from core.hospital.soon import settle_soon
from core.notices.write import tell
from core.payments.charge_account import ChargeAccount
from core.payments.closing import close_soon
from core.payments.surplus import return_surplus
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.notice import NoticeKind
from models.payment import RefundReason
from models.schedule import SlotStatus, WithheldReason
from models.states import Cause


def let_slot_go(
    session: Session, account: ChargeAccount, appointment: Appointment, *, now: datetime, cause: Cause
) -> None:
    """The claim on the slot has ended, and what is left of its bundle does not wait for it any more. While a prepay may
    still be paid, or the hospital's own system has the number, it stays withheld for their closing; else a job puts it
    back on sale after the policy's pause."""
    for one in (appointment, *account.awaiting_as_one):
        settle_soon(session, one, now=now)
    follow_soon(session, appointment, now=now)
    slot = account.slots[appointment.slot_id]
    if slot.status not in {SlotStatus.HELD, SlotStatus.BOOKED}:
        if account.unwanted_payments:
            close_soon(session, account, now=now)
        return  # suspended meanwhile: not ours to sell again
    if account.unwanted_payments or not account.is_over_there(appointment):
        slot.let_go(session, why=WithheldReason.CLOSING, at=now, cause=cause)
        close_soon(session, account, now=now)
    else:
        slot.let_go(session, why=WithheldReason.COOLING, at=now, cause=cause)
        return_slot_later(session, slot, appointment, now=now)


def make_sure(
    session: Session, account: ChargeAccount, appointment: Appointment, *, now: datetime, cause: Cause
) -> None:
    """Nothing is awaited any more: the number is the patient's. What it replaces is let go only now."""
    account.slots[appointment.slot_id].book(session, at=now, cause=cause)
    follow_soon(session, appointment, now=now)
    if not let_replaced_go(session, account, appointment, now=now, cause=cause):
        tell(session, NoticeKind.APPOINTMENT_BOOKED, appointment, now=now)


def let_replaced_go(
    session: Session, account: ChargeAccount, appointment: Appointment, *, now: datetime, cause: Cause
) -> bool:
    """`appointment` is sure now: the one whose place it takes ends, and what that one cost more goes back. Whether
    there was one; it may have ended by itself meanwhile. One whose clinic is suspended was lost, and not exchanged."""
    old = account.replaced_by(appointment)
    if old is None or not appointment.beside_replaced:
        return False
    was_booked, was_lost = old.status is AppointmentStatus.BOOKED, account.is_suspended(old)
    if was_booked:
        why = CancelReason.SUSPENDED if was_lost else CancelReason.RESCHEDULED
        old.cancel(session, why=why, at=now, cause=cause)
        account.charge.void(old.id, at=now)
        session.flush()  # the unique indexes see one of the two at every moment
    appointment.beside_replaced = False
    session.flush()
    if was_booked:
        let_slot_go(session, account, old, now=now, cause=cause)
        refund = RefundReason.SUSPENDED if was_lost else RefundReason.RESCHEDULED
        return_surplus(session, account, reason=refund, now=now, cause=cause)
        told = NoticeKind.APPOINTMENT_BOOKED if was_lost else NoticeKind.APPOINTMENT_RESCHEDULED
        tell(session, told, appointment, now=now)
        if was_lost:
            settle_suspension_soon(session, old.schedule_id, now=now)
    return was_booked
