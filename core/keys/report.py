"""How far a rotation is, and what still carries which key: what an operator asks before an old key is taken away."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.keys.known import KeyFault, Keyring, Reason, key_faults
from core.keys.stored import STORED, StoredTable, keys_of
from core.workbench import Workbench
from models.vault_key import KeyRotation, Ring, VaultKey

_PAGE = 2000

_Named = tuple[Ring, int | None]
Tally = Counter[_Named]


@dataclass(frozen=True)
class KeyUse:
    """One key that the database knows, that this process holds, or that a stored value carries. `values` is None for
    tickets, which are stored nowhere. `key_id` None is what was stored in clear long ago, or is no sealed value.

    `fault` is what /readyz says of it. Another key under its number does not count as held."""

    ring: Ring
    key_id: int | None
    algorithm: str | None
    values: int | None
    is_held: bool
    fault: Reason | None
    is_active: bool
    in_use: bool
    needed_until: datetime | None
    may_go: bool


def latest_rotation(session: Session) -> KeyRotation | None:
    return session.scalars(select(KeyRotation).order_by(KeyRotation.id.desc()).limit(1)).one_or_none()


def key_uses(workbench: Workbench) -> list[KeyUse]:
    """Every key with the number of values that carry it, counted in pages. Raises: Overloaded."""
    tally: Tally = Counter()
    for stored in STORED:
        after: UUID | None = None
        while True:
            counted, after = workbench.transactions.read(partial(_count_page, stored=stored, after=after))
            if after is None:
                break
            tally += counted
    return workbench.transactions.read(
        lambda session, now: _uses(session, Keyring(workbench.vault, workbench.tickets), tally, now=now)
    )


def _count_page(
    session: Session, _now: datetime, *, stored: StoredTable, after: UUID | None
) -> tuple[Tally, UUID | None]:
    names = [one.column for one in stored.sealed] + [one.key_column for one in stored.hashed]
    query = select(stored.table.c.id, *names).order_by(stored.table.c.id).limit(_PAGE)
    if after is not None:
        query = query.where(stored.table.c.id > after)
    tally: Tally = Counter()
    last = None
    for row in session.execute(query).mappings():
        sealed, hashed = keys_of(stored, row)
        tally.update((Ring.SEALING, key_id) for key_id in sealed)
        tally.update((Ring.HASHING, key_id) for key_id in hashed)
        last = row["id"]
    return tally, last


def _uses(session: Session, keyring: Keyring, tally: Tally, *, now: datetime) -> list[KeyUse]:
    rows: dict[tuple[Ring, int | None], VaultKey] = {
        (row.ring, row.key_id): row for row in session.scalars(select(VaultKey))
    }
    held: set[tuple[Ring, int | None]] = {
        (ring, key_id) for ring, keys in keyring.rings.items() for key_id in keys.keys
    }
    faults: dict[_Named, KeyFault] = {
        (fault.ring, fault.key_id): fault for fault in key_faults(session, keyring, now=now)
    }
    every = sorted({*rows, *held, *tally, *faults}, key=lambda one: (one[0], one[1] or 0))
    return [
        _use(keyring, one, rows.get(one), tally, is_held=one in held, fault=faults.get(one), now=now) for one in every
    ]


def _use(
    keyring: Keyring,
    named: _Named,
    row: VaultKey | None,
    tally: Tally,
    *,
    is_held: bool,
    fault: KeyFault | None,
    now: datetime,
) -> KeyUse:
    ring, key_id = named
    values = None if ring is Ring.TICKETS else tally[named]
    is_active, in_use = key_id == keyring.rings[ring].active, row is not None and row.in_use
    may_go = not (values or is_active or in_use) and row is not None and not row.is_needed(now=now)
    is_held = is_held and (fault is None or fault.reason is not Reason.WRONG)
    algorithm = keyring.algorithm(ring, key_id) if is_held and key_id is not None else None
    return KeyUse(
        ring=ring,
        key_id=key_id,
        algorithm=algorithm or (None if row is None else row.algorithm),
        values=values,
        is_held=is_held,
        fault=None if fault is None else fault.reason,
        is_active=is_active,
        in_use=in_use,
        needed_until=None if row is None else row.needed_until,
        may_go=may_go,
    )
