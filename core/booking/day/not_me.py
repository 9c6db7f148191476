"""«Not me» (rules.md L-24): somebody booked in another's name. Until the desk has decided, the appointment is frozen:
nobody checks in with it. It is cancelled only once the desk has seen that the report is true."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from core.booking.endings.ending import end_replacement
from core.dependents.agreed_by_me import proven_self
from core.locks import lock_account
from core.notices.write import tell
from core.payments.charge_account import lock_charge_account
from core.refusals import IdentityRequired
from core.rights.access import ONESELF, AccessAction, AccessPurpose, note_access
from models.appointment import OPEN, Appointment, CancelReason
from models.arrival import NotMeReport, ReportedBy
from models.base import new_id
from models.notice import NoticeKind
from models.person import IdentityLevel, Person
from models.states import Cause

log = structlog.get_logger()


def is_frozen(session: Session, appointment_id: UUID) -> bool:
    return bool(session.scalar(select(exists().where(*_open(appointment_id)))))


def report_not_me(session: Session, *, account_id: UUID, now: datetime, cause: Cause) -> int:
    """The account's holder says that what other accounts have booked in their name is not theirs: all of it is frozen.
    How many are frozen now by it.

    Raises: IdentityRequired where the holder was never present, since a name and a number are known to others."""
    lock_account(session, account_id)
    me = proven_self(session, account_id)
    if me is None:
        raise IdentityRequired(required_level=int(IdentityLevel.PRESENT))
    same = select(Person.id).where(or_(Person.id == me, Person.alias_of_id == me))
    query = select(Appointment.id).where(
        Appointment.person_id.in_(same), Appointment.status.in_(sorted(OPEN)), Appointment.account_id != account_id
    )
    found = list(session.scalars(query.order_by(Appointment.id)))
    frozen = [freeze(session, one, by=ReportedBy.ONESELF, now=now, cause=cause) for one in found]
    note_access(
        session,
        actor=ONESELF,
        action=AccessAction.NOT_ME_REPORTED,
        purpose=AccessPurpose.OWN_REQUEST,
        account_id=account_id,
        result="frozen",
        now=now,
    )
    return sum(frozen)


def freeze(session: Session, appointment_id: UUID, *, by: ReportedBy, now: datetime, cause: Cause) -> bool:
    """Until the desk decides. Whether it is by this; one that has ended meanwhile is left as it is. What was to take
    its place ends: nobody pays their way out of it.

    Raises: NotFound."""
    named = session.scalars(select(Appointment.charge_id).where(Appointment.id == appointment_id))
    account = lock_charge_account(session, named.one_or_none() or appointment_id)
    appointment = next(one for one in account.appointments if one.id == appointment_id)
    if appointment.status not in OPEN or is_frozen(session, appointment_id):
        return False
    report = NotMeReport(
        id=new_id(), hospital_id=appointment.hospital_id, appointment_id=appointment_id, by=by, reported_at=now
    )
    session.add(report)
    session.flush()
    end_replacement(session, account, appointment, why=CancelReason.ERROR, now=now, cause=cause)
    tell(session, NoticeKind.APPOINTMENT_FROZEN, appointment, now=now, subject=str(report.id))
    log.warning("appointment_frozen", appointment=str(appointment_id), by=str(by))
    return True


def decide(session: Session, appointment_id: UUID, *, confirmed: bool, now: datetime) -> bool:
    """What the desk found. Whether there was anything to decide. The caller holds the appointment."""
    report = session.scalars(select(NotMeReport).where(*_open(appointment_id))).one_or_none()
    if report is None:
        return False
    report.decided_at, report.confirmed = now, confirmed
    session.flush()
    return True


def _open(appointment_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return NotMeReport.appointment_id == appointment_id, NotMeReport.decided_at.is_(None)
