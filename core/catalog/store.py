"""Comparing rows of a file with rows of a table: what is new is added, what differs is changed, the rest is left."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.base import Base, new_id

_AT_ONCE = 1000

B = TypeVar("B", bound=Base)
V = TypeVar("V")


@dataclass
class Ids:
    """Ids of the records of one directory, by code."""

    hospitals: Mapping[str, UUID]
    campuses: Mapping[str, UUID] = field(default_factory=dict)
    departments: Mapping[str, UUID] = field(default_factory=dict)
    doctors: Mapping[str, UUID] = field(default_factory=dict)


@dataclass(frozen=True)
class Tally:
    """What became of the rows of one file."""

    added: int = 0
    changed: int = 0
    retired: int = 0
    unchanged: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            added=self.added + other.added,
            changed=self.changed + other.changed,
            retired=self.retired + other.retired,
            unchanged=self.unchanged + other.unchanged,
        )

    @property
    def touched(self) -> int:
        return self.added + self.changed + self.retired


@dataclass(frozen=True)
class Stored(Generic[B]):
    """All wanted rows, and those among them that stood and were changed."""

    rows: list[B]
    changed: list[B]
    tally: Tally


def rows_where(session: Session, model: type[B], column: InstrumentedAttribute[V], values: Iterable[V]) -> Iterator[B]:
    """The rows whose `column` is one of `values`, asked for in portions that every database takes."""
    wanted = sorted(set(values), key=str)
    for at in range(0, len(wanted), _AT_ONCE):
        yield from session.scalars(select(model).where(column.in_(wanted[at : at + _AT_ONCE])))


def store(
    session: Session,
    model: type[B],
    wanted: Sequence[Mapping[str, Any]],
    standing: Iterable[B],
    *,
    key: Callable[[Mapping[str, Any]], Hashable],
    stamp: Mapping[str, Any] | None = None,
) -> Stored[B]:
    """Bring the table to `wanted`, row by row as `key` pairs them, and flush. `stamp` is set where anything is.

    Standing rows that nobody wants stay as they are."""
    before = {key(vars(row)): row for row in standing}
    rows, changed = [], []
    for values in wanted:
        row = before.get(key(values))
        if row is None:
            row = model(id=new_id(), **values, **(stamp or {}))
            session.add(row)
        elif any(getattr(row, column) != value for column, value in values.items()):
            for column, value in {**values, **(stamp or {})}.items():
                setattr(row, column, value)
            changed.append(row)
        rows.append(row)
    session.flush()
    added = sum(1 for values in wanted if key(values) not in before)
    unchanged = len(rows) - added - len(changed)
    return Stored(rows, changed, Tally(added=added, changed=len(changed), unchanged=unchanged))
