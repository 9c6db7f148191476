"""A sandbox of one's own for each test, on a free port, with keys made once for the run."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from account_server import AccountServer, Clinic
from paper_browser import Browser
from wechatpayv3 import WeChatPay, WeChatPayType

from sandbox.alipay.keys import open_accounts
from sandbox.app import Running
from sandbox.keys import FILE_NAME, make_home, open_keyring
from sandbox.testing import (
    Control,
    MerchantClient,
    Received,
    Receiver,
    eventually,
    listening,
    receiver,
    running_sandbox,
)
from sandbox.wechat_pay.certificates import open_certificates


@dataclass
class Box:
    """A running sandbox, its control surface, a client for each merchant, and somebody who receives notices."""

    running: Running
    control: Control
    receiver: Receiver
    merchants: dict[str, MerchantClient]
    openid: str

    @property
    def demo(self) -> MerchantClient:
        return self.merchants["demo"]

    @property
    def url(self) -> str:
        return self.receiver.base_url + "/callbacks/wechat-pay/demo"

    def number(self) -> str:
        return f"T{secrets.token_hex(12)}"

    def placed(self, **changes: Any) -> str:
        """An order that waits for its payment."""
        number = self.number()
        answer = self.demo.place(self.demo.order(number, self.openid, self.url, **changes))
        assert answer.status_code == 200, answer.text
        return number

    def paid(self, **changes: Any) -> str:
        """An order that was paid."""
        number = self.placed(**changes)
        self.control.post(f"/payments/{number}/pay")
        return number

    def fault(self, target: str, kind: str, **rest: Any) -> dict[str, Any]:
        rule: dict[str, Any] = self.control.post("/faults", target=target, kind=kind, **rest)
        return rule

    def notice(self, number: str, ended: str = "delivered", kind: str = "payment") -> dict[str, Any]:
        """The notice about an order, once it has come to this end."""

        def look() -> dict[str, Any] | None:
            found = self.control.items("/notices", out_trade_no=number, kind=kind)
            return next((notice for notice in found if notice["state"] == ended), None)

        found: dict[str, Any] = eventually(look)
        return found

    def wxpay(self, merchant: str = "demo") -> WeChatPay:
        """wechatpayv3, which is not ours, as this merchant.

        Its constructor would fetch certificates from the platform itself, so they are laid into its folder first.
        """
        credentials = self.merchants[merchant].credentials
        folder = self.running.sandbox.settings.data_dir / f"certificates-{secrets.token_hex(4)}"
        folder.mkdir()
        for number, pem in enumerate(credentials.get("platform_certificates", [])):
            (folder / f"{number}.pem").write_text(pem)
        client = WeChatPay(
            wechatpay_type=WeChatPayType.MINIPROG,
            mchid=credentials["mchid"],
            private_key=credentials["private_key"],
            cert_serial_no=credentials["serial_no"],
            appid=credentials["appid"],
            apiv3_key=credentials["apiv3_key"],
            public_key=credentials.get("public_key"),
            public_key_id=credentials.get("public_key_id"),
            cert_dir=str(folder),
            notify_url=self.url,
            partner_mode="sub_mchid" in credentials,
            timeout=(3.05, 15),
        )
        client._core._gate_way = credentials["base_url"]
        return client

    def told(self, received: Received, merchant: str = "demo") -> dict[str, Any] | None:
        """What wechatpayv3 makes of a notice; None where it does not trust it."""
        event = self.wxpay(merchant).callback(received.headers, received.body)
        return None if event is None else event["resource"]


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys take a second to make, so they are made once."""
    home = tmp_path_factory.mktemp("installation") / "sandbox"
    make_home(home)
    open_keyring(home)
    open_accounts(home)
    open_certificates(home)
    return home / FILE_NAME


@pytest.fixture
def data_dir(installation: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    make_home(folder / "sandbox")
    shutil.copy(installation, folder / "sandbox" / FILE_NAME)
    return folder


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def notices() -> Iterator[Receiver]:
    with receiver() as application:
        yield application


@pytest.fixture
def open_box(http: requests.Session, notices: Receiver) -> Callable[[Running], Box]:
    """Make the clients of a running sandbox."""

    def opened(running: Running) -> Box:
        control = Control(running.base_url, http)
        credentials = control.get("/credentials")["wechat_pay"]
        clients = {each["merchant"]: MerchantClient(each, http) for each in credentials}
        control.post("/login-codes", provider="wechat_miniapp", open_id="patient-one")
        return Box(running, control, notices, clients, "patient-one")

    return opened


@pytest.fixture
def box(data_dir: Path, open_box: Callable[[Running], Box]) -> Iterator[Box]:
    with running_sandbox(data_dir) as running:
        yield open_box(running)


@pytest.fixture
def clinic(box: Box) -> Iterator[Clinic]:
    """The official account, with a server that says `success`; nothing is saved in its console yet."""
    server = AccountServer()
    with listening(server) as base_url:
        server.base_url = base_url
        yield Clinic(box, box.control.get("/credentials")["wechat_official"][0], server)


@pytest.fixture
def followed(clinic: Clinic) -> Clinic:
    """The same in secure mode, with one follower and nothing seen yet."""
    assert clinic.save().status_code == 200
    clinic.plays(event="subscribe")
    clinic.server.seen.clear()
    return clinic


@pytest.fixture
def browser(box: Box) -> Browser:
    return Browser(box.running.base_url)
