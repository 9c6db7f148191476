"""Whose proofs are whose once a join is undone: a face, or a phone, belongs to the login that it was shown to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from models.account import Account, PlatformIdentity
from models.identity_check import IdentityCheck, IdentityCheckStatus, IdentityMethod
from models.person import Dependent, IdentityLevel, IdentityStatus
from models.sealing import Vault


def return_proofs(session: Session, archived: Iterable[UUID]) -> None:
    """What the logins of an archived dependent's account have proven of the one that stood for it goes to it, and is
    lost to the other. The dependents are locked and have their accounts back; they still point at one another."""
    merged = select(Dependent).where(Dependent.id.in_(list(archived)), Dependent.merged_into_id.is_not(None))
    for one in session.scalars(merged.order_by(Dependent.id)).all():
        logins = select(PlatformIdentity.id).where(PlatformIdentity.account_id == one.account_id)
        stood = session.get_one(Dependent, one.merged_into_id)
        checks = _checks(session, stood, IdentityCheck.platform_identity_id.in_(logins))
        for check in checks:
            check.dependent_id, check.account_id = one.id, one.account_id
        session.flush()
        if checks:
            stood.identity_status, stood.identity_level = IdentityStatus.UNVERIFIED, IdentityLevel.TYPED
            stood.identity_method = stood.identity_checked_at = None
            _note(stood, _checks(session, stood))
            _note(one, checks)
        session.flush()


def return_phone(kept: Account, emptied: Account, returning: Collection[UUID], vault: Vault) -> bool:
    """Whether the kept account's phone was proven at a login that goes back. It goes along: left behind, it
    would be a proof of a number that its holder may never have had. What was proven before is to be proven anew."""
    if kept.phone_proven_by_id not in returning:
        return False
    kept.hand_phone_to(emptied, vault)
    return True


def _checks(session: Session, dependent: Dependent, *which: ColumnElement[bool]) -> Sequence[IdentityCheck]:
    query = select(IdentityCheck).where(IdentityCheck.dependent_id == dependent.id, *which)
    return session.scalars(query.order_by(IdentityCheck.completed_at.asc().nulls_last(), IdentityCheck.id)).all()


def _note(dependent: Dependent, checks: Iterable[IdentityCheck]) -> None:
    """As it was noted when each of them ended."""
    for check in checks:
        if check.method is IdentityMethod.GUARDIAN:
            continue  # whoever is the guardian by now stands in anew
        if check.completed_at is None:
            dependent.note_check_pending()
        elif check.status is IdentityCheckStatus.PASSED:
            dependent.note_check_passed(level=check.level, method=check.method, at=check.completed_at)
        else:
            dependent.note_check_failed(expired=check.status is IdentityCheckStatus.EXPIRED)
