"""How often one may ask: by network address, by account, for logins, and as a follower in a chat.

Counted in the memory of this process or, where `REDIS_URL` names one, in a Redis for all processes together.

The address is the connection's own, or the one that exactly `TRUSTED_PROXIES` of our proxies vouch for. Addresses of
IPv6 count as their /64, since one line holds all of it.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import Flask, current_app, request
from limits import parse
from werkzeug.middleware.proxy_fix import ProxyFix

from miniapp_api.auth import current_caller
from miniapp_api.config import Config
from miniapp_api.services import services
from miniapp_api.shared_windows import SharedCounters, SharedWindow
from miniapp_api.windows import SlidingWindow
from models.errors import TooMany

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

Window = SlidingWindow | SharedWindow
_EXTENSION = "yuezhen-limits"
_COUNTED = "yuezhen.address_counted"


class Limits:
    """The limits of one app and what was used of them."""

    def __init__(self, config: Config) -> None:
        shared = SharedCounters(config.redis_url) if config.redis_url else None
        self.address = _window("address", config.address_limit, shared)
        self.account = _window("account", config.account_limit, shared)
        self.login = _window("login", config.login_limit, shared)
        self.follower = _window("follower", config.follower_limit, shared)


def _window(name: str, rate: str, shared: SharedCounters | None) -> Window:
    limit = parse(rate)
    if shared is not None:
        return SharedWindow(shared, limit, name)
    # Not the storage of the same library: it starts a thread at nearly every request, which looks at every key.
    return SlidingWindow(limit.amount, limit.get_expiry())


def _use(window: Window, who: str) -> None:
    """Count one request. Raises: TooMany."""
    wait = window.use(who)
    if wait:
        now = services().workbench.transactions.clock.now()
        raise TooMany(retry_at=now + timedelta(seconds=wait))


def register(app: Flask, config: Config) -> None:
    """Set the limits of `app`, and whom to believe about addresses."""
    app.extensions[_EXTENSION] = Limits(config)
    if config.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.trusted_proxies, x_proto=0, x_host=0)  # type: ignore[method-assign]


def limit_address() -> None:
    """Raises: TooMany."""
    if not request.environ.get(_COUNTED):
        _use(_limits().address, address_group(request.remote_addr))


def is_address_past_limit(app: Flask, environ: WSGIEnvironment) -> bool:
    """Count the address of a request that has not come to Flask yet; if it comes there it is not counted again."""
    if limits_of(app).address.use(address_group(environ.get("REMOTE_ADDR"))):
        return True
    environ[_COUNTED] = True
    return False


def limit_account() -> None:
    """Raises: TooMany."""
    _use(_limits().account, str(current_caller().account_id))


def limit_logins() -> None:
    """For what tries a code of a platform. Raises: TooMany."""
    _use(_limits().login, address_group(request.remote_addr))


def is_past_limit(provider: str, app: str, follower: str) -> bool:
    """Count one message of a follower, by a keyed hash of who that is; whether it is one too many to be answered."""
    known_by = services().workbench.vault.keyed_hash(f"follower_limit/{provider}/{app}", follower).digest
    return bool(_limits().follower.use(known_by.hex()))


@lru_cache(maxsize=4096)
def address_group(address: str | None) -> str:
    """Whom an address stands for: itself, or its /64 (an IPv4 address written as IPv6 is still that one)."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))


def network(address: str | None) -> str:
    """The network that an address is of: /24, or the /48 that one site of IPv6 gets. Wider than `address_group`, for
    what is dear: whoever rents a few addresses rents neighbours."""
    group = address_group(address).partition("/")[0]
    try:
        found = ipaddress.ip_address(group)
    except ValueError:
        return group
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


def limits_of(app: Flask) -> Limits:
    limits: Limits = app.extensions[_EXTENSION]
    return limits


def _limits() -> Limits:
    return limits_of(current_app)
