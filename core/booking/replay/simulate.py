"""Past bookings judged by another policy: who would have been refused, by which rule, in which facts.

The rules are those of every booking (`core/booking/rules/evaluation.py`), each on the case of its own instant, in the
order in which they were booked. Whoever is refused never had the number: it stands in nobody's way afterwards. Nothing
is written and nothing locked; pages of bookings are read one after the other, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, aliased

from core.booking.case import Case
from core.booking.policy import BookingPolicy
from core.booking.replay.past_booking import PastBooking, Place, in_order, read_bookings
from core.booking.replay.past_case import Circumstances, as_sold
from core.booking.replay.past_states import in_parts
from core.booking.replay.past_terms import Changes
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
_IN_ORDER = 20_000
"""How many are put in order at once: for that the whole hospital is looked through."""
_AS_TODAY: tuple[type[DomainError], ...] = (AgreementRequired, FieldsRequired, IdentityRequired, NotEligible)
AS_TODAY = sorted(one.code for one in _AS_TODAY)
"""Judged by what is known of the patient today, and only where it is the policy that makes the difference: sex and age
of `not_eligible`. So are the phones that `person_limit` counts by."""
REPLAYED = sorted(
    one.code
    for one in (
        AlreadyBooked,
        ClosedHours,
        HoldOpen,
        NotEligible,
        NotReleased,
        Overlaps,
        PeriodLimit,
        PersonLimit,
        RebookTooSoon,
        ScheduleClosed,
        SoldOut,
    )
)
"""Judged as it was: first and return visits of `not_eligible`. `sold_out` is a segment that would not have been sold
any more."""
LEFT_OUT = ["consent_required", "notice_unread", "numbers_in_flight", "restricted", "schedule_suspended"]
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
    last: Place | None = None
    while places := transactions.read(partial(_next, where=where, last=last)):
        last = places[-1]
        for some in in_parts(places, of=_AT_ONCE):
            page = transactions.read(partial(_judge, asked=asked, places=some, never=never))
            totals.replayed += page.replayed
            for one in page.refused:
                totals.refused += 1
                totals.by_rule.update({error.code for error in one.errors})
                told(one)
    return totals


def _next(session: Session, _now: datetime, *, where: list[ColumnElement[bool]], last: Place | None) -> list[Place]:
    return in_order(session, *where, behind=last, at_most=_IN_ORDER)


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
    replayed: int
    refused: list[Refused]


def _judge(session: Session, _now: datetime, *, asked: Asked, places: Sequence[Place], never: set[UUID]) -> _Page:
    """Those that are refused go into `never`, as soon as they are."""
    past = read_bookings(session, places)
    if not past:
        return _Page(0, [])
    around = Circumstances.read(session, past, _hospital(session, asked.hospital), _changes(asked))
    refused = []
    for one, case in around.cases(past, never):
        errors = _refusals(one, case)
        if errors:
            never.add(one.appointment.id)
            booked = one.appointment
            refused.append(Refused(booked.number, one.dependent.name_masked, booked.created_at, errors))
    return _Page(len(past), refused)


def _changes(asked: Asked) -> Changes:
    if not asked.departments:
        return {(PolicyLevel.HOSPITAL, asked.hospital): asked.policy}
    return {(PolicyLevel.DEPARTMENT, code): asked.policy for code in asked.departments}


_Kind = tuple[type[DomainError], bool]
"""Whether it is a first or return visit that refuses is told apart: it was known then."""


def _refusals(one: PastBooking, case: Case) -> list[DomainError]:
    """Each rule once. What is known as of today alone refuses nobody whom the old terms would refuse today as well, nor
    anybody who has been removed since."""
    found = {kind: error for kind, error in _by_kind(case).items() if kind[0] not in _passed_over(one)}
    of_today = [kind for kind in found if kind in _KINDS_OF_TODAY]
    if of_today:
        is_gone = one.dependent.archived_at is not None
        excused = _KINDS_OF_TODAY if is_gone else _by_kind(as_sold(case, one.appointment))
        found = {kind: error for kind, error in found.items() if kind not in of_today or kind not in excused}
    return list(found.values())


_KINDS_OF_TODAY: frozenset[_Kind] = frozenset((one, False) for one in _AS_TODAY)


def _passed_over(one: PastBooking) -> set[type[DomainError]]:
    """What was not asked when it was given."""
    asked_not = set[type[DomainError]]()
    if one.is_extra:
        asked_not |= {NotReleased, ClosedHours, NotEligible}
    if one.is_kept:
        asked_not |= {ClosedHours, ScheduleClosed, SoldOut}
    if one.is_waited_for:
        asked_not |= {ClosedHours}
    return asked_not


def _by_kind(case: Case) -> Mapping[_Kind, DomainError]:
    """The most telling of each kind."""
    found: dict[_Kind, DomainError] = {}
    for error in refusals(case):
        found.setdefault((type(error), error.facts.get("guard") == "visit_kind"), error)
    return found
