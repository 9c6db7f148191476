"""What a hospital does to a half day that takes place after all: another doctor, another time or campus, closed, opened
again. The half day first, with its numbers; a job then sees to each appointment (`core/booking/clinic/changed.py`).

Like suspending, each waits for claims under way, and doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from core.booking.clinic.affected import Counts, count_affected
from core.booking.clinic.changed import follow_soon
from core.booking.clinic.schedule_changes import ChangeRefused, Order, change_schedule, version_of
from core.booking.clinic.soon import settle_suspension_soon
from core.clock import HOSPITAL_ZONE, hospital_day
from core.locks import lock_schedules
from core.payments.closing import close_charge_soon, is_closing
from models.appointment import HOLDS_SLOT, Appointment, AppointmentStatus, CancelReason
from models.errors import NotFound
from models.hospital import Campus, Doctor, Period
from models.hospital_claim import HospitalClaim
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus, WithheldReason
from models.schedule_change import ChangeKind, ScheduleChange
from models.states import Machine, StateEvent


@dataclass(frozen=True)
class Changed:
    """`news` is False where it was so already. `slots` are the numbers that it touched."""

    news: bool
    version: int
    counts: Counts
    slots: int = 0


def substitute_doctor(
    session: Session, *, schedule_id: UUID, doctor_id: UUID, fee_fen: int | None, order: Order, now: datetime
) -> Changed:
    """Another doctor takes the half day (替诊). Appointments stay, at no extra charge; `fee_fen` is what it costs from
    now on, None where that stays.

    Raises: NotFound, ChangeRefused where the doctor is of another hospital, or has a clinic at that time."""
    schedule, slots = _lock(session, schedule_id)
    doctor = session.get(Doctor, doctor_id)
    if doctor is None or doctor.hospital_id != schedule.hospital_id:
        raise ChangeRefused("no such doctor in this hospital")
    fee = schedule.fee_fen if fee_fen is None else fee_fen
    if (schedule.doctor_id, schedule.fee_fen) == (doctor_id, fee):
        return _told(session, schedule, news=False)
    _refuse_unless_free(session, schedule, doctor.code, schedule.starts_at, schedule.ends_at)
    became = {"doctor_id": doctor_id, "doctor_code": doctor.code, "fee_fen": fee}
    change_schedule(session, schedule, ChangeKind.SUBSTITUTED, order, now=now, **became)
    follow_soon(session, schedule_id, now=now)
    return _told(session, schedule, news=True, slots=len(slots))


def move_schedule(
    session: Session, *, schedule_id: UUID, starts_at: datetime, campus_id: UUID | None, order: Order, now: datetime
) -> Changed:
    """The half day takes place at another time of its day, or at another campus. Numbers keep their sequence, each is
    moved with the rest.

    Raises: NotFound, ChangeRefused where it would be on another day or in the past, the doctor has a clinic then, or
    the campus is of another hospital."""
    schedule, slots = _lock(session, schedule_id)
    campus = session.get_one(Campus, campus_id or schedule.campus_id)
    by = starts_at - schedule.starts_at
    if campus.hospital_id != schedule.hospital_id:
        raise ChangeRefused("no such campus in this hospital")
    if not by and campus.id == schedule.campus_id:
        return _told(session, schedule, news=False)
    if hospital_day(starts_at) != schedule.visit_date or hospital_day(schedule.ends_at + by) != schedule.visit_date:
        raise ChangeRefused("another day is another clinic: suspend this one")
    if starts_at <= now:
        raise ChangeRefused("that is past")
    _refuse_unless_free(session, schedule, schedule.doctor_code, starts_at, schedule.ends_at + by)
    change_schedule(
        session,
        schedule,
        ChangeKind.MOVED,
        order,
        now=now,
        campus_id=campus.id,
        period=_period(schedule.period, starts_at),
        starts_at=starts_at,
        ends_at=schedule.ends_at + by,
        closes_at=schedule.closes_at + by,
    )
    for slot in slots:
        slot.starts_at, slot.ends_at = slot.starts_at + by, slot.ends_at + by
    follow_soon(session, schedule_id, now=now)
    return _told(session, schedule, news=True, slots=len(slots))


def close_schedule(session: Session, *, schedule_id: UUID, order: Order, now: datetime) -> Changed:
    """Nothing more of it is sold; whoever has a number keeps it.

    Raises: NotFound, ChangeRefused where it is suspended."""
    schedule, _ = _lock(session, schedule_id)
    if schedule.status is ScheduleStatus.SUSPENDED:
        raise ChangeRefused("it is suspended")
    news = schedule.status is ScheduleStatus.OPEN
    if news:
        change_schedule(session, schedule, ChangeKind.CLOSED, order, now=now, status=ScheduleStatus.CLOSED)
    return _told(session, schedule, news=news)


def reopen_schedule(session: Session, *, schedule_id: UUID, order: Order, now: datetime) -> Changed:
    """It takes place after all. Whoever still has a number keeps it, and what was held for them elsewhere is let go; a
    number whose patient has lost it by the suspension stays out of sale, and so does one that the hospital's own system
    keeps, or has yet to give back; one of a channel is the channel's again for as long as it would have been.

    Raises: NotFound."""
    schedule, slots = _lock(session, schedule_id)
    if schedule.status is ScheduleStatus.OPEN:
        return _told(session, schedule, news=False)
    since = _suspended_at(session, schedule) or now
    suspended = _suspended_with_it(session, slots, since)
    change_schedule(session, schedule, ChangeKind.REOPENED, order, now=now, status=ScheduleStatus.OPEN)
    returns_at = schedule.channels_return_at
    kept = returns_at is not None and now < returns_at
    back = [slot for slot in suspended if _reopen(session, slot, order, since=since, channels_kept=kept, now=now)]
    if suspended:
        settle_suspension_soon(session, schedule_id, now=now)
    return _told(session, schedule, news=True, slots=len(back))


def _lock(session: Session, schedule_id: UUID) -> tuple[Schedule, list[Slot]]:
    """Raises: NotFound."""
    schedules, slots = lock_schedules(session, [schedule_id])
    if not schedules:
        raise NotFound()
    return schedules[0], slots


def _told(session: Session, schedule: Schedule, *, news: bool, slots: int = 0) -> Changed:
    session.flush()
    return Changed(news, version_of(session, schedule.id), count_affected(session, schedule.id), slots)


def _refuse_unless_free(
    session: Session, schedule: Schedule, doctor_code: str, starts_at: datetime, ends_at: datetime
) -> None:
    """Raises: ChangeRefused."""
    busy = and_(
        Schedule.hospital_id == schedule.hospital_id,
        Schedule.doctor_code == doctor_code,
        Schedule.id != schedule.id,
        Schedule.status != ScheduleStatus.SUSPENDED,
        Schedule.starts_at < ends_at,
        Schedule.ends_at > starts_at,
    )
    same = and_(
        Schedule.department_id == schedule.department_id,
        Schedule.doctor_code == doctor_code,
        Schedule.id != schedule.id,
        Schedule.clinic_type == schedule.clinic_type,
        Schedule.starts_at == starts_at,
    )
    if (doctor_code and session.scalar(select(exists().where(busy)))) or session.scalar(select(exists().where(same))):
        raise ChangeRefused("there is another clinic of this doctor at that time")


def _period(was: Period, starts_at: datetime) -> Period:
    if was is Period.ALL_DAY:
        return was
    hour = starts_at.astimezone(HOSPITAL_ZONE).hour
    return Period.MORNING if hour < 12 else Period.AFTERNOON if hour < 18 else Period.EVENING


def _suspended_at(session: Session, schedule: Schedule) -> datetime | None:
    """The last time, None where it never was."""
    last = select(ScheduleChange.at).where(
        ScheduleChange.schedule_id == schedule.id, ScheduleChange.kind == ChangeKind.SUSPENDED
    )
    return session.scalars(last.order_by(ScheduleChange.version.desc()).limit(1)).one_or_none()


def _suspended_with_it(session: Session, slots: Sequence[Slot], at: datetime) -> list[Slot]:
    """Not those that are out of sale for a reason of their own."""
    ids = [slot.id for slot in slots if slot.status is SlotStatus.SUSPENDED]
    moves = select(StateEvent.record_id).where(
        StateEvent.machine == Machine.SLOT,
        StateEvent.record_id.in_(ids),
        StateEvent.to_status == str(SlotStatus.SUSPENDED),
        StateEvent.at == at,
    )
    with_it = set(session.scalars(moves))
    return [slot for slot in slots if slot.id in with_it and slot.status is SlotStatus.SUSPENDED]


def _reopen(session: Session, slot: Slot, order: Order, *, since: datetime, channels_kept: bool, now: datetime) -> bool:
    """Whoever changes an appointment has locked its slot before: it stands still while we look. Who left it freely
    before it was suspended `since` has lost nothing by that."""
    of_slot = and_(Appointment.schedule_id == slot.schedule_id, Appointment.slot_id == slot.id)
    holder = session.scalars(select(Appointment).where(of_slot, Appointment.status.in_(HOLDS_SLOT))).one_or_none()
    lost = and_(Appointment.cancel_reason == CancelReason.SUSPENDED, Appointment.ended_at >= since)
    kept = exists().where(HospitalClaim.appointment_id == Appointment.id, HospitalClaim.kept.is_(True))
    if holder is None and session.scalar(select(exists().where(of_slot, or_(lost, kept)))):
        return False
    if holder is None and (charge_id := _closes_still(session, slot)) is not None:
        slot.withhold(session, why=WithheldReason.CLOSING, at=now, cause=order.cause)
        close_charge_soon(session, charge_id, now=now)
        return True
    if holder is None and slot.channel is not None and channels_kept:
        slot.withhold(session, why=WithheldReason.CHANNEL, at=now, cause=order.cause)
        return True
    if holder is None:
        slot.free(session, at=now, cause=order.cause)
        return True
    slot.withhold(session, why=WithheldReason.COOLING, at=now, cause=order.cause)
    pending = holder.status is AppointmentStatus.PENDING
    (slot.hold if pending else slot.book)(session, at=now, cause=order.cause)
    return True


def _closes_still(session: Session, slot: Slot) -> UUID | None:
    """The charge of whoever had the number last, where its closing is not known yet: it may still be paid for, or the
    hospital's own system has not given it back. Of that nobody looks while the number is suspended."""
    last = (
        select(Appointment.charge_id, HospitalClaim)
        .outerjoin(HospitalClaim, HospitalClaim.appointment_id == Appointment.id)
        .where(Appointment.schedule_id == slot.schedule_id, Appointment.slot_id == slot.id)
        .order_by(Appointment.id.desc())
        .limit(1)
    )
    row = session.execute(last).one_or_none()
    if row is None:
        return None
    charge_id, claim = row
    is_there = claim is not None and not claim.is_over
    return charge_id if is_there or is_closing(session, charge_id) else None
