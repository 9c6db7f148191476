"""One person who is a dependent of both accounts: one of the two stays, the other is archived and points at it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.locks import root_of
from models.person import Dependent, Relationship


def archive_twins(session: Session, dependents: Sequence[Dependent], *, kept_id: UUID, now: datetime) -> list[UUID]:
    """Archive one of each two, and take every default away; what was archived. `dependents` are all of both accounts:
    whoever named the archived one as a guardian, or was archived in favour of it before, names the one that stays."""
    live = [one for one in dependents if one.archived_at is None]
    for one in live:
        one.is_default = False
    archived = []
    for twins in _by_person(session, live):
        stays, *others = sorted(twins, key=lambda one: _worth(one, kept_id), reverse=True)
        for other in others:
            other.archived_at, other.merged_into_id = now, stays.id
            archived.append(other.id)
            _lead(dependents, of=other.id, to=stays.id)
    return archived


def _lead(dependents: Iterable[Dependent], *, of: UUID, to: UUID, but: Collection[UUID] = ()) -> None:
    """Wards, and all who were archived in favour of it, `but` some."""
    for one in dependents:
        if one.guardian_dependent_id == of:
            one.guardian_dependent_id = to
        if one.merged_into_id == of and one.id not in but:
            one.merged_into_id = to


def lead_back(session: Session, archived: Collection[UUID]) -> None:
    """Whoever of an archived one's account names the one that stood for it names it again: before the join as after,
    that is the same human being. The dependents are locked and have their accounts back; the archived ones still point
    at who stood for them."""
    merged = select(Dependent).where(Dependent.id.in_(archived), Dependent.merged_into_id.is_not(None))
    for twin in session.scalars(merged.order_by(Dependent.id)).all():
        stood = session.get_one(Dependent, twin.merged_into_id)
        if stood.account_id != twin.account_id:
            theirs = session.scalars(select(Dependent).where(Dependent.account_id == twin.account_id)).all()
            _lead(theirs, of=stood.id, to=twin.id, but=archived)
    session.flush()


def _by_person(session: Session, dependents: Iterable[Dependent]) -> list[list[Dependent]]:
    roots = {one.id: root_of(session, one.person_id) for one in dependents}
    in_order = sorted(dependents, key=lambda one: roots[one.id])
    return [list(twins) for _, twins in groupby(in_order, key=lambda one: roots[one.id])]


def _worth(one: Dependent, kept_id: UUID) -> tuple[bool, int, bool]:
    """The one that is oneself, so that nobody becomes a second one meanwhile; then the better proven one, then the one
    that is there already."""
    return one.relationship_ is Relationship.SELF, one.identity_level, one.account_id == kept_id


def restore_twins(session: Session, archived: Iterable[UUID]) -> None:
    """Those of a join that is undone live again, unless their account has found the person a new place meanwhile, or
    the human being was removed: then they were erased too. Where somebody else is oneself by now, that stands: undoing
    never fails for what was added while both were one."""
    for one in session.scalars(select(Dependent).where(Dependent.id.in_(list(archived))).order_by(Dependent.id)):
        one.merged_into_id = None
        others = live_of(session, one.account_id)
        is_removed = one.is_erased or one.erase_after is not None
        if is_removed or any(other.person_id == one.person_id for other in others):
            continue
        if any(other.relationship_ is one.relationship_ is Relationship.SELF for other in others):
            one.relationship_ = Relationship.OTHER
        one.archived_at = None
        session.flush()


def defaults_of(dependents: Iterable[Dependent], *, kept_id: UUID) -> list[UUID]:
    """At most one of each account, that of the kept one first."""
    found = [one for one in dependents if one.archived_at is None and one.is_default]
    return [one.id for one in sorted(found, key=lambda one: one.account_id != kept_id)]


def choose_default(session: Session, account_id: UUID, *, first: Sequence[UUID]) -> None:
    """Whoever was one before, or stands for one that was; else whoever has been there longest."""
    live = live_of(session, account_id)
    if not live or any(one.is_default for one in live):
        return
    stands_for = dict(
        session.execute(select(Dependent.id, Dependent.merged_into_id).where(Dependent.id.in_(first))).all()
    )
    wanted = [stands_for.get(one) or one for one in first]
    chosen = next((one for name in wanted for one in live if one.id == name), live[0])
    chosen.is_default = True
    session.flush()


def live_of(session: Session, account_id: UUID) -> Sequence[Dependent]:
    """In the order in which they came."""
    query = select(Dependent).where(Dependent.account_id == account_id, Dependent.archived_at.is_(None))
    return session.scalars(query.order_by(Dependent.id)).all()
