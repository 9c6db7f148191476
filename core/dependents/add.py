"""Add a dependent: the account's right to book for a person.

The account's own rows decide what is refused. What other accounts have typed is never looked at, so nothing of it can
show: two accounts that name one person differently both get what they typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from core.booking.policy_book import policies_for
from core.clock import hospital_day
from core.dependents.contact import read_contact, write_contact
from core.dependents.documents import PASSING, Document, TypedDocument, read_document
from core.dependents.fields import Fields
from core.dependents.insurance import contradicts
from core.dependents.minors import guardian_among
from core.dependents.names import is_as_passports_print, masked_name, name_warnings, read_name
from core.dependents.numberless import instead_of_number, join_removed
from core.dependents.persons import KnownPerson, find_or_make_person, identifying
from core.dependents.typed import InputFault
from core.identity.consents import require_consent, require_to_keep_identity
from core.identity.own import dependents_of
from core.identity.removed import refuse_another_self, refuse_many_in_a_day, remember_changes, removed_of
from core.locks import lock_account
from core.refusals import DependentExists, DependentLimit
from models.account import Purpose
from models.base import new_id
from models.person import FULL_AGE, Dependent, IdentityLevel, IdentityStatus, IdType, Relationship, Sex, age_on
from models.sealing import Vault

log = structlog.get_logger()


@dataclass(frozen=True)
class NewDependent:
    """What was typed. `birth_date` and `sex` may be left out where the number says them."""

    name: str = field(repr=False)
    id_type: IdType
    id_number: str | None = field(repr=False)
    phone: str = field(repr=False)
    relationship: Relationship
    birth_date: date | None = field(default=None, repr=False)
    sex: Sex | None = None
    address: str | None = field(default=None, repr=False)
    region_code: str | None = None
    country: str | None = None
    id_expires_on: date | None = None
    guardian_dependent_id: UUID | None = None
    email: str | None = field(default=None, repr=False)
    insurance_number: str | None = field(default=None, repr=False)
    allergies_and_history: str | None = field(default=None, repr=False)

    @property
    def contact(self) -> dict[str, str | None]:
        names = ("phone", "address", "region_code", "email", "insurance_number")
        return {name: getattr(self, name) for name in names}

    @property
    def document(self) -> TypedDocument:
        return TypedDocument(self.id_type, self.id_number, self.birth_date, self.sex, self.country, self.id_expires_on)


@dataclass(frozen=True)
class _Read:
    """The same in the form to store."""

    name: str = field(repr=False)
    document: Document = field(repr=False)
    contact: dict[str, str | None] = field(repr=False)


def add_dependent(
    session: Session, *, account_id: UUID, wanted: NewDependent, vault: Vault, now: datetime
) -> Dependent:
    """Store the dependent, unverified. The account's first one becomes its default.

    A minor is stored too: who books for them is asked at booking (`core/dependents/minors.py`). Of their health nothing
    is taken yet: the consent to that names the dependent, so it can only be given once they are there.
    Raises: ValidationFailed, NotFound (no such guardian), ConsentRequired, DependentExists, DependentLimit,
    ChangeLimit.
    """
    read = _read(wanted, today=hospital_day(now))
    lock_account(session, account_id)
    require_to_keep_identity(session, account_id)
    if wanted.allergies_and_history is not None:
        require_consent(session, account_id, Purpose.HEALTH)
    standing = session.scalars(dependents_of(account_id)).all()
    numberless = instead_of_number(
        session,
        account_id=account_id,
        name=read.name,
        document=read.document,
        guardian=next((one for one in standing if one.id == wanted.guardian_dependent_id), None),
        vault=vault,
        today=hospital_day(now),
    )
    id_type, number = identifying(read.document, numberless=numberless)
    person = find_or_make_person(session, id_type=id_type, number=number, vault=vault, now=now)
    _refuse_double(standing, wanted.relationship, person)
    policy, removed = policies_for(session), removed_of(session, account_id)
    _refuse_too_many(standing, removed, wanted.relationship, most=policy.max_dependents or 0, now=now)
    if wanted.relationship is Relationship.SELF:
        refuse_another_self(removed, person.person_id, within=timedelta(policy.phone_change_days or 0), now=now)
    _refuse_unfit_guardian(standing, wanted, read.document, today=hospital_day(now))
    dependent = Dependent(
        id=new_id(),
        account_id=account_id,
        person_id=person.person_id,
        identifier_id=person.identifier_id,
        relationship_=wanted.relationship,
        id_type=wanted.id_type,
        sex=read.document.sex,
        birth_date=read.document.birth_date,
        country=read.document.country,
        id_expires_on=read.document.id_expires_on,
        guardian_dependent_id=wanted.guardian_dependent_id,
        is_default=not any(one.is_default for one in standing),
        identity_status=IdentityStatus.UNVERIFIED,
        identity_level=IdentityLevel.TYPED,
        created_at=now,
    )
    remember_changes(dependent, removed)
    dependent.seal_name(vault, read.name, masked=masked_name(read.name))
    dependent.seal_number(vault, read.document.number, identifying=number)
    write_contact(dependent, read.contact, vault)
    session.add(dependent)
    session.flush()
    join_removed(session, dependent, vault, now=now)
    for warning in (*name_warnings(read.name), *read.document.warnings):
        log.info("dependent_warning", dependent=str(dependent.id), warning=warning)
    return dependent


def _read(wanted: NewDependent, *, today: date) -> _Read:
    """Raises: ValidationFailed, with every fault at once."""
    fields = Fields()
    name = fields.read("name", read_name, wanted.name)
    if name is not None and wanted.id_type is IdType.PASSPORT and not is_as_passports_print(name):
        fields.refuse("name", "latin_letters_required")
    document = read_document(wanted.document, today=today, fields=fields)
    contact = read_contact(wanted.contact, fields)
    if document is not None and contradicts(contact.get("insurance_number"), document.id_type, document.number):
        fields.refuse("insurance_number", "contradicts_id_number")
    fields.done()
    assert name is not None  # noqa: S101 - done() has raised otherwise
    assert document is not None  # noqa: S101
    return _Read(name, document, contact)


def _refuse_unfit_guardian(
    standing: Sequence[Dependent], wanted: NewDependent, document: Document, *, today: date
) -> None:
    """Raises: ValidationFailed, NotFound where the guardian is none of the account's."""
    fields, guardian_id = Fields(), wanted.guardian_dependent_id
    if wanted.id_type in PASSING and age_on(document.birth_date, today) >= FULL_AGE:
        fields.refuse("id_type", "not_a_minor")
    if guardian_id is not None:
        try:
            guardian_among(standing, guardian_id, ward_id=None, born=document.birth_date, on=today)
        except InputFault as fault:
            fields.refuse("guardian_dependent_id", fault.code)
    fields.done()


def _refuse_double(standing: Sequence[Dependent], relationship: Relationship, person: KnownPerson) -> None:
    """Oneself exists once, and so does every person."""
    for one in standing:
        is_second_self = relationship is Relationship.SELF and one.relationship_ is Relationship.SELF
        if is_second_self or one.person_id == person.person_id:
            raise DependentExists(dependent_id=str(one.id))


def _refuse_too_many(
    standing: Sequence[Dependent], removed: Sequence[Dependent], relationship: Relationship, *, most: int, now: datetime
) -> None:
    """At a time besides oneself (rules.md 1.1.4), and within a day. Raises: DependentLimit, ChangeLimit."""
    others = [one for one in standing if one.relationship_ is not Relationship.SELF]
    if relationship is not Relationship.SELF and len(others) >= most:
        raise DependentLimit(limit=most)
    refuse_many_in_a_day((*standing, *removed), most=most, now=now)
