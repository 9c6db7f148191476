"""What the notices of all platforms have in common: the queue, one attempt to send, and how a platform's own travel."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sandbox.context import Sandbox
from sandbox.faults import Fault
from sandbox.knocking import knock
from sandbox.store import Row, Tx

ANSWER_KEPT = 500
LONGEST_HOLD = 10.0

Accepts = Callable[[int, str], bool]


@dataclass(frozen=True)
class Attempt:
    """What came of one send."""

    at: float
    status: int | None
    answer: str | None
    error: str | None
    elapsed_ms: int
    accepted: bool


@dataclass(frozen=True)
class Channel:
    """How the notices of one platform travel.

    `schedule` holds the pauses after the first send in seconds; `accepts` judges HTTP status and body; `message` gives
    headers and body of one send, spoilt as a fault says; `merchant` is the name that belongs to a merchant number.
    """

    schedule: tuple[int, ...]
    accepts: Accepts
    message: Callable[[Sandbox, Row, Fault | None], tuple[dict[str, str], bytes]]
    merchant: Callable[[Sandbox, str], str | None]


@dataclass(frozen=True)
class Notice:
    """An event as it is put into the queue; `fault_body` is the false content, `signer` the number that signs it."""

    id: str
    channel: str
    kind: str
    event_type: str
    mchid: str
    out_trade_no: str
    out_refund_no: str | None
    url: str
    body: bytes
    fault_body: bytes | None
    signer: str


def enqueue(tx: Tx, notice: Notice, fault: Fault | None, now: float) -> None:
    """Put a notice into the queue, in the transaction that made it true."""
    state, next_at = _first_send(fault, now)
    columns = vars(notice) | {
        "fault": None if fault is None else fault.dump(),
        "state": state,
        "next_at": next_at,
        "created_at": now,
    }
    tx.execute(
        f"insert into notices ({', '.join(columns)}) values ({', '.join('?' * len(columns))})",
        tuple(columns.values()),
    )


def _first_send(fault: Fault | None, now: float) -> tuple[str, float | None]:
    match fault:
        case Fault("drop"):
            return "dropped", None
        case Fault("late"):
            return "pending", now + fault.seconds(1)
        case Fault("reorder"):
            return "held", now + fault.seconds(LONGEST_HOLD)
    return "pending", now


def post(url: str, headers: dict[str, str], body: bytes, at: float, accepts: Accepts) -> Attempt:
    """Send one message; whatever a receiver does, the attempt has failed then and will be repeated."""
    reply = knock("POST", url, headers, body, longest=ANSWER_KEPT)
    answer = None if reply.status is None else reply.body.decode("utf-8", "replace")
    accepted = reply.error is None and reply.status is not None and accepts(reply.status, answer or "")
    return Attempt(at, reply.status, answer, reply.error, reply.elapsed_ms, accepted)


def spread(send: Callable[[], Attempt], copies: int, *, concurrently: bool) -> list[Attempt]:
    """Send some times, all at once or one after another."""
    if not concurrently or copies == 1:
        return [send() for _ in range(copies)]
    with ThreadPoolExecutor(copies) as pool:
        return [sent.result() for sent in [pool.submit(send) for _ in range(copies)]]
