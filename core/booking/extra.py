"""Extra numbers (加号): a doctor gives one person a number beside those of the half day (rules.md 2.12).

It becomes an ordinary appointment, charged as usual and judged by the same rules but four: nothing needs to be free,
nothing released, the hour does not matter, and the doctor who knows the patient says whom the clinic is for. It belongs
to this person and this half day; let go, it is not sold to anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.at_desk import book_at_desk, note_issued
from core.booking.beside import add_number, follow_ups_in
from core.booking.case import Case
from core.booking.claim import Taken
from core.booking.rules.limits import told
from core.booking.rules.overlap import last_clear
from core.booking.rules.refusals import ClosedHours, Overlaps
from core.booking.views import AppointmentView
from core.booking.wish import Wish
from core.locks import lock_schedules
from core.refusals import NotEligible, NotReleased
from core.rights.access import AccessAction
from models.appointment import PayMode
from models.errors import DomainError, NotFound
from models.hospital import Doctor
from models.schedule import Schedule, SlotStatus, Surplus
from models.sealing import Vault
from models.states import Cause


class ExtraReason(StrEnum):
    """Why. A closed list: what is the matter with somebody is written nowhere outside their record."""

    URGENT = "urgent"
    FOLLOW_UP = "follow_up"
    REFERRAL = "referral"
    FROM_AFAR = "from_afar"
    OTHER = "other"


class ExtraRefused(Exception):
    """No extra number here: the doctor does not sit there, or has given out as many as the policy allows."""


@dataclass(frozen=True)
class Order:
    """Whose number, who gives it and why; `operator` types it in for the doctor."""

    schedule_id: UUID
    dependent_id: UUID
    doctor_code: str
    reason: ExtraReason
    operator: str
    pay: PayMode = PayMode.ONLINE


def issue_extra_number(session: Session, order: Order, *, now: datetime, cause: Cause, vault: Vault) -> AppointmentView:
    """Book the dependent beside the schedule's numbers.

    Raises: NotFound, ExtraRefused, ValidationFailed, and every refusal of eligibility but of capacity, release, hours,
    sex, age and visit kind."""

    def take(case: Case, to: SlotStatus) -> Taken:
        _refuse_other_doctors(session, case.schedule, order.doctor_code)
        return _add(session, case, to, now=now, cause=cause)

    made = book_at_desk(
        session,
        Wish(order.schedule_id, order.dependent_id, order.pay),
        passes=_passes,
        take=take,
        now=now,
        cause=cause,
        vault=vault,
    )
    told = {"doctor_code": order.doctor_code, "reason": str(order.reason)}
    note_issued(session, made, AccessAction.EXTRA_NUMBER_ISSUED, operator=order.operator, now=now, facts=told)
    return made


def _passes(refusal: DomainError, _schedule: Schedule) -> bool:
    return isinstance(refusal, NotReleased | ClosedHours | NotEligible)


def _refuse_other_doctors(session: Session, schedule: Schedule, doctor_code: str) -> None:
    """The doctor of the half day; where it is a clinic without one, any of the department."""
    if schedule.doctor_code:
        fits = schedule.doctor_code == doctor_code
    else:
        here = select(Doctor.id).where(Doctor.code == doctor_code, Doctor.department_id == schedule.department_id)
        fits = session.scalar(here) is not None
    if not fits:
        raise ExtraRefused("this doctor does not sit there")


def _add(session: Session, case: Case, to: SlotStatus, *, now: datetime, cause: Cause) -> Taken:
    """One more number, behind all others, in the last segment at which the person is nowhere else. The schedule is
    locked: the cap is exact.

    Raises: NotFound, ExtraRefused, Overlaps, PersonLimit."""
    _, slots = lock_schedules(session, [case.schedule.id])
    beside = sum(1 for one in slots if one.surplus is Surplus.EXTRA and not one.is_withdrawn)
    given = beside - follow_ups_in(session, case.schedule)
    if given >= case.terms.max_extra_numbers:
        raise ExtraRefused(f"{given} extra numbers are given out, {case.terms.max_extra_numbers} are allowed")
    if not slots:
        raise NotFound()
    last = last_clear(slots, case.elsewhere)
    if last is None:
        raise told(case, case.elsewhere, Overlaps())
    return add_number(session, slots, last, to, why="extra", now=now, cause=cause)
