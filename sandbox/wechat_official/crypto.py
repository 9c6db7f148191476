"""The primitives of an official account: sorted SHA-1, AES messages, page signatures (sections 3.1, 3.2 and 3.6)."""

import base64
import binascii
import hashlib
import os

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

BLOCK = 32
RANDOM = 16
LENGTH = 4


def sorted_sha1(*parts: str) -> str:
    """What `signature` and `msg_signature` are: SHA-1 over the parts in the order of their characters."""
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def page_signature(ticket: str, nonce: str, timestamp: str, url: str) -> str:
    """What wx.config of a page must carry; the address without its fragment."""
    page = url.partition("#")[0]
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={page}"
    return hashlib.sha1(text.encode()).hexdigest()


def read_aes_key(encoding_aes_key: str) -> bytes:
    """The 32 bytes of an EncodingAESKey; the bits its last letter has too many are let be."""
    return base64.b64decode(encoding_aes_key + "=")


def seal(key: bytes, message: bytes, appid: str, random: bytes | None = None) -> str:
    """16 random bytes, the length, the message and the appid, padded to 32, in AES-256-CBC; base64."""
    framed = (random or os.urandom(RANDOM)) + len(message).to_bytes(LENGTH, "big") + message + appid.encode()
    padding = BLOCK - len(framed) % BLOCK
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(framed + bytes([padding]) * padding) + encryptor.finalize()).decode()


def unseal(key: bytes, sealed: str) -> tuple[bytes, str] | None:
    """Message and appid of what `seal` made; None where anything about it is not as it must be."""
    try:
        raw = base64.b64decode(sealed, validate=True)
        decryptor = Cipher(AES(key), CBC(key[:16])).decryptor()
        padded = decryptor.update(raw) + decryptor.finalize()
        padding = padded[-1]
        if not 1 <= padding <= BLOCK or padded[-padding:] != bytes([padding]) * padding:
            return None
        framed = padded[RANDOM:-padding]
        end = LENGTH + int.from_bytes(framed[:LENGTH], "big")
        if len(framed) < end:
            return None
        return framed[LENGTH:end], framed[end:].decode()
    except (binascii.Error, ValueError, IndexError):
        return None
