"""A client on the wire, as stubborn as a mini-program: what is not final is asked again with the same key."""

from __future__ import annotations

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from canaries import plant, plant_typed

from miniapp_api.app import App

PATIENCE = 90.0
NOT_FINAL = frozenset({"request_in_progress", "overloaded", "outcome_unknown", "provider_unavailable", "rate_limited"})
"""After these the same key may be asked again; everything else is an answer."""

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoAnswer(Exception):
    """The other side is not there, or went away in the middle."""


@dataclass(frozen=True)
class Reply:
    """Status, JSON, and the seconds (monotonic) between which the answer was made."""

    status: int
    json: Any
    body: bytes = field(repr=False)
    asked_at: float = 0.0
    heard_at: float = 0.0

    @property
    def code(self) -> str | None:
        """The problem's code, if it is one."""
        return self.json.get("code") if isinstance(self.json, dict) and self.status >= 400 else None

    @property
    def is_final(self) -> bool:
        """A crash of ours is an answer too, and never the one that is hoped for."""
        return self.code not in NOT_FINAL and (self.status < 500 or self.code == "internal_error")


Send = Callable[[str, str, Any, Mapping[str, str]], Reply]


def over_http(base_url: str, *, timeout: float = 30.0) -> Send:
    """Speaks to a server. A connection that breaks raises NoAnswer."""

    def send(method: str, path: str, body: Any, headers: Mapping[str, str]) -> Reply:
        data = None if body is None else json.dumps(body).encode()
        typed = {"Content-Type": "application/json"} if data is not None else {}
        request = urllib.request.Request(base_url + path, data=data, method=method, headers=typed | dict(headers))
        asked_at = time.monotonic()
        try:
            with _direct.open(request, timeout=timeout) as answer:
                status, raw = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, raw = error.code, error.read()
        except (OSError, HTTPException) as error:
            raise NoAnswer(f"{method} {path}: {error!r}") from error
        return Reply(status, json.loads(raw) if raw else None, raw, asked_at, time.monotonic())

    return send


def in_process(app: App) -> Send:
    """Calls the app in this thread."""

    def send(method: str, path: str, body: Any, headers: Mapping[str, str]) -> Reply:
        asked_at = time.monotonic()
        answer = app.test_client().open(path, method=method, json=body, headers=dict(headers))
        return Reply(answer.status_code, answer.get_json(silent=True), answer.data, asked_at, time.monotonic())

    return send


@dataclass(frozen=True)
class Phone:
    """Somebody who is logged in."""

    send_raw: Send = field(repr=False)
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        plant(self.token)

    def send(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Reply:
        plant_typed(body)
        headers = {"Authorization": f"Bearer {self.token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.send_raw(method, f"/api/v1{path}", body, headers)

    def get(self, path: str) -> Any:
        """What must be there."""
        seen = self.insist("GET", path)
        assert seen.status == 200, seen
        return seen.json

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Reply:
        """A keyed command, asked until there is a final answer."""
        return self.insist("POST", path, {} if body is None else body, key=key or new_key())

    def insist(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Reply:
        """Ask until the answer is final; no answer at all counts as none yet."""
        deadline = time.monotonic() + PATIENCE
        while True:
            last: Reply | NoAnswer
            try:
                last = self.send(method, path, body, key=key)
                if last.is_final:
                    return last
            except NoAnswer as error:
                last = error
            assert time.monotonic() < deadline, f"{method} {path}: still {last}"
            time.sleep(0.2)


def new_key() -> str:
    return secrets.token_hex(16)


def eventually(look: Callable[[], Any], what: str, *, within: float = 60.0, every: float = 0.1) -> Any:
    """Look until there is something to see."""
    deadline = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(every)
    return seen
