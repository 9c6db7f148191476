"""Who needs a guardian's consent before anything is booked for them (rules.md 1.2, L-04)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.dependents.agreements import Ages, has_agreed, needs_agreement
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


@dataclass(frozen=True)
class Guarded:
    """What a booking for a minor rests on besides themselves. Of a grown-up, nothing is missing and nobody answers.

    `guardian` is None where none is named. `is_agreed`: the guardian is the account's holder, or has agreed as a
    grown-up does, or nobody asks them."""

    is_minor: bool = False
    guardian: Dependent | None = None
    is_consented: bool = False
    is_agreed: bool = True


GROWN_UP = Guarded()


def guarded_by(session: Session, dependent: Dependent, ages: Ages, *, on: date) -> Guarded:
    """`on` is the day of the visit: a minor is booked for only with a guardian, and with that guardian's word."""
    if not needs_minor_consent(dependent, on):
        return GROWN_UP
    if dependent.guardian_dependent_id is None:
        return Guarded(is_minor=True)
    guardian = session.get_one(Dependent, dependent.guardian_dependent_id)
    return Guarded(
        is_minor=True,
        guardian=guardian,
        is_consented=granted(session, dependent.account_id, Purpose.MINOR, dependent.id),
        is_agreed=not needs_agreement(guardian, ages, on=on) or has_agreed(session, guardian),
    )
