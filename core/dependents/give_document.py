"""A dependent's document comes later: a newborn's number, or the resident ID of whom a birth certificate named.

From then on the record without the number and the person that the number names are one human being, and every limit
counts them as one (rules.md 1.2.6, decision 0027).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.dependents.agreements import end_agreement
from core.dependents.documents import PASSING, Document, TypedDocument, read_document
from core.dependents.fields import Fields
from core.dependents.insurance import contradicts
from core.dependents.merge import merge_persons
from core.dependents.names import is_as_passports_print, is_placeholder, masked_name, name_warnings, read_name
from core.dependents.persons import KnownPerson, find_or_make_person, identifying
from core.identity.consents import require_to_keep_of
from core.identity.own import dependents_of, own_dependent
from core.locks import lock_account, lock_dependent
from core.refusals import DependentExists, IdentityFrozen
from models.agreement import AgreementEnd
from models.errors import FieldError, ValidationFailed
from models.person import FULL_AGE, Dependent, IdentityLevel, IdType, PersonIdentifier
from models.sealing import Vault

log = structlog.get_logger()


@dataclass(frozen=True)
class GivenDocument:
    """What was typed of the document that has come. `name` where there is a real one now."""

    id_type: IdType
    id_number: str = field(repr=False)
    name: str | None = field(default=None, repr=False)
    country: str | None = None
    id_expires_on: date | None = None


@dataclass(frozen=True)
class _Read:
    """The same in the form to store."""

    name: str = field(repr=False)
    document: Document = field(repr=False)


def give_document(
    session: Session, *, account_id: UUID, dependent_id: UUID, given: GivenDocument, vault: Vault, now: datetime
) -> Dependent:
    """Write the document down in the place of the passing one. What was proven of the old one is to be proven anew.

    Saying it once more changes nothing. Raises: NotFound, ConsentRequired, ValidationFailed, IdentityFrozen,
    DependentExists, Changed.
    """
    lock_account(session, account_id)
    own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    dependent = lock_dependent(session, dependent_id)
    require_to_keep_of(session, dependent, on=hospital_day(now))
    read = _read(dependent, given, vault, today=hospital_day(now))
    if _has_it(session, dependent, read.document, vault):
        return dependent
    _refuse_unless_passing(dependent)
    id_type, number = identifying(read.document)
    person = find_or_make_person(session, id_type=id_type, number=number, vault=vault, now=now)
    _refuse_double(session, dependent, person)
    merged = merge_persons(session, earlier=dependent.person_id, later=person.person_id, now=now)
    end_agreement(session, dependent.id, AgreementEnd.OTHER_DOCUMENT, now=now)
    _write(dependent, read, person, vault)
    session.flush()
    log.info("dependent_document_given", dependent=str(dependent.id), id_type=str(dependent.id_type), merged=merged)
    for warning in (*name_warnings(read.name), *read.document.warnings):
        log.info("dependent_warning", dependent=str(dependent.id), warning=warning)
    return dependent


class _FieldsOfNumber(Fields):
    """Birth date and sex stand with the dependent already, so it is the number that does not agree with them."""

    def refuse(self, name: str, code: str) -> None:
        if name in ("birth_date", "sex"):
            name, code = "id_number", f"contradicts_{name}"
        super().refuse(name, code)


def _read(dependent: Dependent, given: GivenDocument, vault: Vault, *, today: date) -> _Read:
    """Raises: ValidationFailed, with every fault at once."""
    fields, standing = _FieldsOfNumber(), dependent.name(vault)
    name = standing if given.name is None else fields.read("name", read_name, given.name)
    if name is not None and given.id_type is not IdType.BIRTH_CERTIFICATE and is_placeholder(name):
        fields.refuse("name", "missing" if given.name is None else "placeholder_name")
    elif name is not None and given.id_type is IdType.PASSPORT and not is_as_passports_print(name):
        fields.refuse("name", "latin_letters_required")
    if given.id_type is IdType.GUARDIAN_BOUND:
        fields.refuse("id_type", "not_allowed")
    typed = TypedDocument(
        given.id_type, given.id_number, dependent.birth_date, dependent.sex, given.country, given.id_expires_on
    )
    document = read_document(typed, today=today, fields=fields)
    if document is not None and contradicts(dependent.insurance_number(vault), document.id_type, document.number):
        fields.refuse("id_number", "contradicts_insurance_number")
    if given.id_type is IdType.BIRTH_CERTIFICATE and dependent.age(on=today) >= FULL_AGE:
        fields.refuse("id_type", "not_a_minor")
    fields.done()
    assert name is not None  # noqa: S101 - done() has raised otherwise
    assert document is not None  # noqa: S101
    return _Read(name, document)


def _has_it(session: Session, dependent: Dependent, document: Document, vault: Vault) -> bool:
    if dependent.id_type is not document.id_type:
        return False
    return dependent.number(vault, session.get_one(PersonIdentifier, dependent.identifier_id)) == document.number


def _refuse_unless_passing(dependent: Dependent) -> None:
    """Raises: IdentityFrozen, ValidationFailed."""
    if dependent.id_type in PASSING:
        return
    if dependent.identity_level >= IdentityLevel.MATCHED:
        raise IdentityFrozen(fields=["id_type", "id_number"])
    raise ValidationFailed(FieldError("#/id_number", "not_changeable"))


def _refuse_double(session: Session, dependent: Dependent, person: KnownPerson) -> None:
    """Raises: DependentExists where the account has whom the number names. Of other accounts nothing is looked at."""
    for one in session.scalars(dependents_of(dependent.account_id)):
        if one.id != dependent.id and one.person_id == person.person_id:
            raise DependentExists(dependent_id=str(one.id))


def _write(dependent: Dependent, read: _Read, person: KnownPerson, vault: Vault) -> None:
    if dependent.id_type is not IdType.GUARDIAN_BOUND:
        dependent.earlier_identifier_id = dependent.identifier_id
    dependent.person_id, dependent.identifier_id = person.person_id, person.identifier_id
    document = read.document
    dependent.id_type, dependent.country, dependent.id_expires_on = (
        document.id_type, document.country, document.id_expires_on,
    )  # fmt: skip
    _, number = identifying(document)
    dependent.seal_number(vault, document.number, identifying=number)
    dependent.seal_name(vault, read.name, masked=masked_name(read.name))
    dependent.note_other_document()
