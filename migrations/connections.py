"""The connection that a schema change runs on. It is not the one of the application: other locks, other waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection

from models.writer_lock import WriterLock

# A change that waits behind a long transaction makes everybody wait behind it: give up soon and come again.
_POSTGRES_OPTIONS = "-c lock_timeout=2000 -c timezone=UTC"


class BrokenReferences(Exception):
    """After the change some rows point at nothing. It is not kept."""


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """On SQLite the writer lock is held meanwhile, so that nobody meets "database is locked".

    Raises: BrokenReferences."""
    if url.get_backend_name() != "sqlite":
        with _opened(_postgres_engine(url)) as connection:
            yield connection
        return
    if not url.database:
        raise ValueError("SQLite needs a file")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    with WriterLock(Path(f"{url.database}.writer")).held(), _opened(_sqlite_engine(url)) as connection:
        yield connection


@contextmanager
def _opened(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _postgres_engine(url: URL) -> Engine:
    return create_engine(url.set(drivername="postgresql+psycopg"), connect_args={"options": _POSTGRES_OPTIONS})


def _sqlite_engine(url: URL) -> Engine:
    """Foreign keys are not enforced while tables are rebuilt (SQLite would empty the referring ones); they are
    checked as a whole before each commit."""
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        raw: sqlite3.Connection = getattr(connection, "driver_connection", connection)
        raw.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF", "busy_timeout=15000"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine, "commit")
    def _check(connection: Connection) -> None:
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise BrokenReferences(f"{len(broken)} rows, the first in {broken[0][0]}")

    return engine
