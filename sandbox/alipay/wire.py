"""The primitives of the gateway: texts to sign, amounts, instants, JSON as it is sent, content encryption.

Protocol sections 1.3, 1.4, 3.3, 7.1 and 8.2. Nothing here knows an account, a clock or HTTP.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from sandbox.clock import CHINA

#: The names a request may give, and how Python calls them. GB 18030 holds all that the two older ones hold.
CHARSETS = {"utf-8": "utf-8", "gbk": "gb18030", "gb2312": "gb18030"}
AMOUNT = re.compile(r"(0|[1-9][0-9]{0,8})\.[0-9]{2}")
STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
ZERO_IV = bytes(16)


def text_to_sign(params: Mapping[str, str], *, without: frozenset[str] = frozenset({"sign"})) -> str:
    """All parameters that have a value, sorted by name, raw, joined by `&`.

    Requests and messages of the application gateway leave out `sign` alone; notices leave out `sign_type` too.
    """
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if params[name] and name not in without)


def notice_text(params: Mapping[str, str]) -> str:
    """What the signature of a notice or of a page's return covers."""
    return text_to_sign(params, without=frozenset({"sign", "sign_type"}))


def node_text(value: object) -> str:
    """JSON as the gateway writes it: compact, characters as they are, every slash behind a backslash."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")


def encrypt(key: str, plaintext: str) -> str:
    """AES/CBC/PKCS7 under a base64 key with an IV of zeros, base64."""
    padder = PKCS7(128).padder()
    padded = padder.update(plaintext.encode()) + padder.finalize()
    sealer = Cipher(AES(base64.b64decode(key)), CBC(ZERO_IV)).encryptor()
    return base64.b64encode(sealer.update(padded) + sealer.finalize()).decode()


def decrypt(key: str, ciphertext: str) -> str | None:
    """Open what `encrypt` made; None for what is not that."""
    opener = Cipher(AES(base64.b64decode(key)), CBC(ZERO_IV)).decryptor()
    unpadder = PKCS7(128).unpadder()
    try:
        padded = opener.update(base64.b64decode(ciphertext, validate=True)) + opener.finalize()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except (binascii.Error, ValueError):
        return None


def yuan(fen: int) -> str:
    """`15.00`."""
    return f"{fen // 100}.{fen % 100:02d}"


def fen_of(amount: object) -> int | None:
    """Fen of a text in yuan with two decimals, 0.01 to 100000000.00; None for anything else."""
    if not isinstance(amount, str) or AMOUNT.fullmatch(amount) is None:
        return None
    fen = int(amount.replace(".", ""))
    return fen if 1 <= fen <= 10**10 else None


def stamp(instant: float) -> str:
    """`2018-06-08 10:34:56`, wall clock in GMT+8."""
    return datetime.fromtimestamp(int(instant), CHINA).strftime("%Y-%m-%d %H:%M:%S")


def stamp_with_milliseconds(instant: float) -> str:
    """`2018-06-08 10:34:56.123`, which only `gmt_refund` of a notice has."""
    return f"{stamp(instant)}.{int(instant * 1000) % 1000:03d}"


def instant_of(text: object) -> float | None:
    """Seconds of what `stamp` writes; None for another form or a day that does not exist."""
    if not isinstance(text, str) or STAMP.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(f"{text}+08:00").timestamp()
    except ValueError:
        return None
