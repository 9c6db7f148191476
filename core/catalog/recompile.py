"""A policy that changed reaches the schedules to come. What was sold keeps the terms it was sold under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session, aliased

from core.booking.half_day_names import names_of_half_days
from core.booking.policy import BookingPolicy, merged, policy_version
from core.booking.policy_book import PolicyBook
from core.booking.rules.notice import renew_notices, stale_notices
from core.booking.terms import compile_terms
from core.catalog.calendar import WorkCalendar
from core.clock import hospital_day
from core.transactions import Transactions
from models.hospital import Department, Doctor, Hospital
from models.schedule import Schedule, Slot

_AT_ONCE = 200
_TIMES = (Schedule.release_at, Schedule.closes_at, Schedule.cancel_before, Schedule.channels_return_at)


def recompile_terms(transactions: Transactions, *, every: bool = False) -> int:
    """Compile anew every schedule from today on whose terms are not those of the policies in force; how many. Booking
    notices, which tell of policies, get their versions as well. `every`: also those under the policies in force, whose
    times may be others by now, as once the calendar of working days has changed; those that stay are not counted."""
    if transactions.read(lambda session, _now: stale_notices(session)):
        transactions.write(lambda session, _now: renew_notices(session))
    stale = transactions.read(lambda session, now: _stale(session, now=now, every=every))
    changed = 0
    for one in stale:
        for at in range(0, len(one.schedule_ids), _AT_ONCE):
            ids = one.schedule_ids[at : at + _AT_ONCE]
            changed += transactions.write(partial(_compile, policies=one.policies, ids=ids))
    return changed


@dataclass(frozen=True)
class _Stale:
    """Schedules of one clinic, and the policies they should be under, from wide to narrow."""

    policies: list[BookingPolicy]
    schedule_ids: Sequence[UUID]


def _stale(session: Session, *, now: datetime, every: bool = False) -> list[_Stale]:
    today = hospital_day(now)
    clinics = select(Schedule.department_id, Schedule.doctor_id, Schedule.terms_version)
    versions = session.execute(_with_codes(clinics).where(Schedule.visit_date >= today).distinct()).all()
    codes = {code for row in versions for code in row[3:] if code}
    book = PolicyBook.read(session, codes, half_days_from=today)
    single = _single(session, book)
    found = _stale_single(session, book, single, every=every)
    for department_id, doctor_id, version, *codes_of in versions:
        policies = _levels(book, codes_of)
        if policy_version(policies) != version or (every and _by_calendar(policies)):
            ids = session.scalars(
                select(Schedule.id).where(
                    Schedule.department_id == department_id,
                    Schedule.doctor_id.is_(None) if doctor_id is None else Schedule.doctor_id == doctor_id,
                    Schedule.visit_date >= today,
                    Schedule.terms_version == version,
                )
            ).all()
            found.append(_Stale(policies, [one for one in ids if one not in single]))
    return found


def _by_calendar(policies: Sequence[BookingPolicy]) -> bool:
    """Whether they count working days; nothing else of a half day follows the calendar."""
    whole = merged(policies).to_document()
    return bool(whole["cancel_in_working_days"] or whole["booking_ends_in_working_days"])


def _with_codes(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """With the codes of hospital, department, the department's group and doctor."""
    group = aliased(Department)
    return (
        query.add_columns(Hospital.code, Department.code, group.code, Doctor.code)
        .join(Hospital, Hospital.id == Schedule.hospital_id)
        .join(Department, Department.id == Schedule.department_id)
        .join(group, group.id == Department.parent_id, isouter=True)
        .join(Doctor, Doctor.id == Schedule.doctor_id, isouter=True)
    )


def _levels(book: PolicyBook, codes: Sequence[str | None], half_day: Sequence[str] = ()) -> list[BookingPolicy]:
    """`codes` as `_with_codes` has them."""
    hospital, department, above, doctor = codes
    departments = [code for code in (above, department) if code]
    return book.levels(hospital=hospital or "", departments=departments, doctor=doctor or "", half_day=half_day)


def _single(session: Session, book: PolicyBook) -> Mapping[UUID, list[str]]:
    """The half days that have a policy of their own, by id, with their names."""
    names = book.half_days
    if not names:
        return {}
    days, departments = {one.visit_date for one in names}, {one.department for one in names}
    here = names_of_half_days(session, Schedule.visit_date.in_(days), Department.code.in_(departments))
    told = {str(name) for name in names}
    return {schedule_id: called for schedule_id, called in here.items() if told & set(called)}


def _stale_single(session: Session, book: PolicyBook, single: Mapping[UUID, list[str]], *, every: bool) -> list[_Stale]:
    rows = session.execute(
        _with_codes(select(Schedule.id, Schedule.terms_version)).where(Schedule.id.in_(list(single)))
    )
    found = []
    for schedule_id, version, *codes in rows:
        policies = _levels(book, codes, single[schedule_id])
        if policy_version(policies) != version or (every and _by_calendar(policies)):
            found.append(_Stale(policies, [schedule_id]))
    return found


def half_days_not_found(session: Session, now: datetime) -> list[str]:
    """What policies name from today on, and is no half day yet: not published so far, or misspelt."""
    codes = session.scalars(select(Hospital.code)).all()
    book = PolicyBook.read(session, codes, half_days_from=hospital_day(now))
    known = {name for names in _single(session, book).values() for name in names}
    return sorted(name for name in map(str, book.half_days) if name not in known)


def _compile(session: Session, _now: datetime, *, policies: list[BookingPolicy], ids: Sequence[UUID]) -> int:
    rows = session.execute(
        select(
            Schedule.id,
            Schedule.department_id,
            Schedule.visit_date,
            Schedule.starts_at,
            *_TIMES,
            Schedule.terms_version,
            func.max(Slot.starts_at, type_=Slot.starts_at.type),
        )
        .join(Slot, Slot.schedule_id == Schedule.id)
        .where(Schedule.id.in_(ids))
        .group_by(Schedule.id)
        .order_by(Schedule.id)
    ).all()
    calendar, values = WorkCalendar.read(session), []
    for schedule_id, department_id, visit_date, starts_at, *standing, last_segment in rows:
        compiled = compile_terms(
            policies,
            department_id=department_id,
            visit_date=visit_date,
            starts_at=starts_at,
            last_segment_starts_at=last_segment,
            working_days_before=calendar.working_days_before,
        )
        times = [compiled.release_at, compiled.closes_at, compiled.cancel_before, compiled.channels_return_at]
        if standing == [*times, compiled.terms.version]:
            continue
        values.append(
            {
                "id": schedule_id,
                "release_at": compiled.release_at,
                "closes_at": compiled.closes_at,
                "cancel_before": compiled.cancel_before,
                "channels_return_at": compiled.channels_return_at,
                "terms": compiled.terms.to_document(),
                "terms_version": compiled.terms.version,
            }
        )
    if values:
        session.execute(update(Schedule), values)
    return len(values)
