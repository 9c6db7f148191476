"""For test suites: a sandbox inside the process, a receiver of notices, and clients that assume nothing of ours.

`MerchantClient` signs with `cryptography` alone, so that it does not agree with the sandbox by sharing its code.
"""

import json
import secrets
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from sandbox.app import Running, start
from sandbox.config import Settings
from sandbox.server import Server

PATIENCE = 15.0


@contextmanager
def running_sandbox(
    data_dir: Path,
    *,
    host: str = "127.0.0.1",
    token: str | None = None,
    time_scale: float = 1000.0,
    settle_delay: float = 0.02,
) -> Iterator[Running]:
    """Serve a sandbox on a free port for the length of the block."""
    running = start(Settings(data_dir, host, 0, time_scale, settle_delay, token))
    thread = threading.Thread(target=running.serve, name="sandbox-server")
    thread.start()
    try:
        yield running
    finally:
        running.server.shutdown()
        thread.join()
        running.stop()


def eventually(look: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Look until there is something to see. Raises: AssertionError when patience ends."""
    deadline = time.monotonic() + patience
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing seen within {patience:g} s")
        time.sleep(0.01)
    return seen


@dataclass(frozen=True)
class Received:
    """One request that a receiver was sent."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Receiver:
    """Takes notices and answers as `respond` says; `received` is what came, in order of arrival."""

    base_url: str = ""
    received: list[Received] = field(default_factory=list)
    respond: Callable[[Received], int | tuple[int, bytes]] = field(default=lambda _: 204)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """The WSGI application."""
        headers = {
            name[5:].replace("_", "-").title(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        seen = Received(environ["PATH_INFO"], headers, environ["wsgi.input"].read(), time.monotonic())
        self.received.append(seen)
        given = self.respond(seen)
        status, answer = given if isinstance(given, tuple) else (given, b'{"code":"FAIL","message":"asked to"}')
        start_response(f"{status} Answered", [("Content-Type", "application/json")])
        return [] if status == 204 else [answer]


@contextmanager
def listening(application: WSGIApplication) -> Iterator[str]:
    """Serve an application on a free port for the length of the block; yields where."""
    stopping = threading.Event()
    server = Server("127.0.0.1", 0, application, 1024 * 1024, stopping)
    thread = threading.Thread(target=lambda: server.serve_forever(0.05), name="receiver")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        stopping.set()
        server.shutdown()
        thread.join()
        server.drain()


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Listen on a free port for the length of the block."""
    application = Receiver()
    with listening(application) as application.base_url:
        yield application


@dataclass
class Control:
    """`/control` of a sandbox."""

    base_url: str
    http: requests.Session

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str) -> requests.Response:
        """Any call, whatever its outcome."""
        return self.http.request(method, f"{self.base_url}/control{path}", json=body, params=query, timeout=PATIENCE)

    def get(self, path: str, **query: str) -> Any:
        """A read that must succeed."""
        answer = self.call("GET", path, None, **query)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        """A command that must succeed."""
        answer = self.call("POST", path, body)
        assert answer.ok, answer.text
        return answer.json()

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The items of a list."""
        items: list[dict[str, Any]] = self.get(path, **query)["items"]
        return items


@dataclass
class MerchantClient:
    """A merchant's careful client; every part of a request can be bent."""

    credentials: Mapping[str, Any]
    http: requests.Session
    prefix: str = ""

    @cached_property
    def key(self) -> RSAPrivateKey:
        """The merchant's private key."""
        key = load_pem_private_key(self.credentials["private_key"].encode(), None)
        assert isinstance(key, RSAPrivateKey)
        return key

    def sign(self, text: bytes) -> str:
        """A signature of the merchant."""
        return b64encode(self.key.sign(text, PKCS1v15(), SHA256())).decode()

    def authorization(self, method: str, path: str, body: bytes, **bent: str) -> str:
        """The header; `bent` replaces fields after or, for `timestamp` and `nonce_str`, before signing."""
        stamp = bent.get("timestamp", str(int(time.time())))
        nonce = bent.get("nonce_str", secrets.token_hex(16).upper())
        text = f"{method}\n{self.prefix}{path}\n{stamp}\n{nonce}\n".encode() + body + b"\n"
        fields = {
            "mchid": self.credentials["mchid"],
            "nonce_str": nonce,
            "signature": self.sign(text),
            "timestamp": stamp,
            "serial_no": self.credentials["serial_no"],
            **bent,
        }
        return "WECHATPAY2-SHA256-RSA2048 " + ",".join(f'{name}="{value}"' for name, value in fields.items())

    def headers(self, authorization: str) -> dict[str, str]:
        """What every request carries."""
        headers = {
            "Authorization": authorization,
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": "tests",
        }
        if "public_key_id" in self.credentials:
            headers["Wechatpay-Serial"] = self.credentials["public_key_id"]
        return headers

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **bent: str) -> requests.Response:
        """A signed call."""
        raw = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        return self.send(method, path, raw, self.headers(self.authorization(method, path, raw, **bent)))

    def send(self, method: str, path: str, raw: bytes, headers: Mapping[str, str | None]) -> requests.Response:
        """A call with these very bytes and headers; None keeps the library's own header away."""
        return self.http.request(
            method, self.credentials["base_url"] + path, data=raw or None, headers=headers, timeout=PATIENCE
        )

    def platform_keys(self) -> dict[str, RSAPublicKey]:
        """What the platform may sign with, by its serial: the public key, certificates, or both."""
        keys = {}
        if "public_key_id" in self.credentials:
            keys[self.credentials["public_key_id"]] = load_pem_public_key(self.credentials["public_key"].encode())
        for pem in self.credentials.get("platform_certificates", []):
            certificate = load_pem_x509_certificate(pem.encode())
            keys[f"{certificate.serial_number:X}"] = certificate.public_key()
        return {serial: key for serial, key in keys.items() if isinstance(key, RSAPublicKey)}

    def proves(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Check the platform's signature on an answer or a notice, with nothing but `cryptography`."""
        key = self.platform_keys().get(headers["Wechatpay-Serial"])
        if key is None:
            return False
        text = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n".encode() + body + b"\n"
        try:
            key.verify(b64decode(headers["Wechatpay-Signature"], validate=True), text, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True

    def order(self, number: str, openid: str, notify_url: str, **changes: Any) -> dict[str, Any]:
        """A plain order of 1500 fen."""
        order = {
            "appid": self.credentials["appid"],
            "mchid": self.credentials["mchid"],
            "description": "挂号费",
            "out_trade_no": number,
            "notify_url": notify_url,
            "amount": {"total": 1500, "currency": "CNY"},
            "payer": {"openid": openid},
        }
        return order | changes

    def place(self, order: Mapping[str, Any]) -> requests.Response:
        """Place an order."""
        return self.call("POST", "/v3/pay/transactions/jsapi", order)

    def query(self, number: str) -> requests.Response:
        """Ask for an order."""
        return self.call("GET", f"/v3/pay/transactions/out-trade-no/{number}?mchid={self.credentials['mchid']}")

    def close(self, number: str) -> requests.Response:
        """Close an order."""
        path = f"/v3/pay/transactions/out-trade-no/{number}/close"
        return self.call("POST", path, {"mchid": self.credentials["mchid"]})

    def refund(
        self, number: str, refund_number: str, fen: int, notify_url: str | None = None, **changes: Any
    ) -> requests.Response:
        """Ask for a refund of an order of 1500 fen."""
        body = {
            "out_trade_no": number,
            "out_refund_no": refund_number,
            "amount": {"refund": fen, "total": 1500, "currency": "CNY"},
            **changes,
        }
        if notify_url is not None:
            body["notify_url"] = notify_url
        return self.call("POST", "/v3/refund/domestic/refunds", body)

    def query_refund(self, refund_number: str) -> requests.Response:
        """Ask for a refund."""
        return self.call("GET", f"/v3/refund/domestic/refunds/{refund_number}")
