"""Fields that are encrypted beyond TLS: identity numbers, names, cards (wechat.md 4.3).

RSA-OAEP with SHA-1 in both places is WeChat Pay's choice: what goes out is sealed with its key, whose serial then must
stand in Wechatpay-Serial; what comes in with the merchant's.
"""

from __future__ import annotations

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1

from core.ports import InvalidSignature
from integrations.wechat._signing import decoded

_PADDING = OAEP(MGF1(SHA1()), SHA1(), None)  # noqa: S303 - the platform's choice; OAEP does not need more of it


def encrypt_field(key: RSAPublicKey, text: str) -> str:
    """Never the same twice. Raises: ValueError for a text that is too long (214 bytes with a key of 2048 bits)."""
    return b64encode(key.encrypt(text.encode(), _PADDING)).decode()


def decrypt_field(key: RSAPrivateKey, ciphertext: str) -> str:
    """Raises: InvalidSignature `sealed`."""
    try:
        return decrypt_bytes(key, ciphertext).decode()
    except ValueError:
        raise InvalidSignature("sealed") from None


def decrypt_bytes(key: RSAPrivateKey, ciphertext: str) -> bytes:
    """What need not be a text, like a key. Raises: InvalidSignature `sealed`."""
    try:
        return key.decrypt(decoded(ciphertext), _PADDING)
    except ValueError:  # base64 or padding: which one it was is nobody's business
        raise InvalidSignature("sealed") from None
