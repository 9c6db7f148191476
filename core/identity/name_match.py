"""Whether a name and a number belong together, as a register of the state has them: level 1, and no more.

The answer says nothing but yes, no, or that there is no such number; what other accounts typed is never part of it.
Where nobody answers, the check waits and is asked for again (a job does, too), and the other ways stay open.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from core.identity.outcomes import fail_check, pass_check
from core.ports import MatchAnswer, MatchSubject, NameMatch, ProviderError, ProviderRefused
from core.registry import Adapters
from models.identity_check import IdentityCheck, IdentityCheckStatus, IdentityMethod
from models.person import Dependent, IdentityLevel, PersonIdentifier
from models.sealing import Vault
from models.states import Cause

MATCHED = ("name", "id_number")
START_REFUSED = "start_refused"
ASKED_NOT_SOONER = timedelta(seconds=30)
"""Every question costs the hospital money, whoever has it asked: so long the register is left alone about a check."""

log = structlog.get_logger()


@dataclass(frozen=True)
class MatchQuestion:
    """What is asked of the register, under a number of ours that stays the same however often it is asked."""

    check_id: UUID
    reference: str
    subject: MatchSubject = field(repr=False)


def new_reference() -> str:
    return secrets.token_hex(16)


def match_question(session: Session, check: IdentityCheck, vault: Vault, *, now: datetime) -> MatchQuestion | None:
    """To be asked now, by this caller alone. None where there is nothing to ask: another kind of check, one that is
    over or out of time, or one about which the register was asked a moment ago."""
    if check.method is not IdentityMethod.NAME_MATCH or not check.is_pending or now >= check.expires_at:
        return None
    if not _take_turn(session, check, now=now):
        return None
    dependent = session.get_one(Dependent, check.dependent_id)
    identifier = session.get_one(PersonIdentifier, dependent.identifier_id)
    subject = MatchSubject(
        id_type=dependent.id_type, name=dependent.name(vault), id_number=dependent.number(vault, identifier)
    )
    return MatchQuestion(check.id, check.out_seq_no or "", subject)


def _take_turn(session: Session, check: IdentityCheck, *, now: datetime) -> bool:
    """One caller in half a minute: a client that asks and asks, the job, and a start that goes on."""
    rested = IdentityCheck.asked_at.is_(None) | (IdentityCheck.asked_at <= now - ASKED_NOT_SOONER)
    waiting = (IdentityCheck.id == check.id) & (IdentityCheck.status == IdentityCheckStatus.PENDING)
    taken = update(IdentityCheck).where(waiting, rested).values(asked_at=now).returning(IdentityCheck.id)
    return session.scalar(taken) is not None


def ask_match(adapters: Adapters, question: MatchQuestion) -> MatchAnswer | ProviderRefused | None:
    """The register's answer; None where there is none yet. Never inside a transaction."""
    matcher = adapters.name_matcher()
    if matcher is None:
        return None
    try:
        return matcher.match(question.subject, reference=question.reference)
    except ProviderRefused as refusal:  # about our own account there: somebody must see to it
        log.error("name_match_refused", check=str(question.check_id), platform_code=refusal.code, alarm=True)
        return None if refusal.retryable else refusal
    except ProviderError as error:
        log.warning("name_match_unknown", check=str(question.check_id), error=type(error).__name__)
        return None


def apply_match(
    session: Session,
    check: IdentityCheck,
    dependent: Dependent,
    answer: MatchAnswer | ProviderRefused,
    *,
    now: datetime,
    cause: Cause,
) -> None:
    """End the pending check by the answer. The caller holds the dependent's lock."""
    if isinstance(answer, ProviderRefused):
        fail_check(session, check, dependent, reason=START_REFUSED, now=now, cause=cause)
        return
    check.request_id = answer.request_id
    if answer.outcome is NameMatch.MATCHED:
        pass_check(session, check, dependent, level=IdentityLevel.MATCHED, matched=MATCHED, now=now, cause=cause)
    else:
        fail_check(session, check, dependent, reason=str(answer.outcome), now=now, cause=cause)
