"""Who needs a guardian's consent before anything is booked for them (rules.md 1.2, L-04)."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from core.identity.consents import granted
from models.account import Purpose
from models.person import Dependent

FULL_AGE = 18


def needs_minor_consent(dependent: Dependent, on: date) -> bool:
    """Whether the dependent is under 18 on that day; 周岁 is reached on the birthday."""
    return dependent.age(on=on) < FULL_AGE


def minor_consent_missing(session: Session, dependent: Dependent, *, on: date) -> bool:
    """A minor is booked for only with a guardian and that guardian's standing consent."""
    if not needs_minor_consent(dependent, on):
        return False
    if dependent.guardian_dependent_id is None:
        return True
    return not granted(session, dependent.account_id, Purpose.MINOR, dependent.id)
