"""A number at a hospital whose money a merchant account of one's choice takes."""

from __future__ import annotations

import secrets
from typing import Any

from cases import Case
from factories import make_department, make_hospital
from stage import Stage


def case_at(stage: Stage, merchant: str, **schedule: Any) -> Case:
    """A number held for payment at a hospital whose money that account takes."""
    with stage.town.database.write() as session:
        hospital = make_hospital(session, code=f"P{secrets.token_hex(4)}", merchant=merchant)
        department_id = make_department(session, hospital).id
    return stage.case(department_id=department_id, **schedule)
