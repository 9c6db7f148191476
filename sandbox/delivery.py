"""Sending what is in the queue: the attempt that is due, its answer, the retry schedule; for every platform."""

from collections.abc import Mapping
from typing import Any

from sandbox.alipay.delivery import ALIPAY
from sandbox.context import Sandbox
from sandbox.faults import FALSE_KINDS, Fault, load_fault
from sandbox.sending import Attempt, Channel, post, spread
from sandbox.store import Row, Tx
from sandbox.wechat_pay.delivery import WECHAT_PAY

CHANNELS: Mapping[str, Channel] = {"wechat_pay": WECHAT_PAY, "alipay": ALIPAY}


def send_copies(
    sandbox: Sandbox, notice: Row, fault: Fault | None, copies: int, *, concurrently: bool
) -> list[Attempt]:
    """Send a notice some times, each copy signed for itself."""
    channel = CHANNELS[notice["channel"]]
    if channel.merchant(sandbox, notice["mchid"]) is None:
        return []

    def send() -> Attempt:
        headers, body = channel.message(sandbox, notice, fault)
        return post(notice["url"], headers, body, sandbox.clock.now(), channel.accepts)

    return spread(send, copies, concurrently=concurrently)


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
    lasts = fault.params.get("attempts", None if fault.kind in FALSE_KINDS else 1)
    return fault if lasts is None or notice["step"] < lasts else None


def _plan(tx: Tx, sandbox: Sandbox, notice: Row, accepted: bool) -> None:
    if accepted:
        _finish(tx, notice["id"], "delivered")
    elif notice["step"] >= len(schedule := CHANNELS[notice["channel"]].schedule):
        _finish(tx, notice["id"], "given_up")
    else:
        pause = schedule[notice["step"]] / sandbox.settings.time_scale
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
    fault = load_fault(notice["fault"])
    return {
        "id": notice["id"],
        "kind": notice["kind"],
        "event_type": notice["event_type"],
        "channel": notice["channel"],
        "merchant": CHANNELS[notice["channel"]].merchant(sandbox, notice["mchid"]),
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
