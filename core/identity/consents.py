"""Consents: which text an account agreed to or withdrew from, when, and over which channel (rules.md L-01 to L-03)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.identity.consent_texts import current_version, is_known_version
from core.identity.health import forget_health
from core.identity.outcomes import fail_pending, fail_pending_faces
from core.identity.own import dependents_of, own_dependent
from core.locks import lock_account, lock_dependent
from core.refusals import ConsentRequired
from models.account import DEPENDENT_PURPOSES, Consent, Provider, Purpose
from models.base import new_id
from models.errors import FieldError, ValidationFailed
from models.identity_check import FACE_METHODS, IdentityMethod
from models.kinds import FULL_AGE, OWN_CONSENT_AGE
from models.person import Dependent
from models.states import Cause

DUE_AT_LOGIN = (Purpose.SERVICE,)
TO_KEEP_IDENTITY = (Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY)
"""What anything more about who somebody is rests on, whether it is written down or compared (decision 0046)."""
_TOLD_TO_PLATFORMS = FACE_METHODS | {IdentityMethod.NAME_MATCH}
_ASKED_ABOUT = _TOLD_TO_PLATFORMS | {IdentityMethod.PHONE_OTP}
"""What rests on `TO_KEEP_IDENTITY`: all but the desk, where nothing is told to this service."""


def record_consent(
    session: Session,
    *,
    account_id: UUID,
    purpose: Purpose,
    version: str,
    granted: bool,
    dependent_id: UUID | None,
    provider: str,
    identity_id: UUID,
    now: datetime,
    cause: Cause,
) -> Consent:
    """Write down that the account agreed to a text, or withdrew. Saying what already holds writes nothing new.

    Withdrawing also ends the open checks that rest on it: those of a face; of a minor those that a platform answers; of
    the account all but those at the desk. The consent to health data takes along what was told. It counts for the
    dependent's twins as well.
    Raises: ValidationFailed, NotFound.
    """
    _refuse_ill_formed(purpose, version, granted=granted, dependent_id=dependent_id)
    lock_account(session, account_id)
    if dependent_id is not None:
        dependent = own_dependent(session, account_id=account_id, dependent_id=dependent_id)
        if granted and purpose is Purpose.MINOR:
            _refuse_without_guardian(dependent, on=hospital_day(now))
    newest = newest_consent(session, account_id=account_id, purpose=purpose, dependent_id=dependent_id)
    twins = [] if granted or dependent_id is None else _twins_agreed_for(session, account_id, purpose, dependent_id)
    if not twins and newest is not None and (newest.version, newest.granted) == (version, granted):
        return newest
    said = [
        Consent(
            id=new_id(),
            account_id=account_id,
            dependent_id=one,
            purpose=purpose,
            version=version,
            granted=granted,
            provider=Provider(provider),
            given_by_id=identity_id,
            at=now,
        )
        for one in (dependent_id, *twins)
    ]
    session.add_all(said)
    if not granted:
        _end_use(session, said[0], now=now, cause=cause)
    return said[0]


def _refuse_without_guardian(dependent: Dependent, *, on: date) -> None:
    """It is the guardian's word about a minor: both must be there (decision 0047). Raises: ValidationFailed."""
    if dependent.age(on=on) < FULL_AGE and dependent.guardian_dependent_id is None:
        raise ValidationFailed(FieldError("#/dependent_id", "guardian_missing"))


def end_guardians_word(
    session: Session, ward: Dependent, purposes: Iterable[Purpose] = (Purpose.MINOR,), *, now: datetime, cause: Cause
) -> None:
    """Another guardian, or none, has not said what the one before said: it is asked anew.

    The caller holds the locks of account and ward."""
    for purpose in purposes:
        _end_word(session, ward, purpose, now=now, cause=cause)


def _end_word(session: Session, ward: Dependent, purpose: Purpose, *, now: datetime, cause: Cause) -> None:
    newest = newest_consent(session, account_id=ward.account_id, purpose=purpose, dependent_id=ward.id)
    if newest is None or not newest.granted:
        return
    same = ("account_id", "dependent_id", "purpose", "version", "provider", "given_by_id")
    ended = Consent(id=new_id(), granted=False, at=now, **{name: getattr(newest, name) for name in same})
    session.add(ended)
    _end_use(session, ended, now=now, cause=cause)


def _twins_agreed_for(session: Session, account_id: UUID, purpose: Purpose, dependent_id: UUID) -> list[UUID]:
    """Whoever was archived in favour of the dependent and has this consent: nobody can name that record to withdraw it,
    and it comes back when the join is undone. What is agreed to counts for nobody but the one it names."""
    twins = session.scalars(select(Dependent.id).where(Dependent.merged_into_id == dependent_id)).all()
    newest = (newest_consent(session, account_id=account_id, purpose=purpose, dependent_id=one) for one in twins)
    return [one.dependent_id for one in newest if one is not None and one.granted and one.dependent_id is not None]


def _end_use(session: Session, withdrawn: Consent, *, now: datetime, cause: Cause) -> None:
    """Nobody is asked any more about a face, or about name and number, on a consent that is gone, and nothing of
    somebody's health is kept (L-03)."""
    if withdrawn.purpose is Purpose.FACE and withdrawn.dependent_id is not None:
        fail_pending_faces(session, dependent_id=withdrawn.dependent_id, now=now, cause=cause)
    elif withdrawn.purpose is Purpose.HEALTH and withdrawn.dependent_id is not None:
        forget_health(session, lock_dependent(session, withdrawn.dependent_id))
    elif withdrawn.purpose is Purpose.MINOR and withdrawn.dependent_id is not None:
        dependent = lock_dependent(session, withdrawn.dependent_id)
        if is_consented_for(dependent, on=hospital_day(now)):
            fail_pending(session, dependent_id=dependent.id, methods=_ASKED_ABOUT, now=now, cause=cause)
    elif withdrawn.purpose in TO_KEEP_IDENTITY:
        for dependent in session.scalars(dependents_of(withdrawn.account_id)).all():
            fail_pending(session, dependent_id=dependent.id, methods=_ASKED_ABOUT, now=now, cause=cause)


def newest_consent(
    session: Session, *, account_id: UUID, purpose: Purpose, dependent_id: UUID | None = None
) -> Consent | None:
    """The row that counts."""
    query = select(Consent).where(
        Consent.account_id == account_id,
        Consent.purpose == purpose,
        Consent.dependent_id.is_not_distinct_from(dependent_id),
    )
    return session.scalars(query.order_by(Consent.at.desc(), Consent.id.desc()).limit(1)).one_or_none()


def standing_consents(session: Session, *, account_id: UUID) -> list[Consent]:
    """The newest row of each purpose, and of each dependent where the purpose names one, oldest first."""
    place = func.row_number().over(
        partition_by=(Consent.purpose, Consent.dependent_id), order_by=(Consent.at.desc(), Consent.id.desc())
    )
    ranked = select(Consent.id, place.label("place")).where(Consent.account_id == account_id).subquery()
    query = select(Consent).join(ranked, ranked.c.id == Consent.id).where(ranked.c.place == 1)
    return list(session.scalars(query.order_by(Consent.at, Consent.id)))


def granted(session: Session, account_id: UUID, purpose: Purpose, dependent_id: UUID | None = None) -> bool:
    """Whether the account stands by the text in force. An older version does not count: the new one is to be shown."""
    newest = newest_consent(session, account_id=account_id, purpose=purpose, dependent_id=dependent_id)
    return newest is not None and newest.granted and newest.version == current_version(purpose)


def granted_purposes(session: Session, account_id: UUID) -> frozenset[Purpose]:
    """The account's own purposes (those that name no dependent) that it stands by, in the text in force."""
    standing = standing_consents(session, account_id=account_id)
    return purposes_stood_by((one.purpose, one.version, one.granted) for one in standing if one.dependent_id is None)


def purposes_stood_by(acts: Iterable[tuple[Purpose, str, bool]]) -> frozenset[Purpose]:
    """The purposes that an account stands by in the text in force, from (purpose, version, granted), oldest first."""
    newest = {purpose: (version, given) for purpose, version, given in acts}
    return frozenset(
        purpose for purpose, (version, given) in newest.items() if given and version == current_version(purpose)
    )


def require_consent(session: Session, account_id: UUID, purpose: Purpose, dependent_id: UUID | None = None) -> None:
    """Raises: ConsentRequired, naming the purpose and the version to show."""
    if not granted(session, account_id, purpose, dependent_id):
        about: dict[str, Any] = {} if dependent_id is None else {"dependent_id": str(dependent_id)}
        raise ConsentRequired(purpose=str(purpose), version=current_version(purpose), **about)


def is_consented_for(dependent: Dependent, *, on: date) -> bool:
    """Whether a guardian consents in their place: they are a child, or a minor with a guardian here."""
    age = dependent.age(on=on)
    return age < OWN_CONSENT_AGE or (age < FULL_AGE and dependent.guardian_dependent_id is not None)


def require_of_minor(session: Session, dependent: Dependent, *, on: date) -> None:
    """Before a minor's name, number or face is told to whoever compares them, or anything of their health is kept: the
    guardian's consent (L-04, F-03, decision 0047). `on` is the hospital's day. Raises: ConsentRequired."""
    if is_consented_for(dependent, on=on):
        require_consent(session, dependent.account_id, Purpose.MINOR, dependent.id)


def require_to_keep_of(session: Session, dependent: Dependent, *, on: date) -> None:
    """As `require_to_keep_identity`, of one who is there; of a minor nothing either once the guardian's consent is
    withdrawn. Before it was ever asked for, the child and its guardian must be there to be named in it.

    Raises: ConsentRequired."""
    require_to_keep_identity(session, dependent.account_id)
    about = {"account_id": dependent.account_id, "dependent_id": dependent.id}
    newest = newest_consent(session, purpose=Purpose.MINOR, **about)
    if newest is not None and not newest.granted:
        require_of_minor(session, dependent, on=on)


def require_to_keep_identity(session: Session, account_id: UUID) -> None:
    """Before anything more is kept or asked of who somebody is. The caller holds the account's lock.

    Raises: ConsentRequired."""
    for purpose in TO_KEEP_IDENTITY:
        require_consent(session, account_id, purpose)


def consents_due(session: Session, *, account_id: UUID) -> list[Purpose]:
    """What must be agreed to before anything else; the other purposes are asked for when they are needed."""
    return [purpose for purpose in DUE_AT_LOGIN if not granted(session, account_id, purpose)]


def _refuse_ill_formed(purpose: Purpose, version: str, *, granted: bool, dependent_id: UUID | None) -> None:
    faults = []
    if purpose in DEPENDENT_PURPOSES and dependent_id is None:
        faults.append(FieldError("#/dependent_id", "missing"))
    if purpose not in DEPENDENT_PURPOSES and dependent_id is not None:
        faults.append(FieldError("#/dependent_id", "not_allowed"))
    if not is_known_version(purpose, version):
        faults.append(FieldError("#/version", "unknown_version"))
    elif granted and version != current_version(purpose):
        faults.append(FieldError("#/version", "outdated_version"))
    if faults:
        raise ValidationFailed(*faults)
