"""Links from outside into a page of a mini-program: `/wxa/generate_urllink` (section 1.6)."""

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from sandbox.context import Sandbox
from sandbox.crypto import random_letters
from sandbox.keys import App
from sandbox.store import Row
from sandbox.wechat.exchange import ApiError

PATH = re.compile(r"/?[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*")
QUERY = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@._~%-]*")
LONGEST_QUERY = 1024
DAY = 86400
LONGEST_DAYS = 30
VERSIONS = ("release", "trial", "develop")


def create(sandbox: Sandbox, app: App, body: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make a link. Raises: ApiError 40165, 40212, 40097, 85401."""
    path, query = body.get("path", ""), body.get("query", "")
    if not isinstance(path, str) or (path and PATH.fullmatch(path) is None):
        raise ApiError(40165)
    if not isinstance(query, str) or len(query) > LONGEST_QUERY or QUERY.fullmatch(query) is None:
        raise ApiError(40212)
    if body.get("env_version", "release") not in VERSIONS:
        raise ApiError(40097, "env_version")
    code, now = random_letters(11), sandbox.clock.now()
    expires = _expiry(body, now)
    with sandbox.store.transaction() as tx:
        tx.execute(
            "insert into url_links values (?, ?, ?, ?, ?, ?)",
            (code, app.appid, path.removeprefix("/"), query, now, expires),
        )
    return {"errcode": 0, "errmsg": "ok", "url_link": f"{root}/pages/link/{code}"}


def find(sandbox: Sandbox, code: str) -> Row | None:
    """What a link opens."""
    return sandbox.store.one("select * from url_links where code = ?", (code,))


def _expiry(body: Mapping[str, Any], now: float) -> float:
    """Thirty days at most, and thirty where nothing is said."""
    match body.get("expire_type", 0):
        case 0:
            expires = body.get("expire_time", int(now) + LONGEST_DAYS * DAY)
            if not _is_whole(expires) or not now < expires <= now + LONGEST_DAYS * DAY:
                raise ApiError(85401)
            return float(expires)
        case 1:
            days = body.get("expire_interval")
            if not _is_whole(days) or not 1 <= days <= LONGEST_DAYS:
                raise ApiError(85401)
            return now + days * DAY
        case _:
            raise ApiError(40097, "expire_type")


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
