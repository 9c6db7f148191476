"""What a hospital tells of its patients: who came, who was seen, who did not come.

Events are taken in the hospital's order, each in a transaction of its own; the cursor moves behind a page once all of
it is written. A page that comes again changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.booking.day.check_in import arrive
from core.booking.day.no_show import miss, missed_from
from core.booking.day.not_me import is_frozen
from core.booking.day.presumed import is_presumed_seen
from core.booking.strikes.ledger import lift_of_seen
from core.booking.terms import Terms
from core.hospital.pull import Connected, pull_each
from core.jobs.queue import LeasedJob
from core.payments.charge_account import lock_charge_account
from core.ports import HospitalSystem, VisitEvent, VisitKind
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus
from models.hospital import Hospital
from models.schedule import Schedule, Slot, SlotStatus
from models.states import Actor, Cause, CauseKind

log = structlog.get_logger()

_MOST_PAGES = 20


def pull_visits(workbench: Workbench, job: LeasedJob) -> None:
    """Ask every hospital with a system of its own what happened since."""
    pull_each(workbench, job, _pull)


def _pull(workbench: Workbench, system: HospitalSystem, connected: Connected, job: LeasedJob) -> None:
    """Raises: ProviderError."""
    cause = Cause(Actor.PLATFORM, CauseKind.JOB, str(job.id))
    cursor = connected.visits_cursor
    for _ in range(_MOST_PAGES):
        page = system.visits(connected.code, after=cursor)
        for event in page.events:
            workbench.transactions.write(partial(_apply, connected=connected, event=event, cause=cause))
        cursor = page.cursor
        workbench.transactions.write(partial(_move_cursor, connected=connected, cursor=cursor))
        if not page.more:
            return


def _move_cursor(session: Session, _now: datetime, *, connected: Connected, cursor: str) -> None:
    session.execute(update(Hospital).where(Hospital.id == connected.id).values(visits_cursor=cursor))


def _apply(session: Session, now: datetime, *, connected: Connected, event: VisitEvent, cause: Cause) -> None:
    """An event about a claim of another hospital, or of none, is passed over, and so is one that comes too late."""
    named = (Appointment.number == event.claim) & (Appointment.hospital_id == connected.id)
    found = session.execute(select(Appointment.id, Appointment.charge_id).where(named)).one_or_none()
    if found is None:
        log.warning("visit_of_nobody", hospital=connected.code, visit=event.id)
        return
    account = lock_charge_account(session, found.charge_id)
    appointment = next(one for one in account.appointments if one.id == found.id)
    if not _follow(session, appointment, account.slots[appointment.slot_id], event.kind, now=now, cause=cause):
        log.info("visit_passed_over", appointment=str(appointment.id), status=appointment.status, visit=event.kind)


def _follow(
    session: Session, appointment: Appointment, slot: Slot, kind: VisitKind, *, now: datetime, cause: Cause
) -> bool:
    """Whether the appointment moved. Who was seen has been there, also where nobody said so, or said the contrary."""
    was = appointment.status
    if kind is VisitKind.NOSHOW:
        return _miss(session, appointment, slot, now=now, cause=cause)
    if was is AppointmentStatus.BOOKED:
        arrive(session, appointment, slot, now=now, cause=cause)
    if kind is VisitKind.FULFILLED and _may_be_seen(session, appointment):
        if was is AppointmentStatus.NOSHOW:
            lift_of_seen(session, appointment, now=now)
        appointment.fulfil(session, at=now, cause=cause)
        return True
    return appointment.status is not was


def _may_be_seen(session: Session, appointment: Appointment) -> bool:
    if appointment.status is AppointmentStatus.FULFILLED:
        return is_presumed_seen(session, appointment)
    return appointment.status in {AppointmentStatus.ARRIVED, AppointmentStatus.NOSHOW}


def _miss(session: Session, appointment: Appointment, slot: Slot, *, now: datetime, cause: Cause) -> bool:
    """A frozen number waits for the desk's word, and nobody misses a clinic that does not take place."""
    stands = appointment.status in {AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED}
    if not stands or slot.status is SlotStatus.SUSPENDED or is_frozen(session, appointment.id):
        return False
    schedule = session.get_one(Schedule, appointment.schedule_id, populate_existing=True)
    over = missed_from(Terms.from_document(appointment.terms), schedule.ends_at)
    miss(session, appointment, counts_from=over, now=now, cause=cause)
    return True
