"""Writing very much at once: without the indexes that nothing needs meanwhile, and with settings of that hour alone.

Those that hold a rule stay: PostgreSQL reads the conditions of some of them back in other words than it was given. The
others are made from the whole table afterwards, as a restore makes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, text

from bench.checks import settle
from bench.figures import BenchFailed
from bench.house import House

# The log stays bounded, but its bound is not met every half minute. A house whose filling breaks off is thrown away, so
# no page of it need be put together again. What is vacuumed at the end need not be before.
_MEANWHILE = {"max_wal_size": "8GB", "checkpoint_timeout": "30min", "full_page_writes": "off", "autovacuum": "off"}
_HEARD_SECONDS = 1.0
_MAKING = {"maintenance_work_mem": "1GB", "max_parallel_maintenance_workers": "2"}

_PLAIN = """SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = ANY(CAST(CAST(:tables AS text[]) AS regclass[]))
 AND NOT i.indisunique ORDER BY i.indrelid, c.relname"""
_SHAPE = """WITH ours AS (SELECT c.*, c.oid::regclass AS named FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace)
 SELECT concat_ws(' ', relkind, named, relpersistence, reloptions) FROM ours
 UNION ALL SELECT concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid, indisready, indislive)
  FROM pg_index JOIN ours ON oid = indrelid
 UNION ALL SELECT concat_ws(' ', named, conname, pg_get_constraintdef(k.oid), convalidated)
  FROM pg_constraint k JOIN ours ON ours.oid = conrelid
 UNION ALL SELECT concat_ws(' ', pg_get_triggerdef(t.oid), tgenabled) FROM pg_trigger t JOIN ours ON ours.oid = tgrelid
  WHERE NOT tgisinternal
 UNION ALL SELECT concat_ws(' ', named, tgfoid::regproc, tgenabled, count(*)) FROM pg_trigger t
  JOIN ours ON ours.oid = tgrelid WHERE tgisinternal GROUP BY named, tgfoid, tgenabled
 UNION ALL SELECT concat_ws(' ', name, setting) FROM pg_settings WHERE source = 'configuration file'"""


@contextmanager
def in_bulk(house: House, tables: Collection[str], *, say: Callable[[str], None]) -> Iterator[None]:
    """Much is written to `tables`, of which nothing is looked up by what only a plain index finds. Settled at the end.

    Raises: BenchFailed where anything is not afterwards as it was before."""
    before = shape_of(house)
    with _by_itself(house) as connection:
        plain = connection.execute(text(_PLAIN), {"tables": list(tables)}).all()
        _tell(connection, [f"SET {name} = '{value}'" for name, value in _MEANWHILE.items()])
        for name, _ in plain:
            connection.exec_driver_sql(f"DROP INDEX {name}")
    yield
    with _by_itself(house) as connection:
        connection.exec_driver_sql("VACUUM")  # first: whoever reads a row first writes beside it that it is committed
        say("vacuumed")
        for name, value in _MAKING.items():
            connection.exec_driver_sql(f"SET {name} = '{value}'")
        for _, definition in plain:
            connection.exec_driver_sql(definition)
        connection.exec_driver_sql("RESET ALL")
        say(f"{len(plain)} indexes are back")
        settle(house)
        say("settled")
        _tell(connection, [f"RESET {name}" for name in _MEANWHILE])
    require_shape(house, before)


def shape_of(house: House) -> frozenset[str]:
    """Tables, indexes, constraints and triggers, whether they are in force, and what the server was told."""
    with house.database.read() as session:
        return frozenset(session.scalars(text(_SHAPE)))


def require_shape(house: House, expected: frozenset[str]) -> None:
    """Raises: BenchFailed."""
    found = shape_of(house)
    if found != expected:
        raise BenchFailed(f"missing: {sorted(expected - found)}; not wanted: {sorted(found - expected)}")


def _by_itself(house: House) -> Connection:
    """Whose statements are transactions of their own."""
    return house.database.engine.execution_options(isolation_level="AUTOCOMMIT").connect()


def _tell(connection: Connection, changes: Sequence[str]) -> None:
    """The whole server, which hears it a moment later."""
    for change in changes:
        connection.exec_driver_sql(f"ALTER SYSTEM {change}")
    connection.exec_driver_sql("SELECT pg_reload_conf()")
    time.sleep(_HEARD_SECONDS)
