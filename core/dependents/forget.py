"""Erasing the numbers of documents that nobody names any more."""

from __future__ import annotations

import os
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.orm import Session

from models.base import table_of
from models.person import Dependent, IdType, Person, PersonIdentifier
from models.sealing import ERASED

_IDENTIFIERS = table_of(PersonIdentifier)


def forget_documents(session: Session, documents: Iterable[UUID | None]) -> None:
    """Those that no dependent of any account names, now that what was to let go of them has done so.

    Each is locked before it is asked who names it: whoever is just naming it is waited for, and of two who let go of it
    at once the later one erases it. The same statements run whoever names it. Taken after accounts and dependents."""
    _forget(session, PersonIdentifier.id.in_([one for one in documents if one is not None]))


def forget_documents_of(session: Session, dependent: Dependent, documents: Iterable[UUID | None]) -> None:
    """Also what stood in the place of a number: it goes with whoever it was, also where another guardian was named
    later."""
    group = select(Person.id).where(or_(Person.id == dependent.person_id, Person.alias_of_id == dependent.person_id))
    passed = (PersonIdentifier.id_type == IdType.GUARDIAN_BOUND) & PersonIdentifier.person_id.in_(group)
    _forget(session, or_(PersonIdentifier.id.in_([one for one in documents if one is not None]), passed))


def _forget(session: Session, which: ColumnElement[bool]) -> None:
    session.flush()
    named = or_(Dependent.identifier_id == _IDENTIFIERS.c.id, Dependent.earlier_identifier_id == _IDENTIFIERS.c.id) & (
        Dependent.name_masked != ""
    )
    held = select(PersonIdentifier.id, PersonIdentifier.number_hash).where(which).order_by(PersonIdentifier.id)
    for identifier_id, digest in session.execute(held.with_for_update()).all():
        session.execute(
            update(_IDENTIFIERS)
            .where(_IDENTIFIERS.c.id == identifier_id, ~exists().where(named))
            .values(number_sealed=ERASED, number_hash=os.urandom(len(digest)))
        )
    session.expire_all()
