"""Departments, doctors, and one search over both and hospitals."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.catalog.hospitals import HospitalWish, ListedHospital, find_hospital, list_hospitals
from core.catalog.search import aliases_of, answers
from core.catalog.who_sits import sits_in
from core.paging import Page, page_of
from models.errors import NotFound
from models.hospital import Department, Doctor, Hospital

FOUND_OF_EACH = 10


@dataclass(frozen=True)
class DepartmentNode:
    """A department with those below it; `children` is empty on the second level."""

    department: Department
    children: list[DepartmentNode] = field(default_factory=list)

    @property
    def aliases(self) -> list[str]:
        return aliases_of(self.department.alias)


@dataclass(frozen=True)
class PlacedDepartment:
    department: Department
    hospital: Hospital


@dataclass(frozen=True)
class PlacedDoctor:
    doctor: Doctor
    department: Department
    hospital: Hospital


@dataclass(frozen=True)
class Found:
    """The best few of each kind."""

    hospitals: list[ListedHospital]
    departments: list[PlacedDepartment]
    doctors: list[PlacedDoctor]


def department_tree(session: Session, hospital_id: UUID) -> list[DepartmentNode]:
    """All departments of a hospital in the order of its directory. Raises: NotFound."""
    find_hospital(session, hospital_id)
    rows = session.scalars(
        select(Department).where(Department.hospital_id == hospital_id).order_by(Department.position, Department.id)
    ).all()
    nodes = {row.id: DepartmentNode(row) for row in rows}
    for row in rows:
        if row.parent_id is not None:
            nodes[row.parent_id].children.append(nodes[row.id])
    return [nodes[row.id] for row in rows if row.parent_id is None]


def find_department(session: Session, department_id: UUID) -> Department:
    """Raises: NotFound."""
    found = session.get(Department, department_id)
    if found is None:
        raise NotFound()
    return found


def place_of(session: Session, department_id: UUID) -> PlacedDepartment:
    """A department and whose it is. Raises: NotFound."""
    department = find_department(session, department_id)
    return PlacedDepartment(department, find_hospital(session, department.hospital_id))


def with_those_below(session: Session, department_id: UUID) -> list[UUID]:
    """A group stands for its departments: what is booked usually hangs on them."""
    below = select(Department.id).where(Department.parent_id == department_id)
    return [department_id, *session.scalars(below)]


def doctors_of(
    session: Session, department_id: UUID, *, today: date, cursor: str | None, limit: int
) -> Page[PlacedDoctor]:
    """Each with their own department, though they sit here as well. Raises: NotFound, ValidationFailed."""
    department = find_department(session, department_id)
    hospital = find_hospital(session, department.hospital_id)
    here = select(Doctor).where(Doctor.hospital_id == department.hospital_id, sits_in(department_id, today=today))
    page = page_of(session, here, Doctor.id, cursor=cursor, limit=limit)
    elsewhere = {one.department_id for one in page.items} - {department_id}
    own = {department_id: department}
    if elsewhere:
        own |= {one.id: one for one in session.scalars(select(Department).where(Department.id.in_(elsewhere)))}
    return Page([PlacedDoctor(one, own[one.department_id], hospital) for one in page.items], page.next_cursor)


def doctor_detail(session: Session, doctor_id: UUID) -> PlacedDoctor:
    """Raises: NotFound."""
    row = session.execute(
        select(Doctor, Department, Hospital)
        .join(Department, Department.id == Doctor.department_id)
        .join(Hospital, Hospital.id == Doctor.hospital_id)
        .where(Doctor.id == doctor_id)
    ).one_or_none()
    if row is None:
        raise NotFound()
    return PlacedDoctor(*row)


def search(session: Session, question: str) -> Found:
    """What answers best among hospitals, departments and doctors."""
    return Found(
        hospitals=list(list_hospitals(session, HospitalWish(question), cursor=None, limit=FOUND_OF_EACH).items),
        departments=_departments(session, question),
        doctors=_doctors(session, question),
    )


def _departments(session: Session, question: str) -> list[PlacedDepartment]:
    found = answers(Department.search_text, question)
    if found is None:
        return []
    rows = session.execute(
        select(Department, Hospital)
        .join(Hospital, Hospital.id == Department.hospital_id)
        .where(found.match)
        .order_by(found.rank, Department.id)
        .limit(FOUND_OF_EACH)
    )
    return [PlacedDepartment(*row) for row in rows]


def _doctors(session: Session, question: str) -> list[PlacedDoctor]:
    found = answers(Doctor.search_text, question)
    if found is None:
        return []
    rows = session.execute(
        select(Doctor, Department, Hospital)
        .join(Department, Department.id == Doctor.department_id)
        .join(Hospital, Hospital.id == Doctor.hospital_id)
        .where(found.match)
        .order_by(found.rank, Doctor.id)
        .limit(FOUND_OF_EACH)
    )
    return [PlacedDoctor(*row) for row in rows]
