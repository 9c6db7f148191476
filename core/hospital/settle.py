"""One job for each appointment that its hospital must agree to: note what we are about to ask, call, write the answer
down, and come back until nothing is left to be said.

Whatever changed, a payment, a cancellation, an end of a hold, makes the same job due: what to ask follows from where
both stand. A call that is under way is waited for, and an answer that comes after another call decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.hospital.follow import follow_claim, note_answer, note_refusal
from core.hospital.orders import Asked, read_asked, with_record
from core.hospital.soon import settle_soon
from core.hospital.steps import next_step, waits_until
from core.jobs.queue import LeasedJob, backoff
from core.payments.charge_account import ChargeAccount, lock_charge_account
from core.ports import HospitalAnswer, HospitalRefused, HospitalSystem, ProviderError, ProviderUnavailable
from core.registry import NotConfigured
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus
from models.hospital_claim import ClaimStep, HospitalClaim
from models.states import Actor, Cause, CauseKind

log = structlog.get_logger()

_MOST_AT_ONCE = 4
_LOOK_AGAIN = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(minutes=2)
_TOO_LONG = timedelta(minutes=30)


@dataclass(frozen=True)
class _Call:
    """A call that was noted: which one it is of its claim, and what it says."""

    number: int
    step: ClaimStep
    asked: Asked


def settle_claim(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """Speak to the hospital until nothing is left to be said for now."""
    appointment_id = UUID(job.payload["appointment_id"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    for _ in range(_MOST_AT_ONCE):
        taken = workbench.transactions.write(
            lambda session, now: _take_up(session, workbench, appointment_id, now=now, cause=cause)
        )
        if not isinstance(taken, _Call):
            return taken
        told = _speak(workbench, taken)
        again_at = _write_down(workbench, appointment_id, taken, told, cause=cause)
        if again_at is None or again_at > workbench.transactions.clock.now():
            return again_at
    return workbench.transactions.clock.now()


def _take_up(
    session: Session, workbench: Workbench, appointment_id: UUID, *, now: datetime, cause: Cause
) -> _Call | datetime | None:
    """Note the call. When to come back where another one is under way, None where there is nothing to say."""
    found = _lock(session, appointment_id)
    if found is None:
        return None
    account, appointment, claim = found
    under_way = claim.call_ends_at(now=now)
    if under_way is not None:
        return min(under_way, now + _LOOK_AGAIN)
    if claim.calling not in {None, ClaimStep.ASK}:  # whoever called is gone, and took the answer along
        claim.lost_sight(session, at=now, cause=cause, reason="no_answer")
        claim.end_call()
    follow_claim(session, account, appointment, None, now=now, cause=cause)
    step = next_step(account, appointment)
    if step is None:
        return _comes_back(appointment, now=now)
    claim.begin_call(step, at=now)
    return _Call(claim.calls, step, read_asked(session, workbench.vault, account, appointment, step))


def _lock(session: Session, appointment_id: UUID) -> tuple[ChargeAccount, Appointment, HospitalClaim] | None:
    charge_id = session.scalar(select(Appointment.charge_id).where(Appointment.id == appointment_id))
    if charge_id is None:
        return None
    account = lock_charge_account(session, charge_id)
    appointment = next(one for one in account.appointments if one.id == appointment_id)
    return account, appointment, account.claims[appointment_id]


def _comes_back(appointment: Appointment, *, now: datetime) -> datetime | None:
    """A number that is held and unpaid is looked at again by its end; a cap that is far away is kept all the same."""
    waits = appointment.status is AppointmentStatus.PENDING and appointment.awaiting_hospital
    return max(waits_until(appointment), now + _LONGEST_PAUSE) if waits else None


def _speak(workbench: Workbench, call: _Call) -> HospitalAnswer | ProviderError:
    try:
        system = workbench.adapters.hospital_system(call.asked.system)
        return _ask(workbench, system, call)
    except ProviderError as error:
        if isinstance(error, NotConfigured):
            log.warning("hospital_not_configured", system=call.asked.system, claim=call.asked.claim, alarm=True)
        return error


def _ask(workbench: Workbench, system: HospitalSystem, call: _Call) -> HospitalAnswer:
    """Raises: ProviderError."""
    asked = call.asked
    if call.step is ClaimStep.HOLD:
        return system.hold(with_record(workbench, system, asked))
    if call.step is ClaimStep.CONFIRM:
        return system.confirm(asked.claim, paid_fen=asked.paid_fen)
    if call.step is ClaimStep.RELEASE:
        return system.release(asked.claim)
    return system.ask(asked.claim)


def _write_down(
    workbench: Workbench,
    appointment_id: UUID,
    call: _Call,
    told: HospitalAnswer | ProviderError,
    *,
    cause: Cause,
) -> datetime | None:
    return workbench.transactions.write(
        lambda session, now: _note(session, appointment_id, call, told, now=now, cause=cause)
    )


def _note(
    session: Session,
    appointment_id: UUID,
    call: _Call,
    told: HospitalAnswer | ProviderError,
    *,
    now: datetime,
    cause: Cause,
) -> datetime | None:
    found = _lock(session, appointment_id)
    if found is None:
        return None
    account, appointment, claim = found
    if claim.calls != call.number:
        log.info("hospital_answered_late", claim=call.asked.claim, step=call.step)
        return now
    claim.end_call()
    was, answer = claim.status, told if isinstance(told, HospitalAnswer) else None
    if answer is not None:
        note_answer(session, claim, answer, now=now, cause=cause)
    elif isinstance(told, HospitalRefused):
        note_refusal(session, claim, call.step, told, now=now, cause=cause)
    elif isinstance(told, ProviderUnavailable) and told.sent and call.step is not ClaimStep.ASK:
        claim.lost_sight(session, at=now, cause=cause, reason="no_answer")
    follow_claim(session, account, appointment, answer, now=now, cause=cause)
    if claim.status is not was:
        for one in account.waits_with(appointment):
            if one is not appointment:
                settle_soon(session, one, now=now)
    return _next_look(account, appointment, is_answered=answer is not None, now=now)


def _next_look(
    account: ChargeAccount, appointment: Appointment, *, is_answered: bool, now: datetime
) -> datetime | None:
    """At once where the hospital answered and more is to be said; else later, each time a little."""
    claim = account.claims[appointment.id]
    if next_step(account, appointment) is None:
        return _comes_back(appointment, now=now)
    if is_answered:
        return now
    if now - appointment.created_at > _TOO_LONG:
        log.warning("hospital_claim_not_settled", claim=str(claim.id), status=str(claim.status), alarm=True)
    return now + min(backoff(claim.calls), _LONGEST_PAUSE)
