"""Who somebody is, as it stands and as it was typed anew: the checks are those of adding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from core.dependents.documents import KINDS, PASSING, Document, NumberRead, TypedDocument, read_document, read_number
from core.dependents.fields import Fields
from core.dependents.names import is_as_passports_print, is_placeholder, read_name
from core.dependents.typed import InputFault
from models.person import FULL_AGE, Dependent, IdType, PersonIdentifier, age_on
from models.sealing import Vault


@dataclass(frozen=True)
class Identity:
    """In the form to store. The warnings are code words for the log."""

    name: str = field(repr=False)
    document: Document = field(repr=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, session: Session, dependent: Dependent, vault: Vault) -> Identity:
        number = dependent.number(vault, session.get_one(PersonIdentifier, dependent.identifier_id))
        document = Document(
            id_type=dependent.id_type,
            number=number,
            sex=dependent.sex,
            birth_date=dependent.birth_date,
            country=dependent.country,
            id_expires_on=dependent.id_expires_on,
        )
        return cls(dependent.name(vault), document)


def read_identity(
    before: Identity, typed: Mapping[str, Any], dependent: Dependent, standing: Sequence[Dependent], *, today: date
) -> Identity:
    """What stands from now on. Raises: ValidationFailed, with every fault at once."""
    fields = Fields()
    document: Document | None = before.document
    name = fields.read("name", read_name, typed["name"]) if "name" in typed else before.name
    if typed.keys() - {"name", "relationship"}:
        document = read_document(_beside(before.document, typed, today=today), today=today, fields=fields)
    if document is not None:
        if name is not None and document.id_type is IdType.PASSPORT and not is_as_passports_print(name):
            fields.refuse("name", "latin_letters_required")
        came = before.document.id_type in PASSING and document.id_type not in PASSING
        if name is not None and came and is_placeholder(name):  # as where it is given (give_document.py)
            fields.refuse("name", "placeholder_name" if "name" in typed else "missing")
        _refuse_unfit_age(dependent, standing, document, typed, fields, today=today)
    fields.done()
    assert name is not None  # noqa: S101 - done() has raised otherwise
    assert document is not None  # noqa: S101
    return Identity(name, replace(document, warnings=()), document.warnings)


def _beside(before: Document, typed: Mapping[str, Any], *, today: date) -> TypedDocument:
    """What was typed, and what stands where nothing was. Another number says birth and sex anew where it can."""
    id_type = typed.get("id_type", before.id_type)
    is_same_kind = id_type is before.id_type
    has_number = KINDS[id_type].read is not None
    number = typed.get("id_number", (before.number if is_same_kind or before.number else None) if has_number else None)
    said = _said_by(id_type, number, today) if number != before.number or not is_same_kind else NumberRead("")
    return TypedDocument(
        id_type,
        number,
        typed.get("birth_date", None if said.births else before.birth_date),
        typed.get("sex", before.sex if said.sex is None else None),
        typed.get("country", before.country if is_same_kind and said.country is None else None),
        typed.get("id_expires_on", before.id_expires_on if is_same_kind else None),
    )


def _said_by(id_type: IdType, number: str | None, today: date) -> NumberRead:
    try:
        return NumberRead("") if number is None else read_number(id_type, number, today=today)
    except InputFault:
        return NumberRead("")


def _refuse_unfit_age(
    dependent: Dependent,
    standing: Sequence[Dependent],
    document: Document,
    typed: Mapping[str, Any],
    fields: Fields,
    *,
    today: date,
) -> None:
    """A passing document and a guardian are of a minor, and a guardian is none."""
    is_grown = age_on(document.birth_date, today) >= FULL_AGE
    said_by = "birth_date" if "birth_date" in typed else "id_number"
    if is_grown and document.id_type in PASSING:
        fields.refuse("id_type", "not_a_minor")
    if is_grown and dependent.guardian_dependent_id is not None and dependent.age(on=today) < FULL_AGE:
        fields.refuse(said_by, "not_a_minor")
    if not is_grown and any(one.guardian_dependent_id == dependent.id for one in standing):
        fields.refuse(said_by, "not_of_age")
