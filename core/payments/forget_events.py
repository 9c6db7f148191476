"""What platforms sent, once nobody needs the words of it: payers are named in them (rules.md L-06).

That a message came, which it was and what became of it stays: moves refer to it, and one that comes again is known."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from models.platform import EventState, PlatformEvent, RefusedEvent
from models.sealing import ERASED

KEPT_FOR = timedelta(days=183)
"""As long as network logs are to be kept, and longer than a platform asks about a payment."""


def forget_events(session: Session, *, now: datetime) -> None:
    """Bodies and headers of what has been dealt with go, and what nothing proved goes whole."""
    session.execute(
        update(PlatformEvent)
        .where(
            PlatformEvent.state != EventState.RECEIVED,
            PlatformEvent.received_at < now - KEPT_FOR,
            PlatformEvent.body != ERASED,
        )
        .values(body=ERASED, headers={})
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(RefusedEvent)
        .where(RefusedEvent.received_at < now - KEPT_FOR)
        .execution_options(synchronize_session=False)
    )
