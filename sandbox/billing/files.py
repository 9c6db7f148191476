"""Files that wait to be fetched by a token, for a while."""

import secrets
from dataclasses import dataclass

from sandbox.store import Tx, first

KEPT = 3600


@dataclass(frozen=True)
class Waiting:
    """A file that was asked for: whose it is, how old, and whether it was fetched before."""

    owner: str
    content: bytes
    age: float
    was_taken: bool


def lay_down(tx: Tx, owner: str, content: bytes, now: float) -> str:
    """Keep a file; returns the token that fetches it."""
    token = secrets.token_urlsafe(48)
    tx.execute("delete from bill_files where created_at < ?", (now - KEPT,))
    tx.execute(
        "insert into bill_files (token, owner, content, created_at) values (?, ?, ?, ?)", (token, owner, content, now)
    )
    return token


def take(tx: Tx, token: str, now: float) -> Waiting | None:
    """The file of a token, which is noted as fetched; None where there is none."""
    row = first(tx, "select * from bill_files where token = ?", (token,))
    if row is None:
        return None
    tx.execute("update bill_files set taken_at = ? where token = ?", (now, token))
    return Waiting(row["owner"], row["content"], now - row["created_at"], row["taken_at"] is not None)
