"""Shared platform tokens: whoever holds the row's lease fetches, everybody else waits for the row.

Works between threads, processes and machines alike, since the row is the only thing they share.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from core.ports import ProviderUnavailable
from core.transactions import Transactions
from models.base import new_id
from models.platform import PlatformToken
from models.sealing import Vault

LEASE = timedelta(seconds=10)
"""After this the holder counts as dead, and another fetches."""
WAIT_SECONDS = 5.0
_PURPOSE = "platform_tokens.token"
_PAUSE_SECONDS = (0.02, 0.06)

Fetch = Callable[[], tuple[str, timedelta]]


@dataclass(frozen=True)
class _Lease:
    """The right to fetch, proven by `holder`."""

    row_id: UUID
    holder: str
    taken_at: datetime


@dataclass(frozen=True)
class _Seen:
    """What the row held when it was looked at. `sealed` is its version: sealing anew never gives the same bytes."""

    row_id: UUID
    sealed: bytes | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    is_leased: bool = False


class DatabaseTokenStore:
    """Port TokenStore."""

    def __init__(self, transactions: Transactions, vault: Vault) -> None:
        self._transactions, self._vault = transactions, vault

    def token(self, name: str, fetch: Fetch, *, rejected: str | None = None) -> str:
        """The live token called `name`. One caller fetches; the others wait up to 5 s for what it brings.

        Raises: ProviderUnavailable (nothing came in time), what `fetch` raises.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            seen = self._look(name)
            if seen.token is not None and seen.token != rejected:
                return seen.token
            lease = None if seen.is_leased else self._take_lease(seen)
            if lease is not None:
                return self._fetch(lease, fetch)
            if time.monotonic() >= deadline:
                raise ProviderUnavailable(f"no {name.partition(':')[0]} in time", sent=False)
            time.sleep(random.uniform(*_PAUSE_SECONDS))

    def stored(self, name: str) -> str | None:
        """What was last brought under that name, ended or not. One read: never fetches, never waits."""

        def look(session: Session, _now: datetime) -> str | None:
            row = _row(session, name)
            if row is None or row.token_sealed is None:
                return None
            return self._vault.open_text(_PURPOSE, row.id, row.token_sealed)

        return self._transactions.read(look)

    def _look(self, name: str) -> _Seen:
        def look(session: Session, now: datetime) -> _Seen | None:
            row = _row(session, name)
            if row is None:
                return None
            is_leased = row.lease_until is not None and now < row.lease_until
            return _Seen(row.id, row.token_sealed, self._live_token(row, now), is_leased)

        return self._transactions.read(look) or self._transactions.write(
            lambda session, now: look(session, now) or _new_row(session, name)
        )

    def _live_token(self, row: PlatformToken, now: datetime) -> str | None:
        if row.token_sealed is None or row.expires_at is None or now >= row.expires_at:
            return None
        return self._vault.open_text(_PURPOSE, row.id, row.token_sealed)

    def _take_lease(self, seen: _Seen) -> _Lease | None:
        """One statement decides: nobody holds the lease, and nobody has brought a token since we looked.

        It also drops the token that we saw, which has ended or was rejected."""
        holder = str(new_id())

        def take(session: Session, now: datetime) -> _Lease | None:
            taken = session.scalars(
                update(PlatformToken)
                .where(
                    PlatformToken.id == seen.row_id,
                    PlatformToken.token_sealed.is_not_distinct_from(seen.sealed),
                    or_(PlatformToken.lease_until.is_(None), PlatformToken.lease_until <= now),
                )
                .values(lease_until=now + LEASE, lease_by=holder, expires_at=now)
                .returning(PlatformToken.id)
                .execution_options(synchronize_session=False)
            ).one_or_none()
            return None if taken is None else _Lease(taken, holder, now)

        return self._transactions.write(take)

    def _fetch(self, lease: _Lease, fetch: Fetch) -> str:
        try:
            token, lasts = fetch()
        except BaseException:
            self._end(lease)
            raise
        # Counted from before the call: the platform's clock began no earlier.
        self._end(
            lease,
            token_sealed=self._vault.seal(_PURPOSE, lease.row_id, token),
            expires_at=lease.taken_at + lasts,
        )
        return token

    def _end(self, lease: _Lease, **brought: object) -> None:
        """Give the lease back. Who lost it meanwhile writes nothing: the row is its new holder's."""
        self._transactions.write(
            lambda session, _now: session.execute(
                update(PlatformToken)
                .where(PlatformToken.id == lease.row_id, PlatformToken.lease_by == lease.holder)
                .values(lease_until=None, lease_by=None, **brought)
                .execution_options(synchronize_session=False)
            )
        )


def _row(session: Session, name: str) -> PlatformToken | None:
    return session.scalars(select(PlatformToken).where(PlatformToken.name == name)).one_or_none()


def _new_row(session: Session, name: str) -> _Seen:
    row = PlatformToken(id=new_id(), name=name)
    session.add(row)
    session.flush()
    return _Seen(row.id)
