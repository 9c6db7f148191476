"""Whether a person was seen before where they want to go: asked only where a policy wants to know."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.terms import Terms
from models.appointment import Appointment, AppointmentStatus
from models.person import Person
from models.policy import VisitKind, VisitScope
from models.schedule import Schedule


@dataclass(frozen=True)
class SeenBefore:
    """Through what the accounts at hand booked, and through what others did."""

    by_own: bool
    by_others: bool


def tells_kinds(terms: Terms) -> bool:
    """Whether first and return visits are not seen alike."""
    return bool(terms.visit_kinds) and not set(terms.visit_kinds) >= set(VisitKind)


def seen_before(
    session: Session, schedule: Schedule, terms: Terms, *, person_id: UUID, accounts: Collection[UUID]
) -> SeenBefore | None:
    """None, and nothing is read, where first and return visits are seen alike. A visit counts up to so many days after
    it, the last one included."""
    if not tells_kinds(terms):
        return None
    same_human = select(Person.id).where((Person.id == person_id) | (Person.alias_of_id == person_id))
    query = select(Appointment.account_id).where(
        Appointment.person_id.in_(same_human),
        Appointment.status == AppointmentStatus.FULFILLED,
        Appointment.visit_date >= schedule.visit_date - timedelta(days=terms.return_visit_days),
        Appointment.visit_date <= schedule.visit_date,
    )
    if terms.return_visit_scope == VisitScope.HOSPITAL:
        query = query.where(Appointment.hospital_id == schedule.hospital_id)
    else:
        query = query.where(Appointment.department_id == schedule.department_id)
    through = set(session.scalars(query.distinct()))
    return SeenBefore(by_own=bool(through & set(accounts)), by_others=bool(through - set(accounts)))
