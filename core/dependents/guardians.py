"""A minor's guardian: who, what they are to the child, and what shows it (rules.md 1.2.2 to 1.2.4, L-04).

What is kept is the kind of evidence in words, and its number where one was told, sealed. No picture is ever taken.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.dependents.fields import Fields
from core.dependents.minors import guardian_among, needs_minor_consent
from core.dependents.numberless import follow_guardian
from core.dependents.relations import SEX_OF_GUARDIAN
from core.dependents.typed import InputFault
from core.identity.consents import end_guardians_word, require_to_keep_identity, require_to_keep_of
from core.identity.own import dependents_of, own_dependent
from core.locks import lock_account, lock_dependent
from core.rights.access import AccessAction, AccessPurpose, note_access
from models.errors import FieldError, NotFound, ValidationFailed
from models.guardian import GuardianEvidence, GuardianRelation
from models.person import Dependent
from models.sealing import Vault
from models.states import Cause


@dataclass(frozen=True)
class ToldGuardian:
    """What was typed. `evidence_number` is that of the certificate, register or judgment, where there is one."""

    guardian_dependent_id: UUID
    relation: GuardianRelation
    evidence: GuardianEvidence
    evidence_number: str | None = field(default=None, repr=False)


def name_guardian(
    session: Session,
    *,
    account_id: UUID,
    dependent_id: UUID,
    told: ToldGuardian,
    vault: Vault,
    now: datetime,
    cause: Cause,
) -> Dependent:
    """Bind the minor to a grown-up dependent of the same account. What the desk had confirmed of another is over, and
    so is what that one had consented to.

    Raises: NotFound, ConsentRequired, ValidationFailed, DependentExists, Changed."""
    lock_account(session, account_id)
    own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    ward, fields = lock_dependent(session, dependent_id), Fields()
    if ward.guardian_dependent_id is None:  # the minor's consent is theirs: it comes after them
        require_to_keep_identity(session, account_id)
    else:
        require_to_keep_of(session, ward, on=hospital_day(now))
    standing = session.scalars(dependents_of(account_id)).all()
    try:
        guardian = guardian_among(
            standing, told.guardian_dependent_id, ward_id=ward.id, born=ward.birth_date, on=hospital_day(now)
        )
    except InputFault as fault:
        fields.refuse("guardian_dependent_id", fault.code)
    else:
        if guardian.sex is not SEX_OF_GUARDIAN[told.relation]:
            fields.refuse("relation", "contradicts_guardian")
    number = told.evidence_number and fields.read("evidence_number", _read_number, told.evidence_number)
    fields.done()
    if ward.guardian_dependent_id != told.guardian_dependent_id:
        end_guardians_word(session, ward, now=now, cause=cause)
        ward.forget_guardians_proof()
    ward.guardian_dependent_id = told.guardian_dependent_id
    follow_guardian(session, ward, vault, now=now)
    ward.note_guardianship(told.relation, told.evidence, at=now)
    ward.seal_guardian_evidence(vault, number)
    session.flush()
    return ward


def forget_guardians_part(session: Session, ward: Dependent, *, now: datetime, cause: Cause) -> None:
    """Whoever was the guardian is so no more, or is another human being: what they said, proved and showed is over.

    The caller holds the locks of account and ward."""
    end_guardians_word(session, ward, now=now, cause=cause)
    ward.forget_guardians_proof()
    ward.forget_guardianship()


def confirm_guardian(
    session: Session,
    *,
    dependent_id: UUID,
    operator: str,
    relation: GuardianRelation,
    evidence: GuardianEvidence,
    now: datetime,
    cause: Cause,
) -> Dependent:
    """An operator has seen what shows that the guardian is one.

    Raises: NotFound where there is no minor with one, ValidationFailed where the guardian's sex is not the relation's.
    """
    found = session.get(Dependent, dependent_id)
    if found is None or found.archived_at is not None:
        raise NotFound()
    lock_account(session, found.account_id)
    ward = lock_dependent(session, dependent_id)
    if ward.guardian_dependent_id is None or not needs_minor_consent(ward, hospital_day(now)):
        raise NotFound()
    if session.get_one(Dependent, ward.guardian_dependent_id).sex is not SEX_OF_GUARDIAN[relation]:
        raise ValidationFailed(FieldError("#/relation", "contradicts_guardian"))
    ward.note_guardianship(relation, evidence, at=ward.guardian_told_at or now)
    ward.confirm_guardianship(by=operator, at=now)
    note_access(
        session,
        actor=operator,
        action=AccessAction.GUARDIAN_CONFIRMED,
        purpose=AccessPurpose.IDENTITY,
        dependent_id=dependent_id,
        result="confirmed",
        facts={"relation": str(relation), "evidence": str(evidence), "command": cause.id},
        now=now,
    )
    session.flush()
    return ward


def _read_number(typed: str) -> str:
    """Raises: InputFault."""
    number = unicodedata.normalize("NFKC", typed).strip()
    if not number:
        raise InputFault("empty")
    if not number.isprintable():
        raise InputFault("control_characters")
    return number
