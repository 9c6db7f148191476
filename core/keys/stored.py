"""Every column that holds something sealed, and every one that holds a keyed hash with its key's id.

A column named `…_sealed` belongs here by its name, under the purpose `table.…`; the others are listed. What a model
seals or hashes and this file does not know would stay under the old key for ever, so a test walks all columns.

Not here, since it ages out: fingerprints of idempotency keys (seven days, found under any key of the ring), digests
of followers' messages (a day), codes sent to phones and who waits for them (a day), codes of offered grants (half an
hour), the card that one of two people has named (three days), the counts of follower limits (minutes), ids of offers
to join (made anew at each look), visit passes (minutes).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, RowMapping, Table, UniqueConstraint, select
from sqlalchemy.orm import Session

from models import Base
from models.account import PHONE_HASH, PlatformIdentity
from models.hospital_card import CARD_HASH
from models.person import PersonIdentifier
from models.sealing import KeyedHash, Vault, key_of

_SUFFIX = "_sealed"
_CLEAR = b"{"
"""How a message's body begins that was stored before bodies were sealed."""


@dataclass(frozen=True)
class SealedColumn:
    """`is_text`: stored in base64. `was_clear`: the oldest rows may hold it in clear."""

    column: Column[Any]
    purpose: str
    is_text: bool = False
    was_clear: bool = False

    def sealed(self, row: RowMapping) -> bytes | None:
        """What stands there; None where nothing does."""
        stored = row[self.column.name]
        return (b64decode(stored) if self.is_text else bytes(stored)) if stored else None

    def opened(self, vault: Vault, row: RowMapping, sealed: bytes) -> bytes:
        """Raises: SealBroken."""
        if self.was_clear and sealed.startswith(_CLEAR):
            return sealed
        return vault.open(self.purpose, row["id"], sealed)

    def stored(self, vault: Vault, row: RowMapping, plain: bytes, key_id: int) -> bytes | str:
        """As it is to stand there. Raises: SealBroken."""
        sealed = vault.seal(self.purpose, row["id"], plain, key_id=key_id)
        return b64encode(sealed).decode() if self.is_text else sealed


Digest = Callable[[Vault, RowMapping, str, int], KeyedHash]


@dataclass(frozen=True)
class HashedColumn:
    """`digest` makes of a row and the opened value of `source` what a look-up would look for."""

    column: Column[Any]
    key_column: Column[Any]
    source: SealedColumn
    digest: Digest


@dataclass(frozen=True)
class StoredTable:
    table: Table
    sealed: tuple[SealedColumn, ...]
    hashed: tuple[HashedColumn, ...]

    @property
    def is_found_by_hash(self) -> bool:
        """Whether two rows may not have the same hash."""
        return any(
            isinstance(rule, UniqueConstraint) and hashed.column.name in rule.columns
            for rule in self.table.constraints
            for hashed in self.hashed
        )


@dataclass(frozen=True)
class Sample:
    """One stored value, and its hash where it is found by one."""

    row: RowMapping
    sealed: bytes
    source: SealedColumn
    hashed: HashedColumn | None


def _phone_of_account(vault: Vault, _row: RowMapping, phone: str, key_id: int) -> KeyedHash:
    return vault.keyed_hash(PHONE_HASH, phone, key_id=key_id)


def _phone_of_dependent(vault: Vault, _row: RowMapping, phone: str, key_id: int) -> KeyedHash:
    return vault.keyed_hash("phone", phone, key_id=key_id)


def _subject(vault: Vault, row: RowMapping, subject: str, key_id: int) -> KeyedHash:
    purpose = PlatformIdentity.hash_purpose(row["provider"], row["app"], row["kind"])
    return vault.keyed_hash(purpose, subject, key_id=key_id)


def _card(vault: Vault, _row: RowMapping, number: str, key_id: int) -> KeyedHash:
    return vault.keyed_hash(CARD_HASH, number, key_id=key_id)


def _document(vault: Vault, row: RowMapping, number: str, key_id: int) -> KeyedHash:
    return next(one for one in PersonIdentifier.hashes(vault, row["id_type"], number) if one.key_id == key_id)


_NAMED_OTHERWISE = {
    ("identity_checks", "evidence"): {"is_text": True},
    ("platform_events", "body"): {"was_clear": True},
    ("refused_events", "body"): {},
}
_HASHED: dict[tuple[str, str], tuple[str, Digest]] = {
    ("accounts", "phone_hash"): ("phone_sealed", _phone_of_account),
    ("dependents", "phone_hash"): ("phone_sealed", _phone_of_dependent),
    ("hospital_cards", "number_hash"): ("number_sealed", _card),
    ("person_identifiers", "number_hash"): ("number_sealed", _document),
    ("platform_identities", "subject_hash"): ("subject_sealed", _subject),
}
_ALWAYS_THERE = ("person_identifiers", "platform_identities", "dependents")


def _stored_table(table: Table) -> StoredTable:
    sealed = {
        column.name: SealedColumn(
            column,
            f"{table.name}.{column.name.removesuffix(_SUFFIX)}",
            **_NAMED_OTHERWISE.get((table.name, column.name), {}),
        )
        for column in table.columns
        if column.name.endswith(_SUFFIX) or (table.name, column.name) in _NAMED_OTHERWISE
    }
    hashed = [
        HashedColumn(table.c[name], table.c[f"{name}_key"], sealed[source], digest)
        for (of_table, name), (source, digest) in _HASHED.items()
        if of_table == table.name
    ]
    return StoredTable(table, tuple(sealed.values()), tuple(hashed))


STORED = tuple(
    stored for table in Base.metadata.sorted_tables if (stored := _stored_table(table)).sealed or stored.hashed
)
"""In the order in which their rows refer to one another."""


def samples(session: Session) -> Iterator[Sample]:
    """The first and the last value of each column that every row fills, found without a search."""
    for stored in (one for one in STORED if one.table.name in _ALWAYS_THERE):
        row_id = stored.table.c.id
        rows = {
            row["id"]: row
            for order in (row_id, row_id.desc())
            for row in session.execute(select(stored.table).order_by(order).limit(1)).mappings()
        }
        for row in rows.values():
            for source in stored.sealed:
                sealed = source.sealed(row)
                if sealed is not None:
                    yield Sample(row, sealed, source, next((h for h in stored.hashed if h.source is source), None))


def keys_of(stored: StoredTable, row: RowMapping) -> tuple[list[int | None], list[int]]:
    """The ids of the sealing and of the hashing keys that the values of one row carry; None for what is no sealed
    value. A hash beside an erased value is of nothing."""
    sealed = [key_of(value) for column in stored.sealed if (value := column.sealed(row)) is not None]
    hashed = [row[one.key_column.name] for one in stored.hashed if one.source.sealed(row) is not None]
    return sealed, [key_id for key_id in hashed if key_id is not None]
