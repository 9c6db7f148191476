"""May this dependent have a number of this schedule? One evaluation serves the answer and the booking itself.

`eligibility` looks without a lock and tells every rule that refuses; booking evaluates the same rules once account and
person are locked, so that two requests cannot both be the last one allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.case import gather
from core.booking.claim import NOBODY, Taker, Wanted, count_left
from core.booking.look import Whom, has_segment
from core.booking.rules.answers import answers_to
from core.booking.rules.evaluation import is_proven, refusals, sold_until
from core.booking.rules.notice import unread_of
from core.booking.rules.required import card_to_bring
from core.booking.rules.travel import TravelGap, travel_gaps
from core.booking.standing import booker_of
from core.booking.strikes.restricted import restriction_of
from core.booking.tariff import Price
from core.booking.terms import Terms
from core.booking.what_else import alternatives, what_is_open
from core.dependents.agreements import has_agreed
from core.identity.consents import granted_purposes
from core.locks import root_of
from models.errors import DomainError, FieldError, NotFound, ValidationFailed
from models.grant import Grant
from models.person import Dependent
from models.schedule import Schedule


@dataclass(frozen=True)
class Reason:
    """One rule that refuses, with what else the patient may do."""

    error: DomainError
    alternatives: list[str]


@dataclass(frozen=True)
class Eligibility:
    allowed: bool
    reasons: list[Reason]
    price: Price
    travel_gaps: list[TravelGap]


def explain(
    session: Session,
    *,
    schedule: Schedule,
    dependent: Dependent,
    person_id: UUID,
    now: datetime,
    grant: Grant | None = None,
    notice_version: str | None = None,
    segment_starts_at: datetime | None = None,
) -> Eligibility:
    """Every rule that refuses, for a person to read. Booking succeeds exactly if this allows at that instant,
    with the same `notice_version` read, for the same segment or for any."""
    terms = Terms.from_document(schedule.terms)
    booker_id = dependent.account_id if grant is None else booker_of(grant)
    taker = Taker(person_id, dependent.account_id, booker_id, now - terms.let_go_rest)
    wanted = Wanted(schedule.id, sold_until(terms, now=now), segment_starts_at, taker)
    answers = answers_to(session, dependent.account_id, now=now)
    if grant is not None:
        answers |= answers_to(session, booker_of(grant), now=now)
    consents = granted_purposes(session, dependent.account_id)
    restriction = restriction_of(
        session,
        person_id=person_id,
        account_id=dependent.account_id,
        hospital_id=schedule.hospital_id,
        platform_wide=terms.strikes_platform_wide,
        now=now,
    )
    whom = Whom(dependent, consents, has_agreed(session, dependent), answers, grant, restriction)
    card = card_to_bring(session, schedule=schedule, terms=terms, dependent=dependent, named=None)
    case = gather(
        session,
        schedule=schedule,
        terms=terms,
        whom=whom,
        person_id=person_id,
        card=card,
        now=now,
        left=None,
        wanted=wanted,
        unread_notice=unread_of(session, terms, schedule.hospital_id, read=notice_version),
    )
    if not is_proven(case):  # what the person gave back under another account is not theirs to know
        wanted = replace(wanted, taker=replace(taker, person_id=NOBODY))
    case = replace(case, left=count_left(session, wanted))
    refused = _each_once(refusals(case))
    is_open = what_is_open(session, case, wanted) if refused else frozenset[str]()
    reasons = [Reason(error, alternatives(error, is_open)) for error in refused]
    return Eligibility(not reasons, reasons, case.price, list(travel_gaps(case)))


def _each_once(errors: Iterable[DomainError]) -> list[DomainError]:
    """The generic limit said twice would tell that two rules met another account's appointment."""
    return list({(error.code, repr(error.facts)): error for error in errors}.values())


def explain_for(
    session: Session,
    *,
    schedule_id: UUID,
    dependent_id: UUID,
    account_id: UUID,
    now: datetime,
    grant: Grant | None = None,
    notice_version: str | None = None,
    segment_starts_at: datetime | None = None,
) -> Eligibility:
    """`explain` for a dependent of the account. Raises: NotFound, ValidationFailed where the segment does not exist,
    which is asked in a query."""
    schedule = session.get(Schedule, schedule_id)
    dependent = session.scalars(
        select(Dependent).where(
            Dependent.id == dependent_id, Dependent.account_id == account_id, Dependent.archived_at.is_(None)
        )
    ).one_or_none()
    if schedule is None or dependent is None:
        raise NotFound()
    if segment_starts_at is not None and not has_segment(session, schedule_id, segment_starts_at):
        raise ValidationFailed(FieldError("?segment_starts_at", "no_such_segment"))
    root = root_of(session, dependent.person_id)
    return explain(
        session,
        schedule=schedule,
        dependent=dependent,
        person_id=root,
        now=now,
        grant=grant,
        notice_version=notice_version,
        segment_starts_at=segment_starts_at,
    )
