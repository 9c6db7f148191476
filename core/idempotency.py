"""Idempotency keys: one effect per key, and the first success again, byte for byte, for seven days.

The row is taken first in every keyed command, before any other lock, so a twin waits there. It rolls back with a
refusal: only a success is kept. A command that calls a platform commits its row as `running` with a lease and the
step it has intended; after the lease a repeat goes on from that step and never starts anew.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Insert, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, object_session

from core.identity.caller import Caller
from core.identity.own import update_as_own_login
from core.refusals import IdempotencyKeyReused, RequestInProgress
from core.transactions import is_lock_timeout
from models.as_read import keep_as_read
from models.base import new_id, table_of
from models.idempotency import IdempotencyKey, KeyState
from models.prepared import rows_of
from models.sealing import Vault

KEPT = timedelta(days=7)
LEASE = timedelta(seconds=60)
ABANDONED = timedelta(hours=1)
_SOON = timedelta(seconds=1)
_PURPOSE = "idempotency_keys.reply"


@dataclass(frozen=True)
class KeyedRequest:
    """A request under a key. `content` is everything that makes it this request: method, path and canonical body."""

    account_id: UUID
    key: str
    content: str


@dataclass(frozen=True)
class StoredReply:
    """A reply as it was sent: status and body bytes."""

    status: int
    body: bytes


def take_key(session: Session, vault: Vault, wanted: KeyedRequest, *, now: datetime) -> IdempotencyKey | StoredReply:
    """The key's row, locked and ours until the transaction ends, or the reply it already earned.

    A row with `step` set was left by a command that was cut off after its first transaction.
    Raises: RequestInProgress, IdempotencyKeyReused."""
    try:
        row, fresh = _insert_or_lock(session, vault, wanted, now=now)
    except DBAPIError as error:
        if is_lock_timeout(error):
            raise RequestInProgress(retry_at=now + _SOON) from error
        raise
    if fresh:
        return row
    if row.fingerprint not in [digest.digest for digest in vault.keyed_hashes("idempotency", wanted.content)]:
        raise IdempotencyKeyReused()
    if row.state is KeyState.DONE:
        return _reply_of(row, vault)
    if row.lease_until is not None and now < row.lease_until:
        raise RequestInProgress(retry_at=row.lease_until)
    return row


def lease_key(row: IdempotencyKey, *, step: str, now: datetime) -> datetime:
    """Commit to `step` before a platform is called. Returns the end of the lease, which proves whose it is."""
    until = now + LEASE
    row.step, row.lease_until = step, until
    return until


def regain_key(session: Session, vault: Vault, key_id: UUID, *, leased_until: datetime) -> IdempotencyKey | StoredReply:
    """Lock the row again after the call. A repeat that took over meanwhile has the word.

    Raises: RequestInProgress."""
    row = session.scalars(
        select(IdempotencyKey)
        .where(IdempotencyKey.id == key_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if row.state is KeyState.DONE:
        return _reply_of(row, vault)
    if row.lease_until != leased_until:
        raise RequestInProgress(retry_at=row.lease_until)
    return row


def release_key(row: IdempotencyKey, *, now: datetime) -> None:
    """The outcome is not known yet: a repeat may go on from the step at once."""
    row.lease_until = now


def keep_reply(
    row: IdempotencyKey, vault: Vault, reply: StoredReply, *, now: datetime, caller: Caller | None = None
) -> None:
    """The first success, sealed; and where a `caller` is given, that their login still leads to their account.

    Raises: as `require_own_login`."""
    content = json.dumps({"status": reply.status, "body": base64.b64encode(reply.body).decode()})
    session = object_session(row)
    if session is None:
        raise LookupError("the row is not in the transaction that took it")
    session.flush()  # what else was changed of the row is written before it is read anew
    sealed = vault.seal(_PURPOSE, row.id, content)
    given = {"of_key": row.id, "expires_at": now + KEPT, "reply_status": reply.status, "reply_sealed": sealed}
    if caller is None:
        session.execute(_DONE, given)
    else:
        update_as_own_login(session, _DONE, given, login_id=caller.session_id, account_id=caller.account_id)
    session.expire(row)


def forget_old_keys(session: Session, *, now: datetime) -> None:
    """Keys past their seven days go, and those that a cut-off command left and nobody came back for."""
    abandoned = (IdempotencyKey.state == KeyState.RUNNING) & (IdempotencyKey.lease_until < now - ABANDONED)
    session.execute(
        delete(IdempotencyKey)
        .where((IdempotencyKey.expires_at < now) | abandoned)
        .execution_options(synchronize_session=False)
    )


_KEYS = table_of(IdempotencyKey)
_DONE = (
    update(_KEYS)
    .where(_KEYS.c.id == bindparam("of_key"))
    .values(
        state=KeyState.DONE,
        lease_until=None,
        reply_status=bindparam("reply_status"),
        reply_sealed=bindparam("reply_sealed"),
        expires_at=bindparam("expires_at"),
    )
)
_UNSET: dict[str, Any] = {"lease_until": None, "step": None, "reply_status": None, "reply_sealed": None}


@cache
def _insertion(dialect: str) -> Insert:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    columns = [one.name for one in _KEYS.columns if one.name not in _UNSET]
    return (
        insert(_KEYS)
        .values({name: bindparam(name) for name in columns})
        .on_conflict_do_nothing(index_elements=["account_id", "key"])
        .returning(_KEYS.c.id)
    )


def _reply_of(row: IdempotencyKey, vault: Vault) -> StoredReply:
    content = json.loads(vault.open(_PURPOSE, row.id, row.reply_sealed or b""))
    return StoredReply(content["status"], base64.b64decode(content["body"]))


def _insert_or_lock(
    session: Session, vault: Vault, wanted: KeyedRequest, *, now: datetime
) -> tuple[IdempotencyKey, bool]:
    fingerprint = vault.keyed_hash("idempotency", wanted.content).digest
    new = {
        "id": new_id(),
        "account_id": wanted.account_id,
        "key": wanted.key,
        "fingerprint": fingerprint,
        "state": KeyState.RUNNING,
        "created_at": now,
        "expires_at": now + KEPT,
    }
    if rows_of(session, _insertion(session.get_bind().dialect.name), new):
        return keep_as_read(session, IdempotencyKey(**_UNSET, **new)), True
    row = session.scalars(
        select(IdempotencyKey)
        .where(IdempotencyKey.account_id == wanted.account_id, IdempotencyKey.key == wanted.key)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:  # forgotten between the two statements: the next try makes it anew
        raise RequestInProgress(retry_at=now + _SOON)
    if row.state is KeyState.DONE and row.expires_at <= now:
        row.fingerprint, row.state, row.step = fingerprint, KeyState.RUNNING, None
        row.reply_sealed, row.reply_status, row.expires_at = None, None, now + KEPT
        return row, True
    return row, False
