"""What can be had instead of a suspended half day, the best first: the same doctor later, a doctor of the same rank on
the same day, the same subject at another campus."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.booking.rules.evaluation import sold_until
from core.booking.rules.guards import is_for
from core.booking.rules.limits import full_periods, is_day_full, with_doctor
from core.booking.rules.overlap import elsewhere_during
from core.booking.standing import Standing, count, visits_of_person
from core.booking.terms import Terms
from core.locks import root_of
from models.appointment import OPEN, Appointment, AppointmentStatus
from models.hospital import Department, Doctor, Hospital
from models.offer import OfferKind
from models.person import Dependent
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus

_MOST_LOOKED_AT = 200


@dataclass(frozen=True)
class Alternative:
    """A half day that is on sale, and in which way it stands for the suspended one."""

    kind: OfferKind
    schedule: Schedule

    @property
    def terms(self) -> Terms:
        return Terms.from_document(self.schedule.terms)


def alternatives_to(session: Session, schedule: Schedule, *, within_days: int, now: datetime) -> list[Alternative]:
    """Ranked: by kind, then by time. Only what anybody could book at `now`, in the same hospital."""
    subject, title = _subject_and_title(session, schedule)
    alike = or_(Schedule.department_id == schedule.department_id, Schedule.doctor_id == schedule.doctor_id)
    if subject is not None:
        alike = or_(alike, Department.subject_code == subject)
    rows = session.execute(
        select(Schedule, Department.subject_code, Doctor.title)
        .join(Department, Department.id == Schedule.department_id)
        .outerjoin(Doctor, Doctor.id == Schedule.doctor_id)
        .where(
            Schedule.hospital_id == schedule.hospital_id,
            Schedule.id != schedule.id,
            Schedule.status == ScheduleStatus.OPEN,
            Schedule.release_at <= now,
            Schedule.closes_at > now,
            Schedule.visit_date.between(schedule.visit_date, schedule.visit_date + timedelta(days=within_days)),
            alike,
        )
        .order_by(Schedule.starts_at, Schedule.id)
        .limit(_MOST_LOOKED_AT)
        .execution_options(populate_existing=True)
    )
    found = []
    for other, its_subject, its_title in rows:
        same_subject = other.department_id == schedule.department_id or (subject and its_subject == subject)
        same_rank = other.clinic_type == schedule.clinic_type if title is None else its_title == title
        kind = _kind(schedule, other, same_rank=same_rank, same_subject=bool(same_subject))
        if kind is not None:
            found.append(Alternative(kind, other))
    order = list(OfferKind)
    return sorted(found, key=lambda one: (order.index(one.kind), one.schedule.starts_at, one.schedule.id))


def _subject_and_title(session: Session, schedule: Schedule) -> tuple[str | None, str | None]:
    department = session.get_one(Department, schedule.department_id)
    doctor = None if schedule.doctor_id is None else session.get_one(Doctor, schedule.doctor_id)
    return department.subject_code, None if doctor is None else doctor.title


def _kind(schedule: Schedule, other: Schedule, *, same_rank: bool, same_subject: bool) -> OfferKind | None:
    if other.doctor_id is not None and other.doctor_id == schedule.doctor_id:
        return OfferKind.SAME_DOCTOR if other.starts_at > schedule.starts_at else None
    if not same_rank or not same_subject:
        return None
    if other.campus_id != schedule.campus_id:
        return OfferKind.OTHER_CAMPUS
    here = other.department_id == schedule.department_id and other.visit_date == schedule.visit_date
    return OfferKind.SAME_RANK if here else None


def suited(session: Session, appointment: Appointment, alternatives: Iterable[Alternative]) -> Iterator[Alternative]:
    """Those that are for somebody like them, and that the person may have beside what they have otherwise: the
    suspended appointment ends by taking one. Of a follow-up none: its right is there again, and the patient chooses.
    None either for what was to take the place of a number that they still have, or have used: it keeps the money; nor
    where the hospital's own system must agree, for what is not theirs yet: the two would wait for one another."""
    if appointment.follow_up_of_id is not None or _keeps_another(session, appointment):
        return
    if needs_hospital(session, appointment) and appointment.status is not AppointmentStatus.BOOKED:
        return
    others, dependent = others_than(session, appointment), session.get_one(Dependent, appointment.dependent_id)
    # Whoever was seen though the clinic is not for them was given it by a doctor: that holds for the others as well.
    anywhere = not is_for(Terms.from_document(appointment.terms), dependent, appointment.visit_date)
    for one in alternatives:
        fits = anywhere or is_for(one.terms, dependent, one.schedule.visit_date)
        if fits and limit_reached(one.schedule, others) is None:
            yield one


def needs_hospital(session: Session, appointment: Appointment) -> bool:
    """Whether the hospital's own system must agree to another number, as it is connected now."""
    return session.scalar(select(Hospital.system).where(Hospital.id == appointment.hospital_id)) is not None


def _keeps_another(session: Session, appointment: Appointment) -> bool:
    """The money is for one number. Taken beside the one they keep, an offered one would be a second for it."""
    if not appointment.beside_replaced or appointment.replaces_id is None:
        return False
    return session.get_one(Appointment, appointment.replaces_id).status is not AppointmentStatus.CANCELLED


def others_than(session: Session, appointment: Appointment) -> list[Standing]:
    """The visits of its person beside those of its own half day."""
    root = root_of(session, appointment.person_id)
    visits = visits_of_person(session, root, appointment.account_id, around=appointment.visit_date)
    return [one for one in visits if one.schedule_id != appointment.schedule_id]


def limit_reached(schedule: Schedule, visits: Sequence[Standing]) -> str | None:
    """Which limit of the person stands in the way, if one does: `schedule`, `department_day`, `doctor_day`, `day`,
    `overlap`, `period`. They are those of every booking (`core/booking/rules/evaluation.py`); what else is refused
    there was looked at when the lost number was booked."""
    terms = Terms.from_document(schedule.terms)
    others = [one for one in visits if one.status in OPEN]
    same_day = [one for one in others if one.visit_date == schedule.visit_date]
    beside = [one for one in same_day if one.department_id == schedule.department_id]
    if any(one.schedule_id == schedule.id for one in others):
        return "schedule"
    if count(beside) >= terms.max_open_per_person_department_day:
        return "department_day"
    if count(with_doctor(same_day, schedule)) >= terms.max_open_per_person_doctor_day:
        return "doctor_day"
    if not terms.may_overlap and elsewhere_during(others, schedule):
        return "overlap"
    if count(same_day) >= terms.max_per_person_day or is_day_full(terms, others, schedule):
        return "day"
    return "period" if any(full_periods(terms, visits, schedule.visit_date)) else None


def first_free(session: Session, alternative: Alternative, *, now: datetime) -> Slot | None:
    """Locked, and never waited for: where others are taking numbers, theirs come first."""
    return session.scalars(
        select(Slot)
        .where(
            Slot.schedule_id == alternative.schedule.id,
            Slot.status == SlotStatus.FREE,
            Slot.starts_at > sold_until(alternative.terms, now=now),
        )
        .order_by(Slot.sequence)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def count_offers(
    session: Session, affected: Sequence[Appointment], alternatives: Sequence[Alternative], *, most: int, now: datetime
) -> Counter[str]:
    """How many offers of each kind could be made now, one after the other; `none` counts who would get none. Nothing is
    held."""
    left = _free_numbers(session, [one.schedule.id for one in alternatives])
    counted: Counter[str] = Counter()
    for appointment in affected:
        found = 0
        for one in one_of_each_kind(one for one in suited(session, appointment, alternatives) if left[one.schedule.id]):
            if found == most:
                break
            left[one.schedule.id] -= 1
            counted[str(one.kind)] += 1
            found += 1
        counted["none"] += not found
    return counted


def one_of_each_kind(alternatives: Iterable[Alternative]) -> Iterator[Alternative]:
    """The first of each."""
    seen: set[OfferKind] = set()
    for one in alternatives:
        if one.kind not in seen:
            seen.add(one.kind)
            yield one


def _free_numbers(session: Session, schedule_ids: list[UUID]) -> dict[UUID, int]:
    rows = session.execute(
        select(Slot.schedule_id, func.count())
        .where(Slot.schedule_id.in_(schedule_ids), Slot.status == SlotStatus.FREE)
        .group_by(Slot.schedule_id)
    )
    return defaultdict(int, {row[0]: row[1] for row in rows})
