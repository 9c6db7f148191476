"""What the codes of an import file stand for, out of the directory that was loaded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.half_day_names import HalfDayName
from core.booking.policy import BookingPolicy
from core.booking.policy_book import PolicyBook
from core.catalog.faults import Fault
from core.catalog.halfdays import HalfDay
from core.catalog.import_rows import ImportRow
from core.catalog.store import rows_where
from models.hospital import Campus, Department, Doctor, Hospital

_CODES = ("hospital_code", "department_code", "doctor_code", "campus_code")


@dataclass(frozen=True)
class Places:
    """Records by code, of the hospitals that the file names."""

    hospitals: Mapping[str, Hospital]
    campuses: Mapping[UUID, Sequence[Campus]]
    departments: Mapping[tuple[UUID, str], Department]
    doctors: Mapping[tuple[UUID, str], Doctor]
    groups: Mapping[UUID, str]
    book: PolicyBook

    @classmethod
    def read(cls, session: Session, rows: Sequence[ImportRow]) -> Places:
        hospitals = {
            one.code: one
            for one in rows_where(session, Hospital, Hospital.code, {row.sitting.hospital_code for row in rows})
        }
        ids = [one.id for one in hospitals.values()]
        campuses: dict[UUID, list[Campus]] = defaultdict(list)
        for campus in rows_where(session, Campus, Campus.hospital_id, ids):
            campuses[campus.hospital_id].append(campus)
        departments = list(rows_where(session, Department, Department.hospital_id, ids))
        doctors = list(rows_where(session, Doctor, Doctor.hospital_id, ids))
        codes = [*hospitals, *(one.code for one in departments), *(one.code for one in doctors)]
        first = min((row.visit_date for row in rows), default=None)
        return cls(
            hospitals,
            campuses,
            {(one.hospital_id, one.code): one for one in departments},
            {(one.hospital_id, one.code): one for one in doctors},
            {one.id: one.code for one in departments},
            PolicyBook.read(session, codes, half_days_from=first),
        )

    def half_day(self, file: str, row: ImportRow, faults: list[Fault]) -> HalfDay | None:
        """The row with ids for its codes; what names nothing goes to `faults`."""
        sitting = row.sitting
        hospital = self.hospitals.get(sitting.hospital_code)
        if hospital is None:
            faults.append(
                Fault(file, row.line, "hospital_code", "unknown_code", f"no hospital {sitting.hospital_code}")
            )
            return None
        department = self.departments.get((hospital.id, sitting.department_code))
        doctor = self.doctors.get((hospital.id, sitting.doctor_code))
        campus = self._campus(hospital, sitting.campus_code)
        bad = [
            ("department_code", sitting.department_code, department is None),
            ("doctor_code", sitting.doctor_code, bool(sitting.doctor_code) and doctor is None),
            ("campus_code", sitting.campus_code, campus is None),
        ]
        for column, code, missing in bad:
            if missing and code:
                faults.append(Fault(file, row.line, column, "unknown_code", f"{hospital.code} has no {code}"))
            elif missing:
                faults.append(Fault(file, row.line, column, "required", f"{hospital.code} has several: say which"))
        if department is not None and not department.online:
            faults.append(
                Fault(file, row.line, "department_code", "not_online", f"{department.code} is not booked online")
            )
            return None
        if department is None or campus is None or any(missing for *_, missing in bad):
            return None
        plain = {name: value for name, value in asdict(sitting).items() if name not in _CODES}
        return HalfDay(
            hospital_id=hospital.id,
            campus_id=campus.id,
            department_id=department.id,
            doctor_id=doctor.id if doctor else None,
            doctor_code=sitting.doctor_code,
            visit_date=row.visit_date,
            **plain,
        )

    def policies(self, row: ImportRow, half_day: HalfDay) -> list[BookingPolicy]:
        """From wide to narrow."""
        department = self.departments[half_day.hospital_id, row.sitting.department_code]
        above = self.groups.get(department.parent_id, "") if department.parent_id else ""
        return self.book.levels(
            hospital=row.sitting.hospital_code,
            departments=[code for code in (above, department.code) if code],
            doctor=row.sitting.doctor_code,
            half_day=[str(HalfDayName.of(department.code, half_day))],
        )

    def _campus(self, hospital: Hospital, code: str) -> Campus | None:
        """Without a code the only one there is."""
        here = self.campuses.get(hospital.id, ())
        if not code:
            return here[0] if len(here) == 1 else None
        return next((one for one in here if one.code == code), None)
