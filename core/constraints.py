"""The last wall: which unique constraint stands for which refusal.

PostgreSQL names the constraint; SQLite names the columns.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from core.refusals import DependentExists, PersonLimit
from models.errors import DomainError


@dataclass(frozen=True)
class Wall:
    constraint: str
    columns: str
    refusal: type[DomainError]


_WALLS = (
    Wall("uq_appointments_person_schedule", "appointments.person_id, appointments.schedule_id", PersonLimit),
    Wall(
        "uq_appointments_person_department_day",
        "appointments.person_id, appointments.department_id, appointments.visit_date",
        PersonLimit,
    ),
    Wall("uq_dependents_live_person", "dependents.account_id, dependents.person_id", DependentExists),
    Wall("uq_dependents_live_self", "dependents.account_id", DependentExists),
)


def refusal_of(error: IntegrityError) -> DomainError | None:
    """The refusal that a broken constraint stands for, if it is one that a race may break."""
    name = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    text = str(error.orig)
    for wall in _WALLS:
        if name == wall.constraint or text.endswith(f"failed: {wall.columns}"):
            return wall.refusal()
    return None
