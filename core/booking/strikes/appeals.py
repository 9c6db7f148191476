"""Appeals against strikes (rules.md 2.6; PIPL 24): said once, in the app, and answered by somebody within two working
days. Where the hospital is slower, the strike does not count until it has answered.

All of it goes under the person's lock, as whatever is done to strikes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.booking.strikes.ledger import lift, work_out
from core.booking.strikes.open_appeal import appeal_of, heard_by, open_appeal, tell_decided
from core.booking.strikes.refusals import AlreadyAppealed, NotAppealable
from core.catalog.calendar import WorkCalendar
from core.clock import HOSPITAL_ZONE, hospital_day
from core.jobs.queue import LeasedJob, enqueue
from core.locks import lock_account, lock_person
from core.rights.access import AccessAction, AccessPurpose, note_access
from core.workbench import Workbench
from models.appointment import Appointment
from models.base import new_id
from models.errors import FieldError, NotFound, ValidationFailed
from models.hospital import Hospital
from models.person import Person
from models.sealing import Vault
from models.states import Cause
from models.strike import AppealStatus, Lift, Strike, StrikeAppeal

PAUSE = "pause_strike"
WORKING_DAYS = 2
"""Within which a hospital answers."""


def own_strike(session: Session, *, account_id: UUID, strike_id: UUID) -> Strike:
    """Of what this account booked: whatever another account booked for the person is told to that one alone.

    Raises: NotFound."""
    query = select(Strike).join(Appointment, Appointment.id == Strike.appointment_id)
    found = session.scalars(query.where(Strike.id == strike_id, Appointment.account_id == account_id)).one_or_none()
    if found is None:
        raise NotFound()
    return found


def may_appeal(session: Session, *, account_id: UUID, person_id: UUID, hospital_id: UUID, platform_wide: bool) -> bool:
    """Whether the account has a strike of this human being left to appeal against, of those that count there; those of
    other hospitals do where it says so, `platform_wide`."""
    here = Strike.hospital_id == hospital_id
    left = select(Strike.id).join(Appointment, Appointment.id == Strike.appointment_id)
    left = left.join(Person, Person.id == Strike.person_id)
    left = left.outerjoin(StrikeAppeal, StrikeAppeal.strike_id == Strike.id).where(
        Appointment.account_id == account_id,
        func.coalesce(Person.alias_of_id, Person.id) == person_id,
        or_(here, Strike.platform_wide) if platform_wide else here,
        Strike.lifted_at.is_(None),
        StrikeAppeal.id.is_(None),
    )
    return session.scalar(select(left.exists())) is True


def file_appeal(
    session: Session, *, account_id: UUID, strike_id: UUID, text: str, vault: Vault, now: datetime, cause: Cause
) -> StrikeAppeal:
    """The hospital hears what the patient says of the strike.

    Raises: NotFound, ValidationFailed, NotAppealable, AlreadyAppealed."""
    said = unicodedata.normalize("NFC", text.strip())
    if not said:
        raise ValidationFailed(FieldError("#/text", "empty"))
    lock_account(session, account_id)
    strike = own_strike(session, account_id=account_id, strike_id=strike_id)
    lock_person(session, strike.person_id)
    session.refresh(strike)
    if appeal_of(session, strike_id) is not None:
        raise AlreadyAppealed()
    if strike.lifted_at is not None:
        raise NotAppealable()
    decide_by = answer_due(WorkCalendar.read(session), now=now)
    appeal = StrikeAppeal(id=new_id(), hospital_id=strike.hospital_id, strike_id=strike_id, decide_by=decide_by)
    appeal.file(session, vault, said, at=now, cause=cause)
    session.flush()
    enqueue(session, PAUSE, run_at=decide_by, now=now, dedup=f"{PAUSE}:{strike_id}", strike_id=str(strike_id))
    return appeal


def answer_due(calendar: WorkCalendar, *, now: datetime) -> datetime:
    """The end of the second working day after the one on which it was filed; half-open."""
    last = calendar.working_days_after(hospital_day(now), WORKING_DAYS)
    return datetime.combine(last + timedelta(days=1), time(), HOSPITAL_ZONE)


def pause_strike(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """Nobody has answered in time: it does not count until somebody has."""
    strike_id = UUID(job.payload["strike_id"])

    def step(session: Session, now: datetime) -> datetime | None:
        strike = session.get(Strike, strike_id)
        if strike is None:
            return None
        person_id = lock_person(session, strike.person_id).id
        session.refresh(strike)
        appeal = open_appeal(session, strike_id)
        if appeal is None or now < appeal.decide_by:
            return None if appeal is None else appeal.decide_by
        strike.pause(at=now)
        session.flush()
        work_out(session, person_id, strike)
        return None

    return workbench.transactions.write(step)


def strike_named(session: Session, named: str) -> UUID:
    """By its id, or by the number of the appointment that it is about. Raises: NotFound."""
    query = select(Strike.id).join(Appointment, Appointment.id == Strike.appointment_id)
    try:
        query = query.where(Appointment.number == named if named.isdecimal() else Strike.id == UUID(named))
    except ValueError:
        raise NotFound() from None
    found = session.scalars(query).one_or_none()
    if found is None:
        raise NotFound()
    return found


@dataclass(frozen=True)
class Decision:
    """What the hospital says of an appeal, and who said it."""

    granted: bool
    answer: str
    operator: str


def decide_appeal(
    session: Session, *, strike_id: UUID, decision: Decision, vault: Vault, now: datetime, cause: Cause
) -> bool:
    """Granted, the strike is lifted; rejected, it counts as before. Whether it was still to be decided: deciding the
    same once more changes nothing.

    Raises: NotFound where nobody appealed, NotAppealable where it was decided otherwise."""
    strike = session.get(Strike, strike_id)
    if strike is None:
        raise NotFound()
    person_id = lock_person(session, strike.person_id).id
    session.refresh(strike)
    appeal = appeal_of(session, strike_id)
    if appeal is None:
        raise NotFound()
    if appeal.status is not AppealStatus.OPEN:
        if (appeal.status is AppealStatus.GRANTED) != decision.granted:
            raise NotAppealable(status=str(appeal.status))
        return False
    if heard_by(session, strike) is not None:
        appeal.seal_answer(vault, decision.answer)
    if decision.granted:
        lift(session, strike, Lift.APPEAL, now=now, cause=cause)
    else:
        appeal.reject(session, at=now, cause=cause)
        strike.resume()
        session.flush()
        work_out(session, person_id, strike)
        tell_decided(session, strike, appeal, now=now)
    _note(session, strike, AccessAction.APPEAL_DECIDED, decision.operator, result=str(appeal.status), now=now)
    session.flush()
    return True


@dataclass(frozen=True)
class OpenAppeal:
    """One to be decided, as whoever decides it reads it. `text` is None where its writer has left since."""

    number: str
    strike: Strike
    appeal: StrikeAppeal
    text: str | None


def read_open_appeals(
    session: Session, *, hospital_code: str | None, limit: int, operator: str, vault: Vault, now: datetime
) -> list[OpenAppeal]:
    """Those that are due first come first. That the operator has read each is noted.

    Raises: NotFound where no hospital has that code."""
    query = (
        select(Appointment.number, Strike, StrikeAppeal)
        .join(Strike, Strike.appointment_id == Appointment.id)
        .join(StrikeAppeal, StrikeAppeal.strike_id == Strike.id)
        .where(StrikeAppeal.status == AppealStatus.OPEN)
        .order_by(StrikeAppeal.decide_by, StrikeAppeal.id)
        .limit(limit)
    )
    if hospital_code is not None:
        hospital_id = session.scalar(select(Hospital.id).where(Hospital.code == hospital_code))
        if hospital_id is None:
            raise NotFound()
        query = query.where(Strike.hospital_id == hospital_id)
    found = [
        OpenAppeal(number, strike, appeal, appeal.text(vault)) for number, strike, appeal in session.execute(query)
    ]
    for one in found:
        _note(session, one.strike, AccessAction.APPEAL_READ, operator, result="shown", now=now)
    return found


def _note(session: Session, strike: Strike, action: AccessAction, operator: str, *, result: str, now: datetime) -> None:
    dependent_id = session.get_one(Appointment, strike.appointment_id).dependent_id
    note_access(
        session,
        actor=operator,
        action=action,
        purpose=AccessPurpose.OWN_REQUEST,
        dependent_id=dependent_id,
        result=result,
        facts={"strike_id": str(strike.id)},
        now=now,
    )
