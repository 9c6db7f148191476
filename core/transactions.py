"""One command is one transaction, and what may be run again is run again.

A deadlock, a serialization failure, a lock that did not come in time, a connection lost before COMMIT or a step that
finds its look outdated (`Changed`) runs the whole step again; a known unique constraint becomes its own refusal; a
failed statement never goes on in the same transaction. A step therefore does nothing that a rollback cannot undo, and
calls no platform.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import Row, Select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from core.clock import Clock
from core.constraints import refusal_of
from models.database import CommitUnsure, Database
from models.errors import Unavailable

T = TypeVar("T")
Step = Callable[[Session, datetime], T]

_TRIES = 3
_PAUSE_SECONDS = 0.02
_RUN_AGAIN = frozenset({"40P01", "40001", "55P03"})
# Two transactions made the same new thing at once: the second run finds what the first one made.
_MADE_TWICE = (
    "uq_jobs_open_dedup",
    "uq_platform_identities_",
    "uq_platform_tokens_",
    "uq_person_identifiers_",
    "uq_periodic_jobs_",
    "uq_idempotency_keys_",
    "uq_appointments_number",  # drawn by chance: the next draw is another one
    "uq_platform_events_",
    "uq_vault_keys_",
    "uq_code_gates_",
    "uq_schedules_",
    "uq_bill_days_",
    "uq_bill_differences_",
    "uq_journals_",
    "uq_refund_decisions_",
    "uq_refund_paces_",
    "uq_shipping_reports_",
    "uq_receipts_",
)
_LOCK_TIMEOUT = "55P03"

log = structlog.get_logger()


class Overloaded(Unavailable):
    """Too much at once, or the database cannot be reached: nothing was done, ask again."""

    code = "overloaded"


class OutcomeUnknown(Unavailable):
    """It may have been done. Asking again with the same key tells."""

    code = "outcome_unknown"


class Changed(Exception):
    """What the step had looked at was changed before it had the lock: it runs again and looks anew."""


class Transactions:
    """Runs steps. `write` commits once the step returns; `read` never takes a write lock."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock

    def write(self, step: Step[T], *, planned_once: bool = False) -> T:
        """`planned_once` as of `Database.write`.

        Raises: what the step raises, the refusal behind a unique constraint, Overloaded, OutcomeUnknown."""
        for attempt in range(1, _TRIES + 1):
            try:
                return self._once(step, planned_once=planned_once)
            except DBAPIError as error:
                if not may_run_again(error) or attempt == _TRIES:
                    raise _translated(error) from error
                log.info("command_run_again", attempt=attempt, sqlstate=sqlstate(error))
                time.sleep(random.uniform(0, _PAUSE_SECONDS * attempt))
            except Changed as error:
                if attempt == _TRIES:
                    raise Overloaded() from error
            except PoolTimeout as error:
                raise Overloaded() from error
            except CommitUnsure as error:
                raise OutcomeUnknown() from error
        raise AssertionError("unreachable")

    def _once(self, step: Step[T], *, planned_once: bool) -> T:
        self.clock.now()  # where the clock must be measured, it is before a connection is held
        with self.database.write(planned_once=planned_once) as session:
            return step(session, self.clock.now())

    def read(self, look: Step[T]) -> T:
        """Raises: what `look` raises, Overloaded."""
        with _in_our_words(), self.database.read() as session:
            return look(session, self.clock.now())

    def find(self, query: Select[*tuple[Any, ...]], given: Mapping[str, Any]) -> Row[*tuple[Any, ...]] | None:
        """The one row of a query of columns, or None, in one round trip. Raises: Overloaded."""
        with _in_our_words():
            return self.database.find(query, given)

    def find_all(self, query: Select[*tuple[Any, ...]], given: Mapping[str, Any]) -> Sequence[Row[*tuple[Any, ...]]]:
        """All rows of one. Raises: Overloaded."""
        with _in_our_words():
            return self.database.find_all(query, given)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise Overloaded() from error
    except DBAPIError as error:
        raise _translated(error) from error


def sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's five-character code, or None on SQLite."""
    return getattr(error.orig, "sqlstate", None)


def is_lock_timeout(error: DBAPIError) -> bool:
    return sqlstate(error) == _LOCK_TIMEOUT


def may_run_again(error: DBAPIError) -> bool:
    """Whether the whole step may be tried anew: another one was in the way, or the connection went."""
    if error.connection_invalidated or sqlstate(error) in _RUN_AGAIN or "database is locked" in str(error.orig):
        return True
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None) or ""
    return constraint.startswith(_MADE_TWICE) or str(error.orig).endswith("failed: appointments.number")


def _translated(error: DBAPIError) -> Exception:
    if isinstance(error, IntegrityError):
        return refusal_of(error) or error
    if may_run_again(error) or _is_operational(error):
        return Overloaded()
    return error


def _is_operational(error: DBAPIError) -> bool:
    state = sqlstate(error)
    # Classes: 08 connection, 53 resources, 57 shutdown or statement timeout; no state: never connected.
    return type(error).__name__ == "OperationalError" and (state is None or state[:2] in {"08", "53", "57"})
