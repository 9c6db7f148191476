"""HMAC-SHA256 over what is asked and what is answered (docs/hospital-systems.md, "Signatures").

An answer is signed together with the nonce of its request: an answer to another request proves nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.ports import ProviderUnavailable

KEY, TIMESTAMP, NONCE, SIGNATURE = "X-Yz-Key", "X-Yz-Timestamp", "X-Yz-Nonce", "X-Yz-Signature"
WINDOW = timedelta(seconds=300)
"""How far a stamp may be from our clock."""
_STAMP = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True)
class Stamped:
    """The headers of one request, and the nonce that its answer must be signed with."""

    headers: Mapping[str, str] = field(repr=False)
    nonce: str


def sign_request(key_id: str, secret: str, *, method: str, target: str, body: bytes, now: datetime) -> Stamped:
    """`target` is the path with its query, as it travels."""
    stamp, nonce = str(int(now.timestamp())), secrets.token_hex(16)
    text = "\n".join(["YZ1-REQUEST", method, target, stamp, nonce, _digest(body)]) + "\n"
    headers = {KEY: key_id, TIMESTAMP: stamp, NONCE: nonce, SIGNATURE: _mac(secret, text)}
    return Stamped(headers, nonce)


def require_signed(
    secret: str, *, status: int, headers: Mapping[str, str], body: bytes, nonce: str, now: datetime
) -> None:
    """Raises: ProviderUnavailable for an answer that nothing proves: what it says is not heard."""
    stamp, signature = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    if _STAMP.fullmatch(stamp) is None:
        raise ProviderUnavailable(f"answered with HTTP {status} and no stamp")
    text = "\n".join(["YZ1-ANSWER", str(status), nonce, stamp, _digest(body)]) + "\n"
    if not hmac.compare_digest(_mac(secret, text).encode(), signature.encode("utf-8", "replace")):
        raise ProviderUnavailable(f"answered with HTTP {status} and a wrong signature")
    if abs(now.timestamp() - int(stamp)) > WINDOW.total_seconds():
        raise ProviderUnavailable(f"answered with HTTP {status} and an old stamp")


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _mac(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
