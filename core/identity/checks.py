"""Begin an identity check: the intent in one transaction, the platform's call outside, its answer in a second one.

A check keeps its out_seq_no for life. Where the answer of a start was lost and the platform refuses the number when it
is asked again, the check has failed as `start_lost`, and a new attempt needs a new request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.identity.methods import Ways, open_methods, tries_of
from core.identity.name_match import MatchQuestion, apply_match, ask_match, match_question
from core.identity.opening import (
    FIRST_ASKED_AFTER,
    ask_later,
    open_code,
    open_desk_check,
    open_face,
    open_match,
    refuse_too_many_faces,
    stand_in_for,
)
from core.identity.outcomes import fail_check
from core.identity.own import own_check, own_dependent
from core.identity.phone_check import note_sent
from core.identity.phone_codes import CodeIntent, Outcome, send_code
from core.locks import lock_account, lock_dependent, lock_identity_check
from core.ports import FaceStart, FaceSubject, MatchAnswer, ProviderError, ProviderRefused
from core.refusals import ProviderDown
from core.registry import Adapters
from core.transactions import Changed
from models.account import PlatformIdentity
from models.errors import NotFound
from models.identity_check import FACE_METHODS, IdentityCheck, IdentityMethod
from models.person import Dependent, PersonIdentifier
from models.sealing import Vault
from models.states import Cause

Started = FaceStart | MatchAnswer | Outcome | ProviderRefused | None
"""What a platform said at the start; None where there was nothing to ask, or no answer to wait for."""
START_LOST, START_REFUSED = "start_lost", "start_refused"

log = structlog.get_logger()


@dataclass(frozen=True)
class CheckRequest:
    """Who asks for which check, and what can ask where they are logged in."""

    account_id: UUID
    identity_id: UUID
    dependent_id: UUID
    method: IdentityMethod
    ways: Ways


@dataclass(frozen=True)
class StartIntent:
    """What is to be asked of a platform; nothing where no subject, match or code is there (at the desk, or over)."""

    check_id: UUID
    method: IdentityMethod
    began_at: datetime
    resumed: bool
    app: str = ""
    out_seq_no: str = ""
    subject: FaceSubject | None = field(default=None, repr=False)
    match: MatchQuestion | None = None
    code: CodeIntent | None = None

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
        check = open_desk_check(session, dependent, now=now, cause=cause)
    elif request.method is IdentityMethod.PHONE_OTP:
        check, code = open_code(session, dependent, request.ways, vault, now=now, cause=cause)
        return StartIntent(check.id, check.method, began_at=now, resumed=False, code=code)
    elif request.method is IdentityMethod.GUARDIAN:
        check = stand_in_for(session, dependent, now=now, cause=cause)
    elif request.method is IdentityMethod.NAME_MATCH:
        check = open_match(session, dependent, request.ways, now=now, cause=cause)
    else:
        check = open_face(
            session,
            dependent,
            method=request.method,
            ways=request.ways,
            identity_id=request.identity_id,
            now=now,
            cause=cause,
        )
    return _intent(session, check, vault, now=now)


def resume_check(
    session: Session, *, account_id: UUID, step: str, ways: Ways, vault: Vault, now: datetime
) -> StartIntent:
    """Go on with an attempt that was cut off, under the same number. One that no platform answered is a try again.

    Raises: NotFound, CheckLimit."""
    lock_account(session, account_id)
    check = own_check(session, account_id=account_id, check_id=UUID(step))
    if check.is_face and check.is_pending and not check.is_started and check.asked_at is not None:
        dependent, check = lock_check(session, check.id)
        refuse_too_many_faces(session, dependent, ways, now=now)
        check.asked_at = None
    return _intent(session, check, vault, now=now, resumed=True)


def note_unanswered(session: Session, *, check_id: UUID, ways: Ways, now: datetime) -> ProviderDown:
    """The platform is down, so this is no try of the face; what is to be said, with the other ways that are open now.

    Raises: NotFound."""
    dependent, check = lock_check(session, check_id)
    if check.is_pending and not check.is_started:
        check.asked_at = now
    session.flush()
    left = open_methods(dependent, ways=ways, tries=tries_of(session, [dependent], now=now), on=hospital_day(now))
    return ProviderDown(methods=[str(one) for one in left if one not in FACE_METHODS])


def ask_start(adapters: Adapters, intent: StartIntent) -> Started:
    """Ask the platform to open the verification, or the register for its answer. Never inside a transaction.

    Raises: ProviderDown."""
    if intent.match is not None:
        return ask_match(adapters, intent.match)
    if intent.code is not None:
        return send_code(adapters.sms_gateways(), intent.code)
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
    outcome: Started,
    vault: Vault,
    now: datetime,
    cause: Cause,
) -> BegunCheck:
    """Keep the platform's answer, sealed. A refusal ends the check; the other ways stay open."""
    dependent, check = lock_check(session, intent.check_id)
    if outcome is None or not check.is_pending:
        return BegunCheck(check)
    if isinstance(outcome, Outcome):
        if intent.code is not None:
            note_sent(session, check, dependent, intent.code.code_id, outcome, now=now, cause=cause)
        return BegunCheck(check)
    if isinstance(outcome, MatchAnswer):
        apply_match(session, check, dependent, outcome, now=now, cause=cause)
        return BegunCheck(check)
    if isinstance(outcome, ProviderRefused):
        log.warning("identity_check_refused", check=str(check.id), platform_code=outcome.code, resumed=intent.resumed)
        reason = START_LOST if intent.resumed else START_REFUSED
        fail_check(session, check, dependent, reason=reason, now=now, cause=cause)
        return BegunCheck(check)
    check.start(vault, reference=outcome.reference, evidence=outcome.evidence, at=now)
    check.expires_at = intent.began_at + outcome.expires_in
    ask_later(session, check, at=now + FIRST_ASKED_AFTER, now=now)
    return BegunCheck(check, outcome.client_params)


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


def _intent(
    session: Session, check: IdentityCheck, vault: Vault, *, now: datetime, resumed: bool = False
) -> StartIntent:
    question = match_question(session, check, vault, now=now)
    if question is not None:
        return StartIntent(check.id, check.method, began_at=now, resumed=resumed, match=question)
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
