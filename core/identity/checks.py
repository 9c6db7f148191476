"""Begin an identity check: the intent in one transaction, the platform's call outside, its answer in a second one.

A check keeps its out_seq_no for life. Where the answer of a start was lost and the platform refuses the number when it
is asked again, the check has failed as `start_lost`, and a new attempt needs a new request.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.identity.consents import require_consent
from core.identity.methods import FACE_TRIES_PER_DAY, accepts, face_tries_today, next_day_begins
from core.identity.outcomes import expire_check, fail_check
from core.identity.own import own_check, own_dependent
from core.jobs.queue import enqueue
from core.locks import lock_account, lock_dependent, lock_identity_check
from core.ports import FaceStart, FaceSubject, FaceVerifier, ProviderError, ProviderRefused
from core.refusals import CheckLimit, ProviderDown
from core.registry import Adapters
from core.transactions import Changed
from models.account import PlatformIdentity, Purpose
from models.base import new_id
from models.errors import FieldError, NotFound, ValidationFailed
from models.identity_check import IdentityCheck, IdentityCheckStatus, IdentityMethod
from models.person import Dependent, PersonIdentifier
from models.sealing import Vault
from models.states import Cause

SETTLE = "settle_identity_check"
"""The job that asks for checks whose client vanished."""
FIRST_ASKED_AFTER = timedelta(seconds=60)
START_WITHIN = timedelta(hours=1)
"""How long a start that the platform has not answered may be resumed."""
DESK_OPEN_FOR = timedelta(days=30)
START_LOST, START_REFUSED = "start_lost", "start_refused"

log = structlog.get_logger()


@dataclass(frozen=True)
class CheckRequest:
    """Who asks for which check, from where. `verifiers` are those of the caller's provider and app."""

    account_id: UUID
    identity_id: UUID
    dependent_id: UUID
    method: IdentityMethod
    verifiers: Sequence[FaceVerifier]


@dataclass(frozen=True)
class StartIntent:
    """What is to be asked of the platform; nothing where `subject` is None (at the desk, or over already)."""

    check_id: UUID
    method: IdentityMethod
    began_at: datetime
    resumed: bool
    app: str = ""
    out_seq_no: str = ""
    subject: FaceSubject | None = field(default=None, repr=False)

    @property
    def step(self) -> str:
        return str(self.check_id)


@dataclass(frozen=True)
class BegunCheck:
    """The check, and what the client needs to go on."""

    check: IdentityCheck
    client_params: Mapping[str, Any] = field(default_factory=dict, repr=False)


def begin_check(session: Session, *, request: CheckRequest, vault: Vault, now: datetime, cause: Cause) -> StartIntent:
    """Write down the attempt, with the number that the platform will know it by.

    Raises: NotFound, ValidationFailed (a method that is not open here), ConsentRequired, CheckLimit.
    """
    lock_account(session, request.account_id)
    own_dependent(session, account_id=request.account_id, dependent_id=request.dependent_id)
    dependent = lock_dependent(session, request.dependent_id)
    if request.method is IdentityMethod.ON_SITE:
        return _intent(session, open_desk_check(session, dependent, now=now, cause=cause), vault, now=now)
    verifier = _verifier(request, dependent, now=now)
    require_consent(session, request.account_id, Purpose.FACE, dependent.id)
    if face_tries_today(session, [dependent.id], now=now).get(dependent.id, 0) >= FACE_TRIES_PER_DAY:
        raise CheckLimit(retry_at=next_day_begins(now=now), methods=[str(IdentityMethod.ON_SITE)])
    check = _new_check(dependent, request.method, expires_at=now + START_WITHIN, now=now)
    check.app, check.platform_identity_id = verifier.app, request.identity_id
    check.out_seq_no = secrets.token_hex(16)
    _open(session, check, dependent, ask_at=now + FIRST_ASKED_AFTER, now=now, cause=cause)
    return _intent(session, check, vault, now=now)


def resume_check(session: Session, *, account_id: UUID, step: str, vault: Vault, now: datetime) -> StartIntent:
    """Go on with an attempt that was cut off, under the same number. Raises: NotFound."""
    return _intent(
        session, own_check(session, account_id=account_id, check_id=UUID(step)), vault, now=now, resumed=True
    )


def ask_start(adapters: Adapters, intent: StartIntent) -> FaceStart | ProviderRefused | None:
    """Ask the platform to open the verification. Never inside a transaction. Raises: ProviderDown."""
    if intent.subject is None:
        return None
    try:
        verifier = adapters.face_verifier(intent.method, intent.app)
        return verifier.start(out_seq_no=intent.out_seq_no, subject=intent.subject)
    except ProviderRefused as refusal:
        if refusal.retryable:
            raise ProviderDown() from refusal
        return refusal
    except ProviderError as error:
        raise ProviderDown() from error


def store_start(
    session: Session,
    *,
    intent: StartIntent,
    outcome: FaceStart | ProviderRefused | None,
    vault: Vault,
    now: datetime,
    cause: Cause,
) -> BegunCheck:
    """Keep the platform's answer, sealed. A refusal ends the check; the other ways stay open."""
    dependent, check = lock_check(session, intent.check_id)
    if outcome is None or not check.is_pending:
        return BegunCheck(check)
    if isinstance(outcome, ProviderRefused):
        log.warning("identity_check_refused", check=str(check.id), platform_code=outcome.code, resumed=intent.resumed)
        reason = START_LOST if intent.resumed else START_REFUSED
        fail_check(session, check, dependent, reason=reason, now=now, cause=cause)
        return BegunCheck(check)
    check.seal_reference(vault, outcome.reference)
    check.seal_evidence(vault, outcome.evidence)
    check.expires_at = intent.began_at + outcome.expires_in
    _ask_later(session, check, at=now + FIRST_ASKED_AFTER, now=now)
    return BegunCheck(check, outcome.client_params)


def open_desk_check(session: Session, dependent: Dependent, *, now: datetime, cause: Cause) -> IdentityCheck:
    """The dependent's open check at the desk, made if there is none. The caller holds the dependent's lock."""
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


def lock_check(session: Session, check_id: UUID) -> tuple[Dependent, IdentityCheck]:
    """The check with its dependent, locked in that order.

    Raises: NotFound, Changed where undoing a join gave it to another dependent meanwhile."""
    dependent_id = session.scalar(select(IdentityCheck.dependent_id).where(IdentityCheck.id == check_id))
    if dependent_id is None:
        raise NotFound()
    dependent, check = lock_dependent(session, dependent_id), lock_identity_check(session, check_id)
    if check.dependent_id != dependent.id:
        raise Changed()
    return dependent, check


def _verifier(request: CheckRequest, dependent: Dependent, *, now: datetime) -> FaceVerifier:
    """Raises: ValidationFailed."""
    on = hospital_day(now)
    for verifier in request.verifiers:
        if verifier.method == request.method and accepts(verifier, dependent, on=on):
            return verifier
    raise ValidationFailed(FieldError("#/method", "method_not_open"))


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
    _ask_later(session, check, at=ask_at, now=now)
    session.flush()


def _ask_later(session: Session, check: IdentityCheck, *, at: datetime, now: datetime) -> None:
    enqueue(session, SETTLE, run_at=at, now=now, dedup=f"{SETTLE}:{check.id}", check_id=str(check.id))


def _intent(
    session: Session, check: IdentityCheck, vault: Vault, *, now: datetime, resumed: bool = False
) -> StartIntent:
    if check.platform_identity_id is None or check.is_started or not check.is_pending or now >= check.expires_at:
        return StartIntent(check.id, check.method, began_at=now, resumed=resumed)
    dependent = session.get_one(Dependent, check.dependent_id)
    identifier = session.get_one(PersonIdentifier, dependent.identifier_id)
    holder = session.get_one(PlatformIdentity, check.platform_identity_id)
    subject = FaceSubject(
        id_type=dependent.id_type,
        name=dependent.name(vault),
        id_number=dependent.number(vault, identifier),
        open_id=holder.subject(vault),
    )
    return StartIntent(
        check.id,
        check.method,
        began_at=now,
        resumed=resumed,
        app=check.app or "",
        out_seq_no=check.out_seq_no or "",
        subject=subject,
    )
