"""A guardian's own proof stands for the child, whose face is not asked for (rules.md 1.2.9).

It is worth what the guardian's is once the desk has confirmed the guardianship, and a match before. It ends with the
guardian: another one has to stand in anew, and once the child is of age nobody stands for it (`Dependent.level_on`).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.identity.consents import require_consent, require_to_keep_identity
from core.identity.methods import stands_for
from core.identity.outcomes import pass_check
from models.account import Purpose
from models.errors import FieldError, ValidationFailed
from models.identity_check import IdentityCheck
from models.person import Dependent, IdentityLevel
from models.states import Cause

MATCHED = ("guardian",)


def standing_guardian(session: Session, ward: Dependent, *, now: datetime) -> Dependent:
    """The guardian who can stand for this ward now, with the consent given.

    The caller holds the account's lock. Raises: ValidationFailed, ConsentRequired."""
    guardian = None
    if ward.guardian_dependent_id is not None:
        guardian = session.get(Dependent, ward.guardian_dependent_id, populate_existing=True)
    if (
        guardian is None
        or guardian.account_id != ward.account_id
        or not stands_for(guardian, ward, on=hospital_day(now))
    ):
        raise ValidationFailed(FieldError("#/method", "method_not_open"))
    require_to_keep_identity(session, ward.account_id)
    require_consent(session, ward.account_id, Purpose.MINOR, ward.id)
    return guardian


def pass_by_guardian(
    session: Session, check: IdentityCheck, ward: Dependent, guardian: Dependent, *, now: datetime, cause: Cause
) -> None:
    """Worth what the guardian's own proof is, where the desk has seen what makes them the guardian; else a match.

    The caller holds the ward's lock."""
    level = guardian.level_on(hospital_day(now))
    if ward.guardian_confirmed_at is None:
        level = min(level, IdentityLevel.MATCHED)
    check.checked_by = str(guardian.id)
    pass_check(session, check, ward, level=level, matched=MATCHED, now=now, cause=cause)
