"""May this dependent have a number of this schedule? One evaluation serves the answer and the booking itself.

`eligibility` looks without a lock and tells every rule that refuses; booking evaluates the same rules once account and
person are locked, so that two requests cannot both be the last one allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.answers import Answers, answers_to
from core.booking.claim import Left, Wanted, count_left
from core.booking.look import Whom
from core.booking.required import card_to_bring, missing_fields
from core.booking.standing import Standing, booker_of, standing_of
from core.booking.terms import Terms
from core.dependents.agreements import has_agreed, needs_agreement
from core.dependents.minors import minor_consent_missing
from core.identity.consents import granted_purposes
from core.locks import root_of
from core.refusals import (
    AgreementRequired,
    AlreadyBooked,
    ConsentRequired,
    FieldsRequired,
    HoldOpen,
    IdentityRequired,
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
from models.errors import DomainError, NotFound
from models.grant import Grant
from models.hospital_card import HospitalCard
from models.person import Dependent, IdentityLevel
from models.schedule import Schedule, ScheduleStatus

_LOOK_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Case:
    """Everything the rules look at, at one instant."""

    schedule: Schedule
    terms: Terms
    dependent: Dependent
    person_id: UUID
    standing: list[Standing]
    consents: frozenset[Purpose]
    minor_consent_missing: bool
    has_agreed: bool
    card: HospitalCard | None
    left: Left | None
    now: datetime
    answers: Answers
    grant: Grant | None = None

    @property
    def of_person(self) -> list[Standing]:
        return [one for one in self.standing if one.is_of_person]

    @property
    def wanted_level(self) -> int:
        """The schedule's, or that somebody was present where the account has given cause to ask for it."""
        return max(self.terms.min_identity_level, IdentityLevel.PRESENT if self.answers.step_up else 0)

    @property
    def booker_id(self) -> UUID:
        """The account that books: the dependent's own, or the holder of the grant."""
        return self.dependent.account_id if self.grant is None else booker_of(self.grant)


def gather(
    session: Session,
    *,
    schedule: Schedule,
    terms: Terms,
    whom: Whom,
    person_id: UUID,
    card: HospitalCard | None,
    now: datetime,
    left: Left | None,
) -> Case:
    """Collect the case. Limits are exact only while accounts and person are locked."""
    account_id = whom.dependent.account_id
    booker_id = account_id if whom.grant is None else booker_of(whom.grant)
    return Case(
        schedule=schedule,
        terms=terms,
        dependent=whom.dependent,
        person_id=person_id,
        standing=standing_of(session, person_id, account_id, booker_id),
        consents=whom.consents,
        minor_consent_missing=minor_consent_missing(session, whom.dependent, on=schedule.visit_date),
        has_agreed=whom.has_agreed,
        card=card,
        left=left,
        now=now,
        answers=whom.answers,
        grant=whom.grant,
    )


def refusals(case: Case) -> Iterator[DomainError]:
    """Every rule that refuses, the most telling first; nothing where the number may be had."""
    yield from _schedule_refusals(case)
    yield from _consent_refusals(case)
    yield from _agreement_refusals(case)
    if case.answers.cool_down_until is not None:
        yield Restricted(retry_at=case.answers.cool_down_until, kind="cool_down")
    level, wanted = case.dependent.level_on(case.schedule.visit_date), case.wanted_level
    if level < wanted:
        yield IdentityRequired(required_level=wanted, level=level)
    missing = missing_fields(case.terms, case.dependent, case.card)
    if missing:
        yield FieldsRequired(fields=missing, dependent_id=str(case.dependent.id))
    yield from _person_refusals(case)
    yield from _hold_refusals(case)
    if case.left is not None and not case.left.free:
        yield full(case.left, now=case.now)


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


def _consent_refusals(case: Case) -> Iterator[DomainError]:
    for purpose in (Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY):
        if purpose not in case.consents:
            yield ConsentRequired(purpose=str(purpose))
    if case.minor_consent_missing:
        yield ConsentRequired(purpose=str(Purpose.MINOR), dependent_id=str(case.dependent.id))


def _agreement_refusals(case: Case) -> Iterator[DomainError]:
    """Grown-ups agree themselves, as old as they are on the day of the visit."""
    if not case.has_agreed and needs_agreement(case.dependent, case.terms.agreement_ages, on=case.schedule.visit_date):
        yield AgreementRequired(dependent_id=str(case.dependent.id), ways=[str(way) for way in AgreementWay])


def _person_refusals(case: Case) -> Iterator[DomainError]:
    terms, schedule = case.terms, case.schedule
    here = [one for one in case.of_person if one.schedule_id == schedule.id]
    if len(here) >= terms.max_open_per_person_schedule:
        yield _own_or_hidden(case, here, AlreadyBooked)
    same_day = [one for one in case.of_person if one.visit_date == schedule.visit_date]
    beside = [one for one in same_day if one.department_id == schedule.department_id and one.schedule_id != schedule.id]
    if len(here) + len(beside) >= terms.max_open_per_person_department_day and not here:
        yield _own_or_hidden(case, beside, AlreadyBooked)
    if len(same_day) >= terms.max_per_person_day:
        yield PersonLimit()


def _hold_refusals(case: Case) -> Iterator[DomainError]:
    of_person = [one for one in case.of_person if one.status is AppointmentStatus.PENDING]
    if len(of_person) >= case.terms.max_open_holds_person:
        yield _own_or_hidden(case, of_person, HoldOpen)
    elif _unpaid_by(case, case.booker_id) >= case.terms.max_open_holds_account:
        yield HoldOpen()
    elif _unpaid_by(case, case.dependent.account_id) >= case.terms.max_open_holds_account:
        yield PersonLimit()  # the granter's, for whomever: nothing that the holder may know of


def _unpaid_by(case: Case, account_id: UUID) -> int:
    """Of the account's own dependents, and for the booker those that it holds for others too."""
    unpaid = [one for one in case.standing if one.status is AppointmentStatus.PENDING]
    own = [one for one in unpaid if one.account_id == account_id and not one.for_another]
    others = [one for one in unpaid if one.for_another and one.account_id != account_id == case.booker_id]
    return len(own) + len(others)


def _own_or_hidden(case: Case, reached: list[Standing], own: type[DomainError]) -> DomainError:
    """What another account did is never told: a limit reached through it is the generic one. Who may book under a grant
    may see what is there."""
    if all(one.account_id in (case.dependent.account_id, case.booker_id) for one in reached):
        return own()
    return PersonLimit()


@dataclass(frozen=True)
class Reason:
    """One rule that refuses, with what else the patient may do."""

    error: DomainError
    alternatives: list[str]


@dataclass(frozen=True)
class Eligibility:
    allowed: bool
    reasons: list[Reason]


def explain(
    session: Session,
    *,
    schedule: Schedule,
    dependent: Dependent,
    person_id: UUID,
    now: datetime,
    grant: Grant | None = None,
) -> Eligibility:
    """Every rule that refuses, for a person to read. Booking succeeds exactly if this allows at that instant."""
    terms = Terms.from_document(schedule.terms)
    left = count_left(session, Wanted(schedule.id, later_than=sold_until(terms, now=now)))
    answers = answers_to(session, dependent.account_id, now=now)
    if grant is not None:
        answers |= answers_to(session, booker_of(grant), now=now)
    consents = granted_purposes(session, dependent.account_id)
    whom = Whom(dependent, consents, has_agreed(session, dependent.id), answers, grant)
    card = card_to_bring(session, schedule=schedule, terms=terms, dependent=dependent, named=None)
    case = gather(
        session, schedule=schedule, terms=terms, whom=whom, person_id=person_id, card=card, now=now, left=left
    )
    reasons = [Reason(error, _alternatives(error)) for error in _each_once(refusals(case))]
    return Eligibility(allowed=not reasons, reasons=reasons)


def _each_once(errors: Iterable[DomainError]) -> list[DomainError]:
    """The generic limit said twice would tell that two rules met another account's appointment."""
    return list({(error.code, repr(error.facts)): error for error in errors}.values())


def sold_until(terms: Terms, *, now: datetime) -> datetime:
    """Numbers whose segment begins at this instant or before are not sold any more."""
    return now + timedelta(minutes=terms.segment_closes_minutes_before)


_ALTERNATIVES: dict[type[DomainError], list[str]] = {
    SoldOut: ["other_day", "other_doctor", "desk"],
    NumbersInFlight: ["try_again", "other_day"],
    NotReleased: ["wait_for_release"],
    ScheduleClosed: ["other_day"],
    ScheduleSuspended: ["other_day", "other_doctor"],
    IdentityRequired: ["identity_check", "desk"],
    FieldsRequired: ["complete_fields", "desk"],
    ConsentRequired: ["give_consent"],
    AgreementRequired: ["ask_agreement", "desk"],
    AlreadyBooked: ["cancel_first", "other_day"],
    HoldOpen: ["pay_or_cancel"],
    PersonLimit: ["other_day", "desk"],
    Restricted: ["wait", "desk"],
}


def _alternatives(error: DomainError) -> list[str]:
    return _ALTERNATIVES.get(type(error), [])


def explain_for(
    session: Session,
    *,
    schedule_id: UUID,
    dependent_id: UUID,
    account_id: UUID,
    now: datetime,
    grant: Grant | None = None,
) -> Eligibility:
    """`explain` for a dependent of the account. Raises: NotFound."""
    schedule = session.get(Schedule, schedule_id)
    dependent = session.scalars(
        select(Dependent).where(
            Dependent.id == dependent_id, Dependent.account_id == account_id, Dependent.archived_at.is_(None)
        )
    ).one_or_none()
    if schedule is None or dependent is None:
        raise NotFound()
    root = root_of(session, dependent.person_id)
    return explain(session, schedule=schedule, dependent=dependent, person_id=root, now=now, grant=grant)
