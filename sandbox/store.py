"""The state file: one SQLite connection, one lock, short transactions. What was answered has been written."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.schema import ADDED_COLUMNS, TABLES

FILE_NAME = "state.sqlite3"
Tx = sqlite3.Connection
Row = sqlite3.Row


class Store:
    """All that must outlive a restart. Transactions run one after another, so a check and its write are one step."""

    def __init__(self, home: Path) -> None:
        path = home / FILE_NAME
        # SQLite would create the file with the process's umask; its journal files copy this mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = normal")
        self._connection.executescript(TABLES)
        self._complete()

    def _complete(self) -> None:
        """Add what has come since the file was made."""
        for table, column, definition in ADDED_COLUMNS:
            if column not in {row["name"] for row in self.all(f"pragma table_info({table})")}:
                self._connection.execute(f"alter table {table} add column {column} {definition}")

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Hold the only write lock; commit at the end, roll back on any error."""
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def all(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Read rows outside a transaction."""
        with self._lock:
            return self._connection.execute(sql, params).fetchall()

    def one(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        """Read the first row or None."""
        with self._lock:
            return first(self._connection, sql, params)

    def close(self) -> None:
        """Close the file; nothing may use the store afterwards."""
        with self._lock:
            self._connection.close()


def first(tx: Tx, sql: str, params: Sequence[Any] = ()) -> Row | None:
    """The first row inside a transaction, or None."""
    row: Row | None = tx.execute(sql, params).fetchone()
    return row


def read_meta(store: Store, key: str, default: str) -> str:
    """A single remembered value."""
    row = store.one("select value from meta where key = ?", (key,))
    return default if row is None else str(row["value"])


def write_meta(store: Store, key: str, value: str) -> None:
    """Remember a single value."""
    with store.transaction() as tx:
        tx.execute(
            "insert into meta values (?, ?) on conflict (key) do update set value = excluded.value", (key, value)
        )
