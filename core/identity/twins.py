"""The rows of one human being in one account: two accounts that were joined may both have had them. One row stays, and
whoever was archived in its favour (`Dependent.merged_into_id`) points at it and at nothing between."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from models.person import Dependent


def with_twins(dependents: Iterable[UUID]) -> ColumnElement[bool]:
    """Of dependents that stand, and of whoever was archived in favour of one of them."""
    standing = list(dependents)
    return Dependent.id.in_(standing) | Dependent.merged_into_id.in_(standing)


def rows_of(dependent: Dependent) -> Select[UUID]:
    """The ids of all of one that stands: what hangs on any of them hangs on the human being."""
    return select(Dependent.id).where(with_twins([dependent.id]))
