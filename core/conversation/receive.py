"""What is kept of a follower's message: that it came. A chat is not ours to store, so neither words nor names are."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.ports import Incoming, IncomingKind
from models.base import new_id
from models.platform import EventState, PlatformEvent
from models.sealing import Vault

KEPT_FOR = timedelta(days=1)
"""A platform sends a message again within seconds."""


def receive_message(session: Session, incoming: Incoming, *, provider: str, vault: Vault, now: datetime) -> None:
    """Note a verified message by a keyed digest of what makes it one. A twin is counted and changes nothing."""
    known_by = vault.keyed_hash(f"platform_events/{provider}/{incoming.app}", incoming.dedup).digest
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(
        insert(PlatformEvent)
        .values(
            id=new_id(),
            provider=provider,
            merchant=incoming.app,
            event_id=known_by.hex(),
            kind=incoming.kind,
            headers={},
            body=b"",
            digest=known_by,
            received_at=now,
            state=EventState.APPLIED,
            applied_at=now,
            copies=1,
        )
        .on_conflict_do_update(
            index_elements=["provider", "merchant", "event_id"], set_={"copies": PlatformEvent.copies + 1}
        )
    )


def forget_messages(session: Session, *, now: datetime) -> None:
    """After a day nobody sends one again."""
    session.execute(
        delete(PlatformEvent)
        .where(
            PlatformEvent.state == EventState.APPLIED,
            PlatformEvent.received_at < now - KEPT_FOR,
            PlatformEvent.kind.in_([str(kind) for kind in IncomingKind]),
        )
        .execution_options(synchronize_session=False)
    )
