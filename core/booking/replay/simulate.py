"""Past bookings judged by another policy: who would have been refused, by which rule, in which facts.

The rules are those of every booking (`core/booking/rules/evaluation.py`), each on the case of its own instant, in the
order in which they were booked. Whoever is refused never had the number: it stands in nobody's way afterwards. Nothing
is written and nothing locked; pages of bookings are read one after the other, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, aliased

from core.booking.case import Case
from core.booking.policy import BookingPolicy
from core.booking.replay.past_case import Changes, Circumstances, PastBooking, after, as_sold, read_bookings
from core.booking.rules.evaluation import refusals
from core.booking.rules.refusals import ClosedHours, Overlaps, PeriodLimit, RebookTooSoon
from core.clock import HOSPITAL_ZONE
from core.refusals import (
    AgreementRequired,
    AlreadyBooked,
    FieldsRequired,
    HoldOpen,
    IdentityRequired,
    NotEligible,
    NotReleased,
    PersonLimit,
    ScheduleClosed,
    SoldOut,
)
from core.transactions import Transactions
from models.appointment import Appointment
from models.errors import DomainError
from models.hospital import Department, Hospital
from models.policy import PolicyLevel

_AT_ONCE = 500
_AS_TODAY: tuple[type[DomainError], ...] = (AgreementRequired, FieldsRequired, IdentityRequired, NotEligible)
AS_TODAY = sorted(one.code for one in _AS_TODAY)
"""Judged by what is known of the patient today, and only where it is the policy that makes the difference."""
REPLAYED = sorted(
    one.code
    for one in (
        AlreadyBooked,
        ClosedHours,
        HoldOpen,
        NotReleased,
        Overlaps,
        PeriodLimit,
        PersonLimit,
        RebookTooSoon,
        ScheduleClosed,
        SoldOut,
    )
)
"""Judged as it was. `sold_out` is a segment that would not have been sold any more."""
LEFT_OUT = ["consent_required", "notice_unread", "restricted", "schedule_suspended"]
"""No policy makes them, or nobody knows what they would have come to."""


class UnknownCode(Exception):
    """There is no hospital, or none of its departments, with this code."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True)
class Asked:
    """What is changed and of what it is asked. `policy` is put over that of the hospital, or over that of each of
    `departments`, whose bookings alone are looked at then; what is narrower still wins. `first` and `last` are days at
    the hospital on which somebody booked, both included."""

    hospital: str
    policy: BookingPolicy
    departments: Collection[str] = ()
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Refused:
    """An appointment that there would not have been; `errors` are the rules that refuse it."""

    number: str
    name_masked: str
    booked_at: datetime
    errors: list[DomainError]


@dataclass
class Totals:
    """`by_rule`: how many appointments each rule refuses, by its code."""

    replayed: int = 0
    refused: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)


def simulate(transactions: Transactions, asked: Asked, *, told: Callable[[Refused], None]) -> Totals:
    """Tell of everybody who would have been refused, in the order in which they booked.

    Raises: UnknownCode, Overloaded."""
    totals, never = Totals(), set[UUID]()
    where = transactions.read(lambda session, now: _which(session, asked, now=now))
    last: Appointment | None = None
    while True:
        page = transactions.read(partial(_judge, asked=asked, where=where, last=last, never=never))
        if page.last is None:
            return totals
        last = page.last
        totals.replayed += page.replayed
        for one in page.refused:
            totals.refused += 1
            totals.by_rule.update({error.code for error in one.errors})
            told(one)


def _which(session: Session, asked: Asked, *, now: datetime) -> list[ColumnElement[bool]]:
    """Nothing that is booked later, so that it comes to an end. Raises: UnknownCode."""
    hospital = _hospital(session, asked.hospital)
    above = aliased(Department)
    query = (
        select(Department.id, Department.code, above.code)
        .outerjoin(above, above.id == Department.parent_id)
        .where(
            Department.hospital_id == hospital.id,
            or_(Department.code.in_(asked.departments), above.code.in_(asked.departments)),
        )
    )
    found = session.execute(query).all() if asked.departments else []
    known = {code for _, *codes in found for code in codes}
    for code in asked.departments:
        if code not in known:
            raise UnknownCode(code)
    conditions: list[ColumnElement[bool]] = [Appointment.hospital_id == hospital.id, Appointment.created_at <= now]
    if asked.departments:
        conditions.append(Appointment.department_id.in_([department_id for department_id, *_ in found]))
    if asked.first is not None:
        conditions.append(Appointment.created_at >= _midnight(asked.first))
    if asked.last is not None:
        conditions.append(Appointment.created_at < _midnight(asked.last + timedelta(days=1)))
    return conditions


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), HOSPITAL_ZONE).astimezone(UTC)


def _hospital(session: Session, code: str) -> Hospital:
    found = session.scalars(select(Hospital).where(Hospital.code == code)).one_or_none()
    if found is None:
        raise UnknownCode(code)
    return found


@dataclass(frozen=True)
class _Page:
    last: Appointment | None
    replayed: int
    refused: list[Refused]


def _judge(
    session: Session,
    _now: datetime,
    *,
    asked: Asked,
    where: list[ColumnElement[bool]],
    last: Appointment | None,
    never: set[UUID],
) -> _Page:
    """The next bookings behind `last`. Those that are refused go into `never`, as soon as they are."""
    further = where if last is None else [*where, after(last)]
    past = read_bookings(session, *further, at_most=_AT_ONCE)
    if not past:
        return _Page(None, 0, [])
    around = Circumstances.read(session, past, _hospital(session, asked.hospital), _changes(asked))
    refused = []
    for one, case in around.cases(past, never):
        errors = _refusals(one, case)
        if errors:
            never.add(one.appointment.id)
            booked = one.appointment
            refused.append(Refused(booked.number, one.dependent.name_masked, booked.created_at, errors))
    return _Page(past[-1].appointment, len(past), refused)


def _changes(asked: Asked) -> Changes:
    if not asked.departments:
        return {(PolicyLevel.HOSPITAL, asked.hospital): asked.policy}
    return {(PolicyLevel.DEPARTMENT, code): asked.policy for code in asked.departments}


def _refusals(one: PastBooking, case: Case) -> list[DomainError]:
    """Each rule once. What is known as of today alone refuses nobody whom the old terms would refuse today as well, nor
    anybody who has been removed since."""
    found = _by_type(case)
    if one.is_extra:
        found = {kind: error for kind, error in found.items() if kind not in {NotReleased, ClosedHours, NotEligible}}
    if one.is_kept:
        found = {kind: error for kind, error in found.items() if kind not in {ClosedHours, ScheduleClosed, SoldOut}}
    if any(kind in _AS_TODAY for kind in found):
        is_gone = one.dependent.archived_at is not None
        excused = _AS_TODAY if is_gone else tuple(_by_type(as_sold(case, one.appointment)))
        found = {kind: error for kind, error in found.items() if kind not in _AS_TODAY or kind not in excused}
    return list(found.values())


def _by_type(case: Case) -> Mapping[type[DomainError], DomainError]:
    """The most telling of each kind."""
    found: dict[type[DomainError], DomainError] = {}
    for error in refusals(case):
        found.setdefault(type(error), error)
    return found
