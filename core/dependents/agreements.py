"""Grown-ups agree themselves before an account that is not theirs books for them (rules.md 1.1.6, decision 0028)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.clock import hospital_day
from core.dependents.agreement_words import VERSION
from core.identity.consents import granted, require_to_keep_identity
from core.identity.own import own_dependent
from core.identity.twins import with_twins
from core.locks import lock_account, lock_dependent
from core.refusals import AgreementNotGiven
from core.rights.access import AccessAction, AccessPurpose, note_access
from models.account import Purpose
from models.agreement import Agreement, AgreementEnd, AgreementWay
from models.base import new_id
from models.errors import FieldError, NotFound, ValidationFailed
from models.identity_check import FACE_METHODS, IdentityCheck, IdentityCheckStatus
from models.person import FULL_AGE, Dependent, Relationship
from models.states import Cause

FACE_GOOD_FOR = timedelta(days=1)
"""How long after a face check was passed it may still say that its person agrees."""


@dataclass(frozen=True)
class Ages:
    """Who is asked: from `first` to `last`, both in full years and both included; nobody where `last` is less."""

    first: int
    last: int

    @classmethod
    def of_grown_ups(cls, first: int, last: int) -> Ages:
        """As a hospital wants it, but no minor: for them a guardian consents."""
        return cls(max(first, FULL_AGE), last)


class AgreementStatus(StrEnum):
    NOT_NEEDED = "not_needed"
    NEEDED = "needed"
    GIVEN = "given"
    REVOKED = "revoked"


@dataclass(frozen=True)
class AgreementView:
    """`at` and `way` of the agreement that holds, or `at` of its end."""

    status: AgreementStatus
    at: datetime | None = None
    way: AgreementWay | None = None


def needs_agreement(dependent: Dependent, ages: Ages, *, on: date) -> bool:
    """Whether the dependent is somebody else, of an age at which one agrees oneself, or has taken their record over."""
    if dependent.relationship_ is Relationship.SELF:
        return False
    return dependent.handed_over_at is not None or ages.first <= dependent.age(on=on) <= ages.last


def agreed_at(dependent_id: ColumnElement[UUID] | InstrumentedAttribute[UUID]) -> ScalarSelect[datetime]:
    """When this dependent's agreement was given that has not ended, in the text in force: a column for a statement.
    Whether it holds, `is_own_word` tells."""
    standing = select(Agreement.given_at).where(
        Agreement.dependent_id == dependent_id, Agreement.ended_at.is_(None), Agreement.version == VERSION
    )
    return standing.scalar_subquery()


def is_own_word(dependent: Dependent, given_at: datetime | None) -> bool:
    """Whether the dependent agreed, and was of age: what was said before the 18th birthday never holds."""
    return given_at is not None and dependent.age(on=hospital_day(given_at)) >= FULL_AGE


def has_agreed(session: Session, dependent: Dependent) -> bool:
    query = select(agreed_at(Dependent.id)).where(Dependent.id == dependent.id)
    return is_own_word(dependent, session.scalar(query))


def holds(agreement: Agreement, dependent: Dependent) -> bool:
    """The same, of one that was read."""
    stands = agreement.ended_at is None and agreement.version == VERSION
    return stands and is_own_word(dependent, agreement.given_at)


def view_agreements(
    session: Session, dependents: Iterable[Dependent], ages: Ages, *, on: date
) -> dict[UUID, AgreementView]:
    """By dependent; `on` is today at the hospital."""
    wanted = list(dependents)
    newest = func.row_number().over(
        partition_by=Agreement.dependent_id, order_by=(Agreement.given_at.desc(), Agreement.id.desc())
    )
    ranked = (
        select(Agreement.id, newest.label("place"))
        .where(Agreement.dependent_id.in_([one.id for one in wanted]))
        .subquery()
    )
    query = select(Agreement).join(ranked, ranked.c.id == Agreement.id).where(ranked.c.place == 1)
    found = {one.dependent_id: one for one in session.scalars(query)}
    return {one.id: _view(one, found.get(one.id), is_needed=needs_agreement(one, ages, on=on)) for one in wanted}


def _view(dependent: Dependent, newest: Agreement | None, *, is_needed: bool) -> AgreementView:
    if newest is not None and holds(newest, dependent):
        return AgreementView(AgreementStatus.GIVEN, newest.given_at, newest.way)
    if not is_needed:
        return AgreementView(AgreementStatus.NOT_NEEDED)
    if newest is not None and newest.end_reason is AgreementEnd.REVOKED:
        return AgreementView(AgreementStatus.REVOKED, newest.ended_at)
    return AgreementView(AgreementStatus.NEEDED)


def agree_by_face(session: Session, *, account_id: UUID, dependent_id: UUID, version: str, now: datetime) -> Dependent:
    """The person's own face said it: a check of this dependent that was passed lately, and has said nothing yet.

    A check from before a revoking says nothing, nor does any once the consent to faces is withdrawn.
    Raises: NotFound, ConsentRequired, ValidationFailed, AgreementNotGiven.
    """
    lock_account(session, account_id)
    own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    require_to_keep_identity(session, account_id)
    dependent = lock_dependent(session, dependent_id)
    refuse_unless_asked_right(dependent, version, on=hospital_day(now))
    if not granted(session, account_id, Purpose.FACE, dependent_id):
        raise AgreementNotGiven()
    last_end = select(func.max(Agreement.ended_at)).where(Agreement.dependent_id == dependent_id).scalar_subquery()
    used = exists().where(Agreement.check_id == IdentityCheck.id)
    query = select(IdentityCheck.id).where(
        IdentityCheck.dependent_id == dependent_id,
        IdentityCheck.method.in_(FACE_METHODS),
        IdentityCheck.status == IdentityCheckStatus.PASSED,
        IdentityCheck.completed_at > now - FACE_GOOD_FOR,
        (IdentityCheck.created_at > last_end) | last_end.is_(None),
        ~used,
    )
    check_id = session.scalars(query.order_by(IdentityCheck.completed_at.desc()).limit(1)).one_or_none()
    if check_id is None:
        raise AgreementNotGiven()
    note_agreement(session, dependent, AgreementWay.FACE, check_id=check_id, now=now)
    return dependent


def agree_at_desk(session: Session, *, dependent_id: UUID, operator: str, now: datetime, cause: Cause) -> Agreement:
    """The person has said it to an operator's face. Raises: NotFound, for oneself and for a minor too."""
    dependent = _at_desk(session, dependent_id)
    if dependent.age(on=hospital_day(now)) < FULL_AGE:
        raise NotFound()
    given = note_agreement(session, dependent, AgreementWay.DESK, witnessed_by=operator, now=now)
    _note_desk(session, dependent_id, AccessAction.AGREED_ON_SITE, operator, cause, result="given", now=now)
    return given


def revoke_at_desk(session: Session, *, dependent_id: UUID, operator: str, now: datetime, cause: Cause) -> bool:
    """The person takes it back before an operator; whether there was anything to take back. Raises: NotFound."""
    _at_desk(session, dependent_id)
    ended = end_agreement(session, dependent_id, AgreementEnd.REVOKED, now=now)
    result = "revoked" if ended else "none"
    _note_desk(session, dependent_id, AccessAction.AGREEMENT_REVOKED, operator, cause, result=result, now=now)
    return ended


def revoke_agreement(session: Session, *, account_id: UUID, dependent_id: UUID, now: datetime) -> None:
    """The account gives the right back, at once. Where none is held nothing changes. Raises: NotFound."""
    lock_account(session, account_id)
    own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    end_agreement(session, dependent_id, AgreementEnd.REVOKED, now=now)


def note_agreement(
    session: Session,
    dependent: Dependent,
    way: AgreementWay,
    *,
    now: datetime,
    check_id: UUID | None = None,
    witnessed_by: str | None = None,
) -> Agreement:
    """Write it down in the place of an older one. The caller holds the account's lock."""
    _end(session, Agreement.dependent_id == dependent.id, AgreementEnd.RENEWED, now=now)
    given = Agreement(
        id=new_id(),
        account_id=dependent.account_id,
        dependent_id=dependent.id,
        version=VERSION,
        way=way,
        given_at=now,
        check_id=check_id,
        witnessed_by=witnessed_by,
    )
    session.add(given)
    session.flush()
    return given


def end_agreement(
    session: Session, dependent_id: UUID, why: AgreementEnd, *, now: datetime, way: AgreementWay | None = None
) -> bool:
    """Whether one held. Those of whoever was archived in favour of the dependent end too: they would come back when the
    join is undone. `way` ends only what was said in that way. The caller holds the account's lock."""
    rows = select(Dependent.id).where(with_twins([dependent_id]))
    return _end(session, Agreement.dependent_id.in_(rows), why, way=way, now=now)


def _end(
    session: Session, which: ColumnElement[bool], why: AgreementEnd, *, now: datetime, way: AgreementWay | None = None
) -> bool:
    query = select(Agreement).where(which, Agreement.ended_at.is_(None))
    standing = session.scalars(query.execution_options(populate_existing=True)).all()
    ending = [one for one in standing if way in (None, one.way)]
    for one in ending:
        one.end(why, at=now)
    session.flush()
    return bool(ending)


def refuse_unless_asked_right(dependent: Dependent, version: str, *, on: date) -> None:
    """Raises: ValidationFailed where it is oneself or a minor, or another text than the one in force was shown."""
    faults = []
    if dependent.relationship_ is Relationship.SELF or dependent.age(on=on) < FULL_AGE:
        faults.append(FieldError("#/way", "not_needed"))
    if version != VERSION:
        faults.append(FieldError("#/version", "outdated_version"))
    if faults:
        raise ValidationFailed(*faults)


def _at_desk(session: Session, dependent_id: UUID) -> Dependent:
    found = session.get(Dependent, dependent_id)
    if found is None or found.archived_at is not None or found.relationship_ is Relationship.SELF:
        raise NotFound()
    lock_account(session, found.account_id)
    return lock_dependent(session, dependent_id)


def _note_desk(
    session: Session,
    dependent_id: UUID,
    action: AccessAction,
    operator: str,
    cause: Cause,
    *,
    result: str,
    now: datetime,
) -> None:
    note_access(
        session,
        actor=operator,
        action=action,
        purpose=AccessPurpose.VISIT,
        dependent_id=dependent_id,
        result=result,
        facts={"command": cause.id},
        now=now,
    )
    session.flush()
