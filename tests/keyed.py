"""Keyed commands in miniature: one transaction, or two with a call between them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from factories import make_account
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.idempotency import (
    KeyedRequest,
    StoredReply,
    keep_reply,
    lease_key,
    regain_key,
    take_key,
)
from core.transactions import Transactions
from models.account import Account
from models.idempotency import IdempotencyKey
from models.sealing import Vault

BODY = bytes(range(256)) + "中文".encode()
MILLISECOND = timedelta(milliseconds=1)


def new_account(transactions: Transactions) -> UUID:
    return transactions.write(lambda session, now: make_account(session, now=now).id)


def accounts(transactions: Transactions) -> int:
    return transactions.read(lambda session, _now: session.scalar(select(func.count()).select_from(Account)) or 0)


def once(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest, effect: Callable[[Session], None] = make_account
) -> StoredReply:
    """A keyed command: its effect is one more account."""

    def step(session: Session, now: datetime) -> StoredReply:
        row = take_key(session, vault, wanted, now=now)
        if isinstance(row, StoredReply):
            return row
        effect(session)
        reply = StoredReply(201, BODY)
        keep_reply(row, vault, reply, now=now)
        return reply

    return transactions.write(step)


def begin(transactions: Transactions, vault: Vault, wanted: KeyedRequest) -> tuple[UUID, str | None, datetime]:
    """The first transaction of a command that calls a platform: key, step found there, end of the lease."""

    def step(session: Session, now: datetime) -> tuple[UUID, str | None, datetime]:
        row = take_key(session, vault, wanted, now=now)
        assert isinstance(row, IdempotencyKey)
        found = row.step
        return row.id, found, lease_key(row, step=found or "pay:1", now=now)

    return transactions.write(step)


def finish(transactions: Transactions, vault: Vault, key_id: UUID, until: datetime, body: bytes = BODY) -> StoredReply:
    def step(session: Session, now: datetime) -> StoredReply:
        row = regain_key(session, vault, key_id, leased_until=until)
        if isinstance(row, StoredReply):
            return row
        keep_reply(row, vault, StoredReply(201, body), now=now)
        return StoredReply(201, body)

    return transactions.write(step)
