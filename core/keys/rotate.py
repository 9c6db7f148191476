"""The way to newer keys while everybody goes on booking: a job that seals and hashes anew, in pieces.

A piece is a page of one table, and one transaction. It takes no lock but those of its own rows, and none that it would
have to wait for: who has such a row in hand is passed by and met again in the next pass. When a whole pass has found
nothing to change, nothing is left under an older key, and older keys are given a day from which on nobody needs them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import RowMapping, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.idempotency import KEPT
from core.jobs.queue import LeasedJob, enqueue
from core.keys.in_use import take_into_use
from core.keys.known import Keyring
from core.keys.stored import STORED, StoredTable, keys_of
from core.workbench import Workbench
from models.base import new_id
from models.sealing import SealBroken, Vault, key_of
from models.vault_key import KeyRotation, Ring, VaultKey

ROTATE = "rotate_keys"
PAGE = 100
SLICE_SECONDS = 10.0
"""How long one run of the job goes on; well within its lease."""
AGAIN_AFTER = timedelta(seconds=30)
TICKETS_LIVE = timedelta(hours=1)
"""No ticket lives longer."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Targets:
    """The keys that everything is to be under."""

    sealing: int
    hashing: int


def begin_rotation(session: Session, keyring: Keyring, *, now: datetime) -> KeyRotation:
    """Take our active keys into use and make the rest due. A rotation to the same keys that is under way, or was
    stopped, goes on where it stands. Raises: SealBroken where a key of ours is missing or wrong."""
    take_into_use(session, keyring, now=now)
    vault = keyring.vault
    rotation = _open_rotation(session)
    if rotation is not None and (rotation.sealing_key, rotation.hashing_key) == (
        vault.sealing.active,
        vault.hashing.active,
    ):
        rotation.stopped_at = None
    else:
        if rotation is not None:
            rotation.stopped_at = rotation.finished_at = now  # another one takes its place
        rotation = KeyRotation(
            id=new_id(),
            sealing_key=vault.sealing.active,
            hashing_key=vault.hashing.active,
            started_at=now,
            table_name=STORED[0].table.name,
            passes=0,
            changed=0,
            pass_changed=0,
            pass_skipped=0,
            failed=0,
        )
        session.add(rotation)
    session.flush()
    enqueue(session, ROTATE, run_at=now, now=now, dedup=ROTATE)
    return rotation


def stop_rotation(session: Session, *, now: datetime) -> KeyRotation | None:
    """The piece in hand is the last one. Both kinds of value stay readable; it may go on at any time."""
    rotation = _open_rotation(session)
    if rotation is not None:
        rotation.stopped_at = rotation.stopped_at or now
    return rotation


def rotate_keys(workbench: Workbench, _job: LeasedJob) -> datetime | None:
    """Go on for some seconds; again at once, later, or never where it is done or was stopped."""
    ends = time.monotonic() + SLICE_SECONDS
    again: datetime | None = None
    piece = partial(_piece, vault=workbench.vault)
    while time.monotonic() < ends:
        again, go_on = workbench.transactions.write(piece)
        if not go_on:
            return again
    return workbench.transactions.clock.now()


def _open_rotation(session: Session) -> KeyRotation | None:
    query = select(KeyRotation).where(KeyRotation.finished_at.is_(None)).order_by(KeyRotation.id.desc()).limit(1)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()


def _piece(session: Session, now: datetime, *, vault: Vault) -> tuple[datetime | None, bool]:
    """One page; when the job is to run again, and whether the next page may follow at once."""
    rotation = _open_rotation(session)
    if rotation is None or rotation.stopped_at is not None:
        return None, False
    targets = Targets(rotation.sealing_key, rotation.hashing_key)
    if targets.sealing not in vault.sealing.keys or targets.hashing not in vault.hashing.keys:
        log.error("rotation_lacks_key", sealing=targets.sealing, hashing=targets.hashing, alarm=True)
        return now + AGAIN_AFTER, False
    at = next(place for place, one in enumerate(STORED) if one.table.name == rotation.table_name)
    if _turn_page(session, rotation, STORED[at], targets, vault):
        return now, True
    if at + 1 < len(STORED):
        rotation.table_name, rotation.after_id = STORED[at + 1].table.name, None
        return now, True
    return _end_pass(session, rotation, now=now), False


def _turn_page(session: Session, rotation: KeyRotation, stored: StoredTable, targets: Targets, vault: Vault) -> bool:
    """False where the table has no further page."""
    query = select(stored.table).order_by(stored.table.c.id).limit(PAGE)
    if rotation.after_id is not None:
        query = query.where(stored.table.c.id > rotation.after_id)
    page = session.execute(query).mappings().all()
    if not page:
        return False
    wanted = [row["id"] for row in page if _is_due(stored, row, targets)]
    held = (
        select(stored.table)
        .where(stored.table.c.id.in_(wanted))
        .order_by(stored.table.c.id)
        # A new hash is a new key of the row, and would wait for whoever refers to it.
        .with_for_update(skip_locked=True, key_share=not stored.is_found_by_hash)
    )
    rows = session.execute(held).mappings().all() if wanted else []
    rotation.pass_skipped += len(wanted) - len(rows)
    for row in rows:
        _renew(session, rotation, stored, row, targets=targets, vault=vault)
    rotation.after_id = page[-1]["id"]
    return True


def _is_due(stored: StoredTable, row: RowMapping, targets: Targets) -> bool:
    sealed, hashed = keys_of(stored, row)
    return any(key_id != targets.sealing for key_id in sealed) or any(key_id != targets.hashing for key_id in hashed)


def _renew(
    session: Session, rotation: KeyRotation, stored: StoredTable, row: RowMapping, *, targets: Targets, vault: Vault
) -> None:
    sealed, hashed, failed = _values(stored, row, targets, vault)
    if hashed and stored.is_found_by_hash:
        try:
            with session.begin_nested():
                _write(session, stored, row, hashed)
        except IntegrityError:
            log.error("hashed_twice", table=stored.table.name, row=str(row["id"]), alarm=True)
            hashed, failed = {}, failed + 1
    else:
        sealed |= hashed
    if sealed:
        _write(session, stored, row, sealed)
    rotation.changed += len(sealed.keys() | hashed.keys())
    rotation.pass_changed += bool(sealed or hashed)
    rotation.failed += failed


def _values(
    stored: StoredTable, row: RowMapping, targets: Targets, vault: Vault
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """What is to stand in the columns of a row that are due, sealed and hashed, and how many values do not open."""
    sealed: dict[str, Any] = {}
    hashed: dict[str, Any] = {}
    failed = 0
    for column in stored.sealed:
        value = column.sealed(row)
        due = [one for one in stored.hashed if one.source is column and row[one.key_column.name] != targets.hashing]
        if value is None or not (due or _key_differs(value, targets)):
            continue
        try:
            plain = column.opened(vault, row, value)
            if _key_differs(value, targets):
                sealed[column.column.name] = column.stored(vault, row, plain, targets.sealing)
            for one in due:
                digest = one.digest(vault, row, plain.decode(), targets.hashing)
                hashed |= {one.column.name: digest.digest, one.key_column.name: digest.key_id}
        except SealBroken as broken:
            place = f"{stored.table.name}.{column.column.name}"
            log.error("value_does_not_open", column=place, row=str(row["id"]), reason=broken.reason, alarm=True)
            failed += 1
    return sealed, hashed, failed


def _key_differs(value: bytes, targets: Targets) -> bool:
    return key_of(value) != targets.sealing


def _write(session: Session, stored: StoredTable, row: RowMapping, values: Mapping[str, Any]) -> None:
    session.execute(update(stored.table).where(stored.table.c.id == row["id"]).values(**values))


def _end_pass(session: Session, rotation: KeyRotation, *, now: datetime) -> datetime | None:
    """Another pass, until one has found nothing to change."""
    rotation.passes += 1
    done = rotation.pass_changed == 0 and rotation.pass_skipped == 0
    log.info("rotation_pass", passes=rotation.passes, changed=rotation.changed, failed=rotation.failed, done=done)
    if done:
        rotation.finished_at = now
        if not rotation.failed:
            _let_go(session, now=now)
        return None
    again = now if rotation.pass_skipped == 0 else now + AGAIN_AFTER
    rotation.table_name, rotation.after_id = STORED[0].table.name, None
    rotation.pass_changed = rotation.pass_skipped = rotation.failed = 0
    return again


def _let_go(session: Session, *, now: datetime) -> None:
    """Nothing stored carries the older keys any more; what else was made with them ages out."""
    lives = {Ring.SEALING: timedelta(0), Ring.HASHING: KEPT, Ring.TICKETS: TICKETS_LIVE}
    for row in session.scalars(select(VaultKey).where(~VaultKey.in_use, VaultKey.needed_until.is_(None))):
        row.needed_until = max(now, (row.replaced_at or now) + lives[row.ring])
