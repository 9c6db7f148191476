"""Nobody is in two places at once: which segment of a half day leaves a person's other appointments alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, and_, false, not_, or_, select
from sqlalchemy.orm import Session

from core.booking.claim import Wanted
from core.booking.standing import Standing
from models.appointment import OPEN
from models.base import table_of
from models.schedule import Schedule, Slot, SlotStatus

_SLOT = table_of(Slot).c


def elsewhere_during(standing: Iterable[Standing], schedule: Schedule) -> list[Standing]:
    """The person's open appointments of any other half day, in any hospital, that fall into this one."""
    return [
        one
        for one in standing
        if one.is_of_person
        and one.status in OPEN
        and one.schedule_id != schedule.id
        and one.starts_at < schedule.ends_at
        and schedule.starts_at < one.ends_at
    ]


def meets(elsewhere: list[Standing], slot: Slot) -> bool:
    """Whether one of them falls into the time of this number."""
    return any(one.starts_at < slot.ends_at and slot.starts_at < one.ends_at for one in elsewhere)


def last_clear(slots: Iterable[Slot], elsewhere: list[Standing]) -> Slot | None:
    """The latest of these numbers that meets none of them."""
    clear = (one for one in slots if not meets(elsewhere, one))
    return max(clear, key=lambda one: one.starts_at, default=None)


def is_clear_of(elsewhere: list[Standing]) -> ColumnElement[bool]:
    """In SQL: whether none of them `meets` the number."""
    met = (and_(_SLOT.starts_at < one.ends_at, _SLOT.ends_at > one.starts_at) for one in elsewhere)
    return not_(or_(false(), *met))


def first_clear_segment(session: Session, wanted: Wanted, elsewhere: list[Standing]) -> datetime | None:
    """Where a free number will do and touches none of them; looked at without a lock."""
    query = select(_SLOT.starts_at).where(
        _SLOT.schedule_id == wanted.schedule_id,
        _SLOT.status == SlotStatus.FREE,
        _SLOT.starts_at > wanted.later_than,
        is_clear_of(elsewhere),
    )
    if wanted.segment_starts_at is not None:
        query = query.where(_SLOT.starts_at == wanted.segment_starts_at)
    return session.scalar(query.order_by(_SLOT.sequence).limit(1))
