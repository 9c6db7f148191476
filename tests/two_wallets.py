"""A ward with two wallets, and what a patient with an account in each does to have one of both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes import FakeAdapters, FakeGateway, FakePhones
from people import FakeLogin
from ward import Ward, agree, open_ward
from wire import Phone, in_process

from core.invariants import check_invariants
from core.ports import PaymentGateway, PlatformUser
from core.registry import NotConfigured
from models.database import Database

WECHAT, ALIPAY = "wechat_miniapp", "alipay_miniapp"
MOBILE = "phone-13800000000"
ANYBODY = {"min_identity_level": 0}


@dataclass
class Users(FakeLogin):
    """Knows the code of NAME as the user NAME of its wallet."""

    provider: str = WECHAT
    app: str = "main"

    def exchange_code(self, code: str) -> PlatformUser:
        return PlatformUser(self.provider, self.app, open_id=f"{self.provider}-{code.removeprefix('code-of-')}")


@dataclass
class TwoWallets:
    """One gateway for each wallet, open to whoever is logged in there."""

    adapters: FakeAdapters
    alipay: FakeGateway
    gateways: dict[str, FakeGateway] = field(default_factory=dict)

    def gateway(self, channel: str, merchant: str | None, *, provider: str, app: str) -> PaymentGateway:
        own = {WECHAT: "wechat_jsapi", ALIPAY: "alipay_miniapp"}
        if own[provider] != channel:
            raise NotConfigured(channel)
        return self.gateways[channel]

    def gateway_of(self, channel: str, merchant: str, app: str) -> PaymentGateway:
        return self.gateways[channel]


@contextmanager
def open_two_wallets(database: Database, folder: Path) -> Iterator[Ward]:
    """Whatever was done in it, every invariant holds afterwards."""
    with open_ward(database.url.render_as_string(hide_password=False), folder) as opened:
        alipay = FakeGateway(opened.clock)
        alipay.channel = "alipay_miniapp"
        both = TwoWallets(opened.adapters, alipay, {"wechat_jsapi": opened.adapters.the_gateway, ALIPAY: alipay})
        opened.adapters.gateway, opened.adapters.gateway_of = both.gateway, both.gateway_of  # type: ignore[method-assign]
        for provider in (WECHAT, ALIPAY):
            opened.adapters.logins[provider, None] = Users(provider=provider)
            opened.adapters.phones[provider, "main"] = FakePhones(provider)
        yield opened
        with database.read() as session:
            assert check_invariants(session, now=opened.clock.now()) == []


def log_in(ward: Ward, provider: str, name: str = "an") -> Phone:
    reply = ward.send("POST", "/api/v1/sessions", {"provider": provider, "code": f"code-of-{name}"})
    assert reply.status == 201, reply
    phone = Phone(in_process(ward.app), reply.json["token"])
    agree(phone, "service")
    agree(phone, "sensitive_identity")
    return phone


def prove(phone: Phone, provider: str, mobile: str = MOBILE) -> None:
    reply = phone.send("PUT", "/account/phone", {"provider": provider, "code": mobile})
    assert reply.status == 200, reply


def joins(phone: Phone) -> list[dict[str, Any]]:
    page = phone.get("/account/joins")
    assert page["next_cursor"] is None
    return list(page["items"])


def yes(phone: Phone) -> dict[str, Any]:
    (item,) = [one for one in joins(phone) if one["waits_for"] == "you"]
    reply = phone.post("/account/joins", {"join_id": item["id"]})
    assert reply.status == 201, reply
    return dict(reply.json)


def join(wechat: Phone, alipay: Phone) -> dict[str, Any]:
    """Both prove the same phone, and both say yes."""
    prove(wechat, WECHAT)
    prove(alipay, ALIPAY)
    yes(wechat)
    return yes(alipay)
