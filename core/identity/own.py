"""What belongs to the account that asks. Another's record is simply not found."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, selectinload

from models.errors import NotFound
from models.identity_check import IdentityCheck
from models.person import Dependent


def dependents_of(account_id: UUID) -> Select[Dependent]:
    """The account's dependents that are not archived, each with its document."""
    return (
        select(Dependent)
        .where(Dependent.account_id == account_id, Dependent.archived_at.is_(None))
        .options(selectinload(Dependent.identifier))
    )


def own_dependent(session: Session, *, account_id: UUID, dependent_id: UUID) -> Dependent:
    """Raises: NotFound."""
    found = session.scalars(dependents_of(account_id).where(Dependent.id == dependent_id)).one_or_none()
    if found is None:
        raise NotFound()
    return found


def own_check(session: Session, *, account_id: UUID, check_id: UUID) -> IdentityCheck:
    """Raises: NotFound."""
    found = session.scalars(
        select(IdentityCheck).where(IdentityCheck.id == check_id, IdentityCheck.account_id == account_id)
    ).one_or_none()
    if found is None:
        raise NotFound()
    return found
