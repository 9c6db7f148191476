"""What the client of a mini-program hands over, proven by its session key (wechat.md 1.2, 1.3).

Our login keeps no session key (docs/decisions/0005), so nothing of ours calls WeChat with these; they are what a
deployment needs that reads such data. Sources: MP /framework/open-ability/signature, api_checksessionkey.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from core.ports import InvalidSignature
from integrations.transport import strict_object


def raw_data_signature(raw_data: str, session_key: str) -> str:
    """Hex SHA-1 over the text as it was received and the session key as text."""
    return hashlib.sha1((raw_data + session_key).encode(), usedforsecurity=False).hexdigest()


def session_signature(session_key: str) -> str:
    """What checksession asks for: an HMAC over nothing, under the session key's base64 text, not its bytes."""
    return hmac.new(session_key.encode(), b"", hashlib.sha256).hexdigest()


def open_user_data(encrypted: str, *, iv: str, session_key: str, appid: str) -> dict[str, Any]:
    """The data under the session key; its age (`watermark.timestamp`) is the caller's to judge.

    Raises: InvalidSignature (sealed, foreign_app).
    """
    try:
        cipher = Cipher(AES128(b64decode(session_key, validate=True)), CBC(b64decode(iv, validate=True)))
        decryptor, unpadder = cipher.decryptor(), PKCS7(AES128.block_size).unpadder()
        padded = decryptor.update(b64decode(encrypted, validate=True)) + decryptor.finalize()
        content = strict_object(unpadder.update(padded) + unpadder.finalize())
    except ValueError:
        raise InvalidSignature("sealed") from None
    watermark = content.get("watermark")
    if not isinstance(watermark, dict) or watermark.get("appid") != appid:
        raise InvalidSignature("foreign_app")
    return content
