"""The rules that refuse a booking, each a function of the case; the most telling comes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from core.booking.case import Case
from core.booking.claim import Left
from core.booking.rules.guards import guarded
from core.booking.rules.limits import (
    by_phone,
    closed_hours,
    of_the_day,
    over_time,
    overlapping,
    told,
    too_soon,
    with_doctor,
)
from core.booking.rules.refusals import ClosedHours
from core.booking.rules.required import missing_fields
from core.booking.standing import count
from core.booking.terms import Terms
from core.clock import hospital_day
from core.dependents.agreements import needs_agreement
from core.dependents.contact import GUARDIAN
from core.refusals import (
    AgreementRequired,
    AlreadyBooked,
    ConsentRequired,
    FieldsRequired,
    HoldOpen,
    IdentityRequired,
    NoticeUnread,
    NotReleased,
    NumbersInFlight,
    PersonLimit,
    Restricted,
    ScheduleClosed,
    ScheduleSuspended,
    SoldOut,
)
from models.account import Purpose
from models.agreement import AgreementWay
from models.appointment import AppointmentStatus
from models.errors import DomainError
from models.kinds import FULL_AGE
from models.person import Dependent, IdentityLevel
from models.schedule import ScheduleStatus
from models.strike import UNTIL_APPEAL

_LOOK_AGAIN = timedelta(minutes=1)
_NOT_ON_SALE = (ScheduleSuspended, ScheduleClosed, NotReleased, ClosedHours)


def refusals(case: Case) -> Iterator[DomainError]:
    """Every rule that refuses, the most telling first; nothing where the number may be had.

    Whoever has typed a number, and has not shown yet that they may book for its owner, is told nothing that comes of
    what other accounts did: they are refused anyway."""
    if not is_proven(case):
        case = case.seen_by_its_accounts()
    yield from _schedule_refusals(case)
    yield from guarded(case)
    yield from _consent_refusals(case)
    yield from _agreement_refusals(case)
    if case.answers.cool_down_until is not None:
        yield Restricted(retry_at=case.answers.cool_down_until, kind="cool_down")
    yield from _strike_refusals(case)
    yield from _identity_refusals(case)
    missing = missing_fields(case.terms, case.dependent, case.card)
    if missing:
        yield _fields_required(case, missing)
    if case.unread_notice is not None:
        yield NoticeUnread(notice_version=case.unread_notice, hospital_id=str(case.schedule.hospital_id))
    yield from _person_refusals(case)
    yield from of_the_day(case)
    yield from over_time(case)
    yield from by_phone(case)
    yield from too_soon(case)
    yield from overlapping(case)
    yield from _hold_refusals(case)
    if case.left is not None and not case.left.free:
        yield full(case.left, now=case.now)


def refuse_by_rules(case: Case) -> None:
    """Raises: the refusal of the rules that is to be told, if any refuses."""
    found = list(refusals(case))
    if found:
        raise full_first(case, found)


def full_first(case: Case, found: Sequence[DomainError]) -> DomainError:
    """Which of them is told. Where nothing is left, whatever else would be asked of a patient asks it in vain; but a
    schedule that is not on sale says so, and whoever has a number here by their own account hears that. What other
    accounts did for the person makes no difference (docs/decisions/0042)."""
    own = [one for one in case.of_person if one.account_id in case.own_accounts]
    has_one = any(one.schedule_id == case.schedule.id for one in own)
    is_full = next((one for one in found if isinstance(one, (SoldOut, NumbersInFlight))), None)
    return found[0] if is_full is None or has_one or isinstance(found[0], _NOT_ON_SALE) else is_full


def is_proven(case: Case) -> bool:
    """Whether nothing is missing of the right to book for this person: consent, their agreement, who they are."""
    return not any((*_consent_refusals(case), *_agreement_refusals(case), *_identity_refusals(case)))


def _fields_required(case: Case, missing: list[str]) -> FieldsRequired:
    """What a granter has left out is nothing of the holder's."""
    about: dict[str, Any] = {} if case.grant is not None else {"fields": missing}
    return FieldsRequired(dependent_id=str(case.dependent.id), **about)


def _identity_refusals(case: Case) -> Iterator[DomainError]:
    """Where anything is asked for, a guardian is somebody whom the register knows, unless the child was seen."""
    level, wanted = case.dependent.level_on(case.schedule.visit_date), case.wanted_level
    if level < wanted:
        yield IdentityRequired(required_level=wanted, level=level)
    guardian = case.guarded.guardian
    if guardian is None or level >= IdentityLevel.PRESENT:
        return
    known, asked = guardian.level_on(case.schedule.visit_date), min(wanted, IdentityLevel.MATCHED)
    if known < asked:
        about: dict[str, Any] = {} if case.grant is not None else {"dependent_id": str(guardian.id)}
        yield IdentityRequired(required_level=asked, level=known, **about)


def _strike_refusals(case: Case) -> Iterator[DomainError]:
    """What is at the desk, an emergency and what is booked stay open."""
    until = case.restriction.own_until
    if until is not None:
        ends = None if until == UNTIL_APPEAL else until
        yield Restricted(retry_at=ends, kind="strikes", open=["desk", "emergency"])
    elif case.restriction.others_until is not None:
        yield PersonLimit()


def full(left: Left, *, now: datetime) -> DomainError:
    """Sold out is said only when nothing can come back."""
    if left.free or left.returning:  # some were free a moment ago, in other hands while we tried
        return NumbersInFlight(retry_at=now + _LOOK_AGAIN, returning=left.returning)
    return SoldOut()


def _schedule_refusals(case: Case) -> Iterator[DomainError]:
    if case.schedule.status is ScheduleStatus.SUSPENDED:
        yield ScheduleSuspended()
    elif case.schedule.status is ScheduleStatus.CLOSED or case.now >= case.schedule.closes_at:
        yield ScheduleClosed()
    elif case.now < case.schedule.release_at:
        yield NotReleased(retry_at=case.schedule.release_at)
    yield from closed_hours(case)


def _consent_refusals(case: Case) -> Iterator[DomainError]:
    for purpose in (Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY):
        if purpose not in case.consents:
            yield ConsentRequired(purpose=str(purpose))
    if case.guarded.is_minor and case.guarded.guardian is None:
        yield _fields_required(case, [GUARDIAN])
    elif case.guarded.is_minor and not case.guarded.is_consented:
        yield ConsentRequired(purpose=str(Purpose.MINOR), dependent_id=str(case.dependent.id))


def _agreement_refusals(case: Case) -> Iterator[DomainError]:
    """Grown-ups agree themselves, as old as they are on the day of the visit; a guardian who is not the account's
    holder has agreed, too."""
    if not case.has_agreed and needs_agreement(case.dependent, case.terms.agreement_ages, on=case.schedule.visit_date):
        yield _agreement_required(case, case.dependent)
    if case.guarded.guardian is not None and not case.guarded.is_agreed:
        yield _agreement_required(case, case.guarded.guardian)


def _agreement_required(case: Case, whose: Dependent) -> AgreementRequired:
    """No way is open before they are of age. Who the guardian is, is nothing of whoever books under a grant."""
    is_of_age = whose.age(on=hospital_day(case.now)) >= FULL_AGE
    about = whose if case.grant is None else case.dependent
    return AgreementRequired(dependent_id=str(about.id), ways=[str(way) for way in AgreementWay] if is_of_age else [])


def _person_refusals(case: Case) -> Iterator[DomainError]:
    terms, schedule = case.terms, case.schedule
    here = [one for one in case.of_person if one.schedule_id == schedule.id]
    if count(here) >= terms.max_open_per_person_schedule or any(one.is_follow_up for one in here):
        yield told(case, here, AlreadyBooked())
    same_day = [one for one in case.of_person if one.visit_date == schedule.visit_date]
    beside = [one for one in same_day if one.department_id == schedule.department_id and one.schedule_id != schedule.id]
    if count([*here, *beside]) >= terms.max_open_per_person_department_day and not here:
        yield told(case, beside, AlreadyBooked())
    same_doctor = with_doctor(same_day, schedule)
    if count(same_doctor) >= terms.max_open_per_person_doctor_day and not here:
        yield told(case, same_doctor, AlreadyBooked())
    if count(same_day) >= terms.max_per_person_day:
        yield PersonLimit()


def _hold_refusals(case: Case) -> Iterator[DomainError]:
    of_person = [one for one in case.of_person if one.status is AppointmentStatus.PENDING]
    if len(of_person) >= case.terms.max_open_holds_person:
        yield told(case, of_person, HoldOpen())
    elif _unpaid_by(case, case.booker_id) >= case.terms.max_open_holds_account:
        yield HoldOpen()
    elif _unpaid_by(case, case.dependent.account_id) >= case.terms.max_open_holds_account:
        yield PersonLimit()  # the granter's, for whomever: nothing that the holder may know of


def _unpaid_by(case: Case, account_id: UUID) -> int:
    """Of the account's own dependents, and for the booker those that it holds for others too. A bundle is one."""
    unpaid = [one for one in case.standing if one.status is AppointmentStatus.PENDING]
    own = [one for one in unpaid if one.account_id == account_id and not one.for_another]
    others = [one for one in unpaid if one.for_another and one.account_id != account_id == case.booker_id]
    return len({one.charge_id for one in [*own, *others]})


def sold_until(terms: Terms, *, now: datetime) -> datetime:
    """Numbers whose segment begins at this instant or before are not sold any more."""
    return now + timedelta(minutes=terms.segment_closes_minutes_before)
