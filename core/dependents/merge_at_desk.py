"""The desk has seen two documents of one human being, a passport and a permit say, and that both are theirs (1.3)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.dependents.merge import merge_persons
from core.locks import lock_accounts, lock_dependent
from core.rights.access import AccessAction, AccessPurpose, note_access
from models.errors import FieldError, NotFound, ValidationFailed
from models.person import Dependent
from models.states import Cause


def merge_at_desk(session: Session, *, first: UUID, second: UUID, operator: str, now: datetime, cause: Cause) -> bool:
    """Count the persons of two dependents, of one account or of two, as one from now on. Whether they were two before;
    they stay so where each has a number of which nobody has two.

    Neither account is told: that a person is known elsewhere is no account's to know. Raises: NotFound, Changed,
    ValidationFailed where the two are of another birth date or sex: nobody is, whatever their documents."""
    named = {one: _standing(session, one) for one in (first, second)}
    lock_accounts(session, {one.account_id for one in named.values()})
    for one in sorted(named):
        _refuse_removed(lock_dependent(session, one))
    _refuse_unlike(named[first], named[second])
    earlier, later = named[first].person_id, named[second].person_id
    merged = merge_persons(session, earlier=earlier, later=later, now=now)
    for one in named:
        note_access(
            session,
            actor=operator,
            action=AccessAction.RECORDS_MERGED,
            purpose=AccessPurpose.IDENTITY,
            dependent_id=one,
            result="merged" if merged else "none",
            facts={"command": cause.id, "earlier": str(earlier), "later": str(later)},
            now=now,
        )
    session.flush()
    return merged


def _standing(session: Session, dependent_id: UUID) -> Dependent:
    found = session.get(Dependent, dependent_id)
    if found is None:
        raise NotFound()
    _refuse_removed(found)
    return found


def _refuse_removed(dependent: Dependent) -> None:
    """Raises: NotFound."""
    if dependent.archived_at is not None:
        raise NotFound()


def _refuse_unlike(one: Dependent, other: Dependent) -> None:
    """Raises: ValidationFailed, with each difference."""
    faults = [
        FieldError("#/other_id", f"contradicts_{name}")
        for name in ("birth_date", "sex")
        if getattr(one, name) != getattr(other, name)
    ]
    if faults:
        raise ValidationFailed(*faults)
