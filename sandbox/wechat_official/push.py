"""Pushing to an account's server: where to, the console's check of it, three tries, and the record of all (3.1)."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sandbox.clock import real_now, utc_time
from sandbox.context import Sandbox
from sandbox.crypto import random_digits
from sandbox.keys import Official
from sandbox.store import Row
from sandbox.wechat_official.envelope import Envelope, envelope, signed_query, wrap
from sandbox.wechat_official.messages import XML, Fields
from sandbox.wechat_official.posting import Answer, send
from sandbox.wechat_official.replies import FAULT, Reply, read_reply

TRIES = 3
Wrap = Callable[[], Envelope]


@dataclass(frozen=True)
class PushServer:
    """Where an account takes its messages, and in which form."""

    url: str
    mode: str
    format: str


def server_of(sandbox: Sandbox, official: Official) -> PushServer | None:
    """What was saved in the console."""
    row = sandbox.store.one("select url, mode, format from push_servers where appid = ?", (official.appid,))
    return None if row is None else PushServer(**dict(row))


def save_server(sandbox: Sandbox, official: Official, server: PushServer) -> Answer | None:
    """Save as the console does: only if the server gives a random text back. Returns what it gave instead, or None."""
    echo = random_digits(19)
    query = {**signed_query(official.token, str(real_now()), random_digits(9)), "echostr": echo}
    answer = send("GET", server.url, envelope(query, b"", XML))
    if not answer.taken or answer.text != echo:
        return answer
    with sandbox.store.transaction() as tx:
        tx.execute(
            "insert into push_servers values (?, ?, ?, ?) on conflict (appid) do update set url = excluded.url, "
            "mode = excluded.mode, format = excluded.format",
            (official.appid, server.url, server.mode, server.format),
        )
    return None


@dataclass(frozen=True)
class Push:
    """One message on its way to one server."""

    official: Official
    server: PushServer
    fields: Fields

    def genuine(self) -> Envelope:
        """The next send of it."""
        query, body = wrap(self.official, self.fields, self.server.mode, self.server.format)
        return envelope(query, body, self.server.format)


def push(
    sandbox: Sandbox, message: Push, *, wrapped: Wrap | None = None, copies: int = 1, concurrently: bool = False
) -> int:
    """Send a message and wait for what comes back; returns the number of its record.

    Every copy is tried three times while nobody answers; each send has its own stamp and filling.
    """
    number = _keep(sandbox, message)

    def deliver(_: int) -> None:
        for sent, answer in _tries(message.server.url, wrapped or message.genuine):
            _record(sandbox, message, number, sent, answer)

    with ThreadPoolExecutor(copies if concurrently else 1) as pool:
        list(pool.map(deliver, range(copies)))
    return number


def _tries(url: str, wrapped: Wrap) -> Iterator[tuple[Envelope, Answer]]:
    for _ in range(TRIES):
        sent = wrapped()
        answer = send("POST", url, sent)
        yield sent, answer
        if answer.taken:
            return


def _keep(sandbox: Sandbox, message: Push) -> int:
    fields, server = message.fields, message.server
    kind = fields["Event"] if fields["MsgType"] == "event" else fields["MsgType"]
    with sandbox.store.transaction() as tx:
        added = tx.execute(
            "insert into pushes (appid, open_id, kind, message, mode, format, url, created_at) "
            "values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                message.official.appid,
                fields["FromUserName"],
                kind,
                json.dumps(fields, ensure_ascii=False),
                server.mode,
                server.format,
                server.url,
                sandbox.clock.now(),
            ),
        )
        return int(added.lastrowid or 0)


def _record(sandbox: Sandbox, message: Push, number: int, sent: Envelope, answer: Answer) -> None:
    person, server = str(message.fields["FromUserName"]), message.server
    reply = (
        read_reply(message.official, person, server.mode, server.format, answer.text)
        if answer.taken
        else Reply(FAULT, fault="no_answer")
    )
    with sandbox.store.transaction() as tx:
        tx.execute(
            "insert into push_attempts (push_id, at, query, body, status, answer, error, elapsed_ms, reply) "
            "values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                sandbox.clock.now(),
                sent.query,
                sent.body.decode("utf-8", "replace"),
                answer.status,
                answer.text,
                answer.error,
                answer.elapsed_ms,
                json.dumps(reply.describe(), ensure_ascii=False),
            ),
        )


def describe(sandbox: Sandbox, number: int) -> dict[str, Any]:
    """A push with its attempts; `reply` is what the person saw in the end."""
    row = sandbox.store.one("select * from pushes where id = ?", (number,))
    assert row is not None
    return _described(sandbox, row)


def listed(sandbox: Sandbox, official: Official | None = None, open_id: str | None = None) -> list[dict[str, Any]]:
    """Every push in order, of one account or person where named."""
    rows = sandbox.store.all(
        "select * from pushes where appid = coalesce(?, appid) and open_id = coalesce(?, open_id) order by id",
        (official.appid if official else None, open_id),
    )
    return [_described(sandbox, row) for row in rows]


def _described(sandbox: Sandbox, row: Row) -> dict[str, Any]:
    official = sandbox.keys.app(row["appid"])
    rows = sandbox.store.all("select * from push_attempts where push_id = ? order by id", (row["id"],))
    attempts = [
        {
            "at": utc_time(attempt["at"]),
            "query": attempt["query"],
            "body": attempt["body"],
            "status": attempt["status"],
            "answer": attempt["answer"],
            "error": attempt["error"],
            "elapsed_ms": attempt["elapsed_ms"],
            "reply": json.loads(attempt["reply"]),
        }
        for attempt in rows
    ]
    return {
        "id": row["id"],
        "kind": row["kind"],
        "app": official.name if official else None,
        "open_id": row["open_id"],
        "message": json.loads(row["message"]),
        "mode": row["mode"],
        "format": row["format"],
        "url": row["url"],
        "created_at": utc_time(row["created_at"]),
        "attempts": attempts,
        "reply": attempts[-1]["reply"] if attempts else None,
        "raw": attempts[-1]["answer"] if attempts else "",
    }
