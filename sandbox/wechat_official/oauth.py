"""Web login: the address a page sends its visitor to, the code that comes back, what it is worth (section 3.5)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sandbox.config import is_loopback
from sandbox.context import Sandbox
from sandbox.crypto import random_letters
from sandbox.keys import App, Official
from sandbox.store import Row, Tx, first
from sandbox.wechat.exchange import ApiError
from sandbox.wechat.login import meet, use_up

TOKEN_LIFE = 7200
BASE, USERINFO = "snsapi_base", "snsapi_userinfo"
ORDER = ("appid", "redirect_uri", "response_type", "scope", "state")
FURTHER = frozenset({"forcePopup", "forceSnapShot", "connect_redirect", "as"})
STATE = re.compile(r"[0-9A-Za-z]{0,128}")
UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


class NotAllowed(Exception):
    """The platform shows an error page instead; `code` is what stands on it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Asked:
    """A request to learn who a visitor is."""

    official: Official
    redirect_uri: str
    scope: str
    state: str
    person: str | None


def read_request(sandbox: Sandbox, query: str) -> Asked:
    """Read the query of the authorize address, in the one order that the platform takes. Raises: NotAllowed."""
    pairs = parse_qsl(query, keep_blank_values=True)
    names = [name for name, _ in pairs]
    known = [name for name in ORDER if name in names]
    if names[: len(known)] != known or len(set(names)) < len(names) or not FURTHER.issuperset(names[len(known) :]):
        raise NotAllowed("10010", f"parameters in this order, each once: {', '.join(ORDER)}")
    given = dict(pairs)
    official = sandbox.keys.app(given.get("appid", ""))
    if not isinstance(official, Official):
        raise NotAllowed("40013", "appid")
    if not _is_registered(sandbox, official, given.get("redirect_uri", "")):
        raise NotAllowed("10003", "redirect_uri: its domain is not the account's")
    if given.get("response_type") != "code":
        raise NotAllowed("10010", "response_type: code")
    if given.get("scope") not in (BASE, USERINFO):
        raise NotAllowed("10005", f"scope: {BASE}, {USERINFO}")
    if STATE.fullmatch(given.get("state", "")) is None:
        raise NotAllowed("10010", "state: at most 128 of a-zA-Z0-9")
    return Asked(official, given["redirect_uri"], given["scope"], given.get("state", ""), given.get("as"))


def _is_registered(sandbox: Sandbox, official: Official, address: str) -> bool:
    """Loopback, and the host of the account's own server, stand for the domains registered in the console."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or UNSAFE.search(address):
        return False
    server = sandbox.store.one("select url from push_servers where appid = ?", (official.appid,))
    return is_loopback(host) or (server is not None and host == urlsplit(server["url"]).hostname)


def authorize(sandbox: Sandbox, asked: Asked, open_id: str, union_id: str | None, *, snapshot: bool) -> str:
    """The visitor agrees: where the browser goes now. On a snapshot page the visitor is somebody who does not exist."""
    with sandbox.store.transaction() as tx:
        if not snapshot:
            meet(tx, asked.official, open_id, union_id=union_id, now=sandbox.clock.now())
        code = _issue_code(tx, sandbox, asked.official, open_id, asked.scope, snapshot=snapshot)
    parts = urlsplit(asked.redirect_uri)
    answer = urlencode({"code": code, "state": asked.state})
    return urlunsplit(parts._replace(query=f"{parts.query}&{answer}" if parts.query else answer))


def issue_code(sandbox: Sandbox, official: Official, open_id: str, union_id: str | None, phone: str | None) -> str:
    """A code as it comes back from a page that asked with snsapi_base; creates the person at the first time."""
    with sandbox.store.transaction() as tx:
        meet(tx, official, open_id, union_id=union_id, phone=phone, now=sandbox.clock.now())
        return _issue_code(tx, sandbox, official, open_id, BASE, snapshot=False)


def _issue_code(tx: Tx, sandbox: Sandbox, official: Official, open_id: str, scope: str, *, snapshot: bool) -> str:
    code = f"0{random_letters(31)}"
    user = first(tx, "select union_id from users where appid = ? and open_id = ?", (official.appid, open_id))
    union_id = None if user is None else user["union_id"]
    if snapshot:
        open_id, union_id = f"oSnap{random_letters(23)}", f"oSnap{random_letters(23)}"
    tx.execute(
        "insert into oauth_codes values (?, ?, ?, ?, ?, ?, ?, null)",
        (code, official.appid, open_id, union_id, scope, snapshot, sandbox.clock.now()),
    )
    return code


def exchange_code(sandbox: Sandbox, app: App, code: str | None) -> dict[str, Any]:
    """Use up a code. Raises: ApiError 41008, 40029, 40163."""
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        row = use_up(tx, "oauth_codes", app, code, now)
        token = f"{random_letters(2)}_{random_letters(84)}"
        tx.execute(
            "insert into oauth_tokens values (?, ?, ?, ?, ?, ?)",
            (token, app.appid, row["open_id"], row["union_id"], row["scope"], now + TOKEN_LIFE),
        )
    return _answer(row, token)


def _answer(row: Row, token: str) -> dict[str, Any]:
    answer = {
        "access_token": token,
        "expires_in": TOKEN_LIFE,
        "refresh_token": f"{random_letters(2)}_{random_letters(84)}",
        "openid": row["open_id"],
        "scope": row["scope"],
    }
    if row["snapshot"]:
        answer["is_snapshotuser"] = 1
    return answer if row["union_id"] is None else {**answer, "unionid": row["union_id"]}


def user_info(token: Row, openid: str | None) -> Mapping[str, Any]:
    """What a visitor agreed to show; sex and region are no longer told. Raises: ApiError 48001, 40003."""
    if token["scope"] != USERINFO:
        raise ApiError(48001)
    if openid != token["open_id"]:
        raise ApiError(40003)
    info = {
        "openid": token["open_id"],
        "nickname": "微信用户",
        "sex": 0,
        "language": "",
        "city": "",
        "province": "",
        "country": "",
        "headimgurl": "",
        "privilege": [],
    }
    return info if token["union_id"] is None else {**info, "unionid": token["union_id"]}


def holder_of(sandbox: Sandbox, token: str | None) -> tuple[App, Row]:
    """Whom a visitor's token speaks of; it is not the account's own. Raises: ApiError 41001, 40001, 42001."""
    if not token:
        raise ApiError(41001)
    row = sandbox.store.one("select * from oauth_tokens where token = ?", (token,))
    app = None if row is None else sandbox.keys.app(row["appid"])
    if row is None or app is None:
        raise ApiError(40001)
    if row["expires_at"] <= sandbox.clock.now():
        raise ApiError(42001)
    return app, row
