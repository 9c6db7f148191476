"""A running sandbox with a client for each Alipay account, and a person who pays there."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from alipay import AliPay, DCAliPay

from sandbox.app import Running
from sandbox.testing import Control, Receiver, eventually, running_sandbox
from sandbox.testing_alipay import AlipayClient, Said


@dataclass
class Wallet:
    """A running sandbox as the merchants of Alipay see it."""

    running: Running
    control: Control
    receiver: Receiver
    accounts: dict[str, AlipayClient]
    open_id: str

    @property
    def demo(self) -> AlipayClient:
        return self.accounts["demo"]

    @property
    def gulou(self) -> AlipayClient:
        return self.accounts["gulou"]

    @property
    def url(self) -> str:
        return self.receiver.base_url + "/callbacks/alipay/demo"

    def number(self) -> str:
        return f"T{secrets.token_hex(12)}"

    def place(self, merchant: str = "demo", **changes: Any) -> Said:
        """Ask for a trade."""
        client = self.accounts[merchant]
        number = changes.pop("out_trade_no", None) or self.number()
        return client.place(client.order(number, self.open_id, **changes), self.url)

    def placed(self, merchant: str = "demo", **changes: Any) -> str:
        """A trade that waits for its payment."""
        said = self.place(merchant, **changes)
        assert said.node["code"] == "10000", said.raw
        number: str = said.node["out_trade_no"]
        return number

    def paid(self, merchant: str = "demo", **changes: Any) -> str:
        """A trade that was paid."""
        number = self.placed(merchant, **changes)
        self.control.post(f"/payments/{number}/pay")
        return number

    def fault(self, target: str, kind: str, **rest: Any) -> dict[str, Any]:
        rule: dict[str, Any] = self.control.post("/faults", target=target, kind=kind, **rest)
        return rule

    def notice(self, number: str, ended: str = "delivered", kind: str = "payment") -> dict[str, Any]:
        """The event of a trade, once it has come to this end."""

        def look() -> dict[str, Any] | None:
            found = self.control.items("/notices", out_trade_no=number, kind=kind)
            return next((notice for notice in found if notice["state"] == ended), None)

        found: dict[str, Any] = eventually(look)
        return found

    def state(self, number: str) -> str:
        """How a trade of demo stands."""
        status: str = self.demo.query(number).node["trade_status"]
        return status

    def refused(self, path: str, **body: Any) -> tuple[int, str]:
        """The status and code with which `/control` declines."""
        answer = self.control.call("POST", path, body)
        return answer.status_code, answer.json()["code"]

    def sdk(self, merchant: str = "demo") -> AliPay:
        """python-alipay-sdk, which is not ours, as this account."""
        row = self.accounts[merchant].credentials
        files = row.get("certificates")
        if files is None:
            client = AliPay(
                appid=row["app_id"],
                app_notify_url=self.url,
                app_private_key_string=row["private_key"],
                alipay_public_key_string=row["alipay_public_key"],
            )
        else:
            client = DCAliPay(
                appid=row["app_id"],
                app_notify_url=self.url,
                app_private_key_string=row["private_key"],
                app_public_key_cert_string=files["app_cert"],
                alipay_public_key_cert_string=files["alipay_cert"],
                alipay_root_cert_string=files["alipay_root_cert"],
            )
        client._gateway = row["gateway"]
        return client


def say(word: bytes, status: int = 200) -> Callable[[Any], tuple[int, bytes]]:
    """An answer to every event."""
    return lambda _: (status, word)


@pytest.fixture
def open_wallet(http: requests.Session, notices: Receiver) -> Callable[[Running], Wallet]:
    """Make the clients of a running sandbox."""

    def opened(running: Running) -> Wallet:
        control = Control(running.base_url, http)
        accounts = {row["merchant"]: AlipayClient(row, http) for row in control.get("/credentials")["alipay"]}
        control.post("/login-codes", provider="alipay_miniapp", open_id="patient-one")
        notices.respond = say(b"success")
        return Wallet(running, control, notices, accounts, "patient-one")

    return opened


@pytest.fixture
def wallet(data_dir: Path, open_wallet: Callable[[Running], Wallet]) -> Iterator[Wallet]:
    with running_sandbox(data_dir) as running:
        yield open_wallet(running)
