"""Statements that are sent as they are. What SQLAlchemy and the driver do around a statement costs several times what
sending it does, and a few are sent with every request: those are spelled once, and prepared once on each connection of
the pool. Everything else goes the ordinary way, as all of it does on SQLite.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import psycopg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.types.numeric import Int8
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError, MultipleResultsFound
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.expression import CompoundSelect, Select, UpdateBase

Statement = Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]] | UpdateBase
_Convert = Callable[[Any], Any] | None
_MOST_STATEMENTS = 256
_NAMES = "names of prepared statements"
_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
PLANNED_ONCE = "plan_cache_mode=force_generic_plan"
"""What PostgreSQL is told, not to plan a statement for its values."""
_BEGIN, _BEGIN_PLANNED_ONCE = "BEGIN", f"BEGIN; SET LOCAL {PLANNED_ONCE}"
CONNECTION = "connection of the transaction"
"""Under which name a session tells it: to ask for it costs as much as a small statement."""
_NOT_ACCEPTED = ("0A000", "26000")
_WELL = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class Prepared:
    """A statement that is made once and returns columns. Each of its parameters stands for one value."""

    def __init__(self, statement: Statement) -> None:
        """Raises: ValueError."""
        spelled = statement.compile(dialect=_DIALECT)
        self.text, self._order = spelled.string, tuple(spelled.positiontup or ())
        if "POSTCOMPILE" in self.text:
            raise ValueError("a parameter that stands for a list is spelled anew for each")
        self._own = spelled.params
        self._to_send = {name: _writer(one.type) for name, one in spelled.binds.items()}
        self._columns = list(statement.exported_columns)
        self._make_row = _row_of([str(one.key) for one in self._columns])
        self._to_read: list[_Convert] | None = None  # known with the first result

    def rows(self, pooled: PoolProxiedConnection, given: Mapping[str, Any], *, in_transaction: bool) -> list[Any]:
        """In a transaction, which is begun where the connection is in none; or by itself. Raises: DBAPIError."""
        try:
            result, loaded = self._send(pooled, given, in_transaction=in_transaction)
        except psycopg.Error as error:
            raise _told_as_ever(pooled.driver_connection, self.text, error) from error
        converts = self._to_read = self._to_read or self._readers(result)
        return [
            self._make_row(*[one if by is None else by(one) for one, by in zip(row, converts, strict=True)])
            for row in loaded
        ]

    def _send(
        self, pooled: PoolProxiedConnection, given: Mapping[str, Any], *, in_transaction: bool
    ) -> tuple[pq.abc.PGresult, list[tuple[Any, ...]]]:
        """What came back, and its values as the driver reads them. Raises: psycopg.Error."""
        raw: Any = pooled.driver_connection
        transformer = Transformer(raw)
        values = [self._sent(name, given) for name in self._order]
        sent = transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
        if in_transaction and raw.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            _checked(raw.pgconn.exec_(_BEGIN.encode()))  # as the driver does before the first statement it sends
        name = self._name_on(pooled, transformer.types)
        result = _checked(raw.pgconn.exec_prepared(name, sent, transformer.formats, pq.Format.BINARY))
        transformer.set_pgresult(result)
        return result, transformer.load_rows(0, result.ntuples, tuple)

    def _sent(self, name: str, given: Mapping[str, Any]) -> Any:
        value, convert = given[name] if name in given else self._own[name], self._to_send[name]
        value = value if convert is None else convert(value)
        return Int8(value) if type(value) is int else value  # else a number's type would be as long as it is

    def _readers(self, result: pq.abc.PGresult) -> list[_Convert]:
        return [_reader(one.type, result.ftype(at)) for at, one in enumerate(self._columns)]

    def _name_on(self, pooled: PoolProxiedConnection, types: Any) -> bytes:
        """Prepared for values of these types: one that is not given has none."""
        names = pooled.info.setdefault(_NAMES, {})
        name: bytes | None = names.get((self, types))
        if name is None:
            name = b"yuezhen_%d" % len(names)
            raw: Any = pooled.driver_connection
            _checked(raw.pgconn.prepare(name, self.text.encode(), types))
            names[self, types] = name
        return name


@lru_cache(maxsize=_MOST_STATEMENTS)
def prepared(statement: Statement) -> Prepared:
    """Of a statement that is made once. Raises: ValueError where a parameter stands for a list."""
    return Prepared(statement)


class _Sent(NamedTuple):
    """What a listener may ask of a cursor: how many rows came back, or were changed."""

    rowcount: int


def rows_of(session: Session, statement: Statement, given: Mapping[str, Any]) -> list[Any]:
    """In the transaction of the session, which first writes what it has not written yet. Raises: DBAPIError."""
    session.flush()
    connection = session.info.get(CONNECTION) or session.connection()
    if connection.dialect.name != "postgresql":
        return list(connection.execute(statement, given))
    wanted, heard = prepared(statement), connection.dispatch
    for listener in heard.before_cursor_execute:
        listener(connection, None, wanted.text, given, None, False)
    try:
        rows = wanted.rows(connection.connection, given, in_transaction=True)
    except DBAPIError as error:
        _leave_if_lost(connection, error)
        raise
    for listener in heard.after_cursor_execute:
        listener(connection, _Sent(len(rows)), wanted.text, given, None, False)
    return rows


def row_of(session: Session, statement: Statement, given: Mapping[str, Any]) -> Any:
    """The one row, or None. Raises: DBAPIError, MultipleResultsFound."""
    return only(rows_of(session, statement, given))


def only(rows: Sequence[Any]) -> Any:
    """The one row, or None. Raises: MultipleResultsFound."""
    if len(rows) > 1:
        raise MultipleResultsFound("more than one row")
    return rows[0] if rows else None


def begin_planned_once(connection: Connection) -> None:
    """Begin its transaction as one whose statements are planned once for all values. Raises: DBAPIError."""
    raw: Any = connection.connection.driver_connection
    try:
        _checked(raw.pgconn.exec_(_BEGIN_PLANNED_ONCE.encode()))
    except psycopg.Error as error:
        told = _told_as_ever(raw, _BEGIN_PLANNED_ONCE, error)
        _leave_if_lost(connection, told)
        raise told from error


def _row_of(names: list[str]) -> Callable[..., Any]:
    return namedtuple("Row", names, rename=True)


def _writer(kind: Any) -> _Convert:
    by: _Convert = kind.dialect_impl(_DIALECT).bind_processor(_DIALECT)
    return by


def _reader(kind: Any, sent_as: int) -> _Convert:
    by: _Convert = kind.dialect_impl(_DIALECT).result_processor(_DIALECT, sent_as)
    return by


def _told_as_ever(raw: Any, text: str, error: psycopg.Error) -> DBAPIError:
    """As SQLAlchemy tells what the driver says. A connection whose prepared statements are no longer accepted, since a
    column was changed meanwhile, counts as lost."""
    is_lost = raw.pgconn.status != pq.ConnStatus.OK or error.sqlstate in _NOT_ACCEPTED
    told = DBAPIError.instance(
        text, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=is_lost, dialect=_DIALECT
    )
    return cast("DBAPIError", told)


def _leave_if_lost(connection: Connection, error: DBAPIError) -> None:
    """Nobody gets a lost connection again, nor any that is as old: they are lost together."""
    if error.connection_invalidated:
        connection.engine.pool._invalidate(connection.connection, error)
        connection.invalidate(error)


def _checked(result: Any) -> Any:
    """Raises: psycopg.Error."""
    if result.status not in _WELL:
        raise error_from_result(result)
    return result
