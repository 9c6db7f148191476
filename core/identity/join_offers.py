"""What an account may know of another before both have said yes: that there is one, its wallet, since which day, and
the masked phone that both know. Whoever has not proven that phone lately learns nothing.

Numbers are handed out again in China: the other one may belong to whoever had the number before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.identity.join_conflicts import share_an_app
from models.account import PHONE_HASH, Account, IdKind, PlatformIdentity, Provider
from models.account_join import AccountJoin, JoinReason, JoinStatus
from models.sealing import Vault

PROOF_GOOD_FOR = timedelta(minutes=30)
"""How old the proof of a phone may be at its account's yes."""
OFFERS_MOST = 10
JOINS_TOLD = 50


class JoinState(StrEnum):
    """What the two accounts are to one another. An offer is no row yet."""

    OFFERED = "offered"
    ASKED = "asked"
    JOINED = "joined"
    UNDONE = "undone"
    EXPIRED = "expired"


class WaitsFor(StrEnum):
    """Whose yes is missing."""

    YOU = "you"
    OTHER = "other"


@dataclass(frozen=True)
class Viewer:
    """An account, and the login that it is looked at through: after a join that says from which side."""

    account_id: UUID
    identity_id: UUID
    login_id: UUID


@dataclass(frozen=True)
class JoinView:
    """The other account, as far as it may be known."""

    id: UUID
    state: JoinState
    reason: JoinReason
    wallet: Provider
    since: date
    phone_masked: str | None
    waits_for: WaitsFor | None = None
    asked_until: datetime | None = None
    joined_at: datetime | None = None
    undo_before: datetime | None = None
    undone_at: datetime | None = None


def list_joins(session: Session, *, viewer: Viewer, vault: Vault, now: datetime) -> list[JoinView]:
    """What can be joined now, then what was asked, joined and undone, the newest first."""
    mine = session.get_one(Account, viewer.account_id)
    others = candidates(session, mine, vault) if mine.has_proven_phone_within(PROOF_GOOD_FOR, now=now) else []
    known = {one.id for one in others}
    rows = [row for row in _rows(session, mine.id) if _may_be_told(row, mine.id, known, now=now)]
    waiting = {row.other_than(mine.id) for row in rows if row.is_waiting(now=now)}
    offers = [_offer(session, mine, one, vault) for one in others if one.id not in waiting]
    return [*offers, *(view_join(session, row, viewer=viewer, now=now) for row in rows)]


def candidates(session: Session, mine: Account, vault: Vault) -> Sequence[Account]:
    """Open accounts of another wallet that have proven the same phone, whenever that was."""
    phone = mine.phone(vault)
    if phone is None:
        return []
    same_phone = or_(
        *(
            (Account.phone_hash_key == digest.key_id) & (Account.phone_hash == digest.digest)
            for digest in vault.keyed_hashes(PHONE_HASH, phone)
        )
    )
    query = (
        select(Account)
        .where(same_phone, Account.id != mine.id, Account.closed_at.is_(None), Account.joined_into_id.is_(None))
        .where(~share_an_app(mine.id, Account.id), _wallets().where(PlatformIdentity.account_id == Account.id).exists())
        .order_by(Account.phone_proven_at.desc(), Account.id)
    )
    return session.scalars(query.limit(OFFERS_MOST).execution_options(populate_existing=True)).all()


def offer_id(vault: Vault, mine: UUID, other: UUID) -> UUID:
    """Names the other account to this one and to nobody else, and tells nothing of it."""
    return UUID(bytes=vault.keyed_hash("account_joins.offer", f"{mine}:{other}").digest)


def wallet_of(session: Session, account_id: UUID) -> Provider:
    """Where the account was first seen."""
    query = _wallets().where(PlatformIdentity.account_id == account_id)
    return session.scalars(query.order_by(PlatformIdentity.id).limit(1)).one()


def view_join(session: Session, row: AccountJoin, *, viewer: Viewer, now: datetime) -> JoinView:
    """From the side of whoever looks."""
    side = side_of(row, viewer)
    other = row.other_than(side)
    state = JoinState(row.status)
    if row.status is JoinStatus.ASKED and not row.is_waiting(now=now):
        state = JoinState.EXPIRED
    waits_for = WaitsFor.OTHER if row.asking_account_id == side else WaitsFor.YOU
    return JoinView(
        id=row.id,
        state=state,
        reason=row.reason,
        wallet=row.wallet_of(other),
        since=hospital_day(session.get_one(Account, other).created_at),
        phone_masked=row.phone_masked,
        waits_for=waits_for if state is JoinState.ASKED else None,
        asked_until=row.asked_until if row.reason is JoinReason.PHONE else None,
        joined_at=row.joined_at,
        undo_before=row.undo_before,
        undone_at=row.undone_at,
    )


def side_of(row: AccountJoin, viewer: Viewer) -> UUID:
    """Which of the two accounts the viewer was, before both became one."""
    if row.status is not JoinStatus.JOINED or row.kept_account_id is None or row.emptied_account_id is None:
        return viewer.account_id
    came = (row.carried or {}).get(PlatformIdentity.__tablename__, [])
    return row.emptied_account_id if str(viewer.identity_id) in came else row.kept_account_id


def _wallets() -> Select[Provider]:
    return select(PlatformIdentity.provider).where(PlatformIdentity.kind != IdKind.UNION_ID)


def _rows(session: Session, account_id: UUID) -> Sequence[AccountJoin]:
    mine = or_(AccountJoin.asking_account_id == account_id, AccountJoin.asked_account_id == account_id)
    query = select(AccountJoin).where(mine).order_by(AccountJoin.id.desc()).limit(JOINS_TOLD)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def _may_be_told(row: AccountJoin, account_id: UUID, known: set[UUID], *, now: datetime) -> bool:
    """An ask is told to whoever asked, and to the other only while it may know of the account at all."""
    if row.status in (JoinStatus.JOINED, JoinStatus.UNDONE):
        return True
    return row.asking_account_id == account_id or (row.is_waiting(now=now) and row.asking_account_id in known)


def _offer(session: Session, mine: Account, other: Account, vault: Vault) -> JoinView:
    return JoinView(
        id=offer_id(vault, mine.id, other.id),
        state=JoinState.OFFERED,
        reason=JoinReason.PHONE,
        wallet=wallet_of(session, other.id),
        since=hospital_day(other.created_at),
        phone_masked=mine.phone_masked,
        waits_for=WaitsFor.YOU,
    )
