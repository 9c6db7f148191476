"""The table of kinds, and the reading of one document with everything that was typed beside its number."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial

from core.dependents.documents import others
from core.dependents.documents.countries import read_country
from core.dependents.documents.eighteen import read_hmt_permit, read_resident
from core.dependents.documents.numbers import NumberRead, normal_number, read_birth_date
from core.dependents.fields import Fields
from core.dependents.typed import InputFault
from models.person import IdType, Sex


@dataclass(frozen=True)
class TypedDocument:
    """What was typed of one document. `country` is the one that issued it; days are the hospital's."""

    id_type: IdType
    id_number: str | None = field(default=None, repr=False)
    birth_date: date | None = field(default=None, repr=False)
    sex: Sex | None = None
    country: str | None = None
    id_expires_on: date | None = None


@dataclass(frozen=True)
class Document:
    """A document that was read. `number` in its normal form, as printed; empty where the kind has none.

    `country` is ISO 3166 alpha-3. The warnings are code words for the log.
    """

    id_type: IdType
    number: str = field(repr=False)
    sex: Sex
    birth_date: date = field(repr=False)
    country: str | None = None
    id_expires_on: date | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """How the number of one kind is read; None where the kind has no number.

    `says_birth`: each of its numbers tells the holder's birth date. `needs` names what must be typed beside it.
    """

    read: Callable[[str, date, str | None], NumberRead] | None
    says_birth: bool = False
    needs: tuple[str, ...] = ()


def _dated(read: Callable[..., NumberRead]) -> Kind:
    return Kind(lambda number, today, country: read(number, today=today), says_birth=True)


def _formed(form: re.Pattern[str]) -> Kind:
    return Kind(lambda number, today, country: others.read_form(number, form))


KINDS: Mapping[IdType, Kind] = {
    IdType.RESIDENT_ID: _dated(read_resident),
    IdType.HOUSEHOLD_REGISTER: _dated(read_resident),
    IdType.HMT_RESIDENCE_PERMIT: _dated(read_hmt_permit),
    IdType.FOREIGN_PERMANENT_RESIDENT: _dated(others.read_foreign_resident),
    IdType.HK_MACAO_PERMIT: _formed(others.HK_MACAO),
    IdType.TAIWAN_PERMIT: _formed(others.TAIWAN),
    IdType.PASSPORT: Kind(
        lambda number, today, country: others.read_passport(number, country=country),
        needs=("country", "id_expires_on"),
    ),
    IdType.BIRTH_CERTIFICATE: _formed(others.BIRTH_CERTIFICATE),
    IdType.OFFICER_CARD: _formed(others.OFFICER_CARD),
    IdType.GUARDIAN_BOUND: Kind(None),
}

PASSING = frozenset({IdType.GUARDIAN_BOUND, IdType.BIRTH_CERTIFICATE})
"""Documents of children, good until a better one comes: whoever is 18 has a number of their own."""


def read_number(id_type: IdType, typed: str, *, today: date, country: str | None = None) -> NumberRead:
    """Read what somebody typed or pasted. `today` is the hospital's day, `country` alpha-3.

    Raises: InputFault with the first code that applies (rules.md 1.3); `empty`, or `bad_format` for the kinds without
    a checksum; `not_allowed` where the kind has no number.
    """
    number = normal_number(typed)
    read = KINDS[id_type].read
    if read is None:
        if number:
            raise InputFault("not_allowed")
        return NumberRead("")
    if not number:
        raise InputFault("empty")
    return read(number, today, country)


def read_document(typed: TypedDocument, *, today: date, fields: Fields) -> Document | None:
    """The whole document. Every fault goes to `fields`, and what is returned then is of no use.

    Sex and birth date come from the number where it has them, and must then agree with what was typed; elsewhere they
    are required. A document that has expired is refused, whatever its kind.
    """
    kind = KINDS[typed.id_type]
    country = None if typed.country is None else fields.read("country", read_country, typed.country)
    read = _read_typed_number(typed, country, today, fields)
    for name in kind.needs:
        if getattr(typed, name) is None:
            fields.refuse(name, "missing")
    if typed.id_expires_on is not None and typed.id_expires_on < today:
        fields.refuse("id_expires_on", "expired")
    if read is None and kind.says_birth:
        return None
    said = read or NumberRead("")
    if country is not None and said.country not in (None, country):
        fields.refuse("country", "contradicts_id_number")
    birth_date = _birth_date(typed.birth_date, said, today, fields)
    sex = _sex(typed.sex, said, fields)
    if birth_date is None or sex is None:
        return None
    return Document(
        id_type=typed.id_type,
        number=said.number,
        sex=sex,
        birth_date=birth_date,
        country=country or said.country,
        id_expires_on=typed.id_expires_on,
        warnings=said.warnings,
    )


def _read_typed_number(typed: TypedDocument, country: str | None, today: date, fields: Fields) -> NumberRead | None:
    if typed.id_number is None:
        if KINDS[typed.id_type].read is None:
            return NumberRead("")
        fields.refuse("id_number", "missing")
        return None
    return fields.read("id_number", partial(read_number, typed.id_type, today=today, country=country), typed.id_number)


def _birth_date(typed: date | None, read: NumberRead, today: date, fields: Fields) -> date | None:
    if read.births:
        if typed in (None, *read.births):
            return typed or read.births[0]
        fields.refuse("birth_date", "contradicts_id_number")
    elif typed is None:
        fields.refuse("birth_date", "missing")
    else:
        return fields.read("birth_date", partial(read_birth_date, today=today), typed)
    return None


def _sex(typed: Sex | None, read: NumberRead, fields: Fields) -> Sex | None:
    if read.sex is not None and typed not in (None, read.sex):
        fields.refuse("sex", "contradicts_id_number")
        return None
    if read.sex is None and typed is None:
        fields.refuse("sex", "missing")
    return read.sex or typed
