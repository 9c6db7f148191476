"""Children whom no number names yet (rules.md 1.2.4, 1.2.6, decision 0044).

Such a child is bound to the guardian's document: the guardian, the birth date, sex and name tell it from any other,
whichever account says so. Twins have names of their own, if only 大宝 and 二宝.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.dependents.documents import Document
from core.dependents.merge import merge_persons
from core.dependents.persons import KnownPerson, find_or_make_person
from core.identity.own import dependents_of
from core.locks import root_of
from core.refusals import DependentExists
from models.errors import FieldError, ValidationFailed
from models.person import FULL_AGE, Dependent, IdType, Sex, age_on
from models.sealing import Vault

NUMBER_BY_AGE = 6
"""Full years. From then on, when school begins, everybody has a number of some kind."""
MOST_BORN_TOGETHER = 3
"""Children without a number in one account, born within `BORN_TOGETHER`: triplets are, more have birth certificates."""
BORN_TOGETHER = timedelta(days=180)


@dataclass(frozen=True)
class Child:
    """What tells children without a number apart. `name` without what is no letter of it."""

    birth_date: date = field(repr=False)
    sex: Sex
    name: str = field(repr=False)

    @classmethod
    def called(cls, name: str, *, birth_date: date, sex: Sex) -> Child:
        return cls(birth_date, sex, "".join(one for one in name.casefold() if one.isalnum()))

    def known_as(self, whose: str) -> str:
        """What stands in the place of a number: it says nothing by itself. `whose` is the guardian's person."""
        told = "\n".join((whose, str(self.birth_date), self.sex, self.name))
        return sha256(told.encode()).hexdigest()


def instead_of_number(
    session: Session,
    *,
    account_id: UUID,
    name: str,
    document: Document,
    guardian: Dependent | None,
    vault: Vault,
    today: date,
    but: UUID | None = None,
) -> str:
    """By what the child is known; empty for whom a number names. `but` is the record that is being corrected.

    Raises: ValidationFailed with `number_required`, DependentExists where the account has the child.
    """
    if document.id_type is not IdType.GUARDIAN_BOUND:
        return ""
    child = Child.called(name, birth_date=document.birth_date, sex=document.sex)
    if NUMBER_BY_AGE <= age_on(child.birth_date, today) < FULL_AGE:
        raise ValidationFailed(FieldError("#/id_type", "number_required"))
    before = [one for one in _of_account(session, account_id) if one.id != but]
    told = {_child(one, vault) for one in before}
    for one in before:
        if one.archived_at is None and _child(one, vault) == child:
            raise DependentExists(dependent_id=str(one.id))
    near = {one for one in told if abs(one.birth_date - child.birth_date) <= BORN_TOGETHER}
    if child not in near and len(near) >= MOST_BORN_TOGETHER:
        raise ValidationFailed(FieldError("#/id_type", "number_required"))
    return child.known_as(_whose(session, account_id, guardian))


def join_removed(session: Session, dependent: Dependent, vault: Vault, *, now: datetime) -> None:
    """Whoever is added again is who was removed, whoever was named as the guardian then. Raises: Changed."""
    if dependent.id_type is not IdType.GUARDIAN_BOUND:
        return
    child = _child(dependent, vault)
    for one in _of_account(session, dependent.account_id):
        if one.id != dependent.id and one.person_id != dependent.person_id and _child(one, vault) == child:
            merge_persons(session, earlier=one.person_id, later=dependent.person_id, now=now)


def follow_guardian(session: Session, ward: Dependent, vault: Vault, *, now: datetime) -> None:
    """Bind a child without a number to the guardian it has now; it stays the one it was. Raises: DependentExists,
    Changed."""
    if ward.id_type is not IdType.GUARDIAN_BOUND or ward.guardian_dependent_id is None:
        return
    session.flush()
    guardian = session.get_one(Dependent, ward.guardian_dependent_id)
    number = _child(ward, vault).known_as(_whose(session, ward.account_id, guardian))
    person = find_or_make_person(session, id_type=ward.id_type, number=number, vault=vault, now=now)
    refuse_double(session.scalars(dependents_of(ward.account_id)).all(), ward, person)
    merge_persons(session, earlier=ward.person_id, later=person.person_id, now=now)
    ward.person_id, ward.identifier_id = person.person_id, person.identifier_id
    ward.seal_number(vault, "", identifying=number)
    session.flush()


def refuse_double(standing: Sequence[Dependent], dependent: Dependent, person: KnownPerson) -> None:
    """Raises: DependentExists where another record of the account is of the person."""
    for one in standing:
        if one.id != dependent.id and one.person_id == person.person_id:
            raise DependentExists(dependent_id=str(one.id))


def _of_account(session: Session, account_id: UUID) -> Sequence[Dependent]:
    """The removed ones too, as long as it is known who they were."""
    query = select(Dependent).where(
        Dependent.account_id == account_id, Dependent.id_type == IdType.GUARDIAN_BOUND, Dependent.name_masked != ""
    )
    return session.scalars(query.order_by(Dependent.id)).all()


def _child(dependent: Dependent, vault: Vault) -> Child:
    return Child.called(dependent.name(vault), birth_date=dependent.birth_date, sex=dependent.sex)


def _whose(session: Session, account_id: UUID, guardian: Dependent | None) -> str:
    """Before a guardian is named, the child is the account's own."""
    return f"account:{account_id}" if guardian is None else f"person:{root_of(session, guardian.person_id)}"
