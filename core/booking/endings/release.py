"""Close before release: a number whose hold has ended stays held until its prepay is known to be closed.

A payment found on the way wins. Where the platform cannot be reached, the policy's cap ends the wait: the number is
let go, the payment stays `unknown` and is asked on, and money that comes after that is returned.
A freed number goes back on sale by a job of its own, never in the transaction that lets it go.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core.booking.endings.let_go import let_slot_go
from core.booking.endings.returning import return_slot_later
from core.jobs.queue import LeasedJob
from core.notices.write import tell
from core.payments.charge_account import ChargeAccount, lock_charge_account
from core.payments.close import close_at_platform
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.notice import NoticeKind
from models.payment import Payment
from models.schedule import SlotStatus, WithheldReason
from models.states import Actor, Cause, CauseKind

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(seconds=60)


def end_hold(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """The time to pay is over: close what is open, then let the number go. Comes back while the answer is unknown."""
    appointment_id = UUID(job.payload["appointment_id"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    charge_id = workbench.transactions.read(lambda session, _now: _charge_of(session, appointment_id))
    if charge_id is None:
        return None
    not_before = workbench.transactions.read(lambda session, now: _too_early(session, appointment_id, now))
    if not_before is not None:
        return not_before
    _close_while_waiting(workbench, charge_id, cause=cause, all_of_it=True)
    return workbench.transactions.write(
        lambda session, now: _end(session, appointment_id, charge_id, now=now, cause=cause)
    )


def _charge_of(session: Session, appointment_id: UUID) -> UUID | None:
    """The charge of a hold that is still open."""
    return session.scalar(
        select(Appointment.charge_id).where(
            Appointment.id == appointment_id, Appointment.status == AppointmentStatus.PENDING
        )
    )


def _too_early(session: Session, appointment_id: UUID, now: datetime) -> datetime | None:
    expires = session.scalar(select(Appointment.hold_expires_at).where(Appointment.id == appointment_id))
    return expires if expires is not None and now < expires else None


def _end(session: Session, appointment_id: UUID, charge_id: UUID, *, now: datetime, cause: Cause) -> datetime | None:
    account = lock_charge_account(session, charge_id)
    appointment = next(one for one in account.appointments if one.id == appointment_id)
    if appointment.status is not AppointmentStatus.PENDING or not appointment.awaiting_payment:
        return None
    if account.live_payments and _may_wait(appointment, now=now):
        return _look_again_at([appointment], since=appointment.hold_expires_at or now, now=now)
    _give_up_on(session, account.live_payments, now=now, cause=cause)
    suspended = account.slots[appointment.slot_id].status is SlotStatus.SUSPENDED
    why = CancelReason.SUSPENDED if suspended else CancelReason.PAYMENT_TIMEOUT
    appointment.cancel(session, why=why, at=now, cause=cause)
    account.charge.void(appointment.id, at=now)
    let_slot_go(session, account, appointment, now=now, cause=cause)
    tell(session, NoticeKind.APPOINTMENT_CANCELLED, appointment, now=now, reason=why)
    return None


def _look_again_at(waiting: list[Appointment], *, since: datetime, now: datetime) -> datetime:
    """The longer a platform has been silent, the longer until it is asked again: it may be down for many at once.
    The last look is at the cap itself, so that no number is kept past it."""
    pause = min(max((now - since) / 4, _FIRST_PAUSE), _LONGEST_PAUSE)
    return min([now + pause, *(one.close_by for one in waiting if one.close_by is not None)])


def _close_while_waiting(workbench: Workbench, charge_id: UUID, *, cause: Cause, all_of_it: bool) -> None:
    """Past the cap nothing is asked any more, so that ending holds does not wait for a platform that hangs."""
    waits = workbench.transactions.read(
        lambda session, now: [
            _may_wait(one, now=now)
            for one in session.scalars(select(Appointment).where(Appointment.charge_id == charge_id))
        ]
    )
    if any(waits):
        close_at_platform(workbench, charge_id, cause=cause, unwanted_only=not all_of_it)


def _may_wait(appointment: Appointment, *, now: datetime) -> bool:
    """Until the cap, the number waits for a platform that does not answer."""
    return appointment.close_by is not None and now < appointment.close_by


def _give_up_on(session: Session, payments: list[Payment], *, now: datetime, cause: Cause) -> None:
    for payment in payments:
        payment.lost_sight(session, at=now, cause=cause, reason="cap_passed")
        payment.let_go = True


def close_payments(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """Close every open prepay that its charge does not wait for: a claim has ended or is paid. Then let its withheld
    numbers go."""
    charge_id = UUID(job.payload["charge_id"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    _close_while_waiting(workbench, charge_id, cause=cause, all_of_it=False)
    return workbench.transactions.write(lambda session, now: _closed(session, charge_id, now=now, cause=cause))


def _closed(session: Session, charge_id: UUID, *, now: datetime, cause: Cause) -> datetime | None:
    account = lock_charge_account(session, charge_id)
    ended = [one for one in account.appointments if one.status is AppointmentStatus.CANCELLED]
    waiting = [one for one in account.appointments if _may_wait(one, now=now)]
    if account.unwanted_payments and waiting:
        return _look_again_at(waiting, since=min(one.ended_at or now for one in account.appointments), now=now)
    if ended:
        _give_up_on(session, account.unwanted_payments, now=now, cause=cause)
    closing = [one for one in ended if _is_closing(session, account, one)]
    for appointment in closing:
        _finish_closing(session, account, appointment, now=now, cause=cause)
    return None if all(account.is_over_there(one) for one in closing) else now + _LONGEST_PAUSE


def _is_closing(session: Session, account: ChargeAccount, appointment: Appointment) -> bool:
    slot = account.slots[appointment.slot_id]
    closing = slot.status is SlotStatus.WITHHELD and slot.withheld_reason is WithheldReason.CLOSING
    return closing and not _was_taken_since(session, appointment)


def _finish_closing(
    session: Session, account: ChargeAccount, appointment: Appointment, *, now: datetime, cause: Cause
) -> None:
    """Once the hospital's own system, if it has one, has let the number go too; what it keeps is not sold again."""
    slot = account.slots[appointment.slot_id]
    if account.is_kept_there(appointment):
        slot.suspend(session, at=now, cause=cause)
    elif account.is_over_there(appointment):
        return_slot_later(session, slot, appointment, now=now)


def _was_taken_since(session: Session, appointment: Appointment) -> bool:
    """Somebody had the number after this appointment: whatever it waits for now is not ours to end."""
    of_slot = (Appointment.schedule_id == appointment.schedule_id) & (Appointment.slot_id == appointment.slot_id)
    return bool(session.scalar(select(exists().where(of_slot, Appointment.id > appointment.id))))
