"""Where a secret might lie about: in every row and file of a database, in every form that it might have there."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from sqlalchemy import text

from models import Base
from models.database import Database


def traces(secret: str) -> list[bytes]:
    """The secret as it might lie about: plain, in the escapes of JSON, in hex or base64, or under a bare digest."""
    raw = secret.encode()
    plain_digest = hashlib.sha256(raw)
    return [
        raw,
        secret.encode("unicode_escape"),
        raw.hex().encode(),
        base64.b64encode(raw).rstrip(b"="),
        *([] if secret.isascii() and len(secret) == 43 else [plain_digest.digest(), plain_digest.hexdigest().encode()]),
    ]


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
