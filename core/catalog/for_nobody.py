"""Half days that no patient fits, because directory and policies ask for ages that exclude one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.booking.rules.guards import is_for_nobody
from core.booking.terms import Terms
from core.clock import hospital_day
from models.hospital import Department
from models.schedule import Schedule


@dataclass(frozen=True)
class ForNobody:
    """How many half days of one clinic, from which day on, and the ages that are asked for."""

    department: str
    doctor: str
    count: int
    first: date
    terms: Terms

    def __str__(self) -> str:
        terms = self.terms
        days = f", and at most {terms.age_to_days} days" if terms.age_to_days else ""
        ages = f"from {terms.age_from} to {terms.age_to} years{days}"
        return f"{self.department}/{self.doctor}: {self.count} half days from {self.first} on are for ages {ages}"


def half_days_for_nobody(session: Session, now: datetime) -> list[ForNobody]:
    """From today on, by clinic. Nobody can book them."""
    clinics = session.execute(
        select(
            Department.code,
            Schedule.doctor_code,
            Schedule.terms_version,
            func.count(),
            func.min(Schedule.visit_date, type_=Schedule.visit_date.type),
        )
        .join(Department, Department.id == Schedule.department_id)
        .where(Schedule.visit_date >= hospital_day(now))
        .group_by(Department.code, Schedule.doctor_code, Schedule.terms_version)
        .order_by(Department.code, Schedule.doctor_code, Schedule.terms_version)
    ).all()
    terms = dict(_terms(session, {version for _, _, version, _, _ in clinics}))
    return [
        ForNobody(department, doctor, count, first, terms[version])
        for department, doctor, version, count, first in clinics
        if is_for_nobody(terms[version])
    ]


def _terms(session: Session, versions: set[str]) -> Iterator[tuple[str, Terms]]:
    """A version tells all that policies say."""
    for version in versions:
        one = select(Schedule.terms).where(Schedule.terms_version == version).limit(1)
        yield version, Terms.from_document(session.scalars(one).one())
