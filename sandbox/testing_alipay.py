"""For test suites: a client of the Alipay gateway that signs and verifies with `cryptography` alone.

It reads the protocol for itself: it shares no line with the sandbox, so the two agree only where both are right.
"""

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import md5
from typing import Any
from urllib.parse import parse_qsl, urlencode

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from sandbox.testing import PATIENCE

#: What the official clients put into the query; all the rest travels in the body.
IN_QUERY = frozenset(
    {"app_id", "method", "format", "charset", "sign_type", "timestamp", "version", "notify_url", "sign"}
    | {"app_cert_sn", "alipay_root_cert_sn", "encrypt_type", "return_url", "auth_token"}
)


def now_in_china() -> str:
    """The stamp of a request."""
    return (datetime.now(UTC) + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")


def value_after(raw: str, name: str) -> str | None:
    """The JSON text of a top-level value, exactly as it stands: strings may hold any brace or quote."""
    decoder = json.JSONDecoder()
    at = raw.index("{") + 1
    while True:
        while raw[at] in " \t\r\n,":
            at += 1
        if raw[at] == "}":
            return None
        key, at = decoder.raw_decode(raw, at)
        while raw[at] in " \t\r\n:":
            at += 1
        _, end = decoder.raw_decode(raw, at)
        if key == name:
            return raw[at:end]
        at = end


def serial_name(pem: str) -> str | None:
    """The name of a certificate in RSA; None for others, and for those that cannot be read."""
    try:
        certificate = load_pem_x509_certificate(pem.encode())
        algorithm = certificate.signature_algorithm_oid.dotted_string
    except ValueError:
        return None
    parts = {part.rfc4514_attribute_name: part.value for part in certificate.issuer}
    issuer = ",".join(f"{name}={parts[name]!s}" for name in ("CN", "OU", "O", "C") if name in parts)
    named = f"{issuer}{certificate.serial_number}"
    return md5(named.encode()).hexdigest() if algorithm.startswith("1.2.840.113549.1.1.") else None


@dataclass(frozen=True)
class Said:
    """An answer of the gateway: its root node, and whether the account's key proves it."""

    raw: str
    root: str
    node: dict[str, Any]
    proved: bool
    cert_sn: str | None

    @property
    def sub_code(self) -> str | None:
        """The error; None where there is none."""
        return self.node.get("sub_code")


@dataclass
class AlipayClient:
    """An account's careful client; every part of a request can be bent."""

    credentials: Mapping[str, Any]
    http: requests.Session

    @cached_property
    def key(self) -> RSAPrivateKey:
        """The app's private key."""
        key = load_pem_private_key(self.credentials["private_key"].encode(), None)
        assert isinstance(key, RSAPrivateKey)
        return key

    @cached_property
    def cert_sns(self) -> dict[str, str]:
        """What certificate mode adds to a request."""
        files = self.credentials.get("certificates")
        if files is None:
            return {}
        roots = [serial_name(block) for block in files["alipay_root_cert"].split("\n\n")]
        own = serial_name(files["app_cert"])
        return {"app_cert_sn": own or "", "alipay_root_cert_sn": "_".join(name for name in roots if name)}

    @property
    def op_app_id(self) -> str:
        """The mini-program whose patients pay here."""
        return str(self.credentials.get("op_app_id", self.credentials["app_id"]))

    def sign(self, params: Mapping[str, str], codec: str = "utf-8") -> str:
        """A signature over everything that has a value, `sign_type` included."""
        pairs = sorted((name, value) for name, value in params.items() if value and name != "sign")
        text = "&".join(f"{name}={value}" for name, value in pairs)
        return b64encode(self.key.sign(text.encode(codec), PKCS1v15(), SHA256())).decode()

    def params(self, method: str, content: Mapping[str, Any] | None = None, /, **top: str | None) -> dict[str, str]:
        """The signed parameters of a call; `top` adds or replaces top-level ones, None leaves one out."""
        params: dict[str, str | None] = {
            "app_id": self.credentials["app_id"],
            "method": method,
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": now_in_china(),
            "version": "1.0",
            **self.cert_sns,
        }
        if content is not None:
            params["biz_content"] = json.dumps(content, ensure_ascii=False)
        kept = {name: value for name, value in {**params, **top}.items() if value is not None}
        return {**kept, "sign": kept.get("sign") or self.sign(kept)}

    def send(self, params: Mapping[str, str], how: str = "POST", codec: str = "utf-8") -> requests.Response:
        """Send these very parameters: by POST the common ones travel in the query; by GET all of them do."""
        common = {name: value for name, value in params.items() if how == "GET" or name in IN_QUERY}
        rest = {name: value for name, value in params.items() if name not in common}
        return self.http.request(
            how,
            f"{self.credentials['gateway']}?{urlencode(common, encoding=codec)}",
            data=urlencode(rest, encoding=codec).encode() or None,
            headers={"Content-Type": f"application/x-www-form-urlencoded;charset={codec}"},
            timeout=PATIENCE,
            allow_redirects=False,
        )

    def call(self, method: str, content: Mapping[str, Any] | None = None, /, **top: str | None) -> Said:
        """A signed call, and what was said."""
        return self.read(self.send(self.params(method, content, **top)))

    def read(self, answer: requests.Response) -> Said:
        """Take an answer apart; an encrypted node is opened."""
        assert answer.headers["Content-Type"].startswith("text/html;charset=")
        raw = answer.content.decode(answer.headers["Content-Type"].partition("charset=")[2].replace("gbk", "gb18030"))
        whole = json.loads(raw)
        root = next(name for name in whole if name not in ("sign", "alipay_cert_sn"))
        signed = value_after(raw, root)
        assert signed is not None
        codec = answer.headers["Content-Type"].partition("charset=")[2]
        node = whole[root]
        proved = "sign" in whole and self.proves(signed.encode(codec), whole["sign"])
        if isinstance(node, str):
            node = json.loads(self.decrypt(node))
        return Said(raw, root, node, proved, whole.get("alipay_cert_sn"))

    def proves(self, text: bytes, signature: str) -> bool:
        """Check a signature of the platform."""
        key = load_pem_public_key(self.credentials["alipay_public_key"].encode())
        assert isinstance(key, RSAPublicKey)
        try:
            key.verify(b64decode(signature, validate=True), text, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return False
        return b64encode(b64decode(signature)).decode() == signature

    def proves_notice(self, body: bytes) -> bool:
        """Check an event: without `sign` and `sign_type`, by our own algorithm, whatever it says."""
        params = self.notice(body)
        pairs = sorted((name, value) for name, value in params.items() if value and name not in ("sign", "sign_type"))
        text = "&".join(f"{name}={value}" for name, value in pairs)
        return self.proves(text.encode(), params.get("sign", ""))

    def notice(self, body: bytes) -> dict[str, str]:
        """The fields of an event, decoded once."""
        return dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))

    def encrypt(self, text: str) -> str:
        """Content under the app's AES key."""
        raw = text.encode()
        size = 16 - len(raw) % 16
        sealer = self._cipher().encryptor()
        return b64encode(sealer.update(raw + bytes([size]) * size) + sealer.finalize()).decode()

    def decrypt(self, text: str) -> str:
        """What `encrypt` made."""
        opener = self._cipher().decryptor()
        raw = opener.update(b64decode(text)) + opener.finalize()
        return raw[: -raw[-1]].decode()

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(b64decode(self.credentials["aes_key"])), modes.CBC(bytes(16)))

    def order(self, number: str, open_id: str, **changes: Any) -> dict[str, Any]:
        """A plain trade of 15.00 yuan."""
        payer = "buyer_open_id" if self.op_app_id == self.credentials["app_id"] else "op_buyer_open_id"
        order = {
            "out_trade_no": number,
            "total_amount": "15.00",
            "subject": "挂号费",
            "product_code": "JSAPI_PAY",
            "op_app_id": self.op_app_id,
            payer: open_id,
        }
        return {name: value for name, value in (order | changes).items() if value is not None}

    def place(self, order: Mapping[str, Any], notify_url: str | None = None) -> Said:
        """Place a trade."""
        return self.call("alipay.trade.create", order, notify_url=notify_url)

    def query(self, number: str, **more: Any) -> Said:
        """Ask for a trade."""
        return self.call("alipay.trade.query", {"out_trade_no": number, **more})

    def close(self, number: str) -> Said:
        """Close a trade."""
        return self.call("alipay.trade.close", {"out_trade_no": number})

    def refund(self, number: str, request_no: str, amount: str, **more: Any) -> Said:
        """Return money."""
        content = {"out_trade_no": number, "out_request_no": request_no, "refund_amount": amount, **more}
        return self.call("alipay.trade.refund", content)

    def query_refund(self, number: str, request_no: str, **more: Any) -> Said:
        """Ask for a refund."""
        content = {"out_trade_no": number, "out_request_no": request_no, **more}
        return self.call("alipay.trade.fastpay.refund.query", content)

    def initialize(self, **changes: Any) -> Said:
        """Begin a face check."""
        content = {
            "outer_order_no": secrets.token_hex(16),
            "biz_code": "FACE",
            "identity_param": {
                "identity_type": "CERT_INFO",
                "cert_type": "IDENTITY_CARD",
                "cert_name": "张三",
                "cert_no": "11010519491231002X",
            },
            "merchant_config": {"return_url": "https://example.com/back"},
        }
        return self.call("alipay.user.certify.open.initialize", content | changes)
