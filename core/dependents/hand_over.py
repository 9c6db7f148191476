"""At 18 guardianship ends, and whoever was a child takes their record into their own hands (rules.md 1.2.1, 1.2.3).

They log in with a wallet of their own, are `self` there under the same document, and are proven. What former guardians
have of them stays listed, marked as handed over: nothing is booked with it any more unless they agree.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.dependents.agreements import end_agreement
from core.dependents.minors import was_ward
from core.identity.consents import end_guardians_word
from core.identity.health import forget_health
from core.identity.own import dependents_of
from core.identity.twins import with_twins
from core.locks import lock_accounts, lock_dependent, lock_dependents
from core.notices.write import tell_of_dependent
from core.refusals import IdentityRequired
from core.transactions import Changed
from models.account import DEPENDENT_PURPOSES
from models.agreement import AgreementEnd
from models.errors import FieldError, ValidationFailed
from models.notice import NoticeKind
from models.person import FULL_AGE, Dependent, IdentityLevel, Person, Relationship
from models.states import Cause

log = structlog.get_logger()


def take_over(session: Session, *, account_id: UUID, now: datetime, cause: Cause) -> None:
    """End every guardianship over the account's holder, under whichever account it stands; again it changes nothing.

    What was told of them there beside who they are is erased, of their health first of all, and so is what a guardian
    consented to.
    Nothing is answered, for how many there were is the former guardians' own.
    Raises: IdentityRequired, ValidationFailed, Changed, Overloaded.
    """
    me = _holder(session, account_id, now=now)
    wards = _under_others(session, me)
    theirs = {one.account_id for one in wards}
    locked = lock_accounts(session, theirs | {account_id})
    for found in wards:
        ward = lock_dependent(session, found.id)
        if ward.account_id not in locked:  # their account was joined into another meanwhile
            raise Changed()
        if ward.archived_at is None and ward.handed_over_at is None:
            _hand_over(session, ward, now=now, cause=cause)


def _holder(session: Session, account_id: UUID, *, now: datetime) -> Dependent:
    """Oneself, proven and of age. Raises: IdentityRequired, ValidationFailed."""
    query = dependents_of(account_id).where(Dependent.relationship_ == Relationship.SELF)
    me = session.scalars(query).one_or_none()
    today = hospital_day(now)
    level = IdentityLevel.TYPED if me is None else me.level_on(today)
    if me is None or level < IdentityLevel.PRESENT:
        raise IdentityRequired(required_level=IdentityLevel.PRESENT, level=level)
    if me.age(on=today) < FULL_AGE:
        raise ValidationFailed(FieldError("#", "too_young"))
    return me


def _under_others(session: Session, me: Dependent) -> list[Dependent]:
    """Records of the same human being that were made or guarded while they were a minor."""
    root = select(func.coalesce(Person.alias_of_id, Person.id)).where(Person.id == me.person_id).scalar_subquery()
    query = (
        select(Dependent)
        .join(Person, Person.id == Dependent.person_id)
        .where(
            or_(Person.id == root, Person.alias_of_id == root),
            Dependent.account_id != me.account_id,
            Dependent.archived_at.is_(None),
            Dependent.handed_over_at.is_(None),
            # Whoever ties a child's document to their own number in a third account reaches no record of the child's.
            Dependent.birth_date == me.birth_date,
        )
        .order_by(Dependent.id)
    )
    return [one for one in session.scalars(query) if was_ward(one)]


def _hand_over(session: Session, ward: Dependent, *, now: datetime, cause: Cause) -> None:
    """With whoever was archived in favour of the record: it would come back as it was when the join is undone."""
    forget_health(session, ward)
    for one in lock_dependents(session, with_twins([ward.id])):
        end_guardians_word(session, one, DEPENDENT_PURPOSES, now=now, cause=cause)
        one.forget_told()
        one.guardian_dependent_id, one.handed_over_at = None, now
        one.forget_guardianship()
        one.forget_guardians_proof()
    end_agreement(session, ward.id, AgreementEnd.HANDED_OVER, now=now)
    tell_of_dependent(session, NoticeKind.DEPENDENT_HANDED_OVER, ward, now=now)
    session.flush()
    log.info("dependent_handed_over", dependent=str(ward.id))
