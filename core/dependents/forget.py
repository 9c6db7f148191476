"""Erasing the numbers of documents that nobody names any more."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Row, exists, or_, select, update
from sqlalchemy.orm import Session

from core.dependents.merge import same_human
from core.locks import lock_dependents
from models.base import table_of
from models.person import Dependent, IdType, PersonIdentifier
from models.sealing import ERASED

_IDENTIFIERS = table_of(PersonIdentifier)


def lock_with_documents(session: Session, which: ColumnElement[bool]) -> list[Dependent]:
    """Dependents that are to be erased, and everything that names them, before anything of theirs is written.

    A row that is written twice in one transaction holds shared what it names: of two who did so with one document,
    neither could erase it before the other is done."""
    rows = lock_dependents(session, which)
    _lock(session, documents_of(session, rows))
    return rows


def documents_of(session: Session, dependents: Collection[Dependent]) -> list[UUID | None]:
    """With what stood in the place of a number: that goes with whoever it was, also where another guardian was named
    later."""
    passed = select(PersonIdentifier.id).where(
        PersonIdentifier.id_type == IdType.GUARDIAN_BOUND,
        PersonIdentifier.person_id.in_(same_human(session, {one.person_id for one in dependents})),
    )
    named = [document for one in dependents for document in (one.identifier_id, one.earlier_identifier_id)]
    return [*named, *session.scalars(passed)]


def forget_documents(session: Session, documents: Iterable[UUID | None]) -> None:
    """Those that no dependent of any account names, now that what was to let go of them has done so.

    Each is locked before it is asked who names it: whoever is just naming it is waited for, and of two who let go of it
    at once the later one erases it. The same statements run whoever names it. Taken after accounts and dependents, and
    all at once: of two who let go of the same ones neither has what the other waits for."""
    session.flush()
    named = or_(Dependent.identifier_id == _IDENTIFIERS.c.id, Dependent.earlier_identifier_id == _IDENTIFIERS.c.id) & (
        Dependent.name_masked != ""
    )
    for identifier_id, digest in _lock(session, documents):
        session.execute(
            update(_IDENTIFIERS)
            .where(_IDENTIFIERS.c.id == identifier_id, ~exists().where(named))
            .values(number_sealed=ERASED, number_hash=os.urandom(len(digest)))
        )
    session.expire_all()


def _lock(session: Session, documents: Iterable[UUID | None]) -> Sequence[Row[UUID, bytes]]:
    """In id order, each with its digest."""
    wanted = PersonIdentifier.id.in_([one for one in documents if one is not None])
    held = select(PersonIdentifier.id, PersonIdentifier.number_hash).where(wanted).order_by(PersonIdentifier.id)
    return session.execute(held.with_for_update()).all()
