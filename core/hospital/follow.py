"""What a hospital's word about one claim means for the appointment behind it, its money and its number.

Money last out, number last given back: first our claim ends, then the hospital's, then the refund is sent, and only
when the hospital has let the number go it is sold again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from core.booking.clinic.suspended import end_suspended
from core.booking.endings.ending import end_appointment
from core.booking.endings.let_go import make_sure
from core.hospital.steps import waits_until
from core.payments.charge_account import ChargeAccount
from core.payments.closing import close_soon
from core.payments.refunds import push_waiting
from core.ports import HospitalAnswer, HospitalRefusal, HospitalRefused, HospitalSays
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.hospital_claim import ClaimStep, HospitalClaim, HospitalClaimStatus
from models.schedule import SlotStatus
from models.states import Cause

log = structlog.get_logger()

_STATUS = {
    HospitalSays.NONE: HospitalClaimStatus.NONE,
    HospitalSays.HELD: HospitalClaimStatus.HELD,
    HospitalSays.CONFIRMED: HospitalClaimStatus.CONFIRMED,
    HospitalSays.RELEASED: HospitalClaimStatus.RELEASED,
    HospitalSays.REFUSED: HospitalClaimStatus.REFUSED,
}


def note_answer(session: Session, claim: HospitalClaim, answer: HospitalAnswer, *, now: datetime, cause: Cause) -> None:
    """Follow the hospital's word. Hearing the same again changes nothing."""
    said = _STATUS[answer.says]
    if said is claim.status:
        return
    if said not in claim.moves.get(claim.status, frozenset()):
        # Another state than the one it had after our last call: somebody at the hospital changed it by hand.
        log.warning("hospital_claim_out_of_order", claim=answer.claim, was=claim.status, said=said, alarm=True)
        claim.lost_sight(session, at=now, cause=cause, reason="out_of_order")
    if said is HospitalClaimStatus.HELD:
        claim.hold(session, at=now, cause=cause)
    elif said is HospitalClaimStatus.CONFIRMED:
        claim.confirm(session, number=answer.number, at=now, cause=cause)
    elif said is HospitalClaimStatus.RELEASED:
        claim.release(session, at=now, cause=cause)
    elif said is HospitalClaimStatus.REFUSED:
        claim.refuse(session, reason=answer.refusal or HospitalRefusal.OTHER, at=now, cause=cause)
    else:
        claim.never_arrived(session, at=now, cause=cause)


def note_refusal(
    session: Session, claim: HospitalClaim, step: ClaimStep, refused: HospitalRefused, *, now: datetime, cause: Cause
) -> None:
    """A request that was not in order decided nothing, and is sent again; so is a question that was refused. A number
    that the hospital keeps somebody must look at: it may have been used, and no money tells the desk."""
    alarm = refused.retryable or step is ClaimStep.RELEASE
    log.warning("hospital_refused", claim=str(claim.id), step=step, refusal=refused.code, alarm=alarm)
    if refused.retryable or step is ClaimStep.ASK:
        return
    if step is ClaimStep.RELEASE:
        claim.refusal, claim.kept = refused.reason, True
    else:
        claim.refuse(session, reason=refused.reason, at=now, cause=cause)


def follow_claim(
    session: Session,
    account: ChargeAccount,
    appointment: Appointment,
    answer: HospitalAnswer | None,
    *,
    now: datetime,
    cause: Cause,
) -> None:
    """Bring the appointment, its money and its number in line with the claim. `answer` is the newest, if any."""
    claim = account.claims[appointment.id]
    if appointment.status is AppointmentStatus.PENDING and appointment.awaiting_hospital:
        _decide(session, account, appointment, claim, answer, now=now, cause=cause)
    if appointment.status is AppointmentStatus.CANCELLED and claim.is_over:
        close_soon(session, account, now=now)  # the number waited for this, and the money
        push_waiting(session, account, now=now)


def _decide(
    session: Session,
    account: ChargeAccount,
    appointment: Appointment,
    claim: HospitalClaim,
    answer: HospitalAnswer | None,
    *,
    now: datetime,
    cause: Cause,
) -> None:
    slot, as_one = account.slots[appointment.slot_id], account.waits_with(appointment)
    if claim.status is HospitalClaimStatus.CONFIRMED and answer is not None:
        appointment.hospital_sequence = answer.sequence
    if claim.status in {HospitalClaimStatus.REFUSED, HospitalClaimStatus.RELEASED}:
        if claim.refusal == HospitalRefusal.TAKEN and slot.status is not SlotStatus.SUSPENDED:
            # Somebody else has it: on sale again, it would be refused to everybody after this one.
            slot.suspend(session, at=now, cause=cause)
        _end_all(session, account, as_one, why=CancelReason.HOSPITAL_REFUSED, now=now, cause=cause)
    elif not appointment.awaiting_payment and not account.may_take_its_place(appointment):
        _leave_the_old_one(session, account, appointment, now=now, cause=cause)
    elif all(account.claims[one.id].status is HospitalClaimStatus.CONFIRMED for one in as_one):
        for one in as_one:
            _agreed(session, account, one, now=now, cause=cause)
    elif not appointment.awaiting_payment and now >= _given_up_at(account, appointment):
        log.warning("hospital_did_not_answer", appointment=str(appointment.id), alarm=True)
        _end_all(session, account, as_one, why=CancelReason.ERROR, now=now, cause=cause)


def _given_up_at(account: ChargeAccount, appointment: Appointment) -> datetime:
    """No part of a bundle before another would be, though that may have ended: the hospital is asked to confirm it only
    once it is known whether that one is paid."""
    parts = [one for one in account.appointments if one.replaces_id is None]
    return max(map(waits_until, parts if appointment in parts else [appointment]))


def _agreed(session: Session, account: ChargeAccount, appointment: Appointment, *, now: datetime, cause: Cause) -> None:
    appointment.hospital_confirmed(session, sequence=appointment.hospital_sequence, at=now, cause=cause)
    if appointment.status is AppointmentStatus.BOOKED and not account.is_suspended(appointment):
        make_sure(session, account, appointment, now=now, cause=cause)


def _end_all(
    session: Session,
    account: ChargeAccount,
    appointments: Sequence[Appointment],
    *,
    why: CancelReason,
    now: datetime,
    cause: Cause,
) -> None:
    """A bundle is had whole or not at all: what the hospital has confirmed of it already is given back there."""
    for one in appointments:
        end_appointment(session, account, one, why=why, now=now, cause=cause)


def _leave_the_old_one(
    session: Session, account: ChargeAccount, appointment: Appointment, *, now: datetime, cause: Cause
) -> None:
    """It was to take the place of one that was used meanwhile; or its own clinic does not take place."""
    if account.slots[appointment.slot_id].status is SlotStatus.SUSPENDED:
        end_suspended(session, account, appointment, now=now, cause=cause)
    else:
        end_appointment(session, account, appointment, why=CancelReason.ERROR, now=now, cause=cause)
