"""The key that documents and platforms' ids are hashed under, one for all processes, and how the next takes over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.keys.known import KeyFault, Keyring, make_known
from core.transactions import Changed
from models.sealing import SealBroken, Vault
from models.vault_key import Ring, VaultKey


def hashing_key(session: Session, vault: Vault, *, now: datetime) -> int:
    """The id of the key that what is new is to be hashed under, held until the transaction ends.

    Two processes that hashed one document under two keys would both find it new. So no other key comes into use while
    anybody makes something under this one; who comes later hashes under the next, and sees what was made before.
    Raises: SealBroken where a key of ours is missing or wrong, Changed.
    """
    keyring = Keyring(vault)
    rows = _held(session, now=now)
    if not rows:
        _require(make_known(session, keyring, now=now))
        rows = _held(session, now=now)
    _require([fault for row in rows if (fault := keyring.fault(row)) is not None])
    for row in rows:
        if row.in_use:
            return row.key_id
    raise Changed()  # the next key came into use while we waited, and our look is older than its row


def take_into_use(session: Session, keyring: Keyring, *, now: datetime) -> None:
    """From now on what is new is hashed under our active keys. Waits for whoever makes something under another one.

    Raises: SealBroken where a key of ours is missing or wrong."""
    _require(make_known(session, keyring, now=now))
    query = select(VaultKey).where(VaultKey.ring.in_(keyring.rings)).order_by(VaultKey.ring, VaultKey.key_id)
    rows = session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()
    actives = {ring: keys.active for ring, keys in keyring.rings.items()}
    for row in rows:
        if row.in_use and row.key_id != actives[row.ring]:
            row.in_use, row.replaced_at = False, now
    session.flush()  # never two of a ring at once
    for row in rows:
        if row.key_id == actives[row.ring] and not row.in_use:
            row.in_use, row.replaced_at, row.needed_until = True, None, None
    session.flush()


def _held(session: Session, *, now: datetime) -> list[VaultKey]:
    query = select(VaultKey).where(VaultKey.ring == Ring.HASHING).order_by(VaultKey.key_id)
    shared = query.with_for_update(read=True).execution_options(populate_existing=True)
    return [row for row in session.scalars(shared) if row.in_use or row.is_needed(now=now)]


def _require(faults: list[KeyFault]) -> None:
    if faults:
        raise SealBroken(f"{faults[0].ring}_{faults[0].reason}", key_id=faults[0].key_id)
