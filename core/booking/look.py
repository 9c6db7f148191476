"""What booking reads: one statement before the locks, which decides nothing, and one behind them, which does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Uuid, and_, bindparam, exists, select, true
from sqlalchemy.orm import Session

from core.booking.rules.answers import Answers, cool_down_until, is_stepped_up
from core.booking.strikes.restricted import UNRESTRICTED, Restriction, restricts_until
from core.booking.terms import Terms
from core.dependents.agreements import agreed_at, is_own_word
from core.identity.consents import purposes_stood_by
from models.account import Consent, Purpose
from models.as_read import Whole
from models.base import spelled
from models.errors import FieldError, NotFound, ValidationFailed
from models.grant import Grant
from models.hospital import Department, Doctor, Hospital
from models.person import Dependent
from models.prepared import row_of, rows_of
from models.schedule import Schedule, Slot, SlotStatus


@dataclass(frozen=True)
class Place:
    """A hospital or a department."""

    id: UUID
    name: str


@dataclass(frozen=True)
class DoctorSeen:
    id: UUID
    name: str
    title: str


@dataclass(frozen=True)
class Surroundings:
    """The schedule and where it takes place. `person_id` is whom the dependent names, None where there is no such
    dependent; `may_be_free` is False only where no number is; `hospital_system` must agree, where there is one.
    `notice_version` is that of the hospital's booking notice."""

    schedule: Schedule
    hospital: Place
    department: Place
    doctor: DoctorSeen | None
    person_id: UUID | None
    may_be_free: bool
    hospital_system: str | None = None
    notice_version: str | None = None


@dataclass(frozen=True)
class Whom:
    """A dependent, what its account has agreed to, and whether the dependent has agreed to be booked for. `answers` is
    what stands against the account, `restriction` against the person; under `grant` another account books for it."""

    dependent: Dependent
    consents: frozenset[Purpose]
    has_agreed: bool
    answers: Answers
    grant: Grant | None = None
    restriction: Restriction = UNRESTRICTED


def look_around(
    session: Session,
    *,
    schedule_id: UUID,
    segment_starts_at: datetime | None,
    account_id: UUID,
    dependent_id: UUID,
    now: datetime,
) -> Surroundings:
    """Without a lock. Raises: NotFound, ValidationFailed where the segment does not exist."""
    given = {"schedule": schedule_id, "account": account_id, "dependent": dependent_id, "now": now}
    if segment_starts_at is not None:
        given["segment"] = segment_starts_at
    row = row_of(session, _surroundings(segment_starts_at is not None), given)
    if row is None:
        raise NotFound()
    hospital, system, notice, department, doctor_id, doctor, title, person_id, may_be_free, has_segment = row[:_BESIDE]
    schedule = _SCHEDULE.read(session, row[_BESIDE:])
    if not has_segment:
        raise ValidationFailed(FieldError("#/segment_starts_at", "no_such_segment"))
    return Surroundings(
        schedule=schedule,
        hospital=Place(schedule.hospital_id, hospital),
        department=Place(schedule.department_id, department),
        doctor=None if doctor_id is None else DoctorSeen(doctor_id, doctor, title),
        person_id=person_id,
        may_be_free=may_be_free,
        hospital_system=system,
        notice_version=notice,
    )


def has_segment(session: Session, schedule_id: UUID, starts_at: datetime) -> bool:
    """Whether numbers of the schedule begin then."""
    of_segment = exists().where(Slot.schedule_id == schedule_id, Slot.starts_at == starts_at)
    return bool(session.scalar(select(of_segment)))


def own_dependent(
    session: Session, *, account_id: UUID, dependent_id: UUID, hospital_id: UUID, terms: Terms, now: datetime
) -> Whom:
    """As it is now, whatever was read before, for a number of that hospital with those terms. Raises: NotFound."""
    given = {
        "account": account_id,
        "dependent": dependent_id,
        "hospital": hospital_id,
        "platform_wide": terms.strikes_platform_wide,
        "now": now,
    }
    rows = rows_of(session, _WHOM, given)
    if not rows:
        raise NotFound()
    acts = [(purpose, version, granted) for purpose, version, granted, *_ in rows if purpose is not None]
    said_at, cooling_until, stepped_up, *restricted = rows[0][3:8]
    dependent = _DEPENDENT.read(session, rows[0][8:])
    answers, restriction = Answers(cooling_until, stepped_up), Restriction(*restricted)
    return Whom(dependent, purposes_stood_by(acts), is_own_word(dependent, said_at), answers, restriction=restriction)


@cache
def _surroundings(in_segment: bool) -> Select[*tuple[Any, ...]]:
    of_segment = and_(Slot.schedule_id == Schedule.id, Slot.starts_at == bindparam("segment"))
    is_free = Slot.status == spelled(SlotStatus.FREE)
    free = exists().where(Slot.schedule_id == Schedule.id, is_free, Slot.starts_at > bindparam("now"))
    return (
        select(
            Hospital.name,
            Hospital.system,
            Hospital.notice_version,
            Department.name,
            Doctor.id,
            Doctor.name,
            Doctor.title,
            Dependent.person_id,
            free.where(of_segment) if in_segment else free,
            exists().where(of_segment) if in_segment else true(),
            *_SCHEDULE.columns,
        )
        .join(Hospital, Hospital.id == Schedule.hospital_id)
        .join(Department, Department.id == Schedule.department_id)
        .outerjoin(Doctor, Doctor.id == Schedule.doctor_id)
        .outerjoin(Dependent, _own_and_live())
        .where(Schedule.id == bindparam("schedule"))
    )


def _own_and_live() -> ColumnElement[bool]:
    return and_(
        Dependent.id == bindparam("dependent"),
        Dependent.account_id == bindparam("account"),
        Dependent.archived_at.is_(None),
    )


_SCHEDULE, _DEPENDENT = Whole(Schedule), Whole(Dependent)
_BESIDE = 10
"""What is read beside the schedule."""

# Oldest act first: the newest of each purpose counts.
_WHOM = (
    select(
        Consent.purpose,
        Consent.version,
        Consent.granted,
        agreed_at(bindparam("dependent", type_=Uuid())),
        cool_down_until(bindparam("account", type_=Uuid())),
        is_stepped_up(bindparam("account", type_=Uuid())),
        restricts_until(Dependent.person_id, own=True),
        restricts_until(Dependent.person_id, own=False),
        *_DEPENDENT.columns,
    )
    .select_from(Dependent)
    .outerjoin(Consent, and_(Consent.account_id == Dependent.account_id, Consent.dependent_id.is_(None)))
    .where(_own_and_live())
    .order_by(Consent.at, Consent.id)
)
