"""Sending notices: one attempt, its signature, its answer, and the retry schedule (protocol section 4.7)."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests

from sandbox.context import Sandbox
from sandbox.faults import CONTENT_KINDS, SIGNATURE_KINDS, Fault, load_fault
from sandbox.keys import Merchant
from sandbox.store import Row, Tx
from sandbox.wechat_pay.errors import OK, request_id
from sandbox.wechat_pay.signing import signature_headers

MINUTE, HOUR = 60, 3600
#: The pauses after the first send: 15 retries within 24 h 4 min.
SCHEDULE = (
    15,
    15,
    30,
    3 * MINUTE,
    10 * MINUTE,
    20 * MINUTE,
    30 * MINUTE,
    30 * MINUTE,
    30 * MINUTE,
    60 * MINUTE,
    3 * HOUR,
    3 * HOUR,
    3 * HOUR,
    6 * HOUR,
    6 * HOUR,
)
LIMIT = 5.0
ACCEPTED = (200, 204)
ANSWER_KEPT = 500


@dataclass(frozen=True)
class Attempt:
    """What came of one send."""

    at: float
    status: int | None
    answer: str | None
    error: str | None
    elapsed_ms: int

    @property
    def accepted(self) -> bool:
        """200 or 204 in time; nothing else stops the retries."""
        return self.error is None and self.status in ACCEPTED


def post(url: str, headers: dict[str, str], body: bytes, at: float) -> Attempt:
    """Send one message over a connection of its own; the receiver has five seconds."""
    start = time.monotonic()
    status: int | None = None
    answer: str | None = None
    error: str | None = None
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.post(
                url,
                data=body,
                headers={**headers, "Connection": "close"},
                timeout=LIMIT,
                allow_redirects=False,
                stream=True,
            ) as reply:
                status = reply.status_code
                answer = reply.raw.read(ANSWER_KEPT, decode_content=True).decode("utf-8", "replace")
    except Exception as problem:  # whatever a receiver does to us, the attempt has failed and will be repeated
        error = type(problem).__name__
    elapsed = time.monotonic() - start
    if error is None and elapsed > LIMIT:
        error = "TooSlow"
    return Attempt(at, status, answer, error, round(elapsed * 1000))


def notice_headers(sandbox: Sandbox, merchant: Merchant, body: bytes, fault: Fault | None) -> dict[str, str]:
    """The headers of one send, with a fresh stamp, nonce and signature."""
    spoilt = fault if fault is not None and fault.kind in SIGNATURE_KINDS else None
    return {
        "Content-Type": "application/json",
        "Accept": "*/*",
        "User-Agent": "Mozilla/4.0",
        "Pragma": "no-cache",
        "Request-ID": request_id(OK),
        **signature_headers(sandbox.keys, merchant, body, spoilt),
    }


def send_copies(
    sandbox: Sandbox, notice: Row, fault: Fault | None, copies: int, *, concurrently: bool
) -> list[Attempt]:
    """Send a notice some times, each copy signed for itself."""
    false = fault is not None and fault.kind in CONTENT_KINDS
    merchant = sandbox.keys.merchant(notice["signer"] if false else notice["mchid"])
    if merchant is None:
        return []
    body: bytes = notice["fault_body"] if false else notice["body"]

    def send() -> Attempt:
        return post(notice["url"], notice_headers(sandbox, merchant, body, fault), body, sandbox.clock.now())

    return spread(send, copies, concurrently=concurrently)


def spread(send: Callable[[], Attempt], copies: int, *, concurrently: bool) -> list[Attempt]:
    """Send some times, all at once or one after another."""
    if not concurrently or copies == 1:
        return [send() for _ in range(copies)]
    with ThreadPoolExecutor(copies) as pool:
        return [sent.result() for sent in [pool.submit(send) for _ in range(copies)]]


def deliver(sandbox: Sandbox, event_id: str) -> None:
    """Make the attempt that is due, and plan the next one."""
    # Asked again here: a notice that was in the queue twice must not be sent before its next turn.
    notice = sandbox.store.one("select * from notices where id = ? and next_at <= ?", (event_id, sandbox.clock.now()))
    if notice is None:
        return
    fault = fault_of_attempt(notice)
    duplicate = fault is not None and fault.kind == "duplicate"
    copies = int(fault.params.get("copies", 2)) if fault is not None and duplicate else 1
    attempts = send_copies(sandbox, notice, fault, copies, concurrently=duplicate)
    with sandbox.store.transaction() as tx:
        _record(tx, event_id, attempts, fault, resent=False)
        _plan(tx, sandbox, notice, any(attempt.accepted for attempt in attempts))
        _release_held(tx, sandbox, notice)
    sandbox.wake()


def resend(sandbox: Sandbox, event_id: str, copies: int, *, concurrently: bool) -> list[Attempt] | None:
    """Send a genuine notice again, now; None where there is no such notice."""
    notice = sandbox.store.one("select * from notices where id = ?", (event_id,))
    if notice is None:
        return None
    attempts = send_copies(sandbox, notice, None, copies, concurrently=concurrently)
    with sandbox.store.transaction() as tx:
        _record(tx, event_id, attempts, None, resent=True)
        if any(attempt.accepted for attempt in attempts):
            _finish(tx, event_id, "delivered")
    return attempts


def fault_of_attempt(notice: Row) -> Fault | None:
    """The fault of the attempt that is due.

    A spoilt signature spoils the first attempt only, as the platform's own probe does; false content stays false; a
    duplicate is one burst. `attempts` in the script says otherwise.
    """
    fault = load_fault(notice["fault"])
    if fault is None:
        return None
    lasts = fault.params.get("attempts", None if fault.kind in CONTENT_KINDS else 1)
    return fault if lasts is None or notice["step"] < lasts else None


def _plan(tx: Tx, sandbox: Sandbox, notice: Row, accepted: bool) -> None:
    if accepted:
        _finish(tx, notice["id"], "delivered")
    elif notice["step"] >= len(SCHEDULE):
        _finish(tx, notice["id"], "given_up")
    else:
        pause = SCHEDULE[notice["step"]] / sandbox.settings.time_scale
        # A resend may have delivered it meanwhile: then there is nothing to plan.
        tx.execute(
            "update notices set step = step + 1, state = 'pending', next_at = ? where id = ? and next_at is not null",
            (sandbox.clock.now() + pause, notice["id"]),
        )


def _finish(tx: Tx, event_id: str, state: str) -> None:
    # What a resend delivered meanwhile stays delivered.
    tx.execute("update notices set state = ?, next_at = null where id = ? and state <> 'delivered'", (state, event_id))


def _release_held(tx: Tx, sandbox: Sandbox, notice: Row) -> None:
    """A held notice goes out once a later one of the same merchant has been sent: so they arrive in the wrong order."""
    tx.execute(
        "update notices set state = 'pending', next_at = ? where state = 'held' and mchid = ? and id <> ? "
        "and created_at <= ?",
        (sandbox.clock.now(), notice["mchid"], notice["id"], notice["created_at"]),
    )


def _record(tx: Tx, event_id: str, attempts: list[Attempt], fault: Fault | None, *, resent: bool) -> None:
    kind = None if fault is None else fault.kind
    tx.executemany(
        "insert into attempts (event_id, at, status, answer, error, elapsed_ms, fault, resent) "
        "values (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (event_id, attempt.at, attempt.status, attempt.answer, attempt.error, attempt.elapsed_ms, kind, resent)
            for attempt in attempts
        ],
    )


def due_notices(sandbox: Sandbox) -> list[str]:
    """The notices whose time has come, oldest first."""
    rows = sandbox.store.all(
        "select id from notices where next_at <= ? order by next_at, created_at", (sandbox.clock.now(),)
    )
    return [row["id"] for row in rows]


def next_due(sandbox: Sandbox, busy: set[str]) -> float | None:
    """When the next notice that is not being sent right now is due."""
    rows = sandbox.store.all("select id, next_at from notices where next_at is not null")
    return min((row["next_at"] for row in rows if row["id"] not in busy), default=None)


def describe_notice(sandbox: Sandbox, notice: Row) -> dict[str, Any]:
    """A notice with its attempts, as `/control/notices` shows it."""
    attempts = sandbox.store.all("select * from attempts where event_id = ? order by id", (notice["id"],))
    merchant = sandbox.keys.merchant(notice["mchid"])
    fault = load_fault(notice["fault"])
    return {
        "id": notice["id"],
        "kind": notice["kind"],
        "event_type": notice["event_type"],
        "merchant": merchant.name if merchant else None,
        "mchid": notice["mchid"],
        "out_trade_no": notice["out_trade_no"],
        "out_refund_no": notice["out_refund_no"],
        "url": notice["url"],
        "state": notice["state"],
        "delivered": notice["state"] == "delivered",
        "fault": None if fault is None else {"kind": fault.kind, **fault.params},
        "next_at": notice["next_at"],
        "created_at": notice["created_at"],
        "attempts": [
            {
                "at": row["at"],
                "status": row["status"],
                "answer": row["answer"],
                "error": row["error"],
                "elapsed_ms": row["elapsed_ms"],
                "fault": row["fault"],
                "resent": bool(row["resent"]),
            }
            for row in attempts
        ],
    }
