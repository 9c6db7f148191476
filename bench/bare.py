"""The yardstick: the rows of one booking in bare SQL, one transaction each, over a share of the connections.

idempotency key → lock account → lock person → take the first free number → charge → appointment → charge line →
both event rows → job → the key with its reply. Prepared statements, every value made beforehand, nothing else.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from uuid_utils import uuid7

_KEY = (
    "INSERT INTO idempotency_keys (id, account_id, key, fingerprint, state, created_at, expires_at) "
    "VALUES (%(key_id)s, %(account_id)s, %(key)s, %(fingerprint)s, 'running', %(now)s, %(forget_at)s) "
    "ON CONFLICT (account_id, key) DO NOTHING RETURNING id"
)
_ACCOUNT = "SELECT id FROM accounts WHERE id = %(account_id)s FOR NO KEY UPDATE"
_PERSON = "SELECT id FROM persons WHERE id = %(person_id)s FOR NO KEY UPDATE"
_SLOT = (
    "UPDATE slots SET status = 'held', moved = moved + 1 WHERE status = 'free' AND id = "
    "(SELECT id FROM slots WHERE schedule_id = %(schedule_id)s AND status = 'free' "
    "ORDER BY sequence LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id"
)
_CHARGE = (
    "INSERT INTO charges (id, hospital_id, account_id, currency, created_at) "
    "VALUES (%(charge_id)s, %(hospital_id)s, %(account_id)s, 'CNY', %(now)s)"
)
_APPOINTMENT = (
    "INSERT INTO appointments (id, number, hospital_id, account_id, dependent_id, person_id, department_id, "
    "schedule_id, slot_id, charge_id, visit_date, status, moved, awaiting_payment, awaiting_hospital, pay_mode, "
    "payer_kind, fee_fen, hold_expires_at, close_by, cancel_before, terms, one_per_department_day, beside_replaced, "
    "created_at) VALUES (%(id)s, %(number)s, %(hospital_id)s, %(account_id)s, %(dependent_id)s, %(person_id)s, "
    "%(department_id)s, %(schedule_id)s, %(slot_id)s, %(charge_id)s, %(visit_date)s, 'pending', 1, true, false, "
    "'online', 'self_pay', %(fee_fen)s, %(hold_until)s, %(close_by)s, %(cancel_before)s, %(terms)s, true, false, "
    "%(now)s)"
)
_LINE = (
    "INSERT INTO charge_lines (id, hospital_id, charge_id, appointment_id, kind, leg, amount_fen, legal_basis) "
    "VALUES (%(line_id)s, %(hospital_id)s, %(charge_id)s, %(id)s, 'registration', 'self_pay', %(fee_fen)s, "
    "'hospital price list')"
)
_EVENTS = (
    "INSERT INTO state_events (id, machine, record_id, seq, hospital_id, at, from_status, to_status, actor, actor_id, "
    "cause_kind, cause_id) VALUES "
    "(%(slot_event_id)s, 'slot', %(slot_id)s, 1, %(hospital_id)s, %(now)s, 'free', 'held', 'account', %(actor_id)s, "
    "'request', %(cause_id)s), "
    "(%(event_id)s, 'appointment', %(id)s, 1, %(hospital_id)s, %(now)s, NULL, 'pending', 'account', %(actor_id)s, "
    "'request', %(cause_id)s)"
)
_JOB = (
    "INSERT INTO jobs (id, kind, payload, dedup, run_at, created_at, attempts, lease_no) "
    "VALUES (%(job_id)s, 'end_hold', %(payload)s, %(dedup)s, %(hold_until)s, %(now)s, 0, 0)"
)
_REPLY = (
    "UPDATE idempotency_keys SET state = 'done', lease_until = NULL, reply_status = 201, reply_sealed = %(reply)s, "
    "expires_at = %(forget_at)s WHERE id = %(key_id)s"
)
_AFTER_SLOT = (_CHARGE, _APPOINTMENT, _LINE, _EVENTS, _JOB, _REPLY)
_MADE_IDS = ("key_id", "charge_id", "line_id", "slot_event_id", "event_id", "job_id")


def _values(booking: dict[str, Any], reply_bytes: int) -> dict[str, Any]:
    """Every value of one booking but the number it will get."""
    now, appointment_id = datetime.now(UTC), str(uuid7())
    made = {name: str(uuid7()) for name in _MADE_IDS}
    hold_until = now + timedelta(minutes=15)
    return {
        **booking,
        **made,
        "id": appointment_id,
        "number": f"B{made['event_id']}",
        "key": made["job_id"],
        "fingerprint": os.urandom(16),
        "reply": os.urandom(reply_bytes),
        "now": now,
        "forget_at": now + timedelta(days=7),
        "hold_until": hold_until,
        "close_by": hold_until + timedelta(minutes=30),
        "actor_id": booking["account_id"],
        "cause_id": made["line_id"],
        "dedup": f"end_hold:{appointment_id}",
        "payload": json.dumps({"appointment_id": appointment_id}),
    }


class _Writers:
    """`connections` threads, each with its own connection, until the bookings are used up."""

    def __init__(self, url: str, connections: int, bookings: list[dict[str, Any]]) -> None:
        self.latencies: list[float] = []
        self._waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for booking in bookings:
            self._waiting.put(booking)
        self._go = threading.Event()
        self._connections = [psycopg.connect(url, prepare_threshold=0) for _ in range(connections)]
        self._threads = [threading.Thread(target=self._work, args=(one,), daemon=True) for one in self._connections]
        for thread in self._threads:
            thread.start()

    def run(self) -> tuple[float, float]:
        """When it began and ended, on the clock that all processes share."""
        began = time.monotonic()
        self._go.set()
        for thread in self._threads:
            thread.join()
        return began, time.monotonic()

    def _work(self, connection: psycopg.Connection[Any]) -> None:
        self._go.wait()
        with connection, connection.cursor() as cursor:
            while True:
                try:
                    booking = self._waiting.get_nowait()
                except queue.Empty:
                    return
                began = time.monotonic()
                _book(cursor, booking)
                connection.commit()
                self.latencies.append(time.monotonic() - began)


def _book(cursor: psycopg.Cursor[Any], booking: dict[str, Any]) -> None:
    for statement in (_KEY, _ACCOUNT, _PERSON):
        cursor.execute(statement, booking).fetchone()
    taken = cursor.execute(_SLOT, booking).fetchone()
    if taken is None:
        raise LookupError("no number is free")
    booking["slot_id"] = taken[0]
    for statement in _AFTER_SLOT:
        cursor.execute(statement, booking)


def main() -> None:
    """Job: url, connections, bookings (ids and facts of each), reply_bytes (the size of a sealed reply)."""
    job = json.loads(sys.stdin.readline())
    writers = _Writers(
        job["url"], job["connections"], [_values(booking, job["reply_bytes"]) for booking in job["bookings"]]
    )
    print("ready", flush=True)
    sys.stdin.readline()
    began, ended = writers.run()
    print(json.dumps([began, ended, writers.latencies]), flush=True)


if __name__ == "__main__":
    main()
