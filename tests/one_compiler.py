"""What SQLAlchemy compiled for one test's engine is good for the next one's.

Each test has a database of its own, and so an engine; compiling every statement anew for each was a fifth of the whole
run. A compiled statement is kept under its dialect, which is compared by identity: here two of one kind that met the
same server are one.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.util import LRUCache

_STATEMENTS = 2_000


def compile_once(patch: pytest.MonkeyPatch) -> None:
    """For every engine that a `Database` opens from here on."""
    compiled: LRUCache[Any, Any] = LRUCache(_STATEMENTS)

    def opened(*told: Any, **how: Any) -> Engine:
        engine = create_engine(*told, **how)
        engine._compiled_cache = compiled
        return engine

    patch.setattr("models.database.create_engine", opened)
    for kind in (PGDialect_psycopg, SQLiteDialect_pysqlite):
        patch.setattr(kind, "__eq__", _is_alike)
        patch.setattr(kind, "__hash__", _by_kind)


def _is_alike(one: Dialect, other: object) -> bool:
    return type(one) is type(other) and _traits(one) == _traits(other)


def _by_kind(one: Dialect) -> int:
    return hash(type(one))


def _traits(dialect: Any) -> tuple[object, ...]:
    return dialect.server_version_info, dialect.paramstyle
