"""What is left for people: two of them, who say why."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.payments.refund_desk import DeskRefusal
from models.bill_return import BillReturn
from models.errors import NotFound
from models.reconciliation import Difference


def list_open(session: Session, *, merchant: str | None, limit: int) -> list[Difference]:
    """Those that have waited longest first."""
    query = select(Difference).where(Difference.ended_at.is_(None)).order_by(Difference.opened_at, Difference.id)
    if merchant is not None:
        query = query.where(Difference.merchant == merchant)
    return list(session.scalars(query.limit(limit)))


def say_of(session: Session, difference_id: UUID, *, operator: str, why: str, now: datetime) -> bool:
    """One of the two people that it takes. Whether it has ended now.

    Raises: NotFound, DeskRefusal while its money is being given back (`core/reconciliation/give_back.py`)."""
    found = lock_difference(session, difference_id)
    back = standing_return(session, found)
    if back is not None and back.is_in_course:
        raise DeskRefusal("being_carried_out")
    return found.say(operator, why, at=now)


def lock_difference(session: Session, difference_id: UUID) -> Difference:
    """Raises: NotFound."""
    query = select(Difference).where(Difference.id == difference_id).with_for_update()
    found = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound()
    return found


def standing_return(session: Session, difference: Difference) -> BillReturn | None:
    """What is proposed of giving its money back, or decided and not ended. The caller holds the difference."""
    query = select(BillReturn).where(BillReturn.difference_id == difference.id, BillReturn.ended_at.is_(None))
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()
