"""A directory as it lies in a folder, read and checked as a whole before anything is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from core.booking.policy import BookingPolicy, InvalidPolicy
from core.booking.policy_checks import read_policy_json
from core.catalog.faults import Fault, InvalidDirectory
from core.catalog.references import Known, References, first_of_each, sitting_key
from core.catalog.rows import (
    CampusRow,
    DepartmentRow,
    DoctorRow,
    HospitalRow,
    RosterRow,
    ScheduleRow,
    campus_row,
    department_row,
    doctor_row,
    hospital_row,
    roster_row,
    schedule_row,
)
from core.catalog.tables import Cells, decoded, read_bytes, read_table
from models.policy import PolicyLevel

HOSPITALS, CAMPUSES, DEPARTMENTS = "hospitals.csv", "campuses.csv", "departments.csv"
DOCTORS, ROSTERS, SCHEDULES, POLICIES = "doctors.csv", "rosters.csv", "schedules.csv", "policies.json"
_SITTING = "starts,ends,clinic_type,fee_fen,segment_minutes,numbers_per_segment"
COLUMNS: Mapping[str, str] = {
    HOSPITALS: "code,name,alias,grade,kind,adcode,address,lat,lng,merchant,booking_notice,synthetic",
    CAMPUSES: "hospital_code,code,name,address,lat,lng",
    DEPARTMENTS: "hospital_code,code,parent_code,name,alias,subject_code,sex,min_age,max_age,online,synthetic",
    DOCTORS: "hospital_code,code,department_code,name,title,sex,introduction,synthetic",
    ROSTERS: f"hospital_code,department_code,doctor_code,campus_code,weekday,period,{_SITTING},synthetic",
    SCHEDULES: f"hospital_code,department_code,doctor_code,campus_code,visit_date,period,{_SITTING}",
}

R = TypeVar("R")
C = TypeVar("C", HospitalRow, CampusRow, DepartmentRow, DoctorRow)


@dataclass(frozen=True)
class PolicyEntry:
    """`line` is the entry's place in the list, counted from 1. `code` is empty for the platform; that of a half day is
    its `HalfDayName`."""

    line: int
    level: PolicyLevel
    code: str
    policy: BookingPolicy


@dataclass(frozen=True)
class Directory:
    """Everything of some hospitals. `policies` is None where the folder says nothing about them."""

    hospitals: list[HospitalRow]
    campuses: list[CampusRow]
    departments: list[DepartmentRow]
    doctors: list[DoctorRow]
    rosters: list[RosterRow]
    schedules: list[ScheduleRow]
    policies: list[PolicyEntry] | None


def read_directory(folder: Path) -> Directory:
    """Read and check all files of `folder`; schedules.csv and policies.json may be absent.

    Raises: InvalidDirectory, with every fault of every file."""
    reading = _Reading(folder)
    directory = Directory(
        hospitals=reading.coded(HOSPITALS, hospital_row),
        campuses=reading.coded(CAMPUSES, campus_row),
        departments=reading.coded(DEPARTMENTS, department_row),
        doctors=reading.coded(DOCTORS, doctor_row),
        rosters=reading.rows(ROSTERS, roster_row),
        schedules=reading.rows(SCHEDULES, schedule_row) if (folder / SCHEDULES).exists() else [],
        policies=_policies(folder / POLICIES, reading.faults) if (folder / POLICIES).exists() else None,
    )
    _check(directory, reading)
    if reading.faults:
        raise InvalidDirectory(reading.faults)
    return directory


class _Reading:
    """Collects faults over all files, and the codes of the rows that have some."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.faults: list[Fault] = []
        self._spoilt: dict[str, set[str]] = defaultdict(set)

    def rows(self, file: str, parse: Callable[[Cells], R | None]) -> list[R]:
        found = []
        for row in read_table(self._folder / file, COLUMNS[file].split(","), self.faults):
            parsed = parse(Cells(file, row, self.faults))
            if parsed is not None:
                found.append(parsed)
            else:
                self._spoilt[file].add(row.cells.get("code", ""))
        return found

    def coded(self, file: str, parse: Callable[[Cells], C | None]) -> list[C]:
        return first_of_each(file, "code", self.rows(file, parse), lambda row: row.code, self.faults)

    def known(self, file: str, rows: Iterable[C]) -> Known[C]:
        complete = not any(fault.file == file and (fault.line < 2 or not fault.column) for fault in self.faults)
        return Known({row.code: row for row in rows}, self._spoilt[file], complete)


def _check(directory: Directory, reading: _Reading) -> None:
    faults = reading.faults
    known = References(
        reading.known(HOSPITALS, directory.hospitals),
        reading.known(CAMPUSES, directory.campuses),
        reading.known(DEPARTMENTS, directory.departments),
        reading.known(DOCTORS, directory.doctors),
        faults,
    )
    known.check_hospitals(CAMPUSES, directory.campuses)
    known.check_hospitals(DEPARTMENTS, directory.departments)
    known.check_hospitals(DOCTORS, directory.doctors)
    known.check_parents(DEPARTMENTS)
    known.check_doctors(DOCTORS)
    known.check_sittings(ROSTERS, directory.rosters)
    known.check_sittings(SCHEDULES, directory.schedules)
    known.check_policies(POLICIES, ((one.line, one.level, one.code) for one in directory.policies or ()))
    first_of_each(ROSTERS, "", directory.rosters, lambda row: (row.weekday, sitting_key(row.sitting)), faults)
    first_of_each(SCHEDULES, "", directory.schedules, lambda row: (row.visit_date, sitting_key(row.sitting)), faults)
    first_of_each(POLICIES, "", directory.policies or [], lambda one: (one.level, one.code), faults)


def _policies(path: Path, faults: list[Fault]) -> list[PolicyEntry]:
    content = read_bytes(path, faults)
    text = None if content is None else decoded(path.name, content, faults)
    if text is None:
        return []
    try:
        entries = read_policy_json(text)
    except ValueError as error:
        faults.append(Fault(path.name, getattr(error, "lineno", 0), "", "bad_json", str(error)))
        return []
    if not isinstance(entries, list):
        faults.append(Fault(path.name, 0, "", "not_a_list", "must be a list of {level, code, policy}"))
        return []
    found = (_policy(path.name, number, entry, faults) for number, entry in enumerate(entries, start=1))
    return [entry for entry in found if entry is not None]


def _policy(file: str, number: int, entry: Any, faults: list[Fault]) -> PolicyEntry | None:
    if not isinstance(entry, dict) or set(entry) != {"level", "code", "policy"}:
        faults.append(Fault(file, number, "", "bad_entry", "must have level, code and policy, and nothing else"))
        return None
    level, code = entry["level"], entry["code"]
    before = len(faults)
    if level not in _levels():
        faults.append(Fault(file, number, "level", "bad_word", f"must be one of {', '.join(_levels())}"))
    if not isinstance(code, str):
        faults.append(Fault(file, number, "code", "bad_code", "must be a text"))
    try:
        policy = BookingPolicy.parse(entry["policy"])
    except InvalidPolicy as error:
        faults += [Fault(file, number, one.key, one.code, one.detail) for one in error.faults]
    else:
        kept = sum(value for key, value in policy.to_document().items() if key.startswith("share_"))
        if kept > 100:
            faults.append(Fault(file, number, "share_…", "bad_value", f"{kept} percent are kept for channels"))
    return PolicyEntry(number, PolicyLevel(level), code, policy) if len(faults) == before else None


def _levels() -> Iterable[str]:
    return [str(level) for level in PolicyLevel]
