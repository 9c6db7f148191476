"""Signature and encryption of message pushes (wechat.md 3.1, 3.2), on wechatpy's primitives.

Of wechatpy stand the sorted SHA-1, the cipher and the sealing. Opening is ours: it takes padding on trust and answers
bad input with half a dozen kinds of exceptions. Here there is one, InvalidSignature.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode
from collections.abc import Callable

from wechatpy.crypto import PrpCrypto
from wechatpy.utils import WeChatSigner

from core.ports import InvalidSignature

BLOCK = 32
_RANDOM_BYTES = 16
_LENGTH_BYTES = 4


def push_signature(*parts: str) -> str:
    """Hex SHA-1 over the parts in the order of their bytes. The token is one of them."""
    signer = WeChatSigner()
    signer.add_data(*parts)
    return str(signer.signature)


def require_signature(told: str, *parts: str) -> None:
    """Raises: InvalidSignature (bad_signature)."""
    if not hmac.compare_digest(push_signature(*parts).encode(), told.encode()):
        raise InvalidSignature("bad_signature")


def _random_text() -> str:
    return secrets.token_urlsafe(12)


class PushCipher:
    """AES-256-CBC under the account's EncodingAESKey; its first half is the IV, so 16 random bytes come first."""

    def __init__(self, encoding_aes_key: str, *, random16: Callable[[], str] = _random_text) -> None:
        # Lenient on purpose: the 43rd character has two bits too many, and consoles accept keys where they are not 0.
        self._crypto = PrpCrypto(b64decode(encoding_aes_key + "="))
        self._crypto.get_random_string = random16

    def seal(self, text: str, appid: str) -> str:
        return str(self._crypto.encrypt(text, appid).decode())

    def open(self, sealed: str) -> tuple[bytes, str]:
        """The message, and the appid that it was sealed for. To be called once its signature is proven.

        Raises: InvalidSignature (sealed).
        """
        try:
            frame = _unpadded(self._crypto.cipher.decrypt(b64decode(sealed, validate=True)))[_RANDOM_BYTES:]
            end = _LENGTH_BYTES + int.from_bytes(frame[:_LENGTH_BYTES], "big")
            if end > len(frame):
                raise ValueError
            return frame[_LENGTH_BYTES:end], frame[end:].decode()
        except ValueError:
            # Not chained: the error of a decoder holds what it could not read.
            raise InvalidSignature("sealed") from None


def _unpadded(padded: bytes) -> bytes:
    """Raises: ValueError."""
    count = padded[-1] if padded else 0
    if not 1 <= count <= BLOCK or not padded.endswith(bytes([count]) * count):
        raise ValueError
    return padded[:-count]
