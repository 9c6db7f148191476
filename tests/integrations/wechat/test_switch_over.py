"""Certificates in their time, beside the public key, and for messages that come by themselves (F-58)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from wechat_pay_side import platform_certificate, serial_of

from core.ports import CloseOutcome, InvalidSignature, ProviderUnavailable
from integrations.wechat import MerchantAccount, WeChatPayGateway, WeChatPayMessageReader

HOST = "https://api.mch.weixin.qq.com"
PATH = "/v3/certificates"
NUMBER = "YZ20261120000001"
CLOSE = f"/v3/pay/transactions/out-trade-no/{NUMBER}/close"
NAME = "wechat_pay_certificates:1900007291"

pytestmark = pytest.mark.parametrize("key_mode", ["certificate"], indirect=True, scope="session")


@pytest.fixture
def stored() -> dict[str, str]:
    """Nobody has fetched any yet."""
    return {}


@pytest.fixture
def reader(merchant: MerchantAccount, tokens: Any) -> WeChatPayMessageReader:
    return WeChatPayMessageReader(merchant, {merchant.appid: "yuezhen"}, tokens=tokens)


def fetches(wire: responses.RequestsMock) -> int:
    return len([call for call in wire.calls if call.request.url == HOST + PATH])


class SlowTokens:
    """A store where another process fetches for ever."""

    def token(self, name: str, fetch: Any, *, rejected: str | None = None) -> str:
        raise ProviderUnavailable(f"no {name.partition(':')[0]} in time", sent=False)

    def stored(self, name: str) -> str | None:
        return None


# --- their time -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "reason"),
    [(-301, "not_in_force"), (-300, None), (0, None), (3600, None), (3600 + 299, None), (3600 + 300, "not_in_force")],
)
def test_a_certificate_proves_in_its_time_and_five_minutes_around_it(
    *, merchant: MerchantAccount, wechat_pay: Any, paid_trade: dict[str, Any], moment: int, reason: str | None
) -> None:
    begins = wechat_pay.now
    pem = platform_certificate(wechat_pay.key, begins=begins, lasts=timedelta(hours=1))
    account = replace(merchant, platform_certificates=(pem,))
    reader = WeChatPayMessageReader(account, {account.appid: "yuezhen"}, tokens=SlowTokens())
    side = replace(wechat_pay, key_id=serial_of(pem), now=begins + timedelta(seconds=moment))
    body = side.event(paid_trade, event_type="TRANSACTION.SUCCESS")
    if reason is None:
        assert reader.check(side.headers(body), body, now=side.now).trade is not None
        return
    with pytest.raises(InvalidSignature, match=f"^{reason}$"):
        reader.check(side.headers(body), body, now=side.now)


def test_what_has_ended_is_not_kept(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, tokens: Any, next_side: Any
) -> None:
    ended = platform_certificate(next_side.key, lasts=timedelta(days=30))
    wechat_pay.answer(wire, "GET", PATH, wechat_pay.certificates(ended, wechat_pay.certificate))
    closed = wechat_pay.answer(wire, "POST", CLOSE, b"", status=204)
    gateway.close_payment(NUMBER)
    assert json.loads(tokens.tokens[NAME])["certificates"] == [wechat_pay.certificate]
    assert closed.calls[0].request.headers["Wechatpay-Serial"] == wechat_pay.key_id


# --- who receives -----------------------------------------------------------------------------------------------------


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """Where the certificates would be fetched; whoever comes is written down."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(500)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing to print."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
        server.shutdown()
        thread.join()


def test_no_message_makes_us_call_out(
    *,
    make_gateway: Callable[..., WeChatPayGateway],
    merchant: MerchantAccount,
    wechat_pay: Any,
    tokens: Any,
    paid_trade: dict[str, Any],
    canary: Any,
) -> None:
    """Neither the first one, before anything was fetched, nor one with a serial that comes and goes."""
    url, seen = canary
    account = replace(merchant, base_url=url)
    reader = WeChatPayMessageReader(account, {account.appid: "yuezhen"}, tokens=tokens)
    body = wechat_pay.event(paid_trade, event_type="TRANSACTION.SUCCESS")
    for serial in (wechat_pay.key_id, "5157F09EFDC096DE15EBE81A47057A7232F1B8E1", "PUB_KEY_ID_1"):
        with pytest.raises(InvalidSignature, match=r"^unknown_serial$"):
            reader.check(wechat_pay.headers(body, serial=serial), body, now=wechat_pay.now)
    assert (seen, tokens.lives) == ([], [])
    with pytest.raises(ProviderUnavailable):  # the same address is asked by who sends
        make_gateway(account).close_payment(NUMBER)
    assert seen == [PATH]


def test_a_message_is_proven_by_what_a_sender_fetched(
    *,
    gateway: WeChatPayGateway,
    reader: WeChatPayMessageReader,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    next_side: Any,
    paid_trade: dict[str, Any],
    tokens: Any,
) -> None:
    """Also after the hour of the fetch: a certificate has its own time."""
    both = wechat_pay.certificates(wechat_pay.certificate, next_side.certificate)
    wechat_pay.answer(wire, "GET", PATH, both)
    wechat_pay.answer(wire, "POST", CLOSE, b"", status=204)
    gateway.close_payment(NUMBER)
    tokens.ended.add(NAME)
    for side in (wechat_pay, next_side):
        body = side.event(paid_trade, event_type="TRANSACTION.SUCCESS")
        assert reader.check(side.headers(body), body, now=side.now).app == "yuezhen"
    crossed = wechat_pay.headers(body, serial=next_side.key_id)
    with pytest.raises(InvalidSignature, match=r"^bad_signature$"):
        reader.check(crossed, body, now=wechat_pay.now)


# --- both kinds at once -----------------------------------------------------------------------------------------------


@pytest.fixture
def public_side(wechat_pay: Any) -> Any:
    """WeChat Pay with its public key."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return replace(wechat_pay, key=key, key_id="PUB_KEY_ID_0112345678902026112000000000001")


@pytest.fixture
def switching(merchant: MerchantAccount, public_side: Any) -> MerchantAccount:
    return replace(merchant, public_key_id=public_side.key_id, public_key_pem=public_pem(public_side.key))


def public_pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_during_a_switch_over_either_kind_proves_and_the_public_key_is_asked_for(
    *,
    make_gateway: Callable[..., WeChatPayGateway],
    switching: MerchantAccount,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    public_side: Any,
    tokens: Any,
    paid_trade: dict[str, Any],
) -> None:
    gateway = make_gateway(switching)
    reader = WeChatPayMessageReader(switching, {switching.appid: "yuezhen"}, tokens=tokens)
    public_side.answer(wire, "GET", PATH, wechat_pay.certificates())
    for side in (public_side, wechat_pay):
        wire.upsert("POST", HOST + CLOSE, status=204, headers=side.headers(b""))
        assert gateway.close_payment(NUMBER) is CloseOutcome.CLOSED
        assert wire.calls[-1].request.headers["Wechatpay-Serial"] == public_side.key_id
        body = side.event(paid_trade, event_type="TRANSACTION.SUCCESS")
        assert reader.check(side.headers(body), body, now=side.now).trade is not None
    assert fetches(wire) == 1


def test_a_platform_that_has_no_more_certificates_stops_nothing(
    make_gateway: Callable[..., WeChatPayGateway],
    switching: MerchantAccount,
    wire: responses.RequestsMock,
    public_side: Any,
    tokens: Any,
) -> None:
    wire.add("GET", HOST + PATH, status=404, json={"code": "RESOURCE_NOT_EXISTS", "message": "无可用的平台证书"})
    public_side.answer(wire, "POST", CLOSE, b"", status=204)
    gateway = make_gateway(switching)
    for _ in range(3):
        assert gateway.close_payment(NUMBER) is CloseOutcome.CLOSED
    assert fetches(wire) == 1


def test_a_certificate_may_not_bear_the_name_of_the_public_key(
    *, switching: MerchantAccount, wechat_pay: Any, public_side: Any, paid_trade: dict[str, Any]
) -> None:
    """Each serial has its own key: the one kind cannot sign under the other's name."""
    account = replace(switching, platform_certificates=(wechat_pay.certificate,))
    reader = WeChatPayMessageReader(account, {account.appid: "yuezhen"}, tokens=SlowTokens())
    body = wechat_pay.event(paid_trade, event_type="TRANSACTION.SUCCESS")
    for side, serial in ((wechat_pay, public_side.key_id), (public_side, wechat_pay.key_id)):
        with pytest.raises(InvalidSignature, match=r"^bad_signature$"):
            reader.check(side.headers(body, serial=serial), body, now=side.now)


# --- the configuration ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"platform_certificates": None}, "public_key_id with public_key_pem or platform_certificates"),
        ({"public_key_id": "PUB_KEY_ID_1"}, "belong together"),
        ({"public_key_pem": "VERYSECRET"}, "belong together"),
        ({"platform_certificates": ("VERYSECRET",)}, "platform_certificates is not a PEM certificate"),
        ({"bound_appids": ("wx 1",)}, "bound_appids"),
    ],
)
def test_keys_that_cannot_work_stop_the_start(merchant: MerchantAccount, changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault) as caught:
        replace(merchant, **changes)
    assert "VERYSECRET" not in str(caught.value)


@pytest.mark.parametrize("kind", ["elliptic", "short"])
def test_a_certificate_holds_an_rsa_key_of_2048_bits(merchant: MerchantAccount, kind: str) -> None:
    key: Any = ec.generate_private_key(ec.SECP256R1()) if kind == "elliptic" else generate_private_key(65537, 1024)
    with pytest.raises(ValueError, match="platform_certificates must be an RSA key"):
        replace(merchant, platform_certificates=(platform_certificate(key),))
