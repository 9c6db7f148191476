"""What the phone hands a page about its user: signed and sealed with the login's session key (section 1.3)."""

import base64
import hashlib
import os
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from sandbox.clock import real_now
from sandbox.context import Sandbox
from sandbox.exchange import compact_json
from sandbox.keys import App


def user_data(sandbox: Sandbox, app: App, open_id: str, data: Mapping[str, Any]) -> dict[str, str] | None:
    """`rawData signature encryptedData iv` about a person who has logged in; None where nobody has."""
    user = sandbox.store.one(
        "select session_key, union_id from users where appid = ? and open_id = ?", (app.appid, open_id)
    )
    if user is None or user["session_key"] is None:
        return None
    identity = {"openId": open_id} if user["union_id"] is None else {"openId": open_id, "unionId": user["union_id"]}
    watermark = {"watermark": {"timestamp": real_now(), "appid": app.appid}}
    raw, iv = compact_json(data).decode(), base64.b64encode(os.urandom(16)).decode()
    return {
        "rawData": raw,
        "signature": raw_signature(raw, user["session_key"]),
        "encryptedData": seal(user["session_key"], iv, compact_json({**identity, **data, **watermark})),
        "iv": iv,
    }


def raw_signature(raw: str, session_key: str) -> str:
    """SHA-1 over the very bytes of `rawData` and the base64 text of the key."""
    return hashlib.sha1(f"{raw}{session_key}".encode()).hexdigest()


def seal(session_key: str, iv: str, plaintext: bytes) -> str:
    """AES-128-CBC with PKCS#7, base64 throughout."""
    padder = PKCS7(128).padder()
    padded = padder.update(plaintext) + padder.finalize()
    encryptor = Cipher(AES(base64.b64decode(session_key)), CBC(base64.b64decode(iv))).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()
