"""Erasing what was kept of one dependent: at once, or when the last law that wants it has had its time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import and_, delete, func, select
from sqlalchemy.orm import Session

from core.booking.strikes.open_appeal import forget_appeals
from core.clock import hospital_day
from core.dependents.forget import documents_of, forget_documents, lock_with_documents
from core.dependents.granted import end_grants
from core.identity.health import forget_health
from core.identity.twins import rows_of, with_twins
from core.jobs.queue import LeasedJob
from core.locks import lock_dependents
from core.receipts.forget import forget_receipts
from core.rights.expire import delete_expired
from core.rights.retention import GIVEN_TO_HOSPITALS
from core.workbench import Workbench
from models.agreement import Agreement, AgreementEnd
from models.appointment import Appointment
from models.grant import EndedBy, Grant
from models.hospital_card import HospitalCard
from models.person import Dependent

_AT_ONCE = 100


def erase_dependents(session: Session, dependents: Iterable[Dependent], *, now: datetime) -> None:
    """Contact data, grants, cards and what was told of their health go at once. Name and document follow when no
    hospital was ever told of them, else three years after the last visit. Whoever was archived in favour of them goes
    with them. The caller holds the account and the dependents with their documents (`lock_with_documents`); they are
    nobody's twins."""
    _forget(session, [row for one in dependents for row in _erase_at_once(session, one, now=now)])
    session.flush()


def _erase_at_once(session: Session, dependent: Dependent, *, now: datetime) -> list[Dependent]:
    """The rows, with those of twins, of whom nothing else is kept either."""
    rows, ids = lock_dependents(session, with_twins([dependent.id])), rows_of(dependent)
    for row in rows:
        row.archived_at = row.archived_at or now
        row.is_default = False
        row.forget_contact()
    standing = select(Agreement).where(Agreement.dependent_id.in_(ids), Agreement.ended_at.is_(None))
    for agreement in session.scalars(standing):
        agreement.end(AgreementEnd.REMOVED, at=now)
    forget_health(session, dependent)  # its charges are locked before the grants
    theirs = and_(Appointment.account_id == dependent.account_id, Appointment.dependent_id.in_(ids))
    forget_receipts(session, theirs)
    forget_appeals(session, theirs)
    end_grants(session, Grant.dependent_id.in_(ids), by=EndedBy.REMOVED, now=now)
    session.execute(delete(HospitalCard).where(HospitalCard.dependent_id.in_(ids)))
    last = session.scalar(select(func.max(Appointment.visit_date)).where(theirs))
    today = hospital_day(now)
    until = None if last is None or GIVEN_TO_HOSPITALS.lasts is None else last + GIVEN_TO_HOSPITALS.lasts
    if until is None or until <= today:
        return rows
    for row in rows:
        row.erase_after = until
    return []


def erase_expired(workbench: Workbench, _job: LeasedJob) -> datetime | None:
    """Forget whom no law wants any more, and delete what was kept for a time that is over. Comes back at once while
    there are more; each step is a transaction of its own, so it can be stopped anywhere."""

    def step(session: Session, now: datetime) -> int:
        query = select(Dependent.id).where(Dependent.erase_after <= hospital_day(now)).order_by(Dependent.id)
        found = session.scalars(query.limit(_AT_ONCE)).all()
        _forget(session, lock_with_documents(session, Dependent.id.in_(found)))
        return len(found)

    more = workbench.transactions.write(step) == _AT_ONCE
    more |= workbench.transactions.write(lambda session, now: delete_expired(session, now=now))
    return workbench.transactions.clock.now() if more else None


def _forget(session: Session, dependents: Sequence[Dependent]) -> None:
    """Name, documents and birth; the documents themselves too, where no other account names them."""
    documents = documents_of(session, dependents)
    for one in dependents:
        one.forget_identity()
    forget_documents(session, documents)
