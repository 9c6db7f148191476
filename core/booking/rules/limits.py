"""Rules over time: visits in seven days and three months, hospitals and departments of a day, segments that overlap,
what was let go a moment ago, and the hours in which nothing is sold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta

from core.booking.case import Case
from core.booking.rules.refusals import ClosedHours, Overlaps, PeriodLimit, RebookTooSoon
from core.booking.standing import LONGEST_PERIOD, Standing, count
from core.booking.terms import Terms
from core.clock import HOSPITAL_ZONE
from core.refusals import PersonLimit
from models.errors import DomainError
from models.schedule import Schedule

_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)


def closed_hours(case: Case) -> Iterator[DomainError]:
    """Half-open at the hospital, also over midnight: from `closed_from` on nothing is sold, at `closed_until` again."""
    begins, ends = time.fromisoformat(case.terms.closed_from), time.fromisoformat(case.terms.closed_until)
    here = case.now.astimezone(HOSPITAL_ZONE)
    at = here.time()
    is_closed = begins <= at < ends if begins <= ends else at >= begins or at < ends
    if is_closed:
        opens_at = datetime.combine(here.date(), ends, HOSPITAL_ZONE)
        yield ClosedHours(retry_at=opens_at if at < ends else opens_at + _DAY)


def over_time(case: Case) -> Iterator[DomainError]:
    """Visits count by the day they are for, in every run of so many days that holds the wanted one."""
    for first, length, most in full_periods(case.terms, case.visits, case.schedule.visit_date):
        reached = [one for one in case.visits if first <= one.visit_date < first + length]
        last = first + length - _DAY
        yield told(case, reached, PeriodLimit(days=length.days, most=most, first_day=first, last_day=last))


def full_periods(terms: Terms, visits: Sequence[Standing], wanted: date) -> Iterator[tuple[date, timedelta, int]]:
    """Each run with the wanted day in it that has as many visits as it may: its first day, length and limit."""
    for most, length in ((terms.max_per_person_7_days, _WEEK), (terms.max_per_person_3_months, LONGEST_PERIOD)):
        first = fullest(visits, wanted, length=length, most=most)
        if first is not None:
            yield first, length, most


def fullest(visits: Iterable[Standing], wanted: date, *, length: timedelta, most: int) -> date | None:
    """The first day of a run of `length` with `wanted` in it in which there are `most` visits already."""
    near = [one for one in visits if wanted - length < one.visit_date < wanted + length]
    if count(near) < most:
        return None
    runs = (wanted - _DAY * back for back in range(length.days))
    # Both halves of an exchange under way: which of the two days it will be is not decided.
    return next(
        (day for day in runs if count(one for one in near if day <= one.visit_date < day + length) >= most), None
    )


def of_the_day(case: Case) -> Iterator[DomainError]:
    """Numbers of one hospital, and different departments of one hospital, on one day."""
    if is_day_full(case.terms, case.of_person, case.schedule):
        yield PersonLimit()


def with_doctor(same_day: Iterable[Standing], schedule: Schedule) -> list[Standing]:
    """Those that are with the doctor of that half day, if it has one."""
    code = schedule.doctor_code
    return [one for one in same_day if code and one.doctor_code == code]


def is_day_full(terms: Terms, standing: Iterable[Standing], schedule: Schedule) -> bool:
    """By what stands of the person in that hospital on that day."""
    day, hospital_id = schedule.visit_date, schedule.hospital_id
    here = [one for one in standing if one.visit_date == day and one.hospital_id == hospital_id]
    departments = {one.department_id for one in here if not one.is_follow_up} - {schedule.department_id}
    return count(here) >= terms.max_per_person_hospital_day or len(departments) >= terms.max_departments_per_person_day


def by_phone(case: Case) -> Iterator[DomainError]:
    """Whose numbers they are is not told: it may be any account that gave the same phone."""
    most = case.terms.max_per_phone_month
    if most and case.booked_by_phone >= most:
        yield PersonLimit()


def too_soon(case: Case) -> Iterator[DomainError]:
    """Whoever let a number of this half day go waits before they have one again."""
    for one in case.let_go:
        minutes = case.terms.rebook_after_refund_minutes if one.was_paid else case.terms.rebook_after_cancel_minutes
        until = (one.ended_at or case.now) + timedelta(minutes=minutes)
        if case.now < until:
            yield told(case, [one], RebookTooSoon(retry_at=until))


def overlapping(case: Case) -> Iterator[DomainError]:
    """Numbers are left, but each at a time at which the person is elsewhere."""
    if case.elsewhere and case.clear_segment is None and (case.left is None or case.left.free):
        yield told(case, case.elsewhere, Overlaps())


def told(case: Case, reached: list[Standing], own: DomainError) -> DomainError:
    """What another account did is never told: a limit reached through it is the generic one. Who may book under a grant
    may see what is there."""
    if case.own_accounts.issuperset(one.account_id for one in reached):
        return own
    return PersonLimit()
