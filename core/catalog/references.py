"""What no single row can tell: codes used twice, and rows that name something that is not in the directory."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from core.booking.half_day_names import HalfDayName
from core.catalog.faults import Fault
from core.catalog.rows import CampusRow, DepartmentRow, DoctorRow, HospitalRow, RosterRow, ScheduleRow, Sitting
from models.policy import PolicyLevel


class _Lined(Protocol):
    @property
    def line(self) -> int: ...


class _Owned(_Lined, Protocol):
    @property
    def hospital_code(self) -> str: ...


R = TypeVar("R", bound=_Lined)
O = TypeVar("O", bound=_Owned)  # noqa: E741


def first_of_each(
    file: str, column: str, rows: Iterable[R], key: Callable[[R], Hashable], faults: list[Fault]
) -> list[R]:
    """The rows without those that repeat an earlier key."""
    seen: dict[Hashable, R] = {}
    for row in rows:
        earlier = seen.setdefault(key(row), row)
        if earlier is not row:
            faults.append(Fault(file, row.line, column, "duplicate", f"the same as line {earlier.line}"))
    return list(seen.values())


class Place(NamedTuple):
    """Where a fault would be."""

    file: str
    line: int
    column: str


@dataclass(frozen=True)
class Known(Generic[R]):
    """The rows of one file by code. Whoever names a row that is reported as bad already (`spoilt`), or anything of a
    file that could not be read to its end, is not at fault."""

    rows: Mapping[str, R]
    spoilt: Set[str]
    complete: bool


@dataclass(frozen=True)
class References:
    """Everything that may be named."""

    hospitals: Known[HospitalRow]
    campuses: Known[CampusRow]
    departments: Known[DepartmentRow]
    doctors: Known[DoctorRow]
    faults: list[Fault]

    def check_hospitals(self, file: str, rows: Iterable[_Owned]) -> None:
        for row in rows:
            self._find(Place(file, row.line, "hospital_code"), row.hospital_code, self.hospitals)

    def check_parents(self, file: str) -> None:
        """Two levels and no more, both in one hospital."""
        for row in self.departments.rows.values():
            if not row.parent_code:
                continue
            place = Place(file, row.line, "parent_code")
            parent = self._owned(place, row.parent_code, self.departments, row.hospital_code)
            if parent is not None and parent.parent_code:
                self._refuse(place, "too_deep", f"{row.parent_code} stands in a group itself")

    def check_doctors(self, file: str) -> None:
        for row in self.doctors.rows.values():
            place = Place(file, row.line, "department_code")
            self._owned(place, row.department_code, self.departments, row.hospital_code)

    def check_sittings(self, file: str, rows: Iterable[RosterRow | ScheduleRow]) -> None:
        for row in rows:
            sitting, hospital = row.sitting, row.sitting.hospital_code
            self._find(Place(file, row.line, "hospital_code"), hospital, self.hospitals)
            self._owned(Place(file, row.line, "department_code"), sitting.department_code, self.departments, hospital)
            self._owned(Place(file, row.line, "campus_code"), sitting.campus_code, self.campuses, hospital)
            if sitting.doctor_code:
                self._owned(Place(file, row.line, "doctor_code"), sitting.doctor_code, self.doctors, hospital)

    def check_policies(self, file: str, subjects: Iterable[tuple[int, PolicyLevel, str]]) -> None:
        """`subjects` are line, level and code."""
        known: Mapping[PolicyLevel, Known[Any]] = {
            PolicyLevel.HOSPITAL: self.hospitals,
            PolicyLevel.DEPARTMENT: self.departments,
            PolicyLevel.DOCTOR: self.doctors,
        }
        for line, level, code in subjects:
            place = Place(file, line, "code")
            if level in known:
                self._find(place, code, known[level])
            elif level is PolicyLevel.SCHEDULE:
                self._check_half_day(place, code)
            elif code:
                self._refuse(place, "bad_code", "the platform's is empty")

    def _check_half_day(self, place: Place, code: str) -> None:
        """Department and doctor are of one hospital. Whether there is such a clinic then is not known yet."""
        try:
            name = HalfDayName.parse(code)
        except ValueError as error:
            self._refuse(place, "bad_code", str(error))
            return
        department = self._find(place, name.department, self.departments)
        if department is not None and name.doctor:
            self._owned(place, name.doctor, self.doctors, department.hospital_code)

    def _owned(self, place: Place, code: str, known: Known[O], hospital_code: str) -> O | None:
        found = self._find(place, code, known)
        if found is not None and found.hospital_code != hospital_code:
            self._refuse(place, "other_hospital", f"{code} belongs to {found.hospital_code}")
            return None
        return found

    def _find(self, place: Place, code: str, known: Known[R]) -> R | None:
        found = known.rows.get(code)
        if found is None and known.complete and code not in known.spoilt:
            self._refuse(place, "dangling", f"{code} is not in this directory")
        return found

    def _refuse(self, place: Place, code: str, detail: str) -> None:
        self.faults.append(Fault(*place, code, detail))


def sitting_key(sitting: Sitting) -> tuple[Hashable, ...]:
    """What tells two clinics of one day apart, as the tables do."""
    return (sitting.department_code, sitting.doctor_code, sitting.period, sitting.clinic_type, sitting.starts)
