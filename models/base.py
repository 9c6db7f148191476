"""The declarative base, the column types and the id that every table shares."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ColumnElement, DateTime, Dialect, Enum, MetaData, Table, Uuid, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator, TypeEngine
from uuid_utils.compat import uuid7

_RANDOM_BITS = 80
"""Behind the milliseconds of a UUIDv7."""


def new_id() -> UUID:
    """A UUIDv7: ours, unique without a sequence, and ordered by the time it was made."""
    return uuid7()


def made_after(one: UUID, other: UUID) -> timedelta:
    """How much later than `other` the id `one` was made."""
    return timedelta(milliseconds=(one.int >> _RANDOM_BITS) - (other.int >> _RANDOM_BITS))


class UTCDateTime(TypeDecorator[datetime]):
    """An aware instant. Naive values are refused, since SQLite would lose their zone silently."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Document(TypeDecorator[Any]):
    """A small JSON document: JSONB on PostgreSQL, text on SQLite."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else JSON())


def word(enum: type[StrEnum]) -> Enum:
    """A closed list of words, stored as varchar and checked here: a new word needs no table rewrite."""
    return Enum(enum, native_enum=False, values_callable=lambda kind: [str(item) for item in kind], length=32)


def canonical_json(value: Any) -> bytes:
    """One byte string per JSON value, for digests."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {UUID: Uuid(), datetime: UTCDateTime()}  # noqa: RUF012 - SQLAlchemy reads a plain dict


def table_of(record: type[Base]) -> Table:
    """The table, for statements that leave the ORM aside."""
    table = record.__table__
    assert isinstance(table, Table)  # noqa: S101 - a class of ours never stands for a join
    return table


def spelled(value: StrEnum) -> ColumnElement[Any]:
    """A word of ours as it stands in the text of a statement that is sent often. What is bound instead is told to the
    database, and a list of it even written into the text, with each execution."""
    return literal_column(f"'{value}'")
