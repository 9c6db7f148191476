"""Signing that the product does not speak: WeChat Pay's API v2.

Payments go over API v3 alone; so it has no place in `integrations`, where it would be code that nobody calls. It stands
here so that the published samples stay proven for the day that it is needed (wechat.md 4.1).
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.padding import PKCS7


def v2_sign(params: Mapping[str, str], key: str, sign_type: str) -> str:
    """Over all fields but `sign` that are not empty, by name; `sign_type` is MD5 or HMAC-SHA256."""
    pairs = [f"{name}={params[name]}" for name in sorted(params) if params[name] != "" and name != "sign"]
    text = "&".join([*pairs, f"key={key}"]).encode()
    if sign_type == "MD5":
        return hashlib.md5(text, usedforsecurity=False).hexdigest().upper()
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest().upper()


def ecb_seal(key: str, plaintext: str) -> str:
    """AES-256-ECB with PKCS#7, base64."""
    padder, encryptor = PKCS7(128).padder(), _ecb(key).encryptor()
    padded = padder.update(plaintext.encode()) + padder.finalize()
    return b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def ecb_open(key: str, ciphertext: str) -> str:
    decryptor, unpadder = _ecb(key).decryptor(), PKCS7(128).unpadder()
    padded = decryptor.update(b64decode(ciphertext, validate=True)) + decryptor.finalize()
    return (unpadder.update(padded) + unpadder.finalize()).decode()


def v2_req_info(api_key: str, req_info: str) -> str:
    """The XML inside a refund notice of API v2: its key is the hex MD5 of the API key."""
    return ecb_open(hashlib.md5(api_key.encode(), usedforsecurity=False).hexdigest(), req_info)


def _ecb(key: str) -> Cipher[ECB]:
    return Cipher(AES(key.encode()), ECB())
