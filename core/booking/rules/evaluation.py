"""The rules that refuse a booking, each a function of the case; the most telling comes first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from core.booking.standing import Standing, count
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
_STAY_OPEN = ("desk", "emergency")  # `core/booking/at_desk.py` passes over what restricts somebody
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
        yield Restricted(retry_at=case.answers.cool_down_until, kind="cool_down", open=list(_STAY_OPEN))
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
        yield Restricted(retry_at=ends, kind="strikes", open=list(_STAY_OPEN))
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
        yield told(case, here, _already_booked(case, here))
    same_day = [one for one in case.of_person if one.visit_date == schedule.visit_date]
    beside = [one for one in same_day if one.department_id == schedule.department_id and one.schedule_id != schedule.id]
    if count([*here, *beside]) >= terms.max_open_per_person_department_day and not here:
        yield told(case, beside, _already_booked(case, beside))
    same_doctor = with_doctor(same_day, schedule)
    if count(same_doctor) >= terms.max_open_per_person_doctor_day and not here:
        yield told(case, same_doctor, _already_booked(case, same_doctor))
    if count(same_day) >= terms.max_per_person_day:
        yield PersonLimit()


def _already_booked(case: Case, standing: Iterable[Standing]) -> AlreadyBooked:
    return AlreadyBooked(**_named(case, standing))


def _hold_refusals(case: Case) -> Iterator[DomainError]:
    terms = case.terms
    of_person = [one for one in case.of_person if one.status is AppointmentStatus.PENDING]
    by_booker = _unpaid_by(case, case.booker_id)
    if len(of_person) >= terms.max_open_holds_person:
        yield told(case, of_person, _hold_open(case, of_person, most=terms.max_open_holds_person))
    elif len({one.charge_id for one in by_booker}) >= terms.max_open_holds_account:
        yield _hold_open(case, by_booker, most=terms.max_open_holds_account)
    elif len({one.charge_id for one in _unpaid_by(case, case.dependent.account_id)}) >= terms.max_open_holds_account:
        yield PersonLimit()  # the granter's, for whomever: nothing that the holder may know of


def _hold_open(case: Case, unpaid: Sequence[Standing], *, most: int) -> HoldOpen:
    """With the instant at which enough of them have lapsed, where each of them does by itself."""
    lapses = {one.charge_id: one.hold_expires_at for one in unpaid}
    ends = sorted(one for one in lapses.values() if one is not None)
    enough = len(lapses) - most
    is_known = len(ends) == len(lapses) and 0 <= enough < len(ends)
    return HoldOpen(retry_at=ends[enough] if is_known else None, **_named(case, unpaid))


def _named(case: Case, standing: Iterable[Standing]) -> dict[str, Any]:
    """The ids of those that the account has booked which asks; of a granter's it sees what it was lent."""
    own = [str(one.appointment_id) for one in standing if one.account_id == case.booker_id and one.appointment_id]
    return {"appointment_ids": own} if own else {}


def _unpaid_by(case: Case, account_id: UUID) -> list[Standing]:
    """Of the account's own dependents, and for the booker those that it holds for others too. A bundle is one."""
    unpaid = [one for one in case.standing if one.status is AppointmentStatus.PENDING]
    own = [one for one in unpaid if one.account_id == account_id and not one.for_another]
    others = [one for one in unpaid if one.for_another and one.account_id != account_id == case.booker_id]
    return [*own, *others]


def sold_until(terms: Terms, *, now: datetime) -> datetime:
    """Numbers whose segment begins at this instant or before are not sold any more."""
    return now + timedelta(minutes=terms.segment_closes_minutes_before)
