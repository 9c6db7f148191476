"""Many people at once, each with a wallet of her own, as `journey.py` plays them."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from journey_client import API, Client, call, control
from journey_family import WECHAT, Wallet
from journey_household import Foreigner

_AT_ONCE = 24
T = TypeVar("T")
R = TypeVar("R")


def at_once(act: Callable[[T], R], each: Iterable[T]) -> list[R]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(act, each))


@dataclass
class Person:
    """One of many, with a wallet of her own. All are from abroad: no two invented passports are the same."""

    wallet: Wallet = WECHAT
    human: Foreigner = field(default_factory=Foreigner)
    client: Client = field(default_factory=Client)
    open_id: str = field(default_factory=lambda: "o" + secrets.token_urlsafe(20))
    dependent_id: str = ""
    appointment: dict[str, Any] | None = None
    entry_id: str = ""
    out_trade_no: str = ""
    client_params: dict[str, Any] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)

    def arrive(self) -> None:
        """Log in, consent, and add herself."""
        provider = self.wallet.provider
        code = control("POST", "/login-codes", {"provider": provider, "open_id": self.open_id})["code"]
        said = {"provider": provider, "code": code}
        self.client.token = self.client("POST", "/sessions", said, expect=201)["token"]
        for text in self.client("GET", "/consent-texts")["items"]:
            if text["purpose"] in ("service", "sensitive_identity"):
                consent = {"purpose": text["purpose"], "version": text["version"], "granted": True}
                self.client("POST", "/account/consents", consent, expect=201)
        typed = self.human.typed("self")
        self.dependent_id = self.client("POST", "/dependents", typed, expect=201, keyed=True)["id"]

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Whatever comes back."""
        headers = {"Authorization": f"Bearer {self.client.token}", "Idempotency-Key": secrets.token_hex(16)}
        return call(method, f"{API}/api/v1{path}", body, headers)

    def wait(self, department_id: str, day: str) -> None:
        """For a number of that morning."""
        wish = {"dependent_ids": [self.dependent_id], "department_id": department_id, "periods": ["morning"]}
        body = wish | {"date_from": day, "date_to": day, "pay": "online"}
        self.entry_id = self.client("POST", "/waitlist-entries", body, expect=201, keyed=True)["id"]

    def entry(self) -> dict[str, Any]:
        """What she is told of her waiting."""
        (entry,) = self.client("GET", "/waitlist-entries")["items"]
        return dict(entry)

    def found(self) -> bool:
        """Whether waiting brought a number; it is hers from then on."""
        appointment_id = self.entry()["dependents"][0]["appointment_id"]
        if appointment_id is not None:
            self.appointment = self.client("GET", f"/appointments/{appointment_id}")
        return appointment_id is not None

    def book(self, schedule_id: str) -> str:
        """What she was told."""
        wish = {"schedule_id": schedule_id, "dependent_id": self.dependent_id, "pay": "online"}
        status, said = self.ask("POST", "/appointments", wish)
        told = "booked" if status == 201 else str(said["code"])
        self.answers[told] += 1
        if status == 201:
            self.appointment = said
        return told

    def open_payment(self) -> str:
        """The number under which the platform waits for her money."""
        assert self.appointment is not None
        path = f"/appointments/{self.appointment['id']}/payments"
        opened = self.client("POST", path, {"channel": self.wallet.channel}, expect=201, keyed=True)
        self.out_trade_no, self.client_params = str(opened["out_trade_no"]), opened["client_params"]
        return self.out_trade_no

    def pay(self) -> None:
        control("POST", f"/payments/{self.open_payment()}/pay")

    def cancel(self) -> None:
        assert self.appointment is not None
        self.client("POST", f"/appointments/{self.appointment['id']}/cancellation", {}, keyed=True)

    def see(self) -> dict[str, Any]:
        assert self.appointment is not None
        seen: dict[str, Any] = self.client("GET", f"/appointments/{self.appointment['id']}")
        return seen
