"""Which keys the database knows, held against those that this process has.

A key is made known before it is first used, with a proof that no other key makes. So a key that is lost, or another
one under its number, is told by name before anything is read or written with it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.keys.stored import HashedColumn, Sample, samples
from core.tickets import Tickets
from models.base import new_id
from models.sealing import KeyRing, SealBroken, Vault, key_of
from models.vault_key import Ring, VaultKey

_PURPOSE = "vault_keys.proof"
_PROOF = b"this key"


class Reason(StrEnum):
    MISSING = "key_missing"
    WRONG = "key_wrong"


@dataclass(frozen=True)
class KeyFault:
    """A key that stored values need, and that this process does not have as it was."""

    ring: Ring
    key_id: int
    reason: Reason


class Keyring:
    """The rings of one process, by name."""

    def __init__(self, vault: Vault, tickets: Tickets | None = None) -> None:
        self.vault = Vault(sealing=vault.sealing, hashing=vault.hashing)  # trusts itself while it is being looked at
        self.rings: dict[Ring, KeyRing] = {Ring.SEALING: vault.sealing, Ring.HASHING: vault.hashing}
        if tickets is not None:
            self.rings[Ring.TICKETS] = tickets.keys

    def algorithm(self, ring: Ring, key_id: int) -> str:
        algorithms = self.rings[ring].algorithms(key_id)
        return algorithms.cipher if ring is Ring.SEALING else algorithms.mac

    def prove(self, ring: Ring, key_id: int, row_id: UUID) -> bytes:
        """Raises: SealBroken."""
        if ring is Ring.SEALING:
            return self.vault.seal(_PURPOSE, row_id, _PROOF, key_id=key_id)
        return self.rings[ring].authenticate(key_id, _PURPOSE.encode() + b"\0" + row_id.bytes)

    def fault(self, row: VaultKey) -> KeyFault | None:
        """What is wrong with our key of that number."""
        if row.key_id not in self.rings[row.ring].keys:
            return KeyFault(row.ring, row.key_id, Reason.MISSING)
        same = self.algorithm(row.ring, row.key_id) == row.algorithm and self._is_proof(row)
        return None if same else KeyFault(row.ring, row.key_id, Reason.WRONG)

    def _is_proof(self, row: VaultKey) -> bool:
        if row.ring is not Ring.SEALING:
            return hmac.compare_digest(self.prove(row.ring, row.key_id, row.id), bytes(row.proof))
        try:
            return self.vault.open(_PURPOSE, row.id, row.proof) == _PROOF
        except SealBroken:
            return False


def key_faults(session: Session, keyring: Keyring, *, now: datetime) -> list[KeyFault]:
    """Every key that is known, still needed, and not here as it was. Where a key of ours is not known yet, what is
    stored is asked, too: a database from before keys were made known tells by its values which they are."""
    rows = _known(session, keyring)
    faults = [fault for row in rows if row.is_needed(now=now) and (fault := keyring.fault(row)) is not None]
    return faults or (_tried(session, keyring, rows) if _news(rows, keyring) else [])


def has_news(session: Session, keyring: Keyring) -> bool:
    """Whether this process has a key to make known."""
    return bool(_news(_known(session, keyring), keyring))


def make_known(session: Session, keyring: Keyring, *, now: datetime) -> list[KeyFault]:
    """Make known the active keys and those before them; nothing where there is a fault. Later keys wait for the day on
    which they are active."""
    faults = key_faults(session, keyring, now=now)
    if faults:
        return faults
    rows = {(row.ring, row.key_id): row for row in _known(session, keyring)}
    with_one_in_use = {row.ring for row in rows.values() if row.in_use}
    for ring, key_id in _news(rows.values(), keyring):
        row = rows.get((ring, key_id)) or VaultKey(id=new_id(), ring=ring, key_id=key_id, created_at=now)
        row.algorithm, row.proof = keyring.algorithm(ring, key_id), keyring.prove(ring, key_id, row.id)
        row.needed_until = None
        if (ring, key_id) not in rows:
            row.in_use = key_id == keyring.rings[ring].active and ring not in with_one_in_use
            session.add(row)
    session.flush()
    return []


def _known(session: Session, keyring: Keyring) -> list[VaultKey]:
    query = select(VaultKey).where(VaultKey.ring.in_(keyring.rings)).order_by(VaultKey.ring, VaultKey.key_id)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def _news(rows: Iterable[VaultKey], keyring: Keyring) -> list[tuple[Ring, int]]:
    """Keys that are not known, and active ones that were thought to be needed no more."""
    known = {(row.ring, row.key_id): row for row in rows}
    ours = {(ring, key_id) for ring, keys in keyring.rings.items() for key_id in keys.keys if key_id <= keys.active}
    back = {
        (ring, keys.active)
        for ring, keys in keyring.rings.items()
        if (row := known.get((ring, keys.active))) is not None and row.needed_until is not None
    }
    return sorted((ours - known.keys()) | back)


def _tried(session: Session, keyring: Keyring, rows: Iterable[VaultKey]) -> list[KeyFault]:
    """What is stored tells of a key that nobody has proven: it is wrong where it fits none of the values tried. A
    single one that does not open may have been damaged."""
    fits: dict[KeyFault, bool] = {}
    for sample in samples(session):
        for fault, is_ok in _trials(sample, keyring.vault):
            fits[fault] = fits.get(fault, False) or is_ok
    proven = {(row.ring, row.key_id) for row in rows}
    faults = [fault for fault, is_ok in fits.items() if not is_ok and (fault.ring, fault.key_id) not in proven]
    return sorted(faults, key=lambda fault: (fault.ring, fault.key_id))


def _trials(sample: Sample, vault: Vault) -> Iterator[tuple[KeyFault, bool]]:
    """The fault that each key of a value would have, and whether it has not."""
    sealing_key = key_of(sample.sealed)
    if sealing_key is None:
        return
    lacks = sealing_key not in vault.sealing.keys
    fault = KeyFault(Ring.SEALING, sealing_key, Reason.MISSING if lacks else Reason.WRONG)
    try:
        plain = sample.source.opened(vault, sample.row, sample.sealed).decode()
    except SealBroken:
        yield fault, False
        return
    yield fault, True
    if sample.hashed is not None:
        yield _hash_trial(sample, sample.hashed, vault, plain)


def _hash_trial(sample: Sample, hashed: HashedColumn, vault: Vault, plain: str) -> tuple[KeyFault, bool]:
    key_id = sample.row[hashed.key_column.name]
    if key_id not in vault.hashing.keys:
        return KeyFault(Ring.HASHING, key_id, Reason.MISSING), False
    same = hashed.digest(vault, sample.row, plain, key_id).digest == bytes(sample.row[hashed.column.name])
    return KeyFault(Ring.HASHING, key_id, Reason.WRONG), same
