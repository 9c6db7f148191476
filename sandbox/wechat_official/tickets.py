"""The ticket that pages are signed with, and what wx.config makes of a signature (section 3.6)."""

import secrets
from typing import Any

from sandbox.context import Sandbox
from sandbox.crypto import random_letters
from sandbox.keys import Official
from sandbox.store import first
from sandbox.wechat.exchange import ApiError
from sandbox.wechat_official.crypto import page_signature

LIFE = 7200


def fetch(sandbox: Sandbox, official: Official, kind: str | None) -> dict[str, Any]:
    """The account's ticket, the same for everyone until it ends. Raises: ApiError 40097."""
    if kind != "jsapi":
        raise ApiError(40097, "type")
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        row = first(tx, "select * from jsapi_tickets where appid = ? and expires_at > ?", (official.appid, now + 1))
        if row is not None:
            ticket, expires_in = row["ticket"], int(row["expires_at"] - now)
        else:
            ticket, expires_in = random_letters(86), LIFE
            tx.execute("insert into jsapi_tickets values (?, ?, ?)", (ticket, official.appid, now + LIFE))
    return {"errcode": 0, "errmsg": "ok", "ticket": ticket, "expires_in": expires_in}


def is_signed(sandbox: Sandbox, official: Official, *, nonce: str, timestamp: str, url: str, signature: str) -> bool:
    """What wx.config decides on the page at this address."""
    rows = sandbox.store.all(
        "select ticket from jsapi_tickets where appid = ? and expires_at > ?", (official.appid, sandbox.clock.now())
    )
    return any(
        secrets.compare_digest(page_signature(row["ticket"], nonce, timestamp, url).encode(), signature.encode())
        for row in rows
    )
