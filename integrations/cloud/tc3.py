"""TC3-HMAC-SHA256, the way of signing for Tencent Cloud's API 3.0.

Source: cloud.tencent.com/document/api/382/52072, "签名方法 v3" (as of 2026-11): a key is derived for the day and the
service, and signs the time, the scope and the hash of the canonical request.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

ALGORITHM = "TC3-HMAC-SHA256"
JSON_TYPE = "application/json; charset=utf-8"
_ENDS = "tc3_request"


@dataclass(frozen=True)
class Tc3Key:
    """A pair of SecretId and SecretKey, and the service that it speaks to."""

    secret_id: str
    secret: str = field(repr=False)
    service: str


def json_headers(
    key: Tc3Key, *, host: str, path: str, body: bytes, action: str, version: str, now: datetime, region: str = ""
) -> dict[str, str]:
    """The headers of a POST with a JSON body. All that says what is asked is signed, though the platform asks for
    content-type and host alone. Without `region` none is named."""
    timestamp = int(now.timestamp())
    signed = {
        "content-type": JSON_TYPE,
        "host": host,
        "x-tc-action": action,
        **({"x-tc-region": region} if region else {}),
        "x-tc-timestamp": str(timestamp),
        "x-tc-version": version,
    }
    proof = authorization(key, method="POST", path=path, headers=signed, body=body, timestamp=timestamp)
    return signed | {"Authorization": proof}


def authorization(
    key: Tc3Key,
    *,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    timestamp: int,
    query: str = "",
) -> str:
    """The header that proves the request. Every one of `headers` is signed: lower-case names, and values that are made
    lower-case here, as the platform does. `timestamp` is what `X-TC-Timestamp` says; its day is one of UTC."""
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name].strip().lower()}\n" for name in names)
    signed = ";".join(names)
    canonical = "\n".join([method, path, query, lines, signed, hashlib.sha256(body).hexdigest()])
    day = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    scope = f"{day}/{key.service}/{_ENDS}"
    text = f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    derived = f"TC3{key.secret}".encode()
    for part in (day, key.service, _ENDS):
        derived = _hmac(derived, part)
    signature = _hmac(derived, text).hex()
    return f"{ALGORITHM} Credential={key.secret_id}/{scope}, SignedHeaders={signed}, Signature={signature}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
