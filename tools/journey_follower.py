"""Somebody who follows the hospital's official account, as `journey.py` plays it: a chat, a tap on the menu, logged in
on the page, booked and paid in the mini-program, and seen again on the page."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from journey_client import API, Client, check, control, invent, invented, operator_says
from journey_family import Family

ACCOUNT = "clinic"
"""The sandbox's official account."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """A browser that shows where it is sent before it goes."""

    def redirect_request(self, *_: Any) -> None:
        return None


_browse = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)


@dataclass
class Follower(Family):
    """A woman who follows `ACCOUNT` and has the mini-program too: one union id, two open ids."""

    union_id: str = field(default_factory=lambda: "u" + secrets.token_urlsafe(20))
    follower_id: str = field(default_factory=lambda: "f" + secrets.token_urlsafe(20))
    page: Client = field(default_factory=Client)

    def walk(self) -> None:
        invented(self.union_id, self.follower_id)
        entry = self.open_account()
        self.chat()
        account_id = self.tap(entry)
        self.log_in(union_id=self.union_id)
        self.come_together(account_id)
        self.consent()
        herself = invent("游", 1980, 1999)
        self_id = self.add(herself, "self")
        self.prove_by_face(self_id)
        schedule = self.choose_schedule()
        self.fill_in(schedule, self_id, herself)
        appointment = self.book(schedule, self_id)
        payment = self.pay(appointment)
        self.see_booked(appointment["id"])
        self.look_at_the_page(appointment)
        self.cancel(appointment["id"])
        self.see_refunded(appointment["id"], payment["out_trade_no"])

    def open_account(self) -> str:
        """What the operator does once: menu and address. Returns where an entry of the menu leads."""
        operator_says("official-account", "menu", "apply", "--file", "data/sample/menu.yaml")
        url = f"{API}/callbacks/wechat-official/{ACCOUNT}"
        control("POST", f"/official/{ACCOUNT}/server", {"url": url, "mode": "secure"})
        self.tell("opened the official account", "menu applied, WeChat has checked our address")
        lines = [line for line in operator_says("official-account", "menu", "show").splitlines() if "{" in line]
        leaves = [json.loads(line[line.index("{") :]) for line in lines]
        return next(str(leaf["url"]) for leaf in leaves if leaf["type"] == "view")

    def chat(self) -> None:
        for what, body in (
            ("followed the account", {"event": "subscribe"}),
            ("typed 儿科", {"text": "儿科"}),
        ):
            told = control("POST", f"/official/{ACCOUNT}/events", {"open_id": self.follower_id, **body})
            reply = told["reply"] or {}
            said = (reply.get("message") or {}).get("Content") or str(reply.get("message"))
            check(bool(reply.get("encrypted") and said), f"no encrypted answer to a follower who {what}: {reply}")
            self.tell(what, f"answered, encrypted: {said.splitlines()[0][:50]}")

    def tap(self, entry: str) -> str:
        """The entry that opens our page, through WeChat's login, to a token that no address has seen."""
        sent, cookies = self.visit(entry, {})
        agreed = {"app": ACCOUNT, "open_id": self.follower_id, "union_id": self.union_id, "url": sent}
        back, _ = self.visit(control("POST", "/oauth-authorizations", agreed)["redirect"], cookies)
        handoff = parse_qs(urlsplit(back).fragment)["handoff"][0]
        check(back.startswith(f"{API}/h5/"), f"not sent to our page: {back.partition('#')[0]}")
        session = self.page("POST", "/sessions", {"provider": "handoff", "code": handoff}, expect=201)
        self.page.token = session["token"]
        invented(handoff, self.page.token)
        self.tell("tapped the menu and is logged in", f"account {session['account']['id']}")
        return str(session["account"]["id"])

    @staticmethod
    def visit(url: str, cookies: dict[str, str]) -> tuple[str, dict[str, str]]:
        """Where a browser is sent on to, and what it shall bring along."""
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
        try:
            with _browse.open(urllib.request.Request(url, headers=sent), timeout=30) as answer:
                check(False, f"{urlsplit(url).path} sends nobody on: {answer.status}")
                raise AssertionError
        except urllib.error.HTTPError as error:
            with error:
                check(error.code == 302, f"{urlsplit(url).path} answered {error.code}")
                given = SimpleCookie()
                for one in error.headers.get_all("Set-Cookie") or []:
                    given.load(one)
                return error.headers["Location"], {name: morsel.value for name, morsel in given.items()}

    def come_together(self, account_id: str) -> None:
        here = self.client("GET", "/account")["id"]
        check(here == account_id, f"the mini-program's account is {here}, the page's {account_id}")
        self.tell("opened the mini-program", "the same account, by one union id")

    def look_at_the_page(self, appointment: dict[str, Any]) -> None:
        seen = self.page("GET", f"/appointments/{appointment['id']}")
        check(seen["status"] == "booked", f"on the page it is {seen['status']}")
        self.tell("looked at the page again", f"number {seen['number']} is {seen['status']}")
