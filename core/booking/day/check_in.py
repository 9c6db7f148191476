"""Checking in on the day: at the desk, or by place and time. Then the patient waits to be called.

    booked --(in its window, near enough)--> arrived, with a place in the queue --(seen)--> fulfilled

Where the patient is decides, and is then forgotten: it is neither stored nor logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.day.not_me import is_frozen
from core.booking.day.queue import line_up
from core.booking.strikes.ledger import lift_of_day, lift_of_giver
from core.booking.terms import Terms
from core.catalog.hospitals import Point, distance_m
from core.dependents.granted import Use, note_uses
from core.payments.charge_account import lock_charge_account_for
from core.refusals import (
    AppointmentFrozen,
    CheckInAtDesk,
    CheckInRefused,
    CheckInTooEarly,
    CheckInTooLate,
    ScheduleSuspended,
    TooFar,
)
from core.rights.access import AccessAction
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.grant import Scope
from models.hospital import Campus, Hospital
from models.schedule import Schedule, ScheduleStatus, Slot
from models.states import Cause

_MOST_ACCURACY_M = 500
"""More than this a phone that does not know where it is gains nobody."""


@dataclass(frozen=True)
class Whereabouts:
    """Where a phone says that it is, give or take `accuracy_m`. In no repr, so that no log has it."""

    point: Point
    accuracy_m: int = 0

    def __repr__(self) -> str:
        return "Whereabouts()"


def check_in_by_place(
    session: Session, *, appointment_id: UUID, account_id: UUID, where: Whereabouts, now: datetime, cause: Cause
) -> Appointment:
    """Oneself, by place and time; also for another account's dependent, under a grant to book. Whoever is there already
    stays there.

    Raises: NotFound, CheckInRefused, AppointmentFrozen, ScheduleSuspended, CheckInTooEarly, CheckInTooLate,
    CheckInAtDesk, TooFar."""
    account, grant = lock_charge_account_for(session, appointment_id, account_id, scope=Scope.BOOK, now=now)
    appointment = next(one for one in account.appointments if one.id == appointment_id)
    if appointment.status is AppointmentStatus.ARRIVED:
        return appointment
    slot = account.slots[appointment.slot_id]
    refuse_unless_theirs(session, appointment)
    schedule = taking_place(session, appointment)
    refuse_unless_in_time(appointment, slot, schedule, now=now)
    if appointment.pay_mode is PayMode.ON_SITE and appointment.fee_fen:
        raise CheckInAtDesk()
    _refuse_unless_near(session, appointment, where)
    arrive(session, appointment, slot, now=now, cause=cause)
    if grant is not None:
        note_uses(session, [Use(grant, AccessAction.CHECKED_IN, appointment.id)], now=now)
    return appointment


def arrive(session: Session, appointment: Appointment, slot: Slot, *, now: datetime, cause: Cause) -> None:
    """They are there, and wait. The caller holds the appointment."""
    appointment.check_in(session, at=now, cause=cause)
    line_up(session, appointment, slot, now=now)
    lift_of_giver(session, appointment, now=now)
    lift_of_day(session, appointment, now=now)


def refuse_unless_theirs(session: Session, appointment: Appointment) -> None:
    """That it is booked, and nobody says that it is not them. Raises: CheckInRefused, AppointmentFrozen."""
    if appointment.status is not AppointmentStatus.BOOKED:
        raise CheckInRefused(status=str(appointment.status))
    if is_frozen(session, appointment.id):
        raise AppointmentFrozen()


def taking_place(session: Session, appointment: Appointment) -> Schedule:
    """Its half day, as it is now; a closed one takes place for whoever has a number of it. The caller holds the slot,
    and with it whoever would suspend it. Raises: ScheduleSuspended."""
    schedule = session.get_one(Schedule, appointment.schedule_id, populate_existing=True)
    if schedule.status is ScheduleStatus.SUSPENDED:
        raise ScheduleSuspended()
    return schedule


def refuse_unless_in_time(appointment: Appointment, slot: Slot, schedule: Schedule, *, now: datetime) -> None:
    """Raises: CheckInTooEarly, CheckInTooLate."""
    terms = Terms.from_document(appointment.terms)
    opens_at, closes_at = terms.check_in_window(slot.starts_at, schedule.ends_at)
    if now < opens_at:
        raise CheckInTooEarly(retry_at=opens_at, opens_at=opens_at, closes_at=closes_at)
    if now >= closes_at:
        raise CheckInTooLate(closes_at=closes_at, open=["desk"])


def _refuse_unless_near(session: Session, appointment: Appointment, where: Whereabouts) -> None:
    radius = Terms.from_document(appointment.terms).check_in_radius_m
    campus = _campus_point(session, appointment)
    if not radius or campus is None:
        raise CheckInAtDesk()
    away = distance_m(where.point, campus) - min(where.accuracy_m, _MOST_ACCURACY_M)
    if away > radius:
        raise TooFar(radius_m=radius, open=["desk"])


def _campus_point(session: Session, appointment: Appointment) -> Point | None:
    """Of the campus, else of the hospital. In the directory's own coordinates: those of the wallets' maps (GCJ-02) are
    meant, and one in WGS-84 is up to some 700 m off."""
    schedule = session.get_one(Schedule, appointment.schedule_id)
    for place in (session.get_one(Campus, schedule.campus_id), session.get_one(Hospital, schedule.hospital_id)):
        if place.lat is not None and place.lng is not None:
            return Point(place.lat, place.lng)
    return None
