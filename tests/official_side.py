"""WeChat's side of an official account for unit tests: it signs, seals and opens.

Written from wechat.md 3.1 and 3.2 on `cryptography` alone, not with the primitives of our adapter or of wechatpy.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any
from xml.etree import ElementTree as ET

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from integrations.wechat import OfficialAccountConfig, PushMode

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
FOLLOWER = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
ACCOUNT = "gh_3c884a361561"


def official_account(**changes: Any) -> OfficialAccountConfig:
    return OfficialAccountConfig(
        **{
            "app": "clinic",
            "appid": "wxd5e2a1b7c9f04e68",
            "secret": "5ecre75ecre75ecre75ecre7",
            "token": "TokenOfTheTests",
            "encoding_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
            "miniapp": "patient",
            "original_id": ACCOUNT,
            "push_mode": PushMode.SECURE,
            **changes,
        }
    )


def xml_of(fields: Mapping[str, Any]) -> str:
    """As WeChat writes it: texts in CDATA sections, numbers bare."""
    inner = (
        f"<{name}>{value}</{name}>" if isinstance(value, int) else f"<{name}><![CDATA[{value}]]></{name}>"
        for name, value in fields.items()
    )
    return f"<xml>{''.join(inner)}</xml>"


@dataclass(frozen=True)
class Push:
    query: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class WeChatSide:
    token: str
    key: bytes
    appid: str

    @classmethod
    def of(cls, account: OfficialAccountConfig) -> WeChatSide:
        return cls(account.token, b64decode(account.encoding_aes_key + "="), account.appid)

    def signature(self, *parts: str) -> str:
        return sha1("".join(sorted([self.token, *parts])).encode()).hexdigest()

    def seal(self, message: bytes, *, appid: str | None = None, padding: bytes | None = None) -> str:
        frame = os.urandom(16) + len(message).to_bytes(4, "big") + message + (appid or self.appid).encode()
        return self.seal_frame(frame, padding=padding)

    def seal_frame(self, frame: bytes, *, padding: bytes | None = None) -> str:
        count = 32 - len(frame) % 32
        encryptor = self._cipher().encryptor()
        return b64encode(encryptor.update(frame + (bytes([count]) * count if padding is None else padding))).decode()

    def open(self, sealed: str) -> bytes:
        decryptor = self._cipher().decryptor()
        frame = decryptor.update(b64decode(sealed))
        assert 1 <= frame[-1] <= 32
        assert frame.endswith(bytes([frame[-1]]) * frame[-1])
        frame = frame[16 : -frame[-1]]
        end = 4 + int.from_bytes(frame[:4], "big")
        assert frame[end:].decode() == self.appid
        return frame[4:end]

    def plain(self, body: str, *, stamp: str = STAMP, nonce: str = "486452656") -> Push:
        query = {"signature": self.signature(stamp, nonce), "timestamp": stamp, "nonce": nonce, "openid": FOLLOWER}
        return Push(query, body.encode())

    def secure(
        self, message: str, *, form: str = "xml", stamp: str = STAMP, account: str = ACCOUNT, **sealing: Any
    ) -> Push:
        return self.enveloped(self.seal(message.encode(), **sealing), form=form, stamp=stamp, account=account)

    def enveloped(self, sealed: str, *, form: str = "xml", stamp: str = STAMP, account: str = ACCOUNT) -> Push:
        plain = self.plain("", stamp=stamp)
        envelope = {"ToUserName": account, "Encrypt": sealed}
        query = plain.query | {
            "encrypt_type": "aes",
            "msg_signature": self.signature(stamp, plain.query["nonce"], sealed),
        }
        return Push(query, (json.dumps(envelope) if form == "json" else xml_of(envelope)).encode())

    def read_reply(self, body: bytes) -> dict[str, Any]:
        """Prove and open a sealed answer, in either form."""
        envelope = fields_of(body)
        stamp, nonce, sealed = (str(envelope[name]) for name in ("TimeStamp", "Nonce", "Encrypt"))
        assert envelope["MsgSignature"] == self.signature(stamp, nonce, sealed)
        return fields_of(self.open(sealed))

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self.key), modes.CBC(self.key[:16]))


def fields_of(body: bytes) -> dict[str, Any]:
    """A reply as WeChat's parser would read it; in XML the first element of a name is the one it would take."""
    if body.startswith(b"{"):
        return dict(json.loads(body))
    read: dict[str, Any] = {}
    for child in ET.fromstring(body):
        assert child.tag not in read, "an element was smuggled in"
        read[child.tag] = [{part.tag: part.text or "" for part in item} for item in child] or child.text or ""
    return read


def event(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "ToUserName": ACCOUNT,
        "FromUserName": FOLLOWER,
        "CreateTime": int(STAMP),
        "MsgType": "event",
        "Event": name,
        **fields,
    }


def text_message(content: str, **fields: Any) -> dict[str, Any]:
    return {
        "ToUserName": ACCOUNT,
        "FromUserName": FOLLOWER,
        "CreateTime": int(STAMP),
        "MsgType": "text",
        "Content": content,
        "MsgId": 6972028683187026694,
        **fields,
    }
