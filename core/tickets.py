"""Signed, short-lived tickets: a subject, an end, and a signature under a key of its own."""

from __future__ import annotations

import base64
import hmac
import struct
from datetime import UTC, datetime
from uuid import UUID

from models.sealing import KeyRing

_BODY = struct.Struct(">H16sI")
_MAC_BYTES = 16


class BadTicket(Exception):
    """Not signed by us, or past its end."""


class Tickets:
    """Issues and checks tickets of one purpose each; the purpose is signed and not sent."""

    def __init__(self, keys: KeyRing) -> None:
        self.keys = keys

    def issue(self, purpose: str, subject: UUID, *, expires_at: datetime) -> str:
        """A ticket of about 50 characters of A-Z a-z 0-9 - _."""
        body = _BODY.pack(self.keys.active, subject.bytes, int(expires_at.timestamp()))
        mac = self._mac(purpose, body, self.keys.active)
        return _text(body + mac)

    def subject(self, purpose: str, ticket: str, *, now: datetime) -> UUID:
        """Whom the ticket is for. Raises: BadTicket."""
        try:
            raw = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
            body, mac = raw[: _BODY.size], raw[_BODY.size :]
            key_id, subject, ends = _BODY.unpack(body)
        except (ValueError, struct.error):
            raise BadTicket("form") from None
        if _text(raw) != ticket:  # the decoder passes over foreign characters and spare bits
            raise BadTicket("form")
        if key_id not in self.keys.keys or not hmac.compare_digest(mac, self._mac(purpose, body, key_id)):
            raise BadTicket("signature")
        if now >= datetime.fromtimestamp(ends, UTC):
            raise BadTicket("expired")
        return UUID(bytes=subject)

    def _mac(self, purpose: str, body: bytes, key_id: int) -> bytes:
        return self.keys.authenticate(key_id, purpose.encode() + b"\0" + body)[:_MAC_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
