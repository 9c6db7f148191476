"""The person behind a document, whichever account names them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, insert, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from core.dependents.documents import Document
from core.keys.in_use import hashing_key
from core.transactions import Changed
from models.base import new_id
from models.person import IdType, Person, PersonIdentifier
from models.sealing import KeyedHash, Vault

HK_MACAO_LIFELONG, TAIWAN_LIFELONG = 9, 8
"""How many characters of a permit's number stay for life. What follows counts the issues (decision 0024)."""


@dataclass(frozen=True)
class KnownPerson:
    person_id: UUID
    identifier_id: UUID


def identifying(document: Document, *, numberless: str = "") -> tuple[IdType, str]:
    """The kind and number by which two documents are known to name one person.

    A household register shows the number that the resident ID will have. A permit keeps its first characters for life.
    A passport's number is unique within its country only. Whoever has no number is known by what stands in its place,
    `numberless` (`core/dependents/numberless.py`), until a number comes.
    """
    kind, number = document.id_type, document.number
    if kind is IdType.HOUSEHOLD_REGISTER:
        return IdType.RESIDENT_ID, number
    if kind is IdType.HK_MACAO_PERMIT:
        return kind, number[:HK_MACAO_LIFELONG]
    if kind is IdType.TAIWAN_PERMIT:
        return kind, number[:TAIWAN_LIFELONG]
    if kind is IdType.PASSPORT:
        return kind, f"{document.country}:{number}"
    return kind, number or numberless


def find_or_make_person(session: Session, *, id_type: IdType, number: str, vault: Vault, now: datetime) -> KnownPerson:
    """The person that this document names. `id_type` and `number` as `identifying` gives them.

    Known or new, the same statements run and the same work is done, so that nobody learns from an answer or from its
    time whether some other account has named this person before. The row is held until the end of this transaction:
    nobody forgets it meanwhile (`core/dependents/forget.py`).

    Raises: Changed where somebody is just forgetting it.
    """
    in_use = hashing_key(session, vault, now=now)
    digests = PersonIdentifier.hashes(vault, id_type, number)
    draft = PersonIdentifier(id=new_id(), person_id=new_id(), id_type=id_type, created_at=now)
    draft.seal_number(vault, number, hash_key=in_use)
    _make_unless_known(session, draft, _is_known(id_type, digests))
    _hash_anew(session, draft, digests)
    found = session.execute(
        select(PersonIdentifier.person_id, PersonIdentifier.id)
        .where(_names(id_type, digests))
        .order_by(PersonIdentifier.id)
        .limit(1)
        .with_for_update(read=True, key_share=True)
    ).one_or_none()
    if found is None:
        raise Changed()
    # Where two transactions met the person first at once, the later one's row of a person stands alone: away with it.
    lonely = ~exists().where(PersonIdentifier.person_id == draft.person_id)
    session.execute(
        delete(Person).where(Person.id == draft.person_id, lonely).execution_options(synchronize_session=False)
    )
    return KnownPerson(*found)


def _make_unless_known(session: Session, draft: PersonIdentifier, known: ColumnElement[bool]) -> None:
    persons, identifiers = Person.__table__, PersonIdentifier.__table__
    person = {"id": draft.person_id, "created_at": draft.created_at}
    session.execute(
        insert(Person).from_select(
            list(person),
            select(*(literal(value, persons.c[name].type) for name, value in person.items())).where(~known),
        )
    )
    identifier = {name: getattr(draft, name) for name in identifiers.c.keys()}  # noqa: SIM118 - columns, not a dict
    own_insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(
        own_insert(PersonIdentifier)
        .from_select(
            list(identifier),
            select(*(literal(value, identifiers.c[name].type) for name, value in identifier.items())).where(~known),
        )
        .on_conflict_do_nothing(index_elements=["id_type", "number_hash_key", "number_hash"])
    )


def _hash_anew(session: Session, like: PersonIdentifier, digests: list[KeyedHash]) -> None:
    """Whoever is known under an older key is found under the one in use from then on.

    Before the row is held together with others who name it: each would wait for the other to let go of it, since a new
    hash is a new key of the row.
    """
    first = select(PersonIdentifier.id).where(_names(like.id_type, digests)).order_by(PersonIdentifier.id).limit(1)
    twin = aliased(PersonIdentifier)
    taken = exists().where(
        twin.id_type == like.id_type,
        twin.number_hash_key == like.number_hash_key,
        twin.number_hash == like.number_hash,
    )
    session.execute(
        update(PersonIdentifier)
        .where(
            PersonIdentifier.id == first.scalar_subquery(),
            # Asked of the row itself: whoever was waited for may have forgotten the number.
            _names(like.id_type, digests),
            PersonIdentifier.number_hash_key != like.number_hash_key,
            ~taken,
        )
        .values(number_hash=like.number_hash, number_hash_key=like.number_hash_key)
        .execution_options(synchronize_session=False)
    )


def _is_known(id_type: IdType, digests: list[KeyedHash]) -> ColumnElement[bool]:
    return exists().where(_names(id_type, digests))


def _names(id_type: IdType, digests: list[KeyedHash]) -> ColumnElement[bool]:
    """The rows of this document, under whichever key they were hashed."""
    return (PersonIdentifier.id_type == id_type) & or_(
        *(
            (PersonIdentifier.number_hash_key == digest.key_id) & (PersonIdentifier.number_hash == digest.digest)
            for digest in digests
        )
    )
