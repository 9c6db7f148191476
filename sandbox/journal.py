"""The log of platform calls: a call is written down when it arrives, before anything is done about it."""

from sandbox.clock import Clock
from sandbox.store import Store, first

LONGEST_NUMBER = 128


class Journal:
    """Shows a test that a call had arrived, even when its caller was killed before the answer."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def arrived(self, operation: str, method: str, path: str, number: str | None) -> int:
        """Write the call down; `count` says how many of this operation and number there have been."""
        with self._store.transaction() as tx:
            number = None if number is None else number[:LONGEST_NUMBER]
            seen = first(
                tx,
                "select count from calls where operation = ? and number is ? order by id desc limit 1",
                (operation, number),
            )
            count = (seen["count"] if seen else 0) + 1
            added = tx.execute(
                "insert into calls (at, operation, method, path, number, count) values (?, ?, ?, ?, ?, ?)",
                (self._clock.now(), operation, method, path, number, count),
            )
            return int(added.lastrowid or 0)

    def answered(self, call: int, caller: str | None, status: str) -> None:
        """Add how the call ended: the HTTP status, or `dropped`."""
        with self._store.transaction() as tx:
            tx.execute(
                "update calls set caller = ?, status = ?, answered_at = ? where id = ?",
                (caller, status, self._clock.now(), call),
            )
