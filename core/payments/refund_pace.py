"""No refunds go to a platform faster than it takes them of whoever calls, whoever sends them.

A row for each number that calls counts for all threads of all workers (docs/decisions/0059). It may call for many
merchants: a partner signs for all of its hospitals. Whoever has no turn comes back later, and the thread does something
else meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.ports import PaymentGateway, ProviderError
from core.workbench import Workbench
from models.base import new_id
from models.refund_pace import RefundPace

log = structlog.get_logger()

_IN_ADVANCE = timedelta(seconds=0.25)
"""Turns of so long a time may be taken at one instant: workers look for jobs now and then, and not evenly."""
_SPREAD = 1.5
"""Seconds in which the turns of one second are spread. In any second there are those of that second and those that may
be taken in advance, five sixths of the most; the last sixth is for calls that were held up between turn and wire."""
_PAUSE = timedelta(seconds=5)
"""For so long nothing is sent after a platform said that it was too much."""


def take_turn(session: Session, gateway: PaymentGateway, *, per_second: int, now: datetime) -> datetime | None:
    """A turn for one call about a refund: None where it may be made now, or else when to come back.

    Locks the row of whoever calls, the last in the order of locks, until the end of the transaction."""
    pace, apart = _lock_pace(session, gateway, now=now), timedelta(seconds=_SPREAD / per_second)
    if pace.next_at > now + 2 * _PAUSE:  # no turn lies so far ahead: the clock has been put back
        pace.next_at = pace.line_at = now
    if pace.next_at <= now + max(_IN_ADVANCE - apart, timedelta(0)):
        pace.next_at = max(pace.next_at, now) + apart
        return None
    back_at = max(pace.line_at, pace.next_at)
    pace.line_at = back_at + apart
    return back_at


def take_turn_alone(workbench: Workbench, gateway: PaymentGateway) -> datetime | None:
    """As `take_turn`, in a transaction of its own."""
    per_second = workbench.refunds_per_second
    return workbench.transactions.write(
        lambda session, now: take_turn(session, gateway, per_second=per_second, now=now)
    )


def heed(workbench: Workbench, gateway: PaymentGateway, error: ProviderError) -> None:
    """Where the platform wants fewer calls, the refunds under this number rest for a moment."""
    if error.too_often:
        log.warning("refunds_too_often", provider=gateway.provider, merchant=gateway.merchant, alarm=True)
        workbench.transactions.write(lambda session, now: _rest(session, gateway, now=now))


def _rest(session: Session, gateway: PaymentGateway, *, now: datetime) -> None:
    pace = _lock_pace(session, gateway, now=now)
    pace.next_at = max(pace.next_at, now + _PAUSE)


def _lock_pace(session: Session, gateway: PaymentGateway, *, now: datetime) -> RefundPace:
    """Made where it is not there yet: of two that make it at once one runs again and finds it."""
    of_caller = (RefundPace.provider == gateway.provider) & (RefundPace.merchant == gateway.counted_as)
    query = select(RefundPace).where(of_caller).with_for_update(key_share=True)
    found = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        whose = {"provider": gateway.provider, "merchant": gateway.counted_as}
        found = RefundPace(id=new_id(), **whose, next_at=now, line_at=now)
        session.add(found)
        session.flush()
    return found
