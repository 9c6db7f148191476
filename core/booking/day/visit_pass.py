"""The visit pass: a signed code that the desk reads, good for minutes and of no use to anybody else."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import segno
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.refusals import NotPayable
from core.rights.access import AccessAction, AccessPurpose, note_access
from core.tickets import Tickets
from models.appointment import Appointment, AppointmentStatus
from models.errors import NotFound

PURPOSE = "visit_pass"
GOOD_FOR = timedelta(minutes=5)


@dataclass(frozen=True)
class VisitPass:
    """`qr_svg` is a whole SVG document of the code."""

    code: str
    qr_svg: str
    expires_at: datetime


def issue_visit_pass(
    session: Session, tickets: Tickets, *, appointment_id: UUID, account_id: UUID, now: datetime
) -> VisitPass:
    """A fresh pass for one's own booked appointment. Raises: NotFound, NotPayable while it is not booked."""
    appointment = session.scalars(
        select(Appointment).where(Appointment.id == appointment_id, Appointment.account_id == account_id)
    ).one_or_none()
    if appointment is None or appointment.status is AppointmentStatus.CANCELLED:
        raise NotFound()
    if appointment.status is AppointmentStatus.PENDING:
        raise NotPayable()
    expires_at = (now + GOOD_FOR).replace(microsecond=0)
    code = tickets.issue(PURPOSE, appointment.id, expires_at=expires_at)
    return VisitPass(code=code, qr_svg=_qr(code), expires_at=expires_at)


def read_visit_pass(session: Session, tickets: Tickets, code: str, *, now: datetime) -> Appointment:
    """The appointment behind a pass shown at the desk. Raises: core.tickets.BadTicket, NotFound."""
    appointment = session.get(Appointment, tickets.subject(PURPOSE, code, now=now))
    if appointment is None:
        raise NotFound()
    return appointment


def check_visit_pass(session: Session, tickets: Tickets, code: str, *, operator: str, now: datetime) -> Appointment:
    """The same for an operator; the patient can read that it was shown. Raises: core.tickets.BadTicket, NotFound."""
    appointment = read_visit_pass(session, tickets, code, now=now)
    note_access(
        session,
        actor=operator,
        action=AccessAction.PASS_CHECKED,
        purpose=AccessPurpose.VISIT,
        dependent_id=appointment.dependent_id,
        facts={"appointment_id": str(appointment.id)},
        now=now,
    )
    return appointment


def _qr(code: str) -> str:
    out = io.BytesIO()
    segno.make(code, error="m", micro=False).save(out, kind="svg", scale=4, border=4)
    return out.getvalue().decode()
