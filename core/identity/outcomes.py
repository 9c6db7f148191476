"""How an identity check ends, and what its dependent gains or loses by it. The caller holds the dependent's lock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core.identity.twins import with_twins
from core.locks import lock_dependents, lock_identity_check
from models.identity_check import FACE_METHODS, IdentityCheck, IdentityCheckStatus, IdentityMethod
from models.person import Dependent, IdentityLevel, IdentityStatus
from models.states import Cause

FACE_MATCHED = ("name", "id_number", "face")
DESK_MATCHED = ("name", "id_number", "document_seen", "holder_seen")
PHONE_MATCHED = ("phone",)
CONSENT_WITHDRAWN = "consent_withdrawn"


def pass_check(
    session: Session,
    check: IdentityCheck,
    dependent: Dependent,
    *,
    level: int,
    matched: Sequence[str],
    now: datetime,
    cause: Cause,
) -> None:
    """Proven to `level`. Raises: IllegalTransition, so one result proves once."""
    check.succeed(session, level=level, matched=matched, at=now, cause=cause)
    dependent.note_check_passed(level=level, method=check.method, at=now)


def pass_phone(session: Session, check: IdentityCheck, dependent: Dependent, *, now: datetime, cause: Cause) -> None:
    """The phone is the dependent's, which makes nobody surer of who they are. Raises: IllegalTransition."""
    level = min(dependent.identity_level, IdentityLevel.MATCHED)
    check.succeed(session, level=level, matched=PHONE_MATCHED, at=now, cause=cause)
    if dependent.identity_status is IdentityStatus.PENDING and not _another_waits(session, check):
        dependent.identity_status = IdentityStatus.UNVERIFIED


def fail_check(
    session: Session, check: IdentityCheck, dependent: Dependent, *, reason: str, now: datetime, cause: Cause
) -> None:
    check.fail(session, reason=reason, at=now, cause=cause)
    _note_end(session, check, dependent, expired=False)


def expire_check(session: Session, check: IdentityCheck, dependent: Dependent, *, now: datetime, cause: Cause) -> None:
    check.expire(session, at=now, cause=cause)
    _note_end(session, check, dependent, expired=True)


def fail_pending_faces(session: Session, *, dependent_id: UUID, now: datetime, cause: Cause) -> None:
    """Withdrawing the consent to face verification takes effect at once (rules.md L-03). Takes the locks itself."""
    fail_pending(session, dependent_id=dependent_id, methods=FACE_METHODS, now=now, cause=cause)


def fail_pending(
    session: Session,
    *,
    dependent_id: UUID,
    methods: Collection[IdentityMethod],
    now: datetime,
    cause: Cause,
    reason: str = CONSENT_WITHDRAWN,
) -> None:
    """End the open checks of these kinds, of whoever was archived in favour of the dependent too: they ask about the
    same human being. By default what they rested on was withdrawn. Takes the locks itself."""
    dependents = {one.id: one for one in lock_dependents(session, with_twins([dependent_id]))}
    pending = select(IdentityCheck.id).where(
        IdentityCheck.dependent_id.in_(dependents),
        IdentityCheck.method.in_(methods),
        IdentityCheck.status == IdentityCheckStatus.PENDING,
    )
    for check_id in session.scalars(pending.order_by(IdentityCheck.id)).all():
        check = lock_identity_check(session, check_id)
        if check.is_pending:
            fail_check(session, check, dependents[check.dependent_id], reason=reason, now=now, cause=cause)


def _note_end(session: Session, check: IdentityCheck, dependent: Dependent, *, expired: bool) -> None:
    """One way has failed. While another is still open, the dependent stays pending."""
    if not _another_waits(session, check):
        dependent.note_check_failed(expired=expired)


def _another_waits(session: Session, check: IdentityCheck) -> bool:
    session.flush()
    other = exists().where(
        IdentityCheck.dependent_id == check.dependent_id,
        IdentityCheck.id != check.id,
        IdentityCheck.status == IdentityCheckStatus.PENDING,
    )
    return bool(session.scalar(select(other)))
