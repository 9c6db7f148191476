"""Counts refused bookings, exchanges and bundles by schedule and code, for the fairness report.

Counted in memory, so that a rush of refusals costs no statement, and written every few seconds by one thread of each
web process. A process that is killed loses the last few: the report says "at least", and no decision hangs on it.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from flask import Flask, Response, g, request
from sqlalchemy.orm import Session

from core.booking.watch.fairness import Tally, add_refusals, known_schedules
from core.transactions import Transactions
from miniapp_api.patient.appointments import BOOKING_REFUSALS
from miniapp_api.services import EXTENSION as SERVICES

EXTENSION = "yuezhen-refused"
_BOOKING = frozenset(
    {"appointments.create_appointment", "appointments.reschedule_own_appointment", "bundles.create_bundle"}
)
_RULES = frozenset(refusal.code for refusal in BOOKING_REFUSALS)
_MOST_KEYS = 10_000
_PAUSE_SECONDS = 2.0

log = structlog.get_logger()


class RefusedBookings:
    """What was refused in this process since it was last written."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._guard = threading.Lock()
        self._counted: Counter[tuple[UUID, str]] = Counter()

    def count(self, schedule_id: UUID, code: str) -> None:
        with self._guard:
            if len(self._counted) < _MOST_KEYS or (schedule_id, code) in self._counted:
                self._counted[schedule_id, code] += 1

    def write(self) -> None:
        """Add what was counted to the table. Where that fails it is kept for the next time."""
        with self._guard:
            counted, self._counted = self._counted, Counter()
        if not counted:
            return
        try:
            self._transactions.write(lambda session, now: _add(session, now, counted))
        except Exception:
            log.warning("refusals_not_written", exc_info=True)
            with self._guard:
                self._counted.update(counted)

    def keep_writing(self, stop: threading.Event) -> None:
        """Every few seconds until `stop` is set, and once more then."""
        while not stop.wait(_PAUSE_SECONDS):
            self.write()
        self.write()

    def start(self) -> threading.Event:
        """Write in a thread of its own; set what is returned to end it."""
        stop = threading.Event()
        threading.Thread(target=self.keep_writing, args=(stop,), name="refused-bookings", daemon=True).start()
        return stop


def register(app: Flask) -> None:
    """Count what `app` refuses. Nothing is written until somebody starts it."""
    refused = RefusedBookings(app.extensions[SERVICES].workbench.transactions)
    app.extensions[EXTENSION] = refused

    @app.after_request
    def heard(response: Response) -> Response:
        code = g.get("problem_code")
        if code in _RULES and request.endpoint in _BOOKING:
            for schedule_id in _asked_for(request.get_json(silent=True)):
                refused.count(schedule_id, code)
        return response


def _asked_for(body: Any) -> set[UUID]:
    """The half days that were wanted, each once, however many of a family want it; none where a body is not in order,
    which a rule may refuse all the same."""
    try:
        return {UUID(one["schedule_id"]) for one in body.get("items", [body])}
    except (KeyError, TypeError, ValueError, AttributeError):
        return set()


def _add(session: Session, _now: datetime, counted: Tally) -> None:
    known = known_schedules(session, {schedule_id for schedule_id, _ in counted})
    add_refusals(session, {key: times for key, times in counted.items() if key[0] in known})
