"""Alipay's side of the wire for unit tests: its keys, its signatures, its spelling of JSON.

Written from alipay.md 1.4, 3.3, 8 and 11.4, not with our own primitives.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import responses
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

GATEWAY = "https://openapi.alipay.com/gateway.do"
APP_ID, SELLER_ID = "2021004100000001", "2088100200300400"
AES_KEY = b64encode(b"0123456789abcdef").decode()
NUMBER, REFUND_NUMBER = "P20261120ABCDEFGHJKLMNPQR2", "R20261120ABCDEFGHJKLMNPQR2"


def as_alipay_writes(content: Any) -> str:
    """JSON as Alipay writes it: no blanks, CJK as it is, and a slash with a backslash before it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")


def public_pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass(frozen=True)
class AlipaySide:
    """Signs and seals as Alipay does."""

    key: RSAPrivateKey

    def public_pem(self) -> str:
        return public_pem(self.key)

    def signature(self, text: str | bytes, digest: HashAlgorithm | None = None) -> str:
        raw = text if isinstance(text, bytes) else text.encode()
        return b64encode(self.key.sign(raw, PKCS1v15(), digest or SHA256())).decode()

    def sealed(self, content: Any, key: str = AES_KEY) -> str:
        plain = (content if isinstance(content, str) else as_alipay_writes(content)).encode()
        plain += bytes([16 - len(plain) % 16]) * (16 - len(plain) % 16)
        lock = Cipher(algorithms.AES(b64decode(key)), modes.CBC(bytes(16))).encryptor()
        return b64encode(lock.update(plain) + lock.finalize()).decode()

    def body(self, node: str, value: str, *, sign: str | None = "", cert_sn: str | None = None) -> bytes:
        """An answer around the text of a node; `sign` None leaves it out, a text takes its place."""
        members = [f'"{node}":{value}']
        if cert_sn is not None:
            members.append(f'"alipay_cert_sn":"{cert_sn}"')
        if sign is not None:
            members.append(f'"sign":"{sign or self.signature(value)}"')
        return ("{" + ",".join(members) + "}").encode()

    def answer(self, wire: responses.RequestsMock, method: str, content: Any, **options: Any) -> responses.BaseResponse:
        """Register an answer to one method. `content` is JSON, or a text that is the node itself."""
        value = content if isinstance(content, str) else as_alipay_writes(content)
        node = options.pop("node", method.replace(".", "_") + "_response")
        return register(wire, method, self.body(node, value, **options))

    def success(self, wire: responses.RequestsMock, method: str, **content: Any) -> responses.BaseResponse:
        return self.answer(wire, method, {"code": "10000", "msg": "Success"} | content)

    def failure(
        self, wire: responses.RequestsMock, method: str, sub_code: str, code: str = "40004", **options: Any
    ) -> responses.BaseResponse:
        told = {"code": code, "msg": "Business Failed", "sub_code": sub_code, "sub_msg": "SECRET 张三 oSECRET"}
        return self.answer(wire, method, told, **options)

    def form(
        self, fields: Mapping[str, str], *, sign_type: bool = False, charset: str = "utf-8", sha1: bool = False
    ) -> bytes:
        """A signed form; with `sign_type` that field is signed too, as for the application gateway."""
        kept = {name: value for name, value in fields.items() if value and (sign_type or name != "sign_type")}
        text = "&".join(f"{name}={kept[name]}" for name in sorted(kept)).encode(charset)
        signed = {**fields, "sign": self.signature(text, SHA1() if sha1 else None)}
        return "&".join(f"{name}={quote_plus(value, encoding=charset)}" for name, value in signed.items()).encode()


def register(
    wire: responses.RequestsMock, method: str, body: bytes, *, status: int = 200, **headers: str
) -> responses.BaseResponse:
    return wire.add(
        "POST",
        GATEWAY,
        body=body,
        status=status,
        headers={"trace_id": "0b51f3aa17"} | headers,
        content_type="text/html;charset=utf-8",
        match=[responses.matchers.query_param_matcher({"method": method}, strict_match=False)],
    )


@dataclass(frozen=True)
class Asked:
    """What came over the wire: where each field stood, and all of them together."""

    query: dict[str, str]
    body: dict[str, str]

    @property
    def biz_content(self) -> Any:
        return json.loads(self.body["biz_content"])


def what_was_asked(wire: responses.RequestsMock, at: int = -1) -> Asked:
    request = wire.calls[at].request
    query = request.url.partition("?")[2]
    body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
    return Asked(dict(parse_qsl(query, strict_parsing=True)), dict(parse_qsl(body.decode())))
