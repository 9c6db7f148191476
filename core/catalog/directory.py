"""A checked directory into the tables: by code, all or nothing, and a second time without changing anything.

What is on sale already is left alone. A roster that changed or vanished takes its half days along that are not released
yet, since nobody can have a number of those; whatever was released is ended by suspending it, never by a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, Protocol

from sqlalchemy.orm import Session

from core.booking.rules.notice import renew_notices
from core.catalog.clinics import load_policies, load_rosters, load_single_days
from core.catalog.faults import Fault, InvalidDirectory
from core.catalog.folder import CAMPUSES, DEPARTMENTS, DOCTORS, HOSPITALS, POLICIES, ROSTERS, SCHEDULES, Directory
from core.catalog.rows import CampusRow, DepartmentRow, DoctorRow
from core.catalog.store import Ids, Tally, rows_where, store
from models.hospital import Campus, Department, Doctor, Hospital

SearchTexts = Mapping[tuple[str, str], str]
"""By kind (`hospital`, `department`, `doctor`) and code."""

_code = itemgetter("code")


@dataclass
class Loaded:
    """What became of each file. `withdrawn` counts unreleased half days that made room for a changed roster."""

    files: dict[str, Tally] = field(default_factory=dict)
    withdrawn: int = 0

    @property
    def changed_anything(self) -> bool:
        return bool(self.withdrawn) or any(tally.touched for tally in self.files.values())


def load_directory(session: Session, directory: Directory, *, texts: SearchTexts, now: datetime) -> Loaded:
    """Write what differs. `texts` as `spell_out` made them.

    Raises: InvalidDirectory where a code belongs to another hospital of ours."""
    done = Loaded()
    hospitals, done.files[HOSPITALS] = _load_hospitals(session, directory, texts, now)
    standing: dict[Any, list[Any]] = {
        Campus: list(rows_where(session, Campus, Campus.code, _codes(directory.campuses))),
        Department: list(rows_where(session, Department, Department.code, _codes(directory.departments))),
        Doctor: list(rows_where(session, Doctor, Doctor.code, _codes(directory.doctors))),
    }
    _refuse_taken_codes(directory, hospitals, standing)
    load = _Places(session, directory, texts, Ids(hospitals), standing, done)
    load.campuses()
    load.departments()
    load.doctors()
    done.files[ROSTERS], done.withdrawn = load_rosters(session, directory, load.ids, now=now)
    if directory.policies is not None:
        done.files[POLICIES] = load_policies(session, directory, directory.policies, load.ids, now=now)
    renew_notices(session)
    if directory.schedules:
        done.files[SCHEDULES] = load_single_days(session, directory, load.ids, now=now)
    return done


class _Coded(Protocol):
    @property
    def code(self) -> str: ...


def _codes(rows: Iterable[_Coded]) -> list[str]:
    return [row.code for row in rows]


def _columns(row: Any, *but: str) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name not in {"line", *but}}


def _load_hospitals(
    session: Session, directory: Directory, texts: SearchTexts, now: datetime
) -> tuple[dict[str, Any], Tally]:
    wanted = [_columns(row) | {"search_text": texts["hospital", row.code]} for row in directory.hospitals]
    standing = rows_where(session, Hospital, Hospital.code, _codes(directory.hospitals))
    stored = store(session, Hospital, wanted, standing, key=_code, stamp={"updated_at": now})
    return {row.code: row.id for row in stored.rows}, stored.tally


def _refuse_taken_codes(directory: Directory, hospitals: Mapping[str, Any], standing: Mapping[Any, list[Any]]) -> None:
    """A code is one thing in the whole platform, not only in this folder. Raises: InvalidDirectory."""
    files: tuple[tuple[str, Any, Iterable[CampusRow | DepartmentRow | DoctorRow]], ...] = (
        (CAMPUSES, Campus, directory.campuses),
        (DEPARTMENTS, Department, directory.departments),
        (DOCTORS, Doctor, directory.doctors),
    )
    faults = []
    for file, model, rows in files:
        owners = {one.code: one.hospital_id for one in standing[model]}
        for row in rows:
            ours = hospitals[row.hospital_code]
            if owners.get(row.code, ours) != ours:
                faults.append(Fault(file, row.line, "code", "other_hospital", f"{row.code} is another hospital's"))
    if faults:
        raise InvalidDirectory(faults)


@dataclass
class _Places:
    """Campuses, departments and doctors on their way in; `ids` grows with each of them."""

    session: Session
    directory: Directory
    texts: SearchTexts
    ids: Ids
    standing: Mapping[Any, list[Any]]
    done: Loaded

    def campuses(self) -> None:
        wanted = [self._owned(row) for row in self.directory.campuses]
        self.done.files[CAMPUSES], self.ids.campuses = self._store(Campus, wanted)

    def departments(self) -> None:
        """The groups first: the others refer to them. `position` keeps the order of the file in each hospital."""
        positions: Counter[str] = Counter()
        groups: list[tuple[str, dict[str, Any]]] = []
        members: list[tuple[str, dict[str, Any]]] = []
        for row in self.directory.departments:
            positions[row.hospital_code] += 1
            columns = self._owned(row, "parent_code") | {
                "search_text": self.texts["department", row.code],
                "position": positions[row.hospital_code],
            }
            (members if row.parent_code else groups).append((row.parent_code, columns))
        above, group_ids = self._store(Department, [columns | {"parent_id": None} for _, columns in groups])
        below, member_ids = self._store(
            Department, [columns | {"parent_id": group_ids[parent]} for parent, columns in members]
        )
        self.done.files[DEPARTMENTS], self.ids.departments = above + below, group_ids | member_ids

    def doctors(self) -> None:
        wanted = [
            self._owned(row, "department_code")
            | {
                "department_id": self.ids.departments[row.department_code],
                "search_text": self.texts["doctor", row.code],
            }
            for row in self.directory.doctors
        ]
        self.done.files[DOCTORS], self.ids.doctors = self._store(Doctor, wanted)

    def _owned(self, row: CampusRow | DepartmentRow | DoctorRow, *but: str) -> dict[str, Any]:
        return _columns(row, "hospital_code", *but) | {"hospital_id": self.ids.hospitals[row.hospital_code]}

    def _store(self, model: Any, wanted: list[dict[str, Any]]) -> tuple[Tally, dict[str, Any]]:
        stored = store(self.session, model, wanted, self.standing[model], key=_code)
        return stored.tally, {row.code: row.id for row in stored.rows}
