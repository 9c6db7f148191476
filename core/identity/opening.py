"""The checks a dependent may begin: each opened in the caller's transaction, with the limits of its kind.

The caller holds the locks of account and dependent.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import hospital_day, next_day_begins
from core.identity.consents import require_consent, require_of_minor, require_to_keep_identity
from core.identity.guardian import pass_by_guardian, standing_guardian
from core.identity.methods import (
    FACE_TRIES_PER_DAY,
    MATCHES_PER_DAY,
    Tries,
    Ways,
    open_methods,
    takes_code,
    tries_of,
)
from core.identity.name_match import new_reference
from core.identity.outcomes import expire_check, fail_pending
from core.identity.phone_check import REPLACED, prepare
from core.identity.phone_codes import CODE_LIFE, CodeIntent
from core.jobs.queue import enqueue
from core.refusals import CheckLimit
from models.account import Purpose
from models.base import new_id
from models.errors import FieldError, ValidationFailed
from models.identity_check import IdentityCheck, IdentityCheckStatus, IdentityMethod
from models.person import Dependent
from models.sealing import Vault
from models.states import Cause

SETTLE = "settle_identity_check"
"""The job that asks for checks whose client vanished."""
FIRST_ASKED_AFTER = timedelta(seconds=60)
START_WITHIN = timedelta(hours=1)
"""How long a start that the platform has not answered may be resumed."""
DESK_OPEN_FOR = timedelta(days=30)


def open_face(
    session: Session,
    dependent: Dependent,
    *,
    method: IdentityMethod,
    ways: Ways,
    identity_id: UUID,
    now: datetime,
    cause: Cause,
) -> IdentityCheck:
    """With the number that the platform will know it by. Raises: ValidationFailed, ConsentRequired, CheckLimit."""
    verifier = ways.face_for(method, dependent, on=hospital_day(now))
    if verifier is None:
        raise ValidationFailed(FieldError("#/method", "method_not_open"))
    require_to_keep_identity(session, dependent.account_id)
    require_of_minor(session, dependent, on=hospital_day(now))
    require_consent(session, dependent.account_id, Purpose.FACE, dependent.id)
    refuse_too_many_faces(session, dependent, ways, now=now)
    check = _new_check(dependent, method, expires_at=now + START_WITHIN, now=now)
    check.app, check.platform_identity_id = verifier.app, identity_id
    check.out_seq_no = secrets.token_hex(16)
    _open(session, check, dependent, ask_at=now + FIRST_ASKED_AFTER, now=now, cause=cause)
    return check


def refuse_too_many_faces(session: Session, dependent: Dependent, ways: Ways, *, now: datetime) -> None:
    """Raises: CheckLimit."""
    tries = tries_of(session, [dependent], now=now)
    if tries.faces.get(dependent.id, 0) >= FACE_TRIES_PER_DAY:
        raise _limit_reached(dependent, ways, tries, now=now)


def open_match(session: Session, dependent: Dependent, ways: Ways, *, now: datetime, cause: Cause) -> IdentityCheck:
    """Raises: ValidationFailed, ConsentRequired, CheckLimit."""
    if ways.matcher_for(dependent) is None:
        raise ValidationFailed(FieldError("#/method", "method_not_open"))
    require_to_keep_identity(session, dependent.account_id)
    require_of_minor(session, dependent, on=hospital_day(now))
    tries = tries_of(session, [dependent], now=now)
    if tries.matches >= MATCHES_PER_DAY:
        raise _limit_reached(dependent, ways, tries, now=now)
    check = _new_check(dependent, IdentityMethod.NAME_MATCH, expires_at=now + START_WITHIN, now=now)
    check.out_seq_no = new_reference()
    _open(session, check, dependent, ask_at=now + FIRST_ASKED_AFTER, now=now, cause=cause)
    return check


def open_code(
    session: Session, dependent: Dependent, ways: Ways, vault: Vault, *, now: datetime, cause: Cause
) -> tuple[IdentityCheck, CodeIntent]:
    """To wait for the code that goes to the dependent's phone.

    Raises: ValidationFailed, ConsentRequired, TooMany, Unauthenticated, Overloaded."""
    if ways.codes is None or not takes_code(dependent):
        raise ValidationFailed(FieldError("#/method", "method_not_open"))
    require_of_minor(session, dependent, on=hospital_day(now))
    # A new code ends the one before it, and the check that waited for it.
    waiting = [IdentityMethod.PHONE_OTP]
    fail_pending(session, dependent_id=dependent.id, methods=waiting, now=now, cause=cause, reason=REPLACED)
    check = _new_check(dependent, IdentityMethod.PHONE_OTP, expires_at=now + CODE_LIFE, now=now)
    _open(session, check, dependent, ask_at=check.expires_at, now=now, cause=cause)
    return check, prepare(session, check, dependent, ways.codes, vault, now=now)


def stand_in_for(session: Session, ward: Dependent, *, now: datetime, cause: Cause) -> IdentityCheck:
    """Begun and passed at once: there is nobody to ask. Raises: ValidationFailed, ConsentRequired."""
    guardian = standing_guardian(session, ward, now=now)
    check = _new_check(ward, IdentityMethod.GUARDIAN, expires_at=now + START_WITHIN, now=now)
    check.begin(session, at=now, cause=cause)
    pass_by_guardian(session, check, ward, guardian, now=now, cause=cause)
    session.flush()
    return check


def _limit_reached(dependent: Dependent, ways: Ways, tries: Tries, *, now: datetime) -> CheckLimit:
    """With the ways that are left today."""
    left = open_methods(dependent, ways=ways, tries=tries, on=hospital_day(now))
    return CheckLimit(retry_at=next_day_begins(now=now), methods=[str(one) for one in left])


def open_desk_check(session: Session, dependent: Dependent, *, now: datetime, cause: Cause) -> IdentityCheck:
    """The dependent's open check at the desk, made if there is none."""
    query = select(IdentityCheck).where(
        IdentityCheck.dependent_id == dependent.id,
        IdentityCheck.method == IdentityMethod.ON_SITE,
        IdentityCheck.status == IdentityCheckStatus.PENDING,
    )
    standing = session.scalars(query.order_by(IdentityCheck.id).limit(1)).one_or_none()
    if standing is not None and now < standing.expires_at:
        return standing
    if standing is not None:
        expire_check(session, standing, dependent, now=now, cause=cause)
    check = _new_check(dependent, IdentityMethod.ON_SITE, expires_at=now + DESK_OPEN_FOR, now=now)
    _open(session, check, dependent, ask_at=check.expires_at, now=now, cause=cause)
    return check


def _new_check(dependent: Dependent, method: IdentityMethod, *, expires_at: datetime, now: datetime) -> IdentityCheck:
    return IdentityCheck(
        id=new_id(),
        account_id=dependent.account_id,
        dependent_id=dependent.id,
        method=method,
        level=0,
        created_at=now,
        expires_at=expires_at,
    )


def _open(
    session: Session, check: IdentityCheck, dependent: Dependent, *, ask_at: datetime, now: datetime, cause: Cause
) -> None:
    check.begin(session, at=now, cause=cause)
    dependent.note_check_pending()
    ask_later(session, check, at=ask_at, now=now)
    session.flush()


def ask_later(session: Session, check: IdentityCheck, *, at: datetime, now: datetime) -> None:
    """Have the job look at the check then."""
    enqueue(session, SETTLE, run_at=at, now=now, dedup=f"{SETTLE}:{check.id}", check_id=str(check.id))
