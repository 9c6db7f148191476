"""The year's figures on minors' data, for the audit the law asks of whoever keeps it (L-04): counts, nobody's name.

The auditor asks four things: how many are kept, whether a guardian stands behind each, whether anybody under 14 was
booked for without the guardian's consent, and who of the staff looked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from core.clock import day_begins, hospital_day
from core.rights.access import GRANT_HOLDER, ONESELF
from models.account import Consent, Purpose
from models.appointment import Appointment
from models.audit import AuditEntry
from models.kinds import FULL_AGE, OWN_CONSENT_AGE, age_on
from models.person import Dependent


@dataclass(frozen=True)
class MinorsYear:
    """What was done with minors' data between two midnights at the hospital, and what is kept when it is asked for.

    `booked_without_consent` is of those under 14 at the time: anything but 0 is to be looked into, for only what a
    hospital offered instead of a suspended visit may be taken after the consent was withdrawn. `staff_looks`
    counts by what was done, of whoever was a minor then.
    """

    year: int
    kept_under_14: int
    kept_from_14_to_17: int
    with_guardian: int
    with_guardian_confirmed: int
    consents_given: int
    consents_withdrawn: int
    booked_under_14: int
    booked_without_consent: int
    staff_looks: dict[str, int]


def minors_year(session: Session, year: int, *, now: datetime) -> MinorsYear:
    """The figures of one calendar year of the hospitals. What its time has erased since is in none of them."""
    between = day_begins(date(year, 1, 1)), day_begins(date(year + 1, 1, 1))
    minors = _kept(session, hospital_day(now))
    under_14 = sum(one.age(on=hospital_day(now)) < OWN_CONSENT_AGE for one in minors)
    answers, booked = _consents(session, *between), _bookings(session, *between)
    return MinorsYear(
        year=year,
        kept_under_14=under_14,
        kept_from_14_to_17=len(minors) - under_14,
        with_guardian=sum(one.guardian_dependent_id is not None for one in minors),
        with_guardian_confirmed=sum(one.guardian_confirmed_at is not None for one in minors),
        consents_given=answers[True],
        consents_withdrawn=answers[False],
        booked_under_14=booked.total(),
        booked_without_consent=booked[False],
        staff_looks=dict(sorted(_looks(session, *between).items())),
    )


def _kept(session: Session, today: date) -> list[Dependent]:
    query = select(Dependent).where(Dependent.archived_at.is_(None), _may_be_minor(today))
    return [one for one in session.scalars(query) if one.age(on=today) < FULL_AGE]


def _consents(session: Session, since: datetime, until: datetime) -> Counter[bool]:
    """How often a guardian said yes, and took it back."""
    query = select(Consent.granted).where(Consent.purpose == Purpose.MINOR, Consent.at >= since, Consent.at < until)
    return Counter(session.scalars(query))


def _bookings(session: Session, since: datetime, until: datetime) -> Counter[bool]:
    """Numbers booked for who was under 14 by then, by whether the guardian's consent stood at that moment."""
    newest = (
        select(Consent.granted)
        .where(
            Consent.purpose == Purpose.MINOR,
            Consent.dependent_id == Dependent.id,
            Consent.at <= Appointment.created_at,
        )
        .order_by(Consent.at.desc(), Consent.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(Dependent.birth_date, Appointment.created_at, newest)
        .join(Dependent, Dependent.id == Appointment.dependent_id)
        .where(Appointment.created_at >= since, Appointment.created_at < until)
        .where(_may_be_minor(hospital_day(since)))
    )
    return Counter(
        consented is True
        for born, at, consented in session.execute(query)
        if age_on(born, hospital_day(at)) < OWN_CONSENT_AGE
    )


def _looks(session: Session, since: datetime, until: datetime) -> Counter[str]:
    """What staff did with the data of who was a minor by then."""
    query = (
        select(AuditEntry.action, Dependent.birth_date, AuditEntry.at)
        .join(Dependent, Dependent.id == AuditEntry.dependent_id)
        .where(AuditEntry.at >= since, AuditEntry.at < until, AuditEntry.actor.not_in((ONESELF, GRANT_HOLDER)))
        .where(_may_be_minor(hospital_day(since)))
    )
    return Counter(action for action, born, at in session.execute(query) if age_on(born, hospital_day(at)) < FULL_AGE)


def _may_be_minor(day: date) -> ColumnElement[bool]:
    """True of every minor on `day` or later, and of some who came of age in its year: ages are told apart in Python."""
    return Dependent.birth_date >= date(day.year - FULL_AGE, 1, 1)
