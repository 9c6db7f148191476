"""Where a secret might lie about: in every row and file of a database, in every form that it might have there."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from sqlalchemy import text

from models import Base
from models.database import Database


def traces(secret: str, *, digests: bool | None = None) -> list[bytes]:
    """The secret as it might lie about: plain, in the escapes of JSON, in hex or base64, or under a bare digest.

    `digests` says whether those count; by default they do, but for what looks like one of our tokens."""
    raw = secret.encode()
    plain_digest = hashlib.sha256(raw)
    if digests is None:
        digests = not (secret.isascii() and len(secret) == 43)
    return [
        raw,
        secret.encode("unicode_escape"),
        raw.hex().encode(),
        base64.b64encode(raw).rstrip(b"="),
        *([plain_digest.digest(), plain_digest.hexdigest().encode()] if digests else []),
        raw.hex().upper().encode(),
        *(inside_base64(raw, before) for before in range(3)),
    ]


def inside_base64(raw: bytes, before: int) -> bytes:
    """Base64 of a longer text that `raw` stands in, behind so many bytes (modulo 3): what depends on `raw` alone."""
    whole = base64.b64encode(b"\0" * before + raw)
    return whole[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]


def bytes_of(database: Database) -> bytes:
    """Every value of every row, and on SQLite the files themselves."""
    with database.engine.connect() as connection:
        values = [
            bytes(value) if isinstance(value, bytes | memoryview) else repr(value).encode()
            for table in Base.metadata.sorted_tables
            for row in connection.execute(text(f"SELECT * FROM {table.name}"))
            for value in row
        ]
    found = b"\n".join(values)
    if database.is_sqlite:
        path = Path(str(database.url.database))
        found += b"".join(part.read_bytes() for part in path.parent.glob(f"{path.name}*"))
    return found
