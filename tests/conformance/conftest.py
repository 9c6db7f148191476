"""The sandbox as a process of its own, reached only over HTTP: nothing here imports a line of it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from core.ports import IdKind, PaymentOrder
from integrations.wechat import MerchantAccount, MiniappAccount, WeChatPayGateway

ROOT = Path(__file__).parents[2]
OPENID = "oConformance0001"


@dataclass(frozen=True)
class Sandbox:
    base_url: str

    def credentials(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{self.base_url}/control/credentials", timeout=10).json()[kind]
        return found

    def control(self, path: str, **wanted: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.base_url}/control/{path}", json=wanted, timeout=10)
        answer.raise_for_status()
        done: dict[str, Any] = answer.json()
        return done

    def login_code(self) -> str:
        """A fresh code; makes the person too, where it is new."""
        code: str = self.control("login-codes", provider="wechat_miniapp", open_id=OPENID, union_id="u1")["code"]
        return code

    def ledger(self, out_trade_no: str) -> list[dict[str, Any]]:
        items = requests.get(f"{self.base_url}/control/ledger", timeout=10).json()["items"]
        return [item for item in items if item["out_trade_no"] == out_trade_no]

    def misbehave(self, target: str, kind: str, **options: Any) -> None:
        """Once, on the next message or answer of this kind."""
        self.control("faults", target=target, kind=kind, times=1, **options)

    def behave(self) -> None:
        requests.delete(f"{self.base_url}/control/faults", timeout=10).raise_for_status()


@dataclass
class MemoryTokens:
    """A TokenStore that counts its fetches and can be told a lie."""

    kept: dict[str, str] = field(default_factory=dict)
    fetches: int = 0

    def token(self, name: str, fetch: Callable[[], tuple[str, timedelta]], *, rejected: str | None = None) -> str:
        if name not in self.kept or self.kept[name] == rejected:
            self.fetches += 1
            self.kept[name] = fetch()[0]
        return self.kept[name]

    def stored(self, name: str) -> str | None:
        return self.kept.get(name)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Its retry schedule runs a thousand times faster; its stamps stay real."""
    home = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--data-dir", str(home)]
    command += ["--time-scale", "1000", "--settle-delay", "0.05"]
    with (
        (home / "log").open("wb") as log,
        subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdout is not None
        first = process.stdout.readline().split()
        try:
            if len(first) < 2:
                pytest.fail((home / "log").read_text())
            yield Sandbox(first[1])
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def wechat_merchants(sandbox: Sandbox) -> list[MerchantAccount]:
    """Each with a key, a serial and an APIv3 key of its own; some share an app."""
    in_pem = {"private_key": "private_key_pem", "public_key": "public_key_pem"}
    return [
        MerchantAccount(
            **{
                in_pem.get(name, name): tuple(value) if isinstance(value, list) else value
                for name, value in told.items()
            }
        )
        for told in sandbox.credentials("wechat_pay")
    ]


@pytest.fixture(scope="module")
def miniapps(sandbox: Sandbox) -> list[MiniappAccount]:
    return [MiniappAccount(**told) for told in sandbox.credentials("wechat_miniapp")]


@pytest.fixture
def wechat_tokens() -> MemoryTokens:
    return MemoryTokens()


@pytest.fixture(scope="module")
def wechat_gateway(wechat_merchants: list[MerchantAccount]) -> WeChatPayGateway:
    """Its messages go to a port that nobody listens on: they have a file of their own."""
    nobody = "http://127.0.0.1:9"
    return WeChatPayGateway(
        wechat_merchants[0],
        app="patient",
        appid=wechat_merchants[0].appid,
        tokens=MemoryTokens(),
        payment_notify_url=nobody,
        refund_notify_url=nobody,
        timeouts=(2.0, 3.0),
    )


@pytest.fixture
def wechat_order(sandbox: Sandbox) -> PaymentOrder:
    """Of a person who can pay; nobody has sent it yet."""
    sandbox.login_code()
    return PaymentOrder(
        out_trade_no="P" + secrets.token_hex(12).upper(),
        amount_fen=5000,
        currency="CNY",
        description="人民医院 挂号费",
        payer=OPENID,
        payer_kind=IdKind.OPEN_ID,
        expires_at=datetime.now(UTC) + timedelta(minutes=15),
    )


@pytest.fixture(autouse=True)
def _no_fault_is_left(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.behave()
