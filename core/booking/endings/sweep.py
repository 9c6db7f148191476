"""A second net under the job table: whatever is still open and has no job gets one again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from core.booking.clinic.affected import unsettled
from core.booking.clinic.changed import FOLLOW_CHANGE
from core.booking.clinic.soon import SETTLE
from core.booking.strikes.appeals import PAUSE
from core.booking.strikes.ledger import COUNT, LIFT, WORK_OUT
from core.booking.waitlist.offers import FOLLOW_OFFER
from core.jobs.queue import LeasedJob, enqueue
from core.payments.refund_desk import CARRY_OUT
from core.payments.refunds import PUSH_REFUND
from core.payments.shipping import REPORT
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus
from models.hospital_claim import HospitalClaim, HospitalClaimStatus
from models.job import Job
from models.offer import Offer, OfferStatus
from models.payment import LIVE_PAYMENT, Payment, Refund, RefundStatus
from models.platform import EventState, PlatformEvent
from models.refund_decision import RefundDecision
from models.schedule import Schedule, Slot, SlotStatus, WithheldReason
from models.shipping import ShippingReport
from models.strike import AppealStatus, Strike, StrikeAppeal
from models.waitlist import WaitlistEntry, WaitlistStatus

_PATIENCE = timedelta(minutes=2)
_CHUNK = 500
_LEFT_THERE = (HospitalClaimStatus.HELD, HospitalClaimStatus.CONFIRMED, HospitalClaimStatus.UNKNOWN)

_KNOWN_BY_JOB = (COUNT, LIFT, WORK_OUT, FOLLOW_CHANGE)
"""What has to be done shows in nothing but the job: one that was given up is taken up again."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Lost:
    """Work that is due and that nobody has in hand."""

    kind: str
    name: str
    subject: UUID

    @property
    def dedup(self) -> str:
        """As whoever makes this work due names it."""
        return f"{_NAMES.get(self.kind, self.kind)}:{self.subject}"


_NAMES = {"ask_payment": "ask"}


def sweep(workbench: Workbench, _job: LeasedJob) -> None:
    """Find holds past their end, payments, refunds and hospitals' claims nobody asks about, messages nobody applied,
    withheld numbers nobody will free, offers that nobody takes back, appeals that nobody answered in time, and strikes
    and changes whose job was given up."""
    workbench.transactions.write(_sweep)


def _sweep(session: Session, now: datetime) -> None:
    for due in _all_due(session, late=now - _PATIENCE):
        for lost in _without_job(session, due):
            log.warning("work_was_lost", kind=lost.kind, subject=str(lost.subject), alarm=True)
            enqueue(
                session,
                lost.kind,
                run_at=now,
                now=now,
                dedup=lost.dedup,
                bring_forward=False,
                **{lost.name: str(lost.subject)},
            )
    _take_up_again(session, now=now)


def _take_up_again(session: Session, *, now: datetime) -> None:
    """With all its tries, unless another one stands for it."""
    given_up = select(Job).where(Job.kind.in_(_KNOWN_BY_JOB), Job.done_at.is_(None), Job.dead_at < now - _PATIENCE)
    standing = aliased(Job)
    stands = exists().where(standing.dedup == Job.dedup, standing.done_at.is_(None), standing.dead_at.is_(None))
    seen: set[str | None] = set()
    for job in session.scalars(given_up.where(~stands).order_by(Job.id).with_for_update()):
        if job.dedup is None or job.dedup not in seen:
            log.warning("work_was_lost", kind=job.kind, subject=str(job.id), alarm=True)
            job.dead_at, job.attempts, job.run_at = None, 0, now
        seen.add(job.dedup)


def _without_job(session: Session, due: list[Lost]) -> Iterator[Lost]:
    names = [one.dedup for one in due]
    open_jobs = select(Job.dedup).where(Job.dedup.in_(names), Job.done_at.is_(None), Job.dead_at.is_(None))
    standing = set(session.scalars(open_jobs))
    yield from (one for one in due if one.dedup not in standing)


def _all_due(session: Session, *, late: datetime) -> Iterator[list[Lost]]:
    open_refund = [RefundStatus.DUE, RefundStatus.UNKNOWN, RefundStatus.PROCESSING, RefundStatus.ABNORMAL]
    unpaid = (Appointment.status == AppointmentStatus.PENDING) & Appointment.awaiting_payment
    overdue = unpaid & (Appointment.hold_expires_at < late)
    unread = (PlatformEvent.state == EventState.RECEIVED) & (PlatformEvent.received_at < late)
    cooling = (Slot.status == SlotStatus.WITHHELD) & (Slot.withheld_reason == WithheldReason.COOLING)
    yield from _chunks(session, "end_hold", "appointment_id", Appointment.id, overdue)
    yield from _chunks(
        session, "ask_payment", "payment_id", Payment.id, Payment.status.in_(LIVE_PAYMENT) & (Payment.created_at < late)
    )
    yield from _chunks(
        session, PUSH_REFUND, "refund_id", Refund.id, Refund.status.in_(open_refund) & (Refund.created_at < late)
    )
    decided = (RefundDecision.decided_at < late) & RefundDecision.done_at.is_(None)
    yield from _chunks(session, CARRY_OUT, "refund_id", RefundDecision.refund_id, decided)
    unreported = ShippingReport.outcome.is_(None) & (ShippingReport.created_at < late)
    yield from _chunks(session, REPORT, "payment_id", ShippingReport.payment_id, unreported)
    unclaimed = _is_unsettled() & (HospitalClaim.created_at < late)
    yield from _chunks(session, "settle_claim", "appointment_id", HospitalClaim.appointment_id, unclaimed)
    yield from _chunks(session, "apply_event", "platform_event_id", PlatformEvent.id, unread)
    yield from _chunks(session, "return_slot", "slot_id", Slot.id, cooling)
    offered = WaitlistEntry.status == WaitlistStatus.OFFERED
    yield from _chunks(session, FOLLOW_OFFER, "entry_id", WaitlistEntry.id, offered)
    unanswered = (StrikeAppeal.status == AppealStatus.OPEN) & (StrikeAppeal.decide_by < late)
    counts = exists().where(Strike.id == StrikeAppeal.strike_id, Strike.paused_at.is_(None))
    yield from _chunks(session, PAUSE, "strike_id", StrikeAppeal.strike_id, unanswered & counts)
    left = exists().where(Appointment.schedule_id == Schedule.id, unsettled())
    yield from _chunks(session, SETTLE, "schedule_id", Schedule.id, left)
    offering = select(Appointment.schedule_id).join(Offer, Offer.appointment_id == Appointment.id)
    yield from _chunks(
        session, SETTLE, "schedule_id", Schedule.id, Schedule.id.in_(offering.where(Offer.status == OfferStatus.OPEN))
    )
    yield [Lost("close_payments", "charge_id", one) for one in _closing(session)]


def _is_unsettled() -> ColumnElement[bool]:
    """Its appointment waits for it, or has ended before it."""
    was_sent = and_(HospitalClaim.status == HospitalClaimStatus.NONE, HospitalClaim.called_times > 0)
    there = HospitalClaim.status.in_(_LEFT_THERE) & HospitalClaim.kept.is_not(True)
    waiting = and_(Appointment.status == AppointmentStatus.PENDING, Appointment.awaiting_hospital)
    left = and_(Appointment.status == AppointmentStatus.CANCELLED, or_(was_sent, there))
    return exists().where(Appointment.id == HospitalClaim.appointment_id, or_(waiting, left))


def _chunks(
    session: Session, kind: str, name: str, id_column: InstrumentedAttribute[UUID], due: ColumnElement[bool]
) -> Iterator[list[Lost]]:
    """Every row, in the order of ids: what stands behind many healthy ones is found, too."""
    query = select(id_column).where(due).order_by(id_column).limit(_CHUNK)
    found: list[UUID] = list(session.scalars(query))
    while found:
        yield [Lost(kind, name, one) for one in found]
        found = list(session.scalars(query.where(id_column > found[-1])))


def _closing(session: Session) -> Iterable[UUID]:
    """The charges whose numbers wait for a prepay to be closed: of the last appointment that had each of them."""
    rows = session.execute(
        select(Slot.id, Appointment.charge_id)
        .join(Appointment, and_(Appointment.schedule_id == Slot.schedule_id, Appointment.slot_id == Slot.id))
        .where(Slot.status == SlotStatus.WITHHELD, Slot.withheld_reason == WithheldReason.CLOSING)
        .order_by(Appointment.id)
    )
    return {slot_id: charge_id for slot_id, charge_id in rows}.values()  # noqa: C416 - the last one of each slot stays
