"""Servers that speak https under certificates that are not what they should be, and an authority of our own."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from requests import Session
from structlog.testing import capture_logs

from core.ports import ProviderUnavailable
from integrations import transport

STRANGERS = ("expired", "not in force yet", "of another host", "self-signed", "of an authority nobody knows")
DAY = timedelta(days=1)


def _key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    key: RSAPrivateKey,
    issuer: tuple[str, RSAPrivateKey],
    *,
    host: str = "localhost",
    begins: timedelta = -2 * DAY,
    ends: timedelta = 2 * DAY,
    authority: bool = False,
) -> bytes:
    name, issuer_key = issuer
    builder = x509.CertificateBuilder().subject_name(_named(name if authority else host)).issuer_name(_named(name))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(datetime.now(UTC) + begins).not_valid_after(datetime.now(UTC) + ends)
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return builder.sign(issuer_key, SHA256()).public_bytes(Encoding.PEM)


@dataclass
class Listener:
    """`heard` is what somebody said who trusted it."""

    url: str
    heard: bytes = b""


@contextmanager
def https_server(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """Under a certificate of that kind, or `good`; the adapters that are made in the block trust one authority."""
    authority, key = ("An authority", _key()), _key()
    trusted = folder / "authority.pem"
    trusted.write_bytes(_certificate(authority[1], authority, authority=True))
    made = transport._session

    def trusting() -> Session:
        session = made()
        session.verify = str(trusted)
        return session

    monkeypatch.setattr(transport, "_session", trusting)
    shown = {
        "good": lambda: _certificate(key, authority),
        "expired": lambda: _certificate(key, authority, begins=-9 * DAY, ends=-DAY),
        "not in force yet": lambda: _certificate(key, authority, begins=DAY),
        "of another host": lambda: _certificate(key, authority, host="pay.example"),
        "self-signed": lambda: _certificate(key, ("localhost", key)),
        "of an authority nobody knows": lambda: _certificate(key, ("An authority", _key())),
    }[kind]()
    own = folder / "server.pem"
    own.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + shown)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    with socket.create_server(("127.0.0.1", 0)) as door:
        listener = Listener(f"https://localhost:{door.getsockname()[1]}")
        serving = Thread(target=_serve, args=(door, context, listener))
        serving.start()
        try:
            yield listener
        finally:
            door.shutdown(socket.SHUT_RDWR)
            serving.join()


@dataclass(frozen=True)
class Heard:
    """What came of one call: whether it may have been sent, what the other side heard, and what was logged."""

    sent: bool
    said: bytes
    logged: list[tuple[str, str, bool]]


NOTHING = Heard(sent=False, said=b"", logged=[("certificate_not_trusted", "localhost", True)])
"""Neither a word nor a second try without https; nothing was sent, and somebody is woken."""


def called(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[str], object]) -> Heard:
    """What comes of calling the server's address, which must fail."""
    with (
        https_server(kind, folder, monkeypatch) as server,
        capture_logs() as logs,
        pytest.raises(ProviderUnavailable) as failed,
    ):
        call(server.url)
    return Heard(failed.value.sent, server.heard, [(one["event"], one["host"], one["alarm"]) for one in logs])


def _serve(door: socket.socket, context: ssl.SSLContext, listener: Listener) -> None:
    with suppress(OSError):
        while True:
            caller, _ = door.accept()
            with suppress(OSError), caller, context.wrap_socket(caller, server_side=True) as secure:
                listener.heard += secure.recv(65536)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
