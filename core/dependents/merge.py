"""Two records of one human being become one: the earlier person is an alias of the later one from then on.

Appointments keep the person they were booked for. Whoever counts reads the root and everybody who is an alias of it, so
nothing is moved, and no index meets two appointments of which each was right when it was made (decision 0027).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from core.booking.strikes.ledger import work_out_later
from core.locks import lock_persons
from core.transactions import Changed
from models.base import table_of
from models.person import IdType, Person, PersonIdentifier
from models.sealing import ERASED

FOR_LIFE = (IdType.RESIDENT_ID, IdType.BIRTH_CERTIFICATE)
"""Nobody has two numbers of one of these kinds: what would give somebody a second one merges nobody."""

_PERSONS = table_of(Person)


def merge_persons(session: Session, *, earlier: UUID, later: UUID, now: datetime) -> bool:
    """From now on both are one person; whether they are two no longer. Aliases stay one step deep. What counts against
    either is worked out anew for both.

    The same statements run whatever is known of either, so that an answer's time tells nothing.
    Raises: NotFound, Changed where somebody else merged one of them meanwhile.
    """
    roots = dict(
        session.execute(
            select(_PERSONS.c.id, func.coalesce(_PERSONS.c.alias_of_id, _PERSONS.c.id)).where(
                _PERSONS.c.id.in_([earlier, later])
            )
        ).all()
    )
    locked = lock_persons(session, roots.values())
    if any(person.alias_of_id is not None for person in locked.values()):
        raise Changed()
    of, into = roots[earlier], roots[later]
    merged = session.execute(
        update(_PERSONS)
        .where(or_(_PERSONS.c.id == of, _PERSONS.c.alias_of_id == of), _PERSONS.c.id != into, ~_are_two(of, into))
        .values(alias_of_id=into)
        .returning(_PERSONS.c.id)
    ).all()
    work_out_later(session, later, now=now)
    session.flush()
    session.expire_all()
    return of != into and bool(merged)


def same_human(session: Session, persons: Collection[UUID]) -> Sequence[UUID]:
    """These persons and whoever is one with one of them: each root, and all who are an alias of it."""
    root = func.coalesce(_PERSONS.c.alias_of_id, _PERSONS.c.id)
    roots = session.scalars(select(root).where(_PERSONS.c.id.in_(persons))).all()
    group = or_(_PERSONS.c.id.in_(roots), _PERSONS.c.alias_of_id.in_(roots))
    return session.scalars(select(_PERSONS.c.id).where(group)).all()


def _are_two(one: UUID, other: UUID) -> ColumnElement[bool]:
    """Both have a number of a kind of which nobody has two."""
    ours, theirs = aliased(PersonIdentifier), aliased(PersonIdentifier)
    return exists().where(
        _names(ours.person_id, one),
        _names(theirs.person_id, other),
        ours.id_type.in_(FOR_LIFE),
        ours.id_type == theirs.id_type,
        and_(ours.number_sealed != ERASED, theirs.number_sealed != ERASED),
    )


def _names(person_id: InstrumentedAttribute[UUID], root: UUID) -> ColumnElement[bool]:
    persons = _PERSONS.alias()
    return person_id.in_(select(persons.c.id).where(or_(persons.c.id == root, persons.c.alias_of_id == root)))
