"""The desk: an operator has seen the holder and the document. Equal to a face check, and open to everybody."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.identity.opening import open_desk_check
from core.identity.outcomes import DESK_MATCHED, pass_check
from core.locks import lock_account, lock_dependent
from core.rights.access import AccessAction, AccessPurpose, note_access
from models.errors import NotFound
from models.identity_check import IdentityCheck
from models.person import Dependent, IdentityLevel
from models.states import Cause


def verify_on_site(
    session: Session, *, dependent_id: UUID, operator: str, now: datetime, cause: Cause
) -> IdentityCheck:
    """Pass the dependent's check at the desk, the open one or a new one, and write down who vouches for it.

    The caller has made sure that `operator` saw the holder and the document. Raises: NotFound.
    """
    found = session.get(Dependent, dependent_id)
    if found is None or found.archived_at is not None:
        raise NotFound()
    lock_account(session, found.account_id)
    dependent = lock_dependent(session, dependent_id)
    check = open_desk_check(session, dependent, now=now, cause=cause)
    check.checked_by = operator
    pass_check(session, check, dependent, level=IdentityLevel.PRESENT, matched=DESK_MATCHED, now=now, cause=cause)
    note_access(
        session,
        actor=operator,
        action=AccessAction.VERIFIED_ON_SITE,
        purpose=AccessPurpose.IDENTITY,
        dependent_id=dependent_id,
        result="passed",
        facts={"check_id": str(check.id), "matched": list(DESK_MATCHED), "command": cause.id},
        now=now,
    )
    session.flush()
    return check
