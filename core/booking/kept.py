"""Numbers kept for a channel, given out at the desk: to whoever comes in person, to elders, to return visits, or as the
hospital sees fit (rules.md 2.1.3). What nobody was given by then becomes everybody's (`core/catalog/channels.py`).

The desk sells also in the night hours and after online booking has ended, up to the start of the number's segment. Whom
a channel is for is the desk's to see, but for the age of elders, which is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.at_desk import book_at_desk, note_issued
from core.booking.case import Case
from core.booking.claim import Taken
from core.booking.rules.limits import told
from core.booking.rules.overlap import is_clear_of
from core.booking.rules.refusals import ClosedHours, Overlaps
from core.booking.views import AppointmentView
from core.booking.wish import Wish
from core.refusals import ScheduleClosed
from core.rights.access import AccessAction
from models.appointment import PayMode
from models.errors import DomainError
from models.schedule import PoolChannel, Schedule, ScheduleStatus, Slot, SlotStatus, WithheldReason
from models.sealing import Vault
from models.states import Cause

ELDER = 60
"""Full years on the day of the visit, as the law on the rights of the elderly has it."""


class KeptRefused(Exception):
    """No number of that channel for them: none is left, or they are too young for it."""


@dataclass(frozen=True)
class KeptOrder:
    """Whose number and out of which channel; `operator` gives it."""

    schedule_id: UUID
    dependent_id: UUID
    channel: PoolChannel
    operator: str
    pay: PayMode = PayMode.ON_SITE


def issue_kept_number(
    session: Session, order: KeptOrder, *, now: datetime, cause: Cause, vault: Vault
) -> AppointmentView:
    """Book the first of the channel's numbers for the dependent.

    Raises: NotFound, KeptRefused, ValidationFailed, and every refusal of eligibility but of capacity and hours."""

    def take(case: Case, to: SlotStatus) -> Taken:
        return _take(session, case, order.channel, to, now=now, cause=cause)

    made = book_at_desk(
        session,
        Wish(order.schedule_id, order.dependent_id, order.pay),
        passes=_passes,
        take=take,
        now=now,
        cause=cause,
        vault=vault,
    )
    told = {"channel": str(order.channel)}
    note_issued(session, made, AccessAction.KEPT_NUMBER_ISSUED, operator=order.operator, now=now, facts=told)
    return made


def _passes(refusal: DomainError, schedule: Schedule) -> bool:
    """A half day that the hospital closed stays closed; one whose online booking has ended does not."""
    online_is_over = isinstance(refusal, ScheduleClosed) and schedule.status is ScheduleStatus.OPEN
    return online_is_over or isinstance(refusal, ClosedHours)


def _take(session: Session, case: Case, channel: PoolChannel, to: SlotStatus, *, now: datetime, cause: Cause) -> Taken:
    """Two desks take two numbers, and the job that gives them to everybody takes neither.

    Raises: KeptRefused, Overlaps, PersonLimit."""
    if channel is PoolChannel.ELDERS and case.dependent.age(on=case.schedule.visit_date) < ELDER:
        raise KeptRefused(f"these numbers are for {ELDER} years and older")
    kept = select(Slot).where(
        Slot.schedule_id == case.schedule.id,
        Slot.status == SlotStatus.WITHHELD,
        Slot.withheld_reason == WithheldReason.CHANNEL,
        Slot.channel == channel,
        Slot.starts_at > now,
    )
    first = kept.where(is_clear_of(case.elsewhere)).order_by(Slot.sequence).limit(1)
    slot = session.scalars(first.with_for_update(skip_locked=True)).one_or_none()
    if slot is None and case.elsewhere and session.scalar(select(kept.exists())):
        raise told(case, case.elsewhere, Overlaps())
    if slot is None:
        raise KeptRefused("none is left")
    event = slot.take(to, at=now, cause=cause)
    session.flush()
    return Taken.of(slot, event)
