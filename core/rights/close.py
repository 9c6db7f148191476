"""Closing an account: its logins end, and what no law keeps is erased (rules.md L-05 to L-07)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from core.booking.strikes.open_appeal import forget_appeals
from core.booking.waitlist.wait import leave_all
from core.dependents.forget import lock_with_documents
from core.dependents.granted import end_grants
from core.identity.join import withdraw_asks
from core.identity.outcomes import fail_pending
from core.identity.own import require_own_login
from core.locks import lock_account, lock_charges
from core.payments.views import of_account
from core.refusals import AccountInUse
from core.rights.access import ONESELF, AccessAction, AccessPurpose, note_access
from core.rights.erase import erase_dependents
from core.rights.holdings import HOLDINGS
from core.rights.laws import law_in_words
from core.rights.retention import FORGOTTEN, RETENTION, Outcome, Retention
from models.account import Account, LoginSession, PlatformIdentity
from models.account_join import AccountJoin, JoinStatus
from models.appointment import OPEN, Appointment
from models.charge import Charge
from models.grant import EndedBy, Grant
from models.idempotency import IdempotencyKey
from models.identity_check import IdentityMethod
from models.notice import Notice
from models.page_login import Handoff
from models.payment import LIVE_PAYMENT, UNSETTLED_REFUND, Payment, Refund
from models.person import Dependent
from models.states import Cause


@dataclass(frozen=True)
class Kept:
    """What became of one kind of data. `count` rows; `lasts_days` for how long the law wants them."""

    kind: str
    count: int
    outcome: Outcome
    law: str
    lasts_days: int | None


@dataclass(frozen=True)
class Closing:
    closed_at: datetime
    items: list[Kept]


def close_account(
    session: Session, *, account_id: UUID, login_id: UUID, language: str, now: datetime, cause: Cause
) -> Closing:
    """End every login, erase what no law keeps, and tell row by row, in the reader's language, what is kept and why.

    Raises: NotFound, Overloaded, Unauthenticated, AccountInUse while an appointment is open, money is on its way, or a
    join may still be undone by the other side.
    """
    account = lock_account(session, account_id)
    dependents = lock_with_documents(session, Dependent.account_id == account_id)
    lock_charges(session, Charge.account_id == account_id)
    require_own_login(session, login_id=login_id, account_id=account_id)
    # Before what is under way is counted: whoever pays under a grant of ours has it shared, and is counted then.
    end_grants(session, Grant.account_id == account_id, by=EndedBy.REMOVED, now=now)
    _refuse_while_in_use(session, account_id, now=now)
    counts = {one.name: _count(session, one.record, one.told_to(account_id)) for one in HOLDINGS}
    for dependent in dependents:
        fail_pending(session, dependent_id=dependent.id, methods=list(IdentityMethod), now=now, cause=cause)
    # Whoever has a twin goes with it.
    erase_dependents(session, [one for one in dependents if one.merged_into_id is None], now=now)
    _erase_beside(session, account_id, now=now)
    leave_all(session, account_id=account_id, now=now, cause=cause)
    withdraw_asks(session, account_id, why="account_closed", now=now, cause=cause)
    account.close(at=now)
    for row in session.scalars(select(Account).where(Account.joined_into_id == account_id)):
        row.close(at=now)
    note_access(
        session,
        actor=ONESELF,
        action=AccessAction.CLOSED,
        purpose=AccessPurpose.OWN_REQUEST,
        account_id=account_id,
        result="closed",
        facts={"request": cause.id},
        now=now,
    )
    session.flush()
    told_of = sum(one.erase_after is not None for one in dependents)
    return Closing(now, [item for name in RETENTION for item in _became(name, counts[name], told_of, language)])


def _refuse_while_in_use(session: Session, account_id: UUID, *, now: datetime) -> None:
    """Raises: AccountInUse, with how many of each stand in the way."""
    payments = select(Payment.id).where(of_account(account_id))
    facts: dict[str, Any] = {
        "open_appointments": _count(
            session, Appointment, (Appointment.account_id == account_id) & Appointment.status.in_(OPEN)
        ),
        "unsettled_payments": _count(session, Payment, of_account(account_id) & Payment.status.in_(LIVE_PAYMENT)),
        "unsettled_refunds": _count(
            session, Refund, Refund.payment_id.in_(payments) & Refund.status.in_(UNSETTLED_REFUND)
        ),
        "joins_that_may_be_undone": _count(
            session,
            AccountJoin,
            (AccountJoin.kept_account_id == account_id)
            & (AccountJoin.status == JoinStatus.JOINED)
            & (AccountJoin.undo_before > now),
        ),
    }
    if any(facts.values()):
        raise AccountInUse(**facts)


def _erase_beside(session: Session, account_id: UUID, *, now: datetime) -> None:
    """What hangs on the account itself and on its logins."""
    identities = session.scalars(select(PlatformIdentity).where(PlatformIdentity.account_id == account_id)).all()
    session.execute(delete(Handoff).where(Handoff.platform_identity_id.in_([one.id for one in identities])))
    for identity in identities:
        identity.forget()
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.account_id == account_id))
    session.execute(delete(Notice).where(Notice.account_id == account_id))
    session.execute(update(Appointment).where(Appointment.account_id == account_id).values(complaint_sealed=None))
    forget_appeals(session, Appointment.account_id == account_id)
    either = or_(AccountJoin.asking_account_id == account_id, AccountJoin.asked_account_id == account_id)
    session.execute(update(AccountJoin).where(either).values(phone_masked=None))
    live = (LoginSession.account_id == account_id) & LoginSession.revoked_at.is_(None)
    session.execute(update(LoginSession).where(live).values(revoked_at=now))


def _count(session: Session, record: Any, where: Any) -> int:
    return session.scalar(select(func.count()).select_from(record).where(where)) or 0


def _became(name: str, count: int, told_of: int, language: str) -> list[Kept]:
    """`told_of` dependents are kept, since a hospital was told of them; those of whom none was are gone at once."""
    if name != "dependents":
        return [_kept(name, count, RETENTION[name], language)]
    erased = _kept(name, count - told_of, FORGOTTEN, language)
    restricted = _kept(name, told_of, RETENTION[name], language)
    return [one for one in (erased, restricted) if one.count] or [erased]


def _kept(name: str, count: int, rule: Retention, language: str) -> Kept:
    law = law_in_words(rule.law, language=language)
    return Kept(name, count, rule.outcome, law, None if rule.lasts is None else rule.lasts.days)
