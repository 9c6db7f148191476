"""End an identity check by what the platform says. What the client claims is never proof.

The question is put together in one transaction, asked outside of any, and its answer applied in another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from core.identity.checks import lock_check
from core.identity.name_match import MatchQuestion, apply_match, ask_match, match_question
from core.identity.outcomes import FACE_MATCHED, expire_check, fail_check, pass_check
from core.identity.own import own_check
from core.jobs.queue import LeasedJob
from core.ports import FaceOutcome, FaceResult, MatchAnswer, ProviderError, ProviderRefused
from core.registry import Adapters
from core.workbench import Workbench
from models.account import PlatformIdentity
from models.identity_check import IdentityCheck, IdentityCheckStatus, IdentityMethod
from models.person import Dependent, IdentityLevel
from models.sealing import Vault
from models.states import Actor, Cause, CauseKind

NOT_CONFIRMED = "not_confirmed"
"""The platform refuses to tell this result to us: it is another person's, another user's, or gone."""
OTHER_REASON = "other"
LAST_ASKED_BEFORE_END = timedelta(seconds=30)

_PAUSES = (60, 120, 300, 600, 900)

log = structlog.get_logger()


@dataclass(frozen=True)
class Question:
    """Everything the platform wants to hear before it tells a result, all of it from our own rows."""

    check_id: UUID
    method: str
    app: str
    out_seq_no: str
    reference: str = field(repr=False)
    evidence: str = field(repr=False)
    open_id: str = field(repr=False)


@dataclass(frozen=True)
class CheckState:
    """`status`: pending, passed or failed; an expired check is failed. `level` is what the dependent has now."""

    status: IdentityCheckStatus
    level: int
    reason: str | None


Answer = FaceResult | MatchAnswer | ProviderRefused | None


def question_of(
    session: Session, *, check: IdentityCheck, vault: Vault, now: datetime
) -> Question | MatchQuestion | None:
    """None where there is nothing to ask: not a platform's check, not started, over, or out of time."""
    if check.method is IdentityMethod.NAME_MATCH:
        return match_question(session, check, vault, now=now)
    reference, evidence = check.reference(vault), check.opened_evidence(vault)
    if not check.is_pending or now >= check.expires_at or check.platform_identity_id is None:
        return None
    if reference is None or evidence is None:
        return None
    holder = session.get_one(PlatformIdentity, check.platform_identity_id)
    return Question(
        check_id=check.id,
        method=check.method,
        app=check.app or "",
        out_seq_no=check.out_seq_no or "",
        reference=reference,
        evidence=evidence,
        open_id=holder.subject(vault),
    )


def ask_result(adapters: Adapters, question: Question | MatchQuestion | None) -> Answer:
    """The platform's answer, or None where there is none to trust. Never inside a transaction."""
    if question is None:
        return None
    if isinstance(question, MatchQuestion):
        return ask_match(adapters, question)
    try:
        return adapters.face_verifier(question.method, question.app).read_result(
            reference=question.reference,
            out_seq_no=question.out_seq_no,
            evidence=question.evidence,
            open_id=question.open_id,
        )
    except ProviderRefused as refusal:
        log.warning("identity_result_refused", check=str(question.check_id), platform_code=refusal.code)
        return None if refusal.retryable else refusal
    except ProviderError as error:
        log.warning("identity_result_unknown", check=str(question.check_id), error=type(error).__name__)
        return None


def look_up_question(
    session: Session, *, account_id: UUID, check_id: UUID, vault: Vault, now: datetime
) -> Question | MatchQuestion | None:
    """The question behind one of the account's own checks. It writes down that a register is asked now.

    Raises: NotFound."""
    check = own_check(session, account_id=account_id, check_id=check_id)
    return question_of(session, check=check, vault=vault, now=now)


def complete_check(session: Session, *, check_id: UUID, answer: Answer, now: datetime, cause: Cause) -> CheckState:
    """Apply the answer once; a check that is over stays as it is. Raises: NotFound."""
    dependent, check = lock_check(session, check_id)
    if check.is_pending and now >= check.expires_at:
        expire_check(session, check, dependent, now=now, cause=cause)
    elif check.is_pending and answer is not None:
        _apply(session, check, dependent, answer, now=now, cause=cause)
    return state_of(session, check)


def state_of(session: Session, check: IdentityCheck) -> CheckState:
    dependent = session.get_one(Dependent, check.dependent_id)
    return CheckState(shown_status(check), dependent.identity_level, check.reason)


def shown_status(check: IdentityCheck) -> IdentityCheckStatus:
    """To a patient an expired check is a failed one."""
    return IdentityCheckStatus.FAILED if check.status is IdentityCheckStatus.EXPIRED else check.status


def settle_identity_check(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """The job behind every check: asks while the client is silent, and ends the check when its time is over.

    Returns when to ask again."""
    check_id = UUID(job.payload["check_id"])
    cause = Cause(actor=Actor.SYSTEM, kind=CauseKind.JOB, id=str(job.id))

    def look(session: Session, now: datetime) -> Question | MatchQuestion | None:
        check = session.get(IdentityCheck, check_id)
        return None if check is None else question_of(session, check=check, vault=workbench.vault, now=now)

    answer = ask_result(workbench.adapters, workbench.transactions.write(look))

    def settle(session: Session, now: datetime) -> datetime | None:
        state = complete_check(session, check_id=check_id, answer=answer, now=now, cause=cause)
        return _ask_again_at(state, session.get_one(IdentityCheck, check_id), now=now)

    return workbench.transactions.write(settle)


def _ask_again_at(state: CheckState, check: IdentityCheck, *, now: datetime) -> datetime | None:
    """After ever longer pauses, once more shortly before the end, and at the end to close it."""
    if state.status is not IdentityCheckStatus.PENDING:
        return None
    if not check.is_asked_for or now >= check.expires_at - LAST_ASKED_BEFORE_END:
        return check.expires_at
    age = (now - check.created_at).total_seconds()
    pause = next((pause for pause in _PAUSES if age < 2 * pause), _PAUSES[-1])
    return min(now + timedelta(seconds=pause), check.expires_at - LAST_ASKED_BEFORE_END)


def _apply(
    session: Session,
    check: IdentityCheck,
    dependent: Dependent,
    answer: FaceResult | MatchAnswer | ProviderRefused,
    *,
    now: datetime,
    cause: Cause,
) -> None:
    if check.method is IdentityMethod.NAME_MATCH and not isinstance(answer, FaceResult):
        apply_match(session, check, dependent, answer, now=now, cause=cause)
    elif isinstance(answer, ProviderRefused):
        fail_check(session, check, dependent, reason=NOT_CONFIRMED, now=now, cause=cause)
    elif isinstance(answer, FaceResult) and answer.outcome is FaceOutcome.PASSED:
        check.request_id = answer.request_id
        pass_check(session, check, dependent, level=IdentityLevel.PRESENT, matched=FACE_MATCHED, now=now, cause=cause)
    elif isinstance(answer, FaceResult) and answer.outcome is FaceOutcome.FAILED:
        check.request_id = answer.request_id
        fail_check(session, check, dependent, reason=answer.reason or OTHER_REASON, now=now, cause=cause)
