"""What else is open to somebody who is refused a number: it is told only where it is so."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from core.booking.case import Case
from core.booking.claim import Wanted
from core.booking.rules.refusals import ClosedHours, Overlaps, PeriodLimit, RebookTooSoon
from core.booking.strikes.appeals import may_appeal
from core.booking.waitlist.queue import closes_at
from core.clock import hospital_day
from core.refusals import (
    AgreementRequired,
    AlreadyBooked,
    ConsentRequired,
    FieldsRequired,
    HoldOpen,
    IdentityRequired,
    NotEligible,
    NoticeUnread,
    NotReleased,
    NumbersInFlight,
    PersonLimit,
    Restricted,
    ScheduleClosed,
    ScheduleSuspended,
    SoldOut,
)
from models.errors import DomainError
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus

OTHER_SEGMENT, OTHER_DOCTOR, OTHER_DAY, WAITLIST = "other_segment", "other_doctor", "other_day", "waitlist"
APPEAL, _HERE = "appeal", "here"
_TO_LOOK_FOR = frozenset({OTHER_SEGMENT, OTHER_DOCTOR, OTHER_DAY, WAITLIST, APPEAL})

_ALTERNATIVES: dict[type[DomainError], list[str]] = {
    SoldOut: [OTHER_SEGMENT, OTHER_DAY, OTHER_DOCTOR, WAITLIST, "desk"],
    NumbersInFlight: ["try_again", OTHER_SEGMENT, OTHER_DAY, OTHER_DOCTOR, WAITLIST],
    NotReleased: ["wait_for_release"],
    ScheduleClosed: [OTHER_SEGMENT, OTHER_DAY, OTHER_DOCTOR],
    ScheduleSuspended: [OTHER_DAY, OTHER_DOCTOR],
    NotEligible: ["other_department", "desk"],
    IdentityRequired: ["identity_check", "desk"],
    NoticeUnread: ["read_notice"],
    FieldsRequired: ["complete_fields", "desk"],
    ConsentRequired: ["give_consent"],
    AgreementRequired: ["ask_agreement", "desk"],
    AlreadyBooked: ["cancel_first", OTHER_DAY],
    HoldOpen: ["pay_or_cancel"],
    PersonLimit: [OTHER_DAY, "desk"],
    PeriodLimit: [OTHER_DAY, "desk"],
    Overlaps: [OTHER_SEGMENT, OTHER_DAY],
    RebookTooSoon: ["wait", OTHER_DAY],
    ClosedHours: ["wait"],
}


def alternatives(error: DomainError, is_open: frozenset[str]) -> list[str]:
    """What somebody may do who is refused so, of what is open."""
    if isinstance(error, FieldsRequired) and "fields" not in error.facts:
        return ["ask_granter", "desk"]
    if isinstance(error, AgreementRequired) and not error.facts["ways"]:  # they are of age at the visit, and not yet
        return ["wait", "desk"]
    named = _while_restricted(error) if isinstance(error, Restricted) else _ALTERNATIVES.get(type(error), [])
    return [one for one in named if one not in _TO_LOOK_FOR or one in is_open]


def _while_restricted(error: Restricted) -> list[str]:
    """Nobody waits for what has no end, and only strikes are appealed against."""
    waits = [] if error.retry_at is None else ["wait"]
    return [*waits, *([APPEAL] if error.facts["kind"] == "strikes" else []), "desk"]


def what_is_open(session: Session, case: Case, wanted: Wanted) -> frozenset[str]:
    """Beside the number that is wanted, in its department: another time of that day with the same doctor, another
    doctor of that day, another day, with free numbers on sale, whomever they suit; the waitlist; and an appeal."""
    schedule = case.schedule
    of_day, by_doctor = Schedule.visit_date == schedule.visit_date, Schedule.doctor_code == schedule.doctor_code
    beside = Schedule.id != schedule.id
    another_time = (
        beside if wanted.segment_starts_at is None else or_(beside, Slot.starts_at != wanted.segment_starts_at)
    )
    asked = {
        OTHER_SEGMENT: and_(of_day, by_doctor, another_time),
        OTHER_DOCTOR: and_(of_day, ~by_doctor),
        OTHER_DAY: ~of_day,
        _HERE: ~beside,
    }
    row = session.execute(select(*(_has_free(case, wanted, one) for one in asked.values()))).one()
    found = {name for name, is_free in zip(asked, row, strict=True) if is_free}
    may_wait = _HERE not in found and _may_wait(case)  # nobody waits while another segment of it is free
    found |= ({WAITLIST} if may_wait else set()) | ({APPEAL} if _may_appeal(session, case) else set())
    return frozenset(found & _TO_LOOK_FOR)


def _may_appeal(session: Session, case: Case) -> bool:
    """Who books under a grant may not: the strikes are the granter's."""
    if case.grant is not None or case.restriction.own_until is None:
        return False
    account_id, hospital_id = case.dependent.account_id, case.schedule.hospital_id
    return may_appeal(
        session,
        account_id=account_id,
        person_id=case.person_id,
        hospital_id=hospital_id,
        platform_wide=case.terms.strikes_platform_wide,
    )


def _has_free(case: Case, wanted: Wanted, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(
        Schedule.department_id == case.schedule.department_id,
        Schedule.visit_date >= hospital_day(case.now),
        Schedule.status == ScheduleStatus.OPEN,
        Schedule.release_at <= case.now,
        Schedule.closes_at > case.now,
        Slot.schedule_id == Schedule.id,
        Slot.status == SlotStatus.FREE,
        Slot.starts_at > wanted.later_than,
        condition,
    )


def _may_wait(case: Case) -> bool:
    """As `core/booking/waitlist/wait.py` lets somebody begin to, at some hour before its end."""
    schedule, now = case.schedule, case.now
    is_on_sale = schedule.status is ScheduleStatus.OPEN and schedule.release_at <= now < schedule.closes_at
    return is_on_sale and case.terms.waitlist and now < closes_at(case.terms, schedule.visit_date)
