"""Strikes: counted by person whatever account booked, with evidence, and lifted where they turn out to be none.

A job counts them, one by one under the person's lock: two at once see one another. Each ladder is that under which the
appointment was sold. Whoever is restricted keeps the desk, the emergency and what they have booked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session

from core.booking.strikes.ladders import restricted_until
from core.booking.strikes.open_appeal import grant_open
from core.booking.terms import Terms
from core.jobs.queue import LeasedJob, enqueue
from core.locks import lock_appointment, lock_person, lock_slot, root_of
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus
from models.arrival import Arrival
from models.base import new_id
from models.person import Person
from models.schedule import Schedule, ScheduleStatus
from models.states import Actor, Cause, CauseKind
from models.strike import Lift, Strike, StrikeKind

COUNT, LIFT, WORK_OUT = "count_strike", "lift_strike", "work_out_strikes"
_ENDED = {
    StrikeKind.NO_SHOW: AppointmentStatus.NOSHOW,
    StrikeKind.CANCEL: AppointmentStatus.CANCELLED,
    StrikeKind.LATE_CANCEL: AppointmentStatus.CANCELLED,
}

log = structlog.get_logger()


def count_later(
    session: Session, appointment: Appointment, kind: StrikeKind, *, now: datetime, not_before: datetime | None = None
) -> None:
    """In the transaction that makes it true. Nothing where no step of the ladder could ever be filled by it."""
    if not _ladder(Terms.from_document(appointment.terms), kind):
        return
    named, dedup = str(appointment.id), f"{COUNT}:{appointment.id}"
    run_at = now if not_before is None else max(now, not_before)
    enqueue(session, COUNT, run_at=run_at, now=now, dedup=dedup, appointment_id=named, of_kind=str(kind))


def lift_later(session: Session, appointment_id: UUID, why: Lift, *, now: datetime) -> None:
    """Where there is a strike for the appointment, or one under way."""
    named, dedup = str(appointment_id), f"{LIFT}:{appointment_id}:{why}"
    enqueue(session, LIFT, run_at=now, now=now, dedup=dedup, appointment_id=named, why=str(why))


def lift_of_day(session: Session, appointment: Appointment, *, now: datetime) -> None:
    """Whoever comes has missed no other number of that hospital on that day, as when strikes are counted. Also of those
    that are still to be missed: one may be counted before this transaction is over."""
    _lift_seen(session, appointment, Appointment.id != appointment.id, now=now)


def lift_of_seen(session: Session, appointment: Appointment, *, now: datetime) -> None:
    """Of a no-show that was there after all, and of whatever else they are said to have missed that day."""
    _lift_seen(session, appointment, true(), now=now)


def _lift_seen(session: Session, appointment: Appointment, which: ColumnElement[bool], *, now: datetime) -> None:
    """In the order of their ids: two desks may put right two numbers of one person at once."""
    missed = select(Appointment.id).where(
        _of_that_day(appointment),
        which,
        Appointment.person_id.in_(_same(root_of(session, appointment.person_id))),
        Appointment.status.in_([AppointmentStatus.BOOKED, AppointmentStatus.NOSHOW]),
    )
    for appointment_id in session.scalars(missed.order_by(Appointment.id)):
        lift_later(session, appointment_id, Lift.SEEN, now=now)


def lift_of_giver(session: Session, appointment: Appointment, *, now: datetime) -> None:
    """Whoever gave back late the number that somebody has now come with."""
    given_back = (
        select(Strike.appointment_id)
        .join(Appointment, Appointment.id == Strike.appointment_id)
        .where(
            Appointment.schedule_id == appointment.schedule_id,
            Appointment.slot_id == appointment.slot_id,
            Strike.kind == StrikeKind.LATE_CANCEL,
            Strike.lifted_at.is_(None),
        )
    )
    for appointment_id in session.scalars(given_back):
        lift_later(session, appointment_id, Lift.USED_AGAIN, now=now)


def lift_of_schedule(session: Session, schedule_id: UUID, *, now: datetime) -> None:
    """Whoever is blamed for a clinic that did not take place."""
    blamed = (
        select(Strike.appointment_id)
        .join(Appointment, Appointment.id == Strike.appointment_id)
        .where(Appointment.schedule_id == schedule_id, Strike.lifted_at.is_(None))
    )
    for appointment_id in session.scalars(blamed):
        lift_later(session, appointment_id, Lift.SUSPENDED, now=now)


def work_out_later(session: Session, person_id: UUID, *, now: datetime) -> None:
    """Two records have become one human being, whose strikes count together. The same is written whether there are any:
    how long it takes tells nothing of them."""
    enqueue(session, WORK_OUT, run_at=now, now=now, person_id=str(person_id))


def work_out_strikes(workbench: Workbench, job: LeasedJob) -> None:
    """All that a person has, each kind for itself."""

    def step(session: Session, _now: datetime) -> None:
        person_id = lock_person(session, UUID(job.payload["person_id"])).id
        one_of_each = {
            (strike.kind, None if strike.platform_wide else strike.hospital_id): strike
            for strike in session.scalars(select(Strike).where(Strike.person_id.in_(_same(person_id))))
        }
        for strike in one_of_each.values():
            work_out(session, person_id, strike)

    workbench.transactions.write(step)


def count_strike(workbench: Workbench, job: LeasedJob) -> None:
    """Once for an appointment, unless it is excused."""
    appointment_id, kind = UUID(job.payload["appointment_id"]), StrikeKind(job.payload["of_kind"])
    workbench.transactions.write(lambda session, _now: _count(session, appointment_id, kind))


def lift_strike(workbench: Workbench, job: LeasedJob) -> None:
    """What the others come to without it is worked out anew."""
    appointment_id, why = UUID(job.payload["appointment_id"]), Lift(job.payload["why"])
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id))

    def step(session: Session, now: datetime) -> None:
        # Whoever is counting it has the person, and may have looked before what excuses it was there.
        lock_person(session, session.get_one(Appointment, appointment_id).person_id)
        found = session.scalars(select(Strike).where(Strike.appointment_id == appointment_id)).one_or_none()
        if found is not None and (why is not Lift.SEEN or found.kind is StrikeKind.NO_SHOW):
            lift(session, found, why, now=now, cause=cause)

    workbench.transactions.write(step)


def lift(session: Session, strike: Strike, why: Lift, *, now: datetime, cause: Cause) -> None:
    """It counts no longer, and an appeal that is open is granted by it."""
    person_id = lock_person(session, strike.person_id).id
    session.refresh(strike)
    strike.lift(why, at=now)
    grant_open(session, strike, why, now=now, cause=cause)
    session.flush()
    work_out(session, person_id, strike)


def _count(session: Session, appointment_id: UUID, kind: StrikeKind) -> None:
    seen = session.get_one(Appointment, appointment_id)
    person_id = lock_person(session, seen.person_id).id
    appointment = lock_appointment(session, appointment_id)
    counted = session.scalar(select(exists().where(Strike.appointment_id == appointment_id)))
    if counted or appointment.status is not _ENDED[kind]:
        return
    lock_slot(session, appointment.slot_id)  # whoever suspends the half day waits, and looks for strikes after that
    schedule = session.get_one(Schedule, appointment.schedule_id, populate_existing=True)
    evidence = _evidence(session, appointment, schedule, kind, person_id)
    if evidence is None:
        log.info("strike_excused", appointment=str(appointment_id), kind=str(kind))
        return
    at = schedule.ends_at if kind is StrikeKind.NO_SHOW else appointment.ended_at
    strike = Strike(
        id=new_id(),
        hospital_id=appointment.hospital_id,
        person_id=person_id,
        appointment_id=appointment_id,
        kind=kind,
        platform_wide=Terms.from_document(appointment.terms).strikes_platform_wide,
        at=at or schedule.ends_at,
        evidence=evidence,
    )
    session.add(strike)
    session.flush()
    work_out(session, person_id, strike)


def _evidence(
    session: Session, appointment: Appointment, schedule: Schedule, kind: StrikeKind, person_id: UUID
) -> Mapping[str, Any] | None:
    """What shows it; None where it is excused. That somebody did not come is shown only where the hospital checked
    anybody in on that day, and they were not seen there under another number."""
    if schedule.status is ScheduleStatus.SUSPENDED:
        return None
    if kind is not StrikeKind.NO_SHOW:
        return {"cancel_before": appointment.cancel_before.isoformat()}
    that_day = _of_that_day(appointment)
    came = func.count().filter(Appointment.id != appointment.id)
    arrived = session.scalar(select(came).join(Arrival, Arrival.appointment_id == Appointment.id).where(that_day)) or 0
    under_another = session.scalar(
        select(
            exists().where(
                that_day,
                Appointment.person_id.in_(_same(person_id)),
                Appointment.status.in_([AppointmentStatus.ARRIVED, AppointmentStatus.FULFILLED]),
            )
        )
    )
    return None if under_another or not arrived else {"others_arrived_that_day": arrived}


def work_out(session: Session, person_id: UUID, changed: Strike) -> None:
    """What each strike that counts comes to, from the oldest on: those of the same kind that count with `changed`. The
    caller holds the person."""
    together = Strike.platform_wide.is_(True) if changed.platform_wide else Strike.hospital_id == changed.hospital_id
    rows = session.execute(
        select(Strike, Appointment.terms)
        .join(Appointment, Appointment.id == Strike.appointment_id)
        .where(
            Strike.person_id.in_(_same(person_id)),
            Strike.kind == changed.kind,
            Strike.platform_wide.is_(changed.platform_wide),
            Strike.lifted_at.is_(None),
            Strike.paused_at.is_(None),
            together,
        )
        .order_by(Strike.at, Strike.id)
    ).all()
    earlier: list[datetime] = []
    for strike, terms in rows:
        steps = _ladder(Terms.from_document(terms), strike.kind)
        strike.restricts_until = restricted_until(steps, earlier, strike.at)
        earlier.append(strike.at)
    session.flush()


def _ladder(terms: Terms, kind: StrikeKind) -> tuple[Mapping[str, Any], ...]:
    return {
        StrikeKind.NO_SHOW: terms.no_show_ladder,
        StrikeKind.CANCEL: terms.cancel_ladder,
        StrikeKind.LATE_CANCEL: terms.late_cancel_ladder,
    }[kind]


def _of_that_day(appointment: Appointment) -> ColumnElement[bool]:
    """All that one might come with instead."""
    return and_(Appointment.hospital_id == appointment.hospital_id, Appointment.visit_date == appointment.visit_date)


def _same(person_id: UUID) -> Any:
    return select(Person.id).where(or_(Person.id == person_id, Person.alias_of_id == person_id))
