"""The policies in force, read from their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from core.booking.half_day_names import HalfDayName
from core.booking.policy import BookingPolicy, merged
from models.hospital import Department, Doctor, Hospital
from models.policy import BookingPolicyRow, PolicyLevel


@dataclass(frozen=True)
class PolicyBook:
    """The documents in force, read once for many subjects; and by a department's code whom the directory says it is
    for, which holds unless its own document or a narrower one says otherwise."""

    documents: Mapping[tuple[PolicyLevel, str], BookingPolicy]
    whom_for: Mapping[str, BookingPolicy] = field(default_factory=dict)

    @classmethod
    def read(cls, session: Session, codes: Iterable[str], *, half_days_from: date | None = None) -> PolicyBook:
        """The platform's document and those of the hospitals, departments and doctors with these codes; from
        `half_days_from` on also those of the hospitals' single half days."""
        named = {"", *codes}
        wanted: ColumnElement[bool] = BookingPolicyRow.subject.in_(named)
        if half_days_from is not None:
            hospitals = select(Hospital.id).where(Hospital.code.in_(named))
            of_half_days = BookingPolicyRow.level == PolicyLevel.SCHEDULE
            wanted = or_(wanted, and_(of_half_days, BookingPolicyRow.hospital_id.in_(hospitals)))
        rows = session.execute(
            select(BookingPolicyRow.level, BookingPolicyRow.subject, BookingPolicyRow.document).where(wanted)
        )
        return cls(
            {
                (level, subject): BookingPolicy.parse(document)
                for level, subject, document in rows
                if level is not PolicyLevel.SCHEDULE or _is_told(subject, document, half_days_from)
            },
            _whom_for(session, named),
        )

    @property
    def half_days(self) -> Mapping[HalfDayName, BookingPolicy]:
        """The documents of single half days."""
        return {
            HalfDayName.parse(subject): policy
            for (level, subject), policy in self.documents.items()
            if level is PolicyLevel.SCHEDULE
        }

    def levels(
        self, *, hospital: str, departments: Iterable[str], doctor: str, half_day: Iterable[str] = ()
    ) -> list[BookingPolicy]:
        """From wide to narrow. `departments` are codes, the group's first; an empty code stands for none. `half_day`
        are the names of one, the one that wins last."""
        told = self.documents.get
        levels = [
            told((PolicyLevel.PLATFORM, "")),
            told((PolicyLevel.HOSPITAL, hospital)),
            *(one for code in departments for one in (self.whom_for.get(code), told((PolicyLevel.DEPARTMENT, code)))),
            told((PolicyLevel.DOCTOR, doctor)),
            *(told((PolicyLevel.SCHEDULE, name)) for name in half_day),
        ]
        return [one for one in levels if one is not None]


def _whom_for(session: Session, codes: Iterable[str]) -> dict[str, BookingPolicy]:
    bounded = or_(Department.sex.is_not(None), Department.min_age.is_not(None), Department.max_age.is_not(None))
    query = select(Department.code, Department.sex, Department.min_age, Department.max_age)
    return {
        code: BookingPolicy(sexes=None if sex is None else (str(sex),), age_from=youngest, age_to=oldest)
        for code, sex, youngest, oldest in session.execute(query.where(Department.code.in_(codes), bounded))
    }


def _is_told(subject: str, document: object, first: date | None) -> bool:
    """Whether a half day on or after `first` has something of its own; what was taken back stands as an empty one."""
    return bool(document) and first is not None and HalfDayName.parse(subject).visit_date >= first


def policies_for(
    session: Session,
    *,
    hospital: Hospital | None = None,
    department: Department | None = None,
    doctor: Doctor | None = None,
) -> BookingPolicy:
    """The merged policy in force for them; without any of them, the platform's. Every key has a value."""
    group = session.get(Department, department.parent_id) if department and department.parent_id else None
    departments = [found.code for found in (group, department) if found is not None]
    hospital_code, doctor_code = hospital.code if hospital else "", doctor.code if doctor else ""
    book = PolicyBook.read(session, [hospital_code, doctor_code, *departments])
    return merged(book.levels(hospital=hospital_code, departments=departments, doctor=doctor_code))
