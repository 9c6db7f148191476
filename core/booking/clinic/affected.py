"""Whoever has a number of a suspended half day: others are held for them, and if they take none their appointment ends
and their money goes back.

No strike follows from it: the reason is `suspended`, whoever would have come late or not at all. Whoever is at the
hospital already (arrived) is left to the desk, which alone can end such an appointment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from core.booking.clinic.alternatives import alternatives_to, count_offers
from core.booking.clinic.offers import (
    Offered,
    end_lapsed,
    lock_offered,
    make_offers,
    waits_for_hospital,
    withdraw_offers,
)
from core.booking.clinic.schedule_changes import version_of
from core.booking.clinic.suspended import AFFECTED, TO_END, end_suspended
from core.booking.follow_up.right import renew_after_suspension
from core.booking.strikes.ledger import lift_of_schedule
from core.booking.terms import Terms
from core.jobs.queue import LeasedJob
from core.notices.write import tell
from core.workbench import Workbench
from models.appointment import Appointment
from models.charge import ChargeLine
from models.notice import NoticeKind
from models.offer import Offer, OfferStatus
from models.payment import Payment, PaymentStatus
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus
from models.states import Actor, Cause, CauseKind

_AT_ONCE = 25
"""So many appointments in one go: all of them take less time than the job's lease."""
_HOSPITAL_LOOK = timedelta(minutes=5)


@dataclass(frozen=True)
class Counts:
    """Whose plans an act of the hospital touches: appointments by their state, and what was paid for those that it
    ends. `offers` that can be made, by kind, and for how many `none` can."""

    appointments: Mapping[str, int]
    paid_fen: int
    offers: Mapping[str, int] = field(default_factory=dict)


def count_affected(session: Session, schedule_id: UUID) -> Counts:
    states = session.execute(
        select(Appointment.status, func.count())
        .where(Appointment.schedule_id == schedule_id)
        .group_by(Appointment.status)
        .order_by(Appointment.status)
    )
    affected = and_(Appointment.schedule_id == schedule_id, Appointment.status.in_(TO_END))
    paid = select(Payment.charge_id).where(Payment.status == PaymentStatus.SUCCEEDED)
    fees = select(func.sum(ChargeLine.amount_fen)).where(
        ChargeLine.appointment_id.in_(select(Appointment.id).where(affected)),
        ChargeLine.voided_at.is_(None),
        ChargeLine.charge_id.in_(paid),
    )
    return Counts({str(status): count for status, count in states}, session.scalar(fees) or 0)


def foresee_offers(session: Session, schedule: Schedule, *, now: datetime) -> dict[str, int]:
    """What could be held at `now` for those who have a number of it."""
    terms = Terms.from_document(schedule.terms)
    affected = session.scalars(
        select(Appointment)
        .where(Appointment.schedule_id == schedule.id, Appointment.status.in_(AFFECTED))
        .order_by(Appointment.id)
    ).all()
    others = alternatives_to(session, schedule, within_days=terms.offers_within_days, now=now)
    return dict(count_offers(session, affected, others, most=terms.offers_most, now=now))


def unsettled() -> ColumnElement[bool]:
    """Appointments that suspending has yet to end."""
    suspended = select(Schedule.id).where(Schedule.status == ScheduleStatus.SUSPENDED)
    return and_(Appointment.status.in_(TO_END), Appointment.schedule_id.in_(suspended))


def settle_suspension(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """See to them in the order in which they were booked; come back for the rest, and when the next offer is over."""
    schedule_id = UUID(job.payload["schedule_id"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))
    workbench.transactions.write(partial(_excuse, schedule_id=schedule_id))
    due = workbench.transactions.read(partial(_due, schedule_id=schedule_id))
    for charge_id, appointment_id in due[:_AT_ONCE]:
        workbench.transactions.write(partial(_settle, charge_id=charge_id, appointment_id=appointment_id, cause=cause))
    if len(due) > _AT_ONCE:
        return workbench.transactions.clock.now()
    return workbench.transactions.read(partial(_next_look, schedule_id=schedule_id))


def _excuse(session: Session, now: datetime, *, schedule_id: UUID) -> None:
    """Said after the clinic's time, it comes too late for those who are no-shows by now, but they are none."""
    if session.get_one(Schedule, schedule_id).status is ScheduleStatus.SUSPENDED:
        lift_of_schedule(session, schedule_id, now=now)


def _due(session: Session, now: datetime, *, schedule_id: UUID) -> list[tuple[UUID, UUID]]:
    """Of this half day whoever waits for no answer, neither theirs nor their hospital's, or whose offers stand although
    their appointment does not; and of any other those whose offer was a number of this one."""
    mine, is_open = Appointment.schedule_id == schedule_id, Offer.status == OfferStatus.OPEN
    offer = exists().where(Offer.appointment_id == Appointment.id, is_open)
    dead = offer.where(Slot.id == Offer.slot_id, Slot.status == SlotStatus.SUSPENDED)
    taken = waits_for_hospital(Appointment.id)
    wanted = or_(
        and_(mine, unsettled(), ~or_(offer.where(Offer.expires_at > now), taken)),
        and_(mine, ~unsettled(), or_(offer, taken)),
        and_(or_(mine, _here(schedule_id)), dead),
    )
    rows = session.execute(
        select(Appointment.charge_id, Appointment.id).where(wanted).order_by(Appointment.id).limit(_AT_ONCE + 1)
    )
    return [(charge_id, appointment_id) for charge_id, appointment_id in rows]


def _here(schedule_id: UUID) -> ColumnElement[bool]:
    return exists().where(
        Offer.appointment_id == Appointment.id, Offer.status == OfferStatus.OPEN, Offer.schedule_id == schedule_id
    )


def _next_look(session: Session, now: datetime, *, schedule_id: UUID) -> datetime | None:
    """When the next offer is over; and while a hospital has yet to answer once more after a while, though whoever hears
    its answer makes this job due."""
    mine, waiting = Appointment.schedule_id == schedule_id, waits_for_hospital(Appointment.id)
    expiring = (
        select(func.min(Offer.expires_at, type_=Offer.expires_at.type))
        .join(Appointment, Appointment.id == Offer.appointment_id)
        .where(mine, Offer.status == OfferStatus.OPEN, ~waiting)
    )
    ends = session.scalar(expiring)
    if not session.scalar(select(exists().where(mine, waiting))):
        return ends
    return now + _HOSPITAL_LOOK if ends is None else min(ends, now + _HOSPITAL_LOOK)


def _settle(session: Session, now: datetime, *, charge_id: UUID, appointment_id: UUID, cause: Cause) -> None:
    offered = lock_offered(session, charge_id, appointment_id)
    appointment = offered.appointment
    schedule = session.get_one(Schedule, appointment.schedule_id, populate_existing=True)
    if appointment.status not in TO_END or schedule.status is not ScheduleStatus.SUSPENDED:
        if (offered.open or offered.waits_for_hospital) and appointment.status in AFFECTED:
            subject = f"{appointment.id}:{version_of(session, schedule.id)}"
            tell(session, NoticeKind.CLINIC_REOPENED, appointment, now=now, subject=subject)
        withdraw_offers(session, offered, reason="not_needed", now=now, cause=cause)
        return
    end_lapsed(session, offered, now=now, cause=cause)
    if offered.waits_for_hospital or offered.open:
        return
    if appointment.status in AFFECTED and _offer_others(session, offered, schedule, now=now, cause=cause):
        return
    end_suspended(session, offered.account, appointment, now=now, cause=cause)
    renew_after_suspension(session, appointment)


def _offer_others(session: Session, offered: Offered, schedule: Schedule, *, now: datetime, cause: Cause) -> bool:
    """Once for each suspension, and again where we took all of them back ourselves. Whether there are any now."""
    version = version_of(session, schedule.id)
    earlier = [one for one in offered.offers if one.version == version]
    if any(one.status is not OfferStatus.WITHDRAWN for one in earlier):
        return False
    within = Terms.from_document(offered.appointment.terms).offers_within_days
    others = alternatives_to(session, schedule, within_days=within, now=now)
    return bool(make_offers(session, offered, others, version=version, now=now, cause=cause))
