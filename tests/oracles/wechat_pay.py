"""WeChat Pay's end of the wire, played by those who know nothing of us: wechatpayv3 and wechatpay-axios-plugin.

They prove what we sign, and sign and seal what we are to prove. Written from wechat.md 4.1, 4.2 and 4.7.
"""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from answering import Asked, Told
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from node.sdk import Sdk
from wechatpayv3 import utils

SCHEME = "WECHATPAY2-SHA256-RSA2048"
APIV3_KEY = "0123456789abcdefghijABCDEFGHIJ-_"
KEY_ID = "PUB_KEY_ID_0112345678902026112000000000001"
MCHID, APPID, MERCHANT_SERIAL = "1900007291", "wxd678efh567hg6787", "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB"
TOLERANCE = 300
NUMBER, REFUND_NUMBER = "P20261120ABCDEFGHJKLMNPQR2", "R20261120ABCDEFGHJKLMNPQR2"
ODD = '挂号费 “内科”　"初诊"\\复诊 100% <a&b>=\'é/\u2028\t…'
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"

OPEN, FIND = "POST /v3/pay/transactions/jsapi", f"GET /v3/pay/transactions/out-trade-no/{NUMBER}?mchid={MCHID}"
CLOSE = f"POST /v3/pay/transactions/out-trade-no/{NUMBER}/close"
REFUND, FIND_REFUND = "POST /v3/refund/domestic/refunds", f"GET /v3/refund/domestic/refunds/{REFUND_NUMBER}"

TRADE = {
    "appid": APPID,
    "mchid": MCHID,
    "out_trade_no": NUMBER,
    "transaction_id": "4200001234202611201234567890",
    "trade_type": "JSAPI",
    "trade_state": "SUCCESS",
    "trade_state_desc": "支付成功",
    "bank_type": "CMC_CREDIT",
    "attach": ODD,
    "success_time": "2026-11-20T10:29:55+08:00",
    "payer": {"openid": OPENID},
    "amount": {"total": 5000, "payer_total": 5000, "currency": "CNY", "payer_currency": "CNY"},
}
REFUNDED = {
    "refund_id": "50000000382019052709732678859",
    "out_refund_no": REFUND_NUMBER,
    "transaction_id": "4200001234202611201234567890",
    "out_trade_no": NUMBER,
    "channel": "ORIGINAL",
    "user_received_account": "招商银行信用卡0403",
    "success_time": "2026-11-20T10:31:00+08:00",
    "create_time": "2026-11-20T10:30:30+08:00",
    "status": "SUCCESS",
    "amount": {"total": 5000, "refund": 2000, "payer_total": 5000, "payer_refund": 2000, "currency": "CNY"},
}
ANSWERS: dict[str, tuple[int, Any]] = {
    OPEN: (200, {"prepay_id": "wx201410272009395522657a690389285100"}),
    FIND: (200, TRADE),
    CLOSE: (204, None),
    REFUND: (200, REFUNDED),
    FIND_REFUND: (200, REFUNDED),
}


class Oracle(Protocol):
    """Somebody else's cryptography of WeChat Pay. Keys are PEM."""

    def proves_request(self, key: str, stated: Mapping[str, str], asked: Asked) -> bool: ...

    def proves_sheet(self, key: str, sheet: Mapping[str, str]) -> bool: ...

    def signed(self, key: str, timestamp: str, nonce: str, body: bytes) -> str: ...

    def sealed(self, key: str, nonce: str, about: str, text: str) -> str: ...


class InPython:
    """wechatpayv3. It seals nothing: `cryptography` does, and what it made must open for wechatpayv3."""

    def proves_request(self, key: str, stated: Mapping[str, str], asked: Asked) -> bool:
        # It lays out three lines; two more stand before them in a request.
        first = f"{asked.method}\n{asked.target}\n{stated['timestamp']}"
        return self._fits(key, first, stated["nonce_str"], asked.body.decode(), stated["signature"])

    def proves_sheet(self, key: str, sheet: Mapping[str, str]) -> bool:
        first = f"{sheet['appId']}\n{sheet['timeStamp']}"
        return self._fits(key, first, sheet["nonceStr"], sheet["package"], sheet["paySign"])

    def signed(self, key: str, timestamp: str, nonce: str, body: bytes) -> str:
        text = f"{timestamp}\n{nonce}\n{body.decode()}\n"
        signature: str = utils.rsa_sign(utils.load_private_key(key), text)
        return signature

    def sealed(self, key: str, nonce: str, about: str, text: str) -> str:
        ciphertext = b64encode(AESGCM(key.encode()).encrypt(nonce.encode(), text.encode(), about.encode())).decode()
        assert utils.aes_decrypt(nonce, ciphertext, about, key) == text
        return ciphertext

    def _fits(self, key: str, *pieces: str) -> bool:
        return bool(utils.rsa_verify(*pieces, utils.load_public_key(key)))


@dataclass(frozen=True)
class InNode:
    """wechatpay-axios-plugin."""

    sdk: Sdk

    def proves_request(self, key: str, stated: Mapping[str, str], asked: Asked) -> bool:
        given = {
            "method": asked.method,
            "target": asked.target,
            "timestamp": stated["timestamp"],
            "nonce": stated["nonce_str"],
            "body": asked.body.decode(),
            "signature": stated["signature"],
        }
        return bool(self.sdk("provesRequest", key=key, **given))

    def proves_sheet(self, key: str, sheet: Mapping[str, str]) -> bool:
        return bool(self.sdk("provesSheet", key=key, sheet=dict(sheet)))

    def signed(self, key: str, timestamp: str, nonce: str, body: bytes) -> str:
        return str(self.sdk("signed", key=key, timestamp=timestamp, nonce=nonce, body=body.decode()))

    def sealed(self, key: str, nonce: str, about: str, text: str) -> str:
        return str(self.sdk("sealed", key=key, nonce=nonce, about=about, text=text))


def stated(asked: Asked) -> dict[str, str]:
    """The fields of an Authorization header; nothing where it is of another scheme."""
    scheme, _, rest = asked.headers.get("Authorization", "").partition(" ")
    return dict(re.findall(r'(\w+)="([^"]*)"', rest)) if scheme == SCHEME else {}


@dataclass
class WeChatPay:
    """Takes what `oracle` proves to be the merchant's, and answers as `answers` says, signed.

    `answers`: status and content by method and target. `bend` changes an answer on its way.
    """

    oracle: Oracle
    merchant_key: str
    key: str = field(repr=False)
    serial: str = KEY_ID
    certificate: str = ""
    answers: dict[str, tuple[int, Any]] = field(default_factory=ANSWERS.copy)
    asked: list[Asked] = field(default_factory=list)
    bend: Callable[[Told], Told] = field(default=lambda told: told)

    def take(self, asked: Asked) -> Told:
        """The whole platform: to be served."""
        self.asked.append(asked)
        if not self.proves(asked):
            return 401, {}, '{"code":"SIGN_ERROR","message":"签名错误"}'.encode()
        status, content = self.answers[f"{asked.method} {asked.target}"]
        body = b"" if status == 204 else json.dumps(content, ensure_ascii=False).encode()
        return self.bend((status, self.headers(body), body))

    def proves(self, asked: Asked) -> bool:
        """Whether the request is this merchant's, made now, and has all that WeChat Pay wants to see."""
        told = stated(asked)
        if set(told) != {"mchid", "serial_no", "nonce_str", "timestamp", "signature"}:
            return False
        if (told["mchid"], told["serial_no"]) != (MCHID, MERCHANT_SERIAL) or not asked.headers.get("User-Agent"):
            return False
        if asked.headers.get("Accept") != "application/json" or abs(time.time() - int(told["timestamp"])) > TOLERANCE:
            return False
        return self.oracle.proves_request(self.merchant_key, told, asked)

    def headers(self, body: bytes, *, key: str = "") -> dict[str, str]:
        """Of an answer or an event with this body; by another key where one is given."""
        stamp, nonce = str(int(time.time())), "6f0a1b2c3d4e5f60718293a4b5c6d7e8"
        return {
            "Content-Type": "application/json; charset=utf-8",
            "Request-ID": "08F78BB5AF0610D302189F8AA92C20AC5DC8A705-0",
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Serial": self.serial,
            "Wechatpay-Signature": self.oracle.signed(key or self.key, stamp, nonce, body),
            "Wechatpay-Signature-Type": SCHEME,
            "Wechatpay-Timestamp": stamp,
        }

    def resource(self, content: Any, about: str, key: str = APIV3_KEY) -> dict[str, str]:
        """Something sealed. A text is sealed as it is."""
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        nonce = "fdasflkja484"
        return {
            "original_type": about,
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": self.oracle.sealed(key, nonce, about, text),
            "associated_data": about,
            "nonce": nonce,
        }

    def event(self, event_type: str, resource: Mapping[str, str]) -> bytes:
        envelope = {
            "id": "EV-2018022511223320873",
            "create_time": "2026-11-20T10:30:00+08:00",
            "resource_type": "encrypt-resource",
            "event_type": event_type,
            "summary": "支付成功 “\\”/",
            "resource": dict(resource),
        }
        return json.dumps(envelope, ensure_ascii=False).encode()
