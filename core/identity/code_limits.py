"""How many codes are sent: to one phone, for one account, from one network, and in one day in all (A-37).

Counted in the database, over windows that slide. Whoever counts holds the gates of the phone, the network and of
everybody, and the account's row; so of many that ask at once each one sees what the one before it has written.
Locks: account → phone → network → everybody → codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import Session

from core.clock import next_day_begins
from models.account import PHONE_HASH
from models.base import new_id
from models.errors import TooMany
from models.phone_code import NET_HASH, CodeGate, GateKind, PhoneCode, Sending
from models.sealing import Vault

LONGEST_WINDOW = timedelta(days=1)
_KEPT_FOR = LONGEST_WINDOW + timedelta(hours=1)
_GATE_HASH = "code_gates.subject"
_SHORT = timedelta(minutes=1)
"""In windows up to this what reached nobody counts too: a platform that refuses us is not to be hammered."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Rate:
    """At most `most` within any `per`."""

    most: int
    per: timedelta


@dataclass(frozen=True)
class CodeLimits:
    """Every rate of a subject holds, none longer than a day. `daily_most` caps what a day at the hospital may cost, in
    messages."""

    phone: tuple[Rate, ...]
    account: tuple[Rate, ...]
    net: tuple[Rate, ...]
    daily_most: int

    def again_at(self, *, now: datetime) -> datetime:
        """When another code may be asked for the same phone at the earliest."""
        return now + max((rate.per for rate in self.phone if rate.most == 1), default=timedelta(0))


@dataclass(frozen=True)
class Asked:
    """Whose limits a code counts against. `account` is the condition that finds the account's rows."""

    account: ColumnElement[bool]
    phone: str = field(repr=False)
    net: str = field(repr=False)


def require_room(session: Session, asked: Asked, *, limits: CodeLimits, vault: Vault, now: datetime) -> int:
    """Lock the gates and count. The caller holds the account's lock, and writes its row in the same transaction.

    Returns how many of the day are gone once this one is. Raises: TooMany, with the instant at which there is room."""
    pass_gate(session, GateKind.PHONE, asked.phone, vault=vault, now=now)
    pass_gate(session, GateKind.NET, asked.net, vault=vault, now=now)
    phones = [known.digest for known in vault.keyed_hashes(PHONE_HASH, asked.phone)]
    nets = [known.digest for known in vault.keyed_hashes(NET_HASH, asked.net)]
    counted = (
        (PhoneCode.phone_hash.in_(phones), limits.phone),
        (asked.account, limits.account),
        (PhoneCode.net_hash.in_(nets), limits.net),
    )
    _refuse_until([_free_at(session, which, rate, now=now) for which, rates in counted for rate in rates])
    # Last and for those alone who may send: a flood at one phone, account or network keeps nobody else waiting.
    pass_gate(session, GateKind.EVERYBODY, "", vault=vault, now=now)
    gone = _gone_today(session, now=now)
    _refuse_until([next_day_begins(now=now) if gone >= limits.daily_most else None])
    return gone + 1


def pass_gate(session: Session, kind: GateKind, subject: str, *, vault: Vault, now: datetime) -> None:
    """Wait until nobody else is behind this gate, and hold it until the end of the transaction. A gate that is not
    there yet is made; of two that make it at once one runs again and finds it."""
    known = vault.keyed_hashes(_GATE_HASH, f"{kind}/{subject}")
    which = and_(CodeGate.kind == kind, CodeGate.subject_hash.in_([one.digest for one in known]))
    held = session.scalars(select(CodeGate.id).where(which).order_by(CodeGate.id).with_for_update(key_share=True)).all()
    if held:  # written even where nothing changes: who passes one takes as long as who passes another
        session.execute(update(CodeGate).where(CodeGate.id.in_(held)).values(used_at=now))
    else:
        made = known[0]
        session.add(CodeGate(id=new_id(), kind=kind, subject_hash=made.digest, hash_key=made.key_id, used_at=now))
        session.flush()


def warn_of_spending(gone: int, *, limits: CodeLimits) -> None:
    """Tell operators, once each, when most of a day's messages are gone and when all are. After the commit."""
    if gone in (limits.daily_most, -(-limits.daily_most * 4 // 5)):
        log.warning("sms_of_the_day_spent", sent=gone, most=limits.daily_most, alarm=True)


def forget_phone_codes(session: Session, *, now: datetime) -> None:
    """Delete what no window reaches any more, and gates that nobody has passed since."""
    old = now - _KEPT_FOR
    session.execute(delete(PhoneCode).where(PhoneCode.created_at < old))
    session.execute(delete(CodeGate).where(CodeGate.used_at < old))


def _refuse_until(waits: Iterable[datetime | None]) -> None:
    """Raises: TooMany."""
    full = [at for at in waits if at is not None]
    if full:
        raise TooMany(retry_at=max(full))


def _free_at(session: Session, which: ColumnElement[bool], rate: Rate, *, now: datetime) -> datetime | None:
    """None while there is room; else when the oldest of the newest `most` leaves the window."""
    counts = [] if rate.per <= _SHORT else [PhoneCode.sending != Sending.FAILED]
    query = (
        select(PhoneCode.created_at)
        .where(which, PhoneCode.created_at > now - rate.per, *counts)
        .order_by(PhoneCode.created_at.desc())
        .offset(rate.most - 1)
        .limit(1)
    )
    oldest = session.scalar(query)
    return None if oldest is None else oldest + rate.per


def _gone_today(session: Session, *, now: datetime) -> int:
    begins = next_day_begins(now=now) - timedelta(days=1)
    query = select(func.count()).where(PhoneCode.created_at >= begins, PhoneCode.sending != Sending.FAILED)
    return session.scalar(query) or 0
