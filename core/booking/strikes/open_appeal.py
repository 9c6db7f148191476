"""The open appeal of a strike, and its end. Whoever calls holds the person: all that is done to a strike or its appeal
is done under that lock."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from core.locks import lock_charge
from core.notices.write import tell
from models.account import Account
from models.appointment import Appointment
from models.notice import NoticeKind
from models.states import Cause
from models.strike import AppealStatus, Lift, Strike, StrikeAppeal


def appeal_of(session: Session, strike_id: UUID) -> StrikeAppeal | None:
    query = select(StrikeAppeal).where(StrikeAppeal.strike_id == strike_id).execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def open_appeal(session: Session, strike_id: UUID) -> StrikeAppeal | None:
    found = appeal_of(session, strike_id)
    return found if found is not None and found.status is AppealStatus.OPEN else None


def grant_open(session: Session, strike: Strike, why: Lift, *, now: datetime, cause: Cause) -> None:
    """The strike is lifted: nothing is left to decide."""
    appeal = open_appeal(session, strike.id)
    if appeal is not None:
        appeal.grant(session, reason=str(why), at=now, cause=cause)
        tell_decided(session, strike, appeal, now=now)


def tell_decided(session: Session, strike: Strike, appeal: StrikeAppeal, *, now: datetime) -> None:
    appointment = heard_by(session, strike)
    if appointment is not None:
        reason, subject = str(appeal.status), str(appeal.id)
        tell(session, NoticeKind.APPEAL_DECIDED, appointment, now=now, reason=reason, subject=subject)


def heard_by(session: Session, strike: Strike) -> Appointment | None:
    """The appointment, whose account is told of it; None once that one is closed. With its charge locked, which holds
    the account still: nobody closes it or joins it to another meanwhile."""
    appointment = session.get_one(Appointment, strike.appointment_id)
    lock_charge(session, appointment.charge_id)
    session.refresh(appointment)
    account = session.get_one(Account, appointment.account_id, populate_existing=True)
    return appointment if account.closed_at is None else None


def forget_appeals(session: Session, of_appointments: ColumnElement[bool]) -> None:
    """What was said in the appeals of these appointments; that there were appeals stays with their strikes."""
    strikes = select(Strike.id).join(Appointment, Appointment.id == Strike.appointment_id).where(of_appointments)
    said = StrikeAppeal.strike_id.in_(strikes)
    session.execute(update(StrikeAppeal).where(said).values(text_sealed=None, answer_sealed=None))
