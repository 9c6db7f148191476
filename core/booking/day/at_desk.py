"""What the desk does on the day, by the number that a patient reads out or by their visit pass.

Every act names the operator, and the patient can read it. What was done already is done once.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.clinic.suspended import end_suspended
from core.booking.day.check_in import arrive, refuse_unless_in_time, refuse_unless_theirs, taking_place
from core.booking.day.not_me import decide, freeze
from core.booking.day.presumed import is_presumed_seen
from core.booking.day.queue import pass_over
from core.booking.day.visit_pass import read_visit_pass
from core.booking.endings.ending import end_appointment, end_replacement
from core.booking.follow_up.right import renew_after_suspension
from core.booking.strikes.ledger import count_later, lift, lift_of_seen
from core.payments.charge_account import ChargeAccount, lock_appointment_account
from core.refusals import CheckInRefused, NotCancellable
from core.rights.access import AccessAction, AccessPurpose, note_access
from core.tickets import Tickets
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.arrival import Arrival, ReportedBy
from models.errors import IllegalTransition, NotFound
from models.schedule import SlotStatus
from models.states import Cause
from models.strike import Lift, Strike, StrikeKind


def appointment_named(session: Session, tickets: Tickets, named: str, *, now: datetime) -> UUID:
    """By number, or by the code of a visit pass, however it was typed. Raises: NotFound, core.tickets.BadTicket."""
    named = "".join(unicodedata.normalize("NFKC", named).split())
    if not named.isdecimal():
        return read_visit_pass(session, tickets, named, now=now).id
    found = session.scalars(select(Appointment.id).where(Appointment.number == named)).one_or_none()
    if found is None:
        raise NotFound()
    return found


def check_in_at_desk(
    session: Session, *, appointment_id: UUID, operator: str, overrule: bool = False, now: datetime, cause: Cause
) -> Appointment:
    """They are there. The desk may `overrule` the window, and nothing else: nobody is seen where no clinic takes place.
    Whoever is there already stays there.

    Raises: NotFound, CheckInRefused, AppointmentFrozen, ScheduleSuspended, CheckInTooEarly, CheckInTooLate."""
    account, appointment = lock_appointment_account(session, appointment_id)
    if appointment.status is AppointmentStatus.ARRIVED:
        return appointment
    slot = account.slots[appointment.slot_id]
    refuse_unless_theirs(session, appointment)
    schedule = taking_place(session, appointment)
    if not overrule:
        refuse_unless_in_time(appointment, slot, schedule, now=now)
    arrive(session, appointment, slot, now=now, cause=cause)
    result = "overruled" if overrule else "done"
    _note(session, appointment, AccessAction.CHECKED_IN, operator, result=result, now=now)
    return appointment


def pass_number(session: Session, *, appointment_id: UUID, operator: str, now: datetime) -> Arrival:
    """Called in vain (过号). Raises: NotFound, CheckInRefused."""
    _, appointment = lock_appointment_account(session, appointment_id)
    arrival = pass_over(session, appointment, now=now)
    _note(session, appointment, AccessAction.PASSED_OVER, operator, result=f"passed {arrival.passed}", now=now)
    return arrival


def fulfil(session: Session, *, appointment_id: UUID, operator: str, now: datetime, cause: Cause) -> Appointment:
    """The doctor has seen them. Of a no-show it is the correction: they were there after all; of whom the clock took
    for seen it is the word that they were.

    Raises: NotFound, CheckInRefused."""
    _, appointment = lock_appointment_account(session, appointment_id)
    if appointment.status is AppointmentStatus.FULFILLED and not is_presumed_seen(session, appointment):
        return appointment
    if appointment.status is AppointmentStatus.NOSHOW:
        lift_of_seen(session, appointment, now=now)
    try:
        appointment.fulfil(session, at=now, cause=cause)
    except IllegalTransition as error:
        raise CheckInRefused(status=str(appointment.status)) from error
    _note(session, appointment, AccessAction.SEEN, operator, result="done", now=now)
    return appointment


def cancel_at_desk(
    session: Session, *, appointment_id: UUID, operator: str, now: datetime, cause: Cause
) -> Appointment:
    """After the deadline, or when they have arrived, only the desk takes a number back; of a suspended half day also
    from whom the clock took for seen. What was paid becomes due for return; what was cancelled stays cancelled.

    Raises: NotFound, NotCancellable."""
    account, appointment = lock_appointment_account(session, appointment_id)
    if appointment.status is AppointmentStatus.FULFILLED:
        _take_back_unseen(session, account, appointment, now=now, cause=cause)
        _note(session, appointment, AccessAction.CANCELLED_AT_DESK, operator, result="done", now=now)
    elif appointment.status is not AppointmentStatus.CANCELLED:
        freely = appointment.may_leave_freely(now=now)  # by the hospital's doing: it never counts
        # Who had come is not late, and whatever the desk takes back of them is not theirs to answer for.
        was_late = appointment.status is AppointmentStatus.BOOKED and now >= appointment.cancel_before and not freely
        _take_back(session, account, appointment, freely=freely, now=now, cause=cause)
        if was_late:
            count_later(session, appointment, StrikeKind.LATE_CANCEL, now=now)
        _note(session, appointment, AccessAction.CANCELLED_AT_DESK, operator, result="done", now=now)
    return appointment


def report_at_desk(session: Session, *, appointment_id: UUID, operator: str, now: datetime, cause: Cause) -> bool:
    """The document that the desk was shown is not that of whom the number names (L-24). Raises: NotFound."""
    frozen = freeze(session, appointment_id, by=ReportedBy.DESK, now=now, cause=cause)
    appointment = session.get_one(Appointment, appointment_id)
    result = "frozen" if frozen else "unchanged"
    _note(session, appointment, AccessAction.NOT_ME_REPORTED, operator, result=result, now=now)
    return frozen


def decide_at_desk(
    session: Session, *, appointment_id: UUID, confirmed: bool, operator: str, now: datetime, cause: Cause
) -> bool:
    """True, and the number is taken back; or not, and it is as good as before. Whether there was anything to decide.

    Raises: NotFound, NotCancellable where the claim cannot be ended."""
    account, appointment = lock_appointment_account(session, appointment_id)
    if not decide(session, appointment_id, confirmed=confirmed, now=now):
        return False
    if confirmed and appointment.status is not AppointmentStatus.CANCELLED:
        _take_back(session, account, appointment, now=now, cause=cause)
    result = "confirmed" if confirmed else "cleared"
    _note(session, appointment, AccessAction.NOT_ME_DECIDED, operator, result=result, now=now)
    return True


def lift_at_desk(session: Session, *, appointment_id: UUID, operator: str, now: datetime, cause: Cause) -> bool:
    """The hospital has heard the patient, and the strike of this appointment counts no longer; an open appeal is
    granted by it. Whether there is one.

    Raises: NotFound."""
    appointment = session.get(Appointment, appointment_id)
    if appointment is None:
        raise NotFound()
    strike = session.scalars(select(Strike).where(Strike.appointment_id == appointment_id)).one_or_none()
    if strike is None:
        return False
    lift(session, strike, Lift.APPEAL, now=now, cause=cause)
    _note(session, appointment, AccessAction.STRIKE_LIFTED, operator, result="lifted", now=now)
    return True


def _take_back_unseen(
    session: Session, account: ChargeAccount, appointment: Appointment, *, now: datetime, cause: Cause
) -> None:
    """Nobody is seen in a clinic that did not take place. Raises: NotCancellable where it did, or somebody was seen."""
    suspended = account.slots[appointment.slot_id].status is SlotStatus.SUSPENDED
    if not suspended or not is_presumed_seen(session, appointment):
        raise NotCancellable(status=str(appointment.status))
    end_replacement(session, account, appointment, why=CancelReason.ERROR, now=now, cause=cause)
    end_suspended(session, account, appointment, now=now, cause=cause)
    renew_after_suspension(session, appointment)


def _take_back(
    session: Session,
    account: ChargeAccount,
    appointment: Appointment,
    *,
    freely: bool = False,
    now: datetime,
    cause: Cause,
) -> None:
    """An unpaid number is the patient's own to cancel; of the desk it is an error of ours that it is there."""
    pending = appointment.status is AppointmentStatus.PENDING
    why = CancelReason.ERROR if pending else CancelReason.SUSPENDED if freely else CancelReason.DESK
    try:
        end_replacement(session, account, appointment, why=CancelReason.ERROR, now=now, cause=cause)
        end_appointment(session, account, appointment, why=why, now=now, cause=cause)
    except IllegalTransition as error:
        raise NotCancellable(status=str(appointment.status)) from error


def _note(
    session: Session, appointment: Appointment, action: AccessAction, operator: str, *, result: str, now: datetime
) -> None:
    note_access(
        session,
        actor=operator,
        action=action,
        purpose=AccessPurpose.VISIT,
        dependent_id=appointment.dependent_id,
        result=result,
        facts={"appointment_id": str(appointment.id)},
        now=now,
    )
