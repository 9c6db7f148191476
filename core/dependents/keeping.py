"""What may still be kept of somebody who has taken their record over (decision 0029)."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from core.dependents.agreements import has_agreed
from models.errors import FieldError, ValidationFailed
from models.person import Dependent


def refuse_more_of_handed_over(session: Session, dependent: Dependent, told: Collection[str]) -> None:
    """Nothing more without their agreement. Their phone may be put right: by it they are asked.

    Raises: ValidationFailed, at each field that was told."""
    if told and dependent.handed_over_at is not None and not has_agreed(session, dependent):
        raise ValidationFailed(*(FieldError(f"#/{name}", "handed_over") for name in sorted(told)))
