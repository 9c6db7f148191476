"""Several new rows in one round trip.

On PostgreSQL the inserts are parts of one statement, and foreign keys are checked at its end; on SQLite, where a round
trip costs nothing, they follow one another. The records stay outside of the session: what they say is written as it
stands, and nothing is read back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import CTE, Select, bindparam, insert
from sqlalchemy.orm import Session

from models.as_read import columns_of
from models.base import Base, table_of
from models.prepared import rows_of

T = TypeVar("T")
_MOST_SHAPES = 64  # which columns have a value: a handful in all

_Shape = tuple[tuple[type[Base], tuple[str, ...]], ...]


def insert_together(session: Session, records: Sequence[Base], *, then: Select[T], given: Mapping[str, Any]) -> T:
    """Insert the rows in their order, and return the one value that `then` reads with what is `given`.

    `then` is made once and used again. It sees the database as it is when the inserts begin."""
    rows = [_row(record) for record in records]
    if session.get_bind().dialect.name != "postgresql":
        for record, row in zip(records, rows, strict=True):
            session.execute(insert(table_of(type(record))), row)
        answer: T = session.execute(then, given).scalar_one()
        return answer
    shape = tuple((type(record), tuple(row)) for record, row in zip(records, rows, strict=True))
    values = {f"r{at}_{name}": value for at, row in enumerate(rows) for name, value in row.items()}
    ((answer,),) = rows_of(session, _statement(shape, then), {**values, **given})
    return answer


def _row(record: Base) -> dict[str, Any]:
    """By column. What has no value is left out, which writes NULL."""
    said = record.__dict__
    return {column: said[name] for name, column in columns_of(type(record)) if said.get(name) is not None}


@lru_cache(maxsize=_MOST_SHAPES)
def _statement(shape: _Shape, then: Select[T]) -> Select[T]:
    return then.add_cte(*(_part(at, record, names) for at, (record, names) in enumerate(shape)))


def _part(at: int, record: type[Base], names: tuple[str, ...]) -> CTE:
    table = table_of(record)
    values = {name: bindparam(f"r{at}_{name}", type_=table.c[name].type) for name in names}
    return insert(table).values(values).cte(f"r{at}")
