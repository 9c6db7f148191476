"""Who a platform says is there, and what it keeps rotating for us."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from models.account import IdKind

__all__ = ["IdKind", "LoginPlatform", "PageLogin", "PageSigner", "PhoneProver", "PlatformUser", "TokenStore"]


@dataclass(frozen=True)
class PlatformUser:
    """Who a platform says is there. Keyed by (provider, app, id); at least one id is present.

    `union_provider` names the provider under which the union id is kept: apps of one open platform share their union
    ids, so a mini-program and an official account name the same one. Empty: the provider's own.
    """

    provider: str
    app: str
    open_id: str | None = None
    union_id: str | None = None
    user_id: str | None = None
    union_provider: str = ""


class LoginPlatform(Protocol):
    """Turns a one-time login code into the platform's user. One instance per configured app."""

    provider: str
    app: str

    def exchange_code(self, code: str) -> PlatformUser:
        """Raises: LoginRefused, ProviderUnavailable."""


class PageLogin(LoginPlatform, Protocol):
    """Login of a web page: the browser is sent to the platform and comes back with a code."""

    def authorization_url(self, *, return_url: str, state: str) -> str:
        """Where to send the browser. `state` is 1 to 128 of a-zA-Z0-9 and comes back unchanged."""


class PageSigner(Protocol):
    """Lets a page of ours use the platform's functions of the phone, the pay sheet among them."""

    def sign_page(self, url: str) -> Mapping[str, Any]:
        """The parameters that the page hands to the platform's script; `url` as the browser sees it.

        Raises: ProviderUnavailable, ProviderRefused."""


class PhoneProver(Protocol):
    """Reads the phone number that a platform vouches for. One instance per configured app.

    `takes` are the fields that the client's proof consists of: `code`, or `response` and `sign`.
    """

    provider: str
    app: str
    takes: frozenset[str]

    def read_phone(self, proof: Mapping[str, str], *, user: str) -> str:
        """The number as the platform tells it, with its country code (+8613812345678).

        `user` is the platform's id of who is logged in. Raises: PhoneRefused, ProviderUnavailable, ProviderRefused."""


class TokenStore(Protocol):
    """Keeps a rotating platform token for all processes."""

    def token(self, name: str, fetch: Callable[[], tuple[str, timedelta]], *, rejected: str | None = None) -> str:
        """Return the live token called `name`, calling `fetch` in at most one process at a time.

        `fetch` returns the token and how long it may be used. `rejected` is a token that the platform just refused:
        it is dropped if it is still the stored one. Raises: ProviderUnavailable, and what `fetch` raises."""

    def stored(self, name: str) -> str | None:
        """What was last brought under that name, whether or not its time has ended; None before the first fetch.

        Never fetches and never waits: for those whom a stranger can make ask."""
