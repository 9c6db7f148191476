"""Joining two accounts, and undoing it.

By phone it takes a yes of both, each logged in and each with that phone proven lately: the proof of one side alone
never opens the other's data. By union id the platform itself names one person, and nobody is asked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from core.dependents.own_phones import end_said_by_own_phone
from core.identity.join_conflicts import asked_too_soon, conflict_between
from core.identity.join_offers import (
    PROOF_GOOD_FOR,
    JoinView,
    Viewer,
    candidates,
    offer_id,
    side_of,
    view_join,
    wallet_of,
)
from core.identity.join_rows import carry, give_back
from core.identity.own import require_own_login
from core.locks import lock_accounts
from core.refusals import PhoneNotProven, UndoTooLate
from core.transactions import Changed, Overloaded
from models.account import Account
from models.account_join import AccountJoin, JoinReason, JoinStatus
from models.base import new_id
from models.errors import NotFound
from models.sealing import Vault
from models.states import Cause, Machine, StateEvent

FIRST_YES_WAITS = timedelta(hours=24)
"""How long the first yes waits for the second."""
UNDO_WITHIN = timedelta(hours=24)
ASK_AGAIN_AFTER = timedelta(days=7)
"""How long whoever was declined may not ask, and neither of two whose join was undone."""
DECLINED = "declined"
PHONE_CHANGED = "phone_changed"

log = structlog.get_logger()


def say_yes(session: Session, *, viewer: Viewer, join_id: UUID, vault: Vault, now: datetime, cause: Cause) -> JoinView:
    """Say yes to what `list_joins` has told: the first yes asks, the second one joins. A repeated one changes nothing.

    Raises: NotFound, PhoneNotProven where one's own proof is too old, JoinConflict, Overloaded, Unauthenticated."""
    mine, other = _lock_both(session, viewer, join_id, vault, now=now)
    standing = _waiting_between(session, mine.id, other.id, now=now, cause=cause)
    if standing is not None and standing.asking_account_id == mine.id:
        return view_join(session, standing, viewer=viewer, now=now)
    if not mine.has_proven_phone_within(PROOF_GOOD_FOR, now=now):
        raise PhoneNotProven()
    if standing is None:
        if _no_was_said_lately(session, mine.id, other.id, now=now):
            raise asked_too_soon(session, mine.id).told_to(mine.id)
        asked = _new_join(session, mine, other, JoinReason.PHONE, now=now)
        asked.ask(session, at=now, cause=cause)
        session.flush()
        return view_join(session, asked, viewer=viewer, now=now)
    kept, emptied = in_order_of_age(mine, other)
    conflict = conflict_between(session, kept, emptied, now=now)
    if conflict is not None:
        log.info("account_join_refused", join=str(standing.id), reason=conflict.reason)
        raise conflict.told_to(mine.id)
    _join(session, standing, kept, emptied, vault, now=now, cause=cause)
    return view_join(session, standing, viewer=viewer, now=now)


def join_by_union_id(
    session: Session, mine: Account, other: Account, *, vault: Vault, now: datetime, cause: Cause
) -> str | None:
    """Join what a platform says is one person's, at the login that shows it. The caller has locked both.

    Returns why they stay apart instead, if they do: a word for operators."""
    if _was_undone(session, mine.id, other.id):
        return "undone_by_their_holder"
    kept, emptied = in_order_of_age(mine, other)
    conflict = conflict_between(session, kept, emptied, now=now)
    if conflict is not None:
        return conflict.reason
    row = _new_join(session, mine, other, JoinReason.UNION_ID, now=now)
    _join(session, row, kept, emptied, vault, now=now, cause=cause)
    return None


def undo_join(
    session: Session, *, viewer: Viewer, join_id: UUID, vault: Vault, now: datetime, cause: Cause
) -> JoinView:
    """Take a join back, or an ask; what is over already stays as it is.

    Raises: NotFound, UndoTooLate, Overloaded, Unauthenticated."""
    row = _own(session, viewer.account_id, join_id)
    accounts = lock_accounts(session, {row.asking_account_id, row.asked_account_id})
    require_own_login(session, login_id=viewer.login_id, account_id=viewer.account_id)
    session.refresh(row)
    side = side_of(row, viewer)
    if row.is_waiting(now=now):
        mine_asked = row.asking_account_id == viewer.account_id
        row.expire(session, why="withdrawn" if mine_asked else DECLINED, at=now, cause=cause)
    elif row.status is JoinStatus.JOINED:
        if row.kept_account_id != viewer.account_id:  # joined between the look and the lock
            raise Overloaded()
        if not row.may_be_undone(now=now):
            raise UndoTooLate()
        kept = accounts[row.kept_account_id]
        if give_back(session, row, kept=kept, emptied=accounts[row.other_than(kept.id)], vault=vault):
            withdraw_asks(session, kept.id, why=PHONE_CHANGED, now=now, cause=cause)
        row.undo(session, at=now, cause=cause)
    session.flush()
    return view_join(session, row, viewer=replace(viewer, account_id=side), now=now)


def withdraw_asks(session: Session, account_id: UUID, *, why: str, now: datetime, cause: Cause) -> None:
    """What the account has asked, or was asked, no longer stands. The caller has locked the account."""
    waiting = or_(AccountJoin.asking_account_id == account_id, AccountJoin.asked_account_id == account_id)
    query = select(AccountJoin).where(waiting, AccountJoin.status == JoinStatus.ASKED).order_by(AccountJoin.id)
    for row in session.scalars(query.execution_options(populate_existing=True)).all():
        row.expire(session, why=why, at=now, cause=cause)


def in_order_of_age(one: Account, other: Account) -> tuple[Account, Account]:
    """The older one is kept."""
    older, younger = sorted((one, other), key=lambda account: (account.created_at, account.id))
    return older, younger


def _lock_both(
    session: Session, viewer: Viewer, join_id: UUID, vault: Vault, *, now: datetime
) -> tuple[Account, Account]:
    """One's own account and the one that `join_id` names to it.

    Raises: NotFound, Overloaded, Unauthenticated, Changed."""
    other_id = _named(session, session.get_one(Account, viewer.account_id), join_id, vault, now=now)
    accounts = lock_accounts(session, {viewer.account_id, other_id})
    require_own_login(session, login_id=viewer.login_id, account_id=viewer.account_id)
    mine = accounts[viewer.account_id]
    if mine.joined_into_id is not None:
        raise Overloaded()
    if _named(session, mine, join_id, vault, now=now) != other_id:
        raise Changed()
    return mine, accounts[other_id]


def _named(session: Session, mine: Account, join_id: UUID, vault: Vault, *, now: datetime) -> UUID:
    """Which other account is meant, by an offer or by an ask that waits. Raises: NotFound."""
    row = session.get(AccountJoin, join_id, populate_existing=True)
    asked = None
    if row is not None and row.is_waiting(now=now) and mine.id in (row.asking_account_id, row.asked_account_id):
        asked = row.other_than(mine.id)
    for other in candidates(session, mine, vault):
        if other.id == asked or offer_id(vault, mine.id, other.id) == join_id:
            return other.id
    raise NotFound()


def _waiting_between(session: Session, one: UUID, other: UUID, *, now: datetime, cause: Cause) -> AccountJoin | None:
    """The ask that waits; one whose time is over is ended on the way."""
    query = select(AccountJoin).where(_between(one, other), AccountJoin.status == JoinStatus.ASKED)
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    for row in rows:
        if not row.is_waiting(now=now):
            row.expire(session, why="no_second_yes", at=now, cause=cause)
    return next((row for row in rows if row.is_waiting(now=now)), None)


def _was_undone(session: Session, one: UUID, other: UUID) -> bool:
    """Somebody has said that they are not one: a platform's word does not stand against that."""
    return bool(session.scalar(select(exists().where(_between(one, other), AccountJoin.status == JoinStatus.UNDONE))))


def _no_was_said_lately(session: Session, mine: UUID, other: UUID, *, now: datetime) -> bool:
    """By the other one to `mine`, or by either to what had been joined: a yes by mistake is not to be wearied out."""
    since = now - ASK_AGAIN_AFTER
    undone = _between(mine, other) & (AccountJoin.undone_at > since)
    declined = (
        (AccountJoin.asking_account_id == mine)
        & (AccountJoin.asked_account_id == other)
        & exists().where(
            StateEvent.record_id == AccountJoin.id,
            StateEvent.machine == Machine.ACCOUNT_JOIN,
            StateEvent.reason == DECLINED,
            StateEvent.at > since,
        )
    )
    return bool(session.scalar(select(exists().where(or_(undone, declined)))))


def _between(one: UUID, other: UUID) -> ColumnElement[bool]:
    return or_(
        and_(AccountJoin.asking_account_id == one, AccountJoin.asked_account_id == other),
        and_(AccountJoin.asking_account_id == other, AccountJoin.asked_account_id == one),
    )


def _new_join(session: Session, mine: Account, other: Account, reason: JoinReason, *, now: datetime) -> AccountJoin:
    return AccountJoin(
        id=new_id(),
        reason=reason,
        asking_account_id=mine.id,
        asked_account_id=other.id,
        asking_wallet=wallet_of(session, mine.id),
        asked_wallet=wallet_of(session, other.id),
        phone_masked=mine.phone_masked if reason is JoinReason.PHONE else None,
        asked_at=now,
        asked_until=now + FIRST_YES_WAITS,
    )


def _join(
    session: Session, row: AccountJoin, kept: Account, emptied: Account, vault: Vault, *, now: datetime, cause: Cause
) -> None:
    carried = carry(session, kept=kept, emptied=emptied, now=now)
    row.join(
        session,
        kept=kept.id,
        emptied=emptied.id,
        carried=carried,
        undo_before=now + UNDO_WITHIN,
        at=now,
        cause=cause,
    )
    session.flush()
    withdraw_asks(session, emptied.id, why="joined_elsewhere", now=now, cause=cause)
    end_said_by_own_phone(session, kept.id, vault, now=now)
    session.flush()
    log.info("accounts_joined", join=str(row.id), reason=str(row.reason))


def _own(session: Session, account_id: UUID, join_id: UUID) -> AccountJoin:
    """Raises: NotFound."""
    row = session.get(AccountJoin, join_id, populate_existing=True)
    if row is None or account_id not in (row.asking_account_id, row.asked_account_id):
        raise NotFound()
    return row
