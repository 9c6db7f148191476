"""One database: its engine, and the two ways to open a session, `write` and `read`.

PostgreSQL runs READ COMMITTED with explicit row locks and short timeouts. SQLite runs in WAL with BEGIN IMMEDIATE
behind one writer lock, since Python's driver would otherwise open transactions late and lose updates silently.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import _queries as driver_queries
from sqlalchemy import Engine, Row, Select, create_engine, event, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from models.prepared import CONNECTION, PLANNED_ONCE, begin_planned_once, only, prepared
from models.writer_lock import WriterLock

# A connection past the pool's size is closed after use: the next one starts with cold caches and nothing prepared. So
# the pool has one for each thread of a web process, and the spare ones are for the clock.
_SPARE, _LOOKS = 4, 4
_SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000")

# The driver remembers how it took a query apart, but not of one longer than this, since some programs write each of
# theirs anew. Ours are few and made once, and the longest one, the rows of a booking, is sent with every booking.
driver_queries.MAX_CACHED_STATEMENT_LENGTH = 32_768
driver_queries.MAX_CACHED_STATEMENT_PARAMS = 512


class CommitUnsure(Exception):
    """COMMIT returned with a warning, or the connection broke in it: the outcome is unknown until asked again."""


@dataclass(frozen=True)
class Timeouts:
    """What one role may wait for, in milliseconds."""

    lock: int = 300
    statement: int = 2_000
    idle_in_transaction: int = 2_000


class Database:
    """The engine with its two doors. `write` is one transaction; `read` never takes a write lock."""

    def __init__(self, url: str, *, timeouts: Timeouts | None = None, pool_size: int = 16) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = self._looks = _sqlite_engine(self.url)
        else:
            waits = timeouts or Timeouts()
            self.engine = _postgres_engine(self.url, waits, pool_size=pool_size, spare=_SPARE)
            # For `find` alone, of which each takes a moment.
            self._looks = _postgres_engine(self.url, waits, pool_size=_LOOKS, spare=0, more=f" -c {PLANNED_ONCE}")
        self._readers = self.engine.execution_options(read_only=True) if self.is_sqlite else self.engine
        # One statement is a transaction by itself: neither BEGIN nor ROLLBACK is sent around it.
        self._finders = self._readers if self.is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._sessions = sessionmaker(expire_on_commit=False)
        self._writer = WriterLock(Path(f"{self.url.database}.writer")) if self.is_sqlite else None

    @contextmanager
    def write(self, *, planned_once: bool = False) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises. `planned_once` is for the one
        that is run most: PostgreSQL does not plan its statements for their values (docs/decisions/0053).

        Raises: CommitUnsure."""
        if self._writer is None:
            with self._transaction(planned_once=planned_once) as session:
                yield session
        else:
            with self._writer.held(), self._transaction() as session:
                yield session

    @contextmanager
    def _transaction(self, *, planned_once: bool = False) -> Iterator[Session]:
        with self._sessions(bind=self.engine) as session:
            connection = session.info[CONNECTION] = session.connection()
            if planned_once:
                begin_planned_once(connection)
            yield session
            session.flush()
            warnings = _commit_warnings(connection)
            warnings.clear()
            try:
                session.commit()
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise CommitUnsure("connection lost in COMMIT") from error
                raise
            if warnings:
                raise CommitUnsure(warnings[0])

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for looking only; whatever was changed in it is rolled back."""
        with self._sessions(bind=self._readers) as session:
            yield session  # closing rolls back and, unlike rollback(), leaves loaded rows readable

    def find(self, query: Select[*tuple[Any, ...]], given: Mapping[str, Any]) -> Row[*tuple[Any, ...]] | None:
        """The one row of a query of columns that is made once, or None: a third of the round trips of a `read`."""
        found: Row[*tuple[Any, ...]] | None = only(self.find_all(query, given))
        return found

    def find_all(self, query: Select[*tuple[Any, ...]], given: Mapping[str, Any]) -> Sequence[Row[*tuple[Any, ...]]]:
        """As `find`, all rows of it."""
        if self.is_sqlite or self.engine.dispatch.after_cursor_execute or self.engine.dispatch.before_cursor_execute:
            with self._finders.connect() as connection:
                return connection.execute(query, given).all()
        try:
            return self._looked(query, given)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            return self._looked(query, given)

    def _looked(self, query: Select[*tuple[Any, ...]], given: Mapping[str, Any]) -> Sequence[Row[*tuple[Any, ...]]]:
        pooled = self._looks.raw_connection()
        try:
            return prepared(query).rows(pooled, given, in_transaction=False)
        except DBAPIError as error:
            if error.connection_invalidated:  # and so are those of its age
                self._looks.pool._invalidate(pooled, error)
            raise
        finally:
            pooled.close()

    def close(self) -> None:
        self.engine.dispose()
        self._looks.dispose()


def give_time(session: Session, *, seconds: int) -> None:
    """For work that nobody waits for: a statement of this transaction may take so long. What holds up others, waiting
    for a lock, stays as short as it is."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SET LOCAL statement_timeout = {seconds * 1000:d}"))
        session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = {seconds * 1000:d}"))


def _commit_warnings(connection: Connection) -> list[str]:
    warnings: list[str] = connection.info.setdefault("warnings", [])
    return warnings


def _sqlite_engine(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ValueError("SQLite needs a file: the writer lock stands beside it")
    engine = create_engine(url, pool_size=16, max_overflow=64, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        raw: sqlite3.Connection = (
            connection.driver_connection if hasattr(connection, "driver_connection") else connection
        )
        raw.isolation_level = None
        for pragma in _SQLITE_PRAGMAS:
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _postgres_engine(url: URL, timeouts: Timeouts, *, pool_size: int, spare: int, more: str = "") -> Engine:
    options = (
        f"-c lock_timeout={timeouts.lock} -c statement_timeout={timeouts.statement} "
        f"-c idle_in_transaction_session_timeout={timeouts.idle_in_transaction} -c timezone=UTC{more}"
    )
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=min(pool_size, spare),
        pool_timeout=3,
        hide_parameters=True,  # an error's text must not carry what was bound
        connect_args={"options": options, "connect_timeout": 3},
    )

    @event.listens_for(engine, "connect")
    def _hear_warnings(connection: Any, record: Any) -> None:
        # A cancelled wait for a standby ends COMMIT with success and only a WARNING: that must not count as success.
        def heard(diagnostic: Any) -> None:
            if diagnostic.severity_nonlocalized == "WARNING":
                record.info.setdefault("warnings", []).append(diagnostic.message_primary or "warning")

        connection.add_notice_handler(heard)

    @event.listens_for(engine, "connect")
    def _keep_prepared_statements(connection: Any, _record: Any) -> None:
        # Rolling back, the driver also drops every prepared statement, in case one stands for a table that is undone
        # with it. Here no schema is changed, and each read and each refusal ends with a rollback.
        connection._prepared.clear = lambda: False

    return engine
