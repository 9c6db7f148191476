"""Entities of the ORM that were not loaded by it: made here, or out of the columns of a statement that is sent as it is
(`models/prepared.py`). In the session they are as those are that it has read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import inspect
from sqlalchemy.orm import Session, make_transient_to_detached
from sqlalchemy.orm.attributes import instance_dict, set_committed_value
from sqlalchemy.orm.util import identity_key

from models.base import Base, table_of

R = TypeVar("R", bound=Base)


def keep_as_read(session: Session, record: R) -> R:
    """Of a record whose row was written past the session, and which has a value for every column."""
    make_transient_to_detached(record)
    session.add(record)
    return record


@cache
def columns_of(record: type[Base]) -> tuple[tuple[str, str], ...]:
    """The name of each attribute that is a column, with the name of that."""
    return tuple((one.key, one.columns[0].name) for one in inspect(record).column_attrs)


class Whole(Generic[R]):
    """All columns of a record, side by side in a statement, and the record that a row of it is. Its key is its `id`."""

    def __init__(self, record: type[R]) -> None:
        names = columns_of(record)
        self.columns = tuple(table_of(record).c[column] for _, column in names)
        self._record, self._manager = record, inspect(record).class_manager
        self._names = tuple(name for name, _ in names)

    def read(self, session: Session, values: Sequence[Any]) -> R:
        """Out of the values of `columns`. Where the session has the record already, it is as it was read now."""
        said = dict(zip(self._names, values, strict=True))
        known = cast("R | None", session.identity_map.get(identity_key(self._record, said["id"])))
        if known is None:
            known = cast("R", self._manager.new_instance())
            instance_dict(known).update(said)
            return keep_as_read(session, known)
        for name, value in said.items():
            set_committed_value(known, name, value)
        return known
