"""Why two accounts cannot be one. Looked at with both locked; no limit is passed by joining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from core.booking.policy_book import policies_for
from core.booking.terms import Terms
from core.identity.join_twins import live_of
from core.locks import root_of
from core.refusals import JoinConflict
from models.account import Account, IdKind, PlatformIdentity
from models.account_join import AccountJoin, JoinStatus
from models.appointment import Appointment, AppointmentStatus
from models.person import Dependent, Relationship


@dataclass(frozen=True)
class Conflict:
    """`reason` is a word for operators. The caller hears figures of its own account, always the same ones, so that
    nothing follows from them about the other."""

    reason: str
    others: dict[UUID, int]
    unpaid: dict[UUID, int]
    most_others: int

    def told_to(self, account_id: UUID) -> JoinConflict:
        return JoinConflict(
            dependents=self.others[account_id], dependents_limit=self.most_others, unpaid=self.unpaid[account_id]
        )


def share_an_app(one: UUID, other: InstrumentedAttribute[UUID] | UUID) -> ColumnElement[bool]:
    """Whether both have an id at the same app: to that platform they are two people."""
    here, there = aliased(PlatformIdentity), aliased(PlatformIdentity)
    same = and_(here.provider == there.provider, here.app == there.app, here.kind == there.kind)
    return exists(
        select(here.id)
        .join(there, same)
        .where(here.account_id == one, there.account_id == other, here.kind != IdKind.UNION_ID)
    )


def conflict_between(session: Session, kept: Account, emptied: Account, *, now: datetime) -> Conflict | None:
    """None where they may be joined."""
    both = (kept.id, emptied.id)
    live = {account_id: live_of(session, account_id) for account_id in both}
    unpaid = _unpaid(session, both)
    most = _most_others(session)
    reason = (
        _who_they_are(session, kept, emptied, now=now)
        or _too_many_dependents(session, live[kept.id], live[emptied.id], most=most)
        or _too_many_unpaid(unpaid[kept.id], unpaid[emptied.id])
    )
    return None if reason is None else _conflict(reason, live, unpaid, most=most)


def asked_too_soon(session: Session, account_id: UUID) -> Conflict:
    """Why the account may not ask, with the same figures as ever."""
    live = {account_id: live_of(session, account_id)}
    return _conflict("asked_too_soon", live, _unpaid(session, [account_id]), most=_most_others(session))


def _conflict(
    reason: str, live: Mapping[UUID, Sequence[Dependent]], unpaid: Mapping[UUID, Sequence[Terms]], *, most: int
) -> Conflict:
    others = {account_id: len(_besides_oneself(found)) for account_id, found in live.items()}
    return Conflict(reason, others, {account_id: len(found) for account_id, found in unpaid.items()}, most)


def _most_others(session: Session) -> int:
    return policies_for(session).max_dependents or 0


def _who_they_are(session: Session, kept: Account, emptied: Account, *, now: datetime) -> str | None:
    if any(one.closed_at is not None or one.joined_into_id is not None for one in (kept, emptied)):
        return "not_open"
    if session.scalar(select(share_an_app(kept.id, emptied.id))):
        return "same_app"
    if _may_still_be_undone(session, [kept.id, emptied.id], now=now):
        return "joined_lately"
    return None


def _may_still_be_undone(session: Session, account_ids: Sequence[UUID], *, now: datetime) -> bool:
    """One join at a time can be undone: else it would matter in which order they are."""
    standing = AccountJoin.kept_account_id.in_(account_ids) & (AccountJoin.status == JoinStatus.JOINED)
    return bool(session.scalar(select(exists().where(standing, AccountJoin.undo_before > now))))


def _too_many_dependents(
    session: Session, kept: Sequence[Dependent], emptied: Sequence[Dependent], *, most: int
) -> str | None:
    selves = {root_of(session, one.person_id) for one in (*kept, *emptied) if one.relationship_ is Relationship.SELF}
    if len(selves) > 1:
        return "two_selves"
    persons = {root_of(session, one.person_id) for one in _besides_oneself((*kept, *emptied))}
    return "dependent_limit" if len(persons) > most else None


def _besides_oneself(dependents: Sequence[Dependent]) -> list[Dependent]:
    return [one for one in dependents if one.relationship_ is not Relationship.SELF]


def _unpaid(session: Session, account_ids: Sequence[UUID]) -> dict[UUID, list[Terms]]:
    """The terms of each unpaid hold, by account; what is on one charge is one."""
    query = select(Appointment.charge_id, Appointment.account_id, Appointment.terms).where(
        Appointment.account_id.in_(account_ids), Appointment.status == AppointmentStatus.PENDING
    )
    holds = {charge_id: (account_id, terms) for charge_id, account_id, terms in session.execute(query)}
    found: dict[UUID, list[Terms]] = {account_id: [] for account_id in account_ids}
    for account_id, terms in holds.values():
        found[account_id].append(Terms.from_document(terms))
    return found


def _too_many_unpaid(kept: Sequence[Terms], emptied: Sequence[Terms]) -> str | None:
    if not kept or not emptied:  # what one of them has is within the limit already
        return None
    limit = max(terms.max_open_holds_account for terms in (*kept, *emptied))
    return "open_holds" if len(kept) + len(emptied) > limit else None
