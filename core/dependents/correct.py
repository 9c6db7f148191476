"""Correcting what was typed of somebody, as long as nothing was matched with it (rules.md 1.1.5, L-05, decision 0044).

The same is asked as when they were added. While a number stands only the name may be corrected: whom it is for, and
what it was sold on, change by cancelling and booking anew (1.1.11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.booking.policy_book import policies_for
from core.clock import hospital_day
from core.dependents.agreements import end_agreement
from core.dependents.documents import PASSING, Document
from core.dependents.forget import forget_documents
from core.dependents.guardians import forget_guardians_part
from core.dependents.merge import merge_persons
from core.dependents.names import masked_name, name_warnings
from core.dependents.numberless import follow_guardian, instead_of_number, refuse_double
from core.dependents.persons import KnownPerson, find_or_make_person, identifying
from core.dependents.typed_anew import Identity, read_identity
from core.identity.consents import require_to_keep_of
from core.identity.outcomes import fail_pending
from core.identity.own import dependents_of
from core.identity.removed import refuse_another_self, removed_of
from core.identity.twins import rows_of, with_twins
from core.refusals import ChangeLimit, DependentExists, DependentInUse, DependentLimit, IdentityFrozen
from models.agreement import AgreementEnd
from models.appointment import OPEN, Appointment
from models.identity_check import IdentityMethod
from models.person import Dependent, IdentityLevel, IdType, Relationship
from models.sealing import Vault
from models.states import Cause
from models.waitlist import OPEN_ENTRY, WaitlistEntry, WaitlistPlace

RELATIONSHIP = "relationship"
CORRECTED = "corrected"
"""Why a check that was open for what was typed before has ended."""

log = structlog.get_logger()


def correct_identity(
    session: Session, dependent: Dependent, typed: Mapping[str, Any], *, vault: Vault, now: datetime, cause: Cause
) -> None:
    """`typed` holds what is to be different; what is the same as before changes nothing and counts for nothing. The
    caller has locked account and dependent.

    Raises: IdentityFrozen, ConsentRequired, ValidationFailed, ChangeLimit, DependentInUse, DependentExists,
    DependentLimit, Changed.
    """
    relationship = typed.get(RELATIONSHIP, dependent.relationship_)
    _refuse_frozen(session, dependent, typed, relationship, today=hospital_day(now))
    require_to_keep_of(session, dependent, on=hospital_day(now))
    standing = session.scalars(dependents_of(dependent.account_id)).all()
    before = Identity.of(session, dependent, vault)
    read = read_identity(before, typed, dependent, standing, today=hospital_day(now))
    is_of_self = _is_of_self(dependent, relationship)
    if relationship is not dependent.relationship_:
        _refuse_unfit_relationship(session, standing, dependent, relationship, now=now)
    if read != before or is_of_self:
        _refuse_too_often(session, dependent, now=now)
        if is_of_self or read.document != before.document:
            _refuse_in_use(session, dependent)
        _end_checks(session, dependent, now=now, cause=cause)
        dependent.identity_changed_at = now
    dependent.relationship_ = relationship
    if read != before:
        _write(session, standing, dependent, before, read, vault=vault, now=now, cause=cause)
    session.flush()


def _refuse_frozen(
    session: Session, dependent: Dependent, typed: Mapping[str, Any], relationship: Relationship, *, today: date
) -> None:
    """Raises: IdentityFrozen. Who is whose child is no part of what was matched; who is oneself is. What was matched of
    one that was archived at a join was matched of the same human: grants and cards of that one hang on this."""
    fixed = [name for name in typed if name != RELATIONSHIP or _is_of_self(dependent, relationship)]
    rows = session.scalars(select(Dependent).where(with_twins([dependent.id]))).all()
    matched = any(one.level_on(today) >= IdentityLevel.MATCHED or one.handed_over_at is not None for one in rows)
    if fixed and matched:
        raise IdentityFrozen(fields=fixed)


def _is_of_self(dependent: Dependent, relationship: Relationship) -> bool:
    """Whether somebody becomes oneself, or is so no more."""
    return (dependent.relationship_ is Relationship.SELF) != (relationship is Relationship.SELF)


def _refuse_unfit_relationship(
    session: Session, standing: Sequence[Dependent], dependent: Dependent, relationship: Relationship, *, now: datetime
) -> None:
    """As when somebody is added. Raises: DependentExists, DependentLimit, ChangeLimit."""
    policy = policies_for(session)
    others = [one for one in standing if one.id != dependent.id]
    if relationship is Relationship.SELF:
        for one in others:
            if one.relationship_ is Relationship.SELF:
                raise DependentExists(dependent_id=str(one.id))
        removed, within = removed_of(session, dependent.account_id), timedelta(policy.phone_change_days or 0)
        refuse_another_self(removed, dependent.person_id, within=within, now=now)
    most = policy.max_dependents or 0
    if dependent.relationship_ is Relationship.SELF and len(others) >= most:
        raise DependentLimit(limit=most)


def _refuse_too_often(session: Session, dependent: Dependent, *, now: datetime) -> None:
    """Once in half a year, and oneself once (1.1.5). Raises: ChangeLimit."""
    if dependent.identity_changed_at is None:
        return
    if dependent.relationship_ is Relationship.SELF:
        raise ChangeLimit()
    again_at = dependent.identity_changed_at + timedelta(days=policies_for(session).phone_change_days or 0)
    if now < again_at:
        raise ChangeLimit(retry_at=again_at)


def _refuse_in_use(session: Session, dependent: Dependent) -> None:
    """Raises: DependentInUse where a number stands, or is waited for."""
    of_account = Appointment.account_id == dependent.account_id  # found by that
    is_open = of_account & Appointment.dependent_id.in_(rows_of(dependent)) & Appointment.status.in_(OPEN)
    waits = (
        select(func.count())
        .select_from(WaitlistPlace)
        .join(WaitlistEntry, WaitlistEntry.id == WaitlistPlace.entry_id)
        .where(WaitlistPlace.dependent_id.in_(rows_of(dependent)), WaitlistEntry.status.in_(OPEN_ENTRY))
    )
    facts: dict[str, Any] = {
        "open_appointments": session.scalar(select(func.count()).select_from(Appointment).where(is_open)) or 0,
        "waiting": session.scalar(waits) or 0,
    }
    if any(facts.values()):
        raise DependentInUse(**facts)


def _end_checks(session: Session, dependent: Dependent, *, now: datetime, cause: Cause) -> None:
    """A check that is open asks about what was typed before. Reads the dependent anew, so it comes before writing."""
    fail_pending(
        session, dependent_id=dependent.id, methods=list(IdentityMethod), now=now, cause=cause, reason=CORRECTED
    )
    dependent.note_other_document()


def _write(
    session: Session,
    standing: Sequence[Dependent],
    dependent: Dependent,
    before: Identity,
    read: Identity,
    *,
    vault: Vault,
    now: datetime,
    cause: Cause,
) -> None:
    """Raises: ValidationFailed, DependentExists, Changed."""
    session.flush()
    was = dependent.person_id
    numberless = instead_of_number(
        session,
        account_id=dependent.account_id,
        name=read.name,
        document=read.document,
        guardian=next((one for one in standing if one.id == dependent.guardian_dependent_id), None),
        vault=vault,
        today=hospital_day(now),
        but=dependent.id,
    )
    id_type, number = identifying(read.document, numberless=numberless)
    document = read.document
    if numberless or _names(document) != _names(before.document):
        person = find_or_make_person(session, id_type=id_type, number=number, vault=vault, now=now)
        _become(session, standing, dependent, person, by=document.id_type, now=now)
        dependent.seal_number(vault, document.number, identifying=number)
    dependent.id_type, dependent.sex, dependent.birth_date, dependent.country, dependent.id_expires_on = (
        document.id_type, document.sex, document.birth_date, document.country, document.id_expires_on,
    )  # fmt: skip
    dependent.seal_name(vault, read.name, masked=masked_name(read.name))
    for ward in standing:
        if ward.guardian_dependent_id == dependent.id:
            if dependent.person_id != was:  # another human being has said nothing, and nobody has seen what shows it
                forget_guardians_part(session, ward, now=now, cause=cause)
            follow_guardian(session, ward, vault, now=now)
    log.info("dependent_corrected", dependent=str(dependent.id), document=read.document != before.document)
    for warning in (*name_warnings(read.name), *read.warnings):
        log.info("dependent_warning", dependent=str(dependent.id), warning=warning)


def _names(document: Document) -> tuple[object, ...]:
    """Whom it names, and how that is printed: a passport's number is another person's in another country."""
    return (*identifying(document), document.id_type, document.number)


def _become(
    session: Session,
    standing: Sequence[Dependent],
    dependent: Dependent,
    person: KnownPerson,
    *,
    by: IdType,
    now: datetime,
) -> None:
    """The person is found as when somebody is added. Only a record without a number for life is known to be of the one
    whom the new number names; a number that was typed wrongly may be anybody's."""
    refuse_double(standing, dependent, person)
    if dependent.id_type in PASSING:
        merge_persons(session, earlier=dependent.person_id, later=person.person_id, now=now)
    if dependent.person_id != person.person_id:
        end_agreement(session, dependent.id, AgreementEnd.OTHER_DOCUMENT, now=now)
    document_id = dependent.identifier_id
    dependent.person_id, dependent.identifier_id = person.person_id, person.identifier_id
    if document_id != person.identifier_id and dependent.id_type is not IdType.GUARDIAN_BOUND:
        _let_go(session, dependent, document_id, by=by)


def _let_go(session: Session, dependent: Dependent, document_id: UUID, *, by: IdType) -> None:
    """A number that was typed wrongly may be a stranger's: it goes at once, unless a hospital was told of it. Then it
    goes with the record, as a birth certificate does in whose place a document came."""
    told = select(Appointment.id).where(
        Appointment.account_id == dependent.account_id, Appointment.dependent_id == dependent.id
    )
    let_go: UUID | None = document_id
    passed = dependent.id_type is IdType.BIRTH_CERTIFICATE and by is not IdType.BIRTH_CERTIFICATE
    if passed or session.scalar(told.limit(1)) is not None:
        dependent.earlier_identifier_id, let_go = document_id, dependent.earlier_identifier_id
    forget_documents(session, [let_go])
