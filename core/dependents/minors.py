"""Who needs a guardian's consent before anything is booked for them (rules.md 1.2, L-04)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.dependents.typed import InputFault
from core.identity.consents import granted
from models.account import Purpose
from models.errors import NotFound
from models.person import FULL_AGE, Dependent, age_on


def guardian_among(
    standing: Iterable[Dependent], guardian_id: UUID, *, ward_id: UUID | None, born: date, on: date
) -> Dependent:
    """The guardian that was named for somebody born on `born`: a grown-up dependent of the same account, oneself among
    them. `standing` are those of the account that live; `ward_id` whom it is for, where they are one already.

    Raises: NotFound, InputFault with `not_a_minor` or `not_of_age`."""
    found = next((one for one in standing if one.id == guardian_id and one.id != ward_id), None)
    if found is None:
        raise NotFound()
    if age_on(born, on) >= FULL_AGE:
        raise InputFault("not_a_minor")
    if found.age(on=on) < FULL_AGE:
        raise InputFault("not_of_age")
    return found


def needs_minor_consent(dependent: Dependent, on: date) -> bool:
    """Whether the dependent is under 18 on that day; 周岁 is reached on the birthday."""
    return dependent.age(on=on) < FULL_AGE


def was_ward(dependent: Dependent) -> bool:
    """Whether a guardian is named, or the record was made while they were a minor."""
    return (
        dependent.guardian_dependent_id is not None or dependent.age(on=hospital_day(dependent.created_at)) < FULL_AGE
    )


def minor_consent_missing(session: Session, dependent: Dependent, *, on: date) -> bool:
    """A minor is booked for only with a guardian and that guardian's standing consent."""
    if not needs_minor_consent(dependent, on):
        return False
    if dependent.guardian_dependent_id is None:
        return True
    return not granted(session, dependent.account_id, Purpose.MINOR, dependent.id)
