"""ACS3-HMAC-SHA256, the third way of signing for Aliyun's gateway.

Source: help.aliyun.com, "V3版本请求体&签名机制" (as of 2026-11). The canonical request is hashed, the algorithm's name
is put before the hash, and that text is signed with the secret itself.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

ALGORITHM = "ACS3-HMAC-SHA256"
_UNRESERVED = "-_.~"


@dataclass(frozen=True)
class Acs3Key:
    """An AccessKey pair."""

    key_id: str
    secret: str = field(repr=False)


def canonical_query(params: Mapping[str, str]) -> str:
    """Names and values by RFC 3986, by name: the text that is signed is the text that travels."""
    return "&".join(f"{_quoted(name)}={_quoted(params[name])}" for name in sorted(params))


def query_headers(
    key: Acs3Key, *, host: str, path: str, query: str, action: str, version: str, now: datetime
) -> dict[str, str]:
    """The headers of a POST that says all in its query, and has no body."""
    digest = sha256_hex(b"")
    signed = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": digest,
        "x-acs-date": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": secrets.token_hex(16),
        "x-acs-version": version,
    }
    proof = authorization(key, method="POST", path=path, query=query, headers=signed, body_digest=digest)
    return signed | {"Authorization": proof}


def authorization(
    key: Acs3Key, *, method: str, path: str, query: str, headers: Mapping[str, str], body_digest: str
) -> str:
    """The header that proves the request. Every one of `headers` is signed (lower-case names, values as they travel);
    `body_digest` is what `x-acs-content-sha256` says."""
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    signed = ";".join(names)
    canonical = "\n".join([method, path, query, lines, signed, body_digest])
    text = f"{ALGORITHM}\n{sha256_hex(canonical.encode())}"
    signature = hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={key.key_id},SignedHeaders={signed},Signature={signature}"


def sha256_hex(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _quoted(text: str) -> str:
    return quote(text, safe=_UNRESERVED)
