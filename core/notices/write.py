"""Notices are written in the transaction they tell of; sending them is a job of the channel."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.appointment import Appointment
from models.base import new_id
from models.notice import Notice, NoticeKind
from models.person import Dependent


def tell_of_dependent(
    session: Session, kind: NoticeKind, dependent: Dependent, *, now: datetime, subject: str | None = None
) -> None:
    """Write one notice about a dependent to its account, told once, or once for each subject."""
    dedup = f"{kind}:{dependent.id}" + (f":{subject}" if subject else "")
    notice = Notice(account_id=dependent.account_id, dependent_id=dependent.id, kind=kind, dedup=dedup)
    _tell_once(session, notice, now=now)


def tell(
    session: Session,
    kind: NoticeKind,
    appointment: Appointment,
    *,
    now: datetime,
    reason: str | None = None,
    subject: str | None = None,
) -> None:
    """Write one notice; the same news about the same subject is told once."""
    notice = Notice(
        account_id=appointment.account_id,
        appointment_id=appointment.id,
        kind=kind,
        reason=reason,
        dedup=f"{kind}:{subject or appointment.id}",
    )
    _tell_once(session, notice, now=now)


def _tell_once(session: Session, notice: Notice, *, now: datetime) -> None:
    if session.scalar(select(Notice.id).where(Notice.dedup == notice.dedup)) is not None:
        return
    notice.id, notice.created_at = new_id(), now
    session.add(notice)
