"""The policies in force, read from their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.policy import BookingPolicy, merged
from models.hospital import Department, Doctor, Hospital
from models.policy import BookingPolicyRow, PolicyLevel


@dataclass(frozen=True)
class PolicyBook:
    """The documents in force, read once for many subjects."""

    documents: Mapping[tuple[PolicyLevel, str], BookingPolicy]

    @classmethod
    def read(cls, session: Session, codes: Iterable[str]) -> PolicyBook:
        """The platform's document and those of the hospitals, departments and doctors with these codes."""
        rows = session.execute(
            select(BookingPolicyRow.level, BookingPolicyRow.subject, BookingPolicyRow.document).where(
                BookingPolicyRow.subject.in_({"", *codes})
            )
        )
        return cls({(level, subject): BookingPolicy.parse(document) for level, subject, document in rows})

    def levels(self, *, hospital: str, departments: Iterable[str], doctor: str) -> list[BookingPolicy]:
        """From wide to narrow. `departments` are codes, the group's first; an empty code stands for none."""
        wanted = [
            (PolicyLevel.PLATFORM, ""),
            (PolicyLevel.HOSPITAL, hospital),
            *((PolicyLevel.DEPARTMENT, code) for code in departments),
            (PolicyLevel.DOCTOR, doctor),
        ]
        return [self.documents[subject] for subject in wanted if subject in self.documents]


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
