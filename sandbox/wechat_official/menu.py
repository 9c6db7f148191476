"""The menu that followers see: create, get, delete (section 3.4)."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sandbox.context import Sandbox
from sandbox.exchange import compact_json
from sandbox.keys import App, Official
from sandbox.wechat.exchange import ApiError

MOST_BUTTONS = 3
MOST_SUB_BUTTONS = 5
MOST_DOMAINS = 3
LONGEST_KEY = 128
LONGEST_URL = 1024
KEYED = frozenset(
    {
        "click",
        "scancode_push",
        "scancode_waitmsg",
        "pic_sysphoto",
        "pic_photo_or_album",
        "pic_weixin",
        "location_select",
    }
)
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
OK = {"errcode": 0, "errmsg": "ok"}


@dataclass(frozen=True)
class Level:
    """What differs between a top button and one in a sub-menu: the longest name in bytes, and the errcodes."""

    longest_name: int
    wrong_type: int
    wrong_name: int
    wrong_key: int
    wrong_url: int
    wrong_domain: int


TOP = Level(16, 40017, 40018, 40019, 40020, 40055)
SUB = Level(60, 40024, 40025, 40026, 40027, 40054)


def create(sandbox: Sandbox, official: Official, raw: bytes) -> dict[str, Any]:
    """Put a menu in the place of the one before. Raises: ApiError 47001, 40015 to 40027, 40054, 40055, 45064, 65316."""
    menu = checked(sandbox, official, literal_json(raw))
    with sandbox.store.transaction() as tx:
        tx.execute(
            "insert into menus values (?, ?) on conflict (appid) do update set menu = excluded.menu",
            (official.appid, compact_json(menu).decode()),
        )
    return OK


def get(sandbox: Sandbox, official: Official) -> dict[str, Any]:
    """The menu as it was created. Raises: ApiError 46003 where there is none."""
    buttons = buttons_of(sandbox, official)
    if buttons is None:
        raise ApiError(46003)
    return {"menu": {"button": buttons}}


def delete(sandbox: Sandbox, official: Official) -> dict[str, Any]:
    """Take the menu away; taking none away is no error."""
    with sandbox.store.transaction() as tx:
        tx.execute("delete from menus where appid = ?", (official.appid,))
    return OK


def buttons_of(sandbox: Sandbox, official: Official) -> list[dict[str, Any]] | None:
    """The buttons a follower sees."""
    row = sandbox.store.one("select menu from menus where appid = ?", (official.appid,))
    return None if row is None else list(json.loads(row["menu"])["button"])


def literal_json(raw: bytes) -> Any:
    r"""JSON in which `\u` stands for itself: the platform shows the escapes of a name as they were sent (section 0).

    Raises: ApiError 47001."""
    try:
        text = raw.decode()
        value = json.loads(ESCAPE.sub(lambda found: rf"\\{found[1]}" if found[1] == "u" else found[0], text))
        compact_json(value)
    except (ValueError, RecursionError):
        raise ApiError(47001) from None
    return value


def checked(sandbox: Sandbox, official: Official, body: Any) -> dict[str, Any]:
    """The menu as it is kept: known fields only. Raises: ApiError."""
    if not isinstance(body, dict):
        raise ApiError(47001)
    buttons = body.get("button")
    if not isinstance(buttons, list):
        raise ApiError(40015)
    if not 1 <= len(buttons) <= MOST_BUTTONS:
        raise ApiError(40016)
    linked = sandbox.keys.app_named(official.miniapp)
    kept = [_button(button, linked) for button in buttons]
    if len(set(_hosts(kept))) > MOST_DOMAINS:
        raise ApiError(65316)
    return {"button": kept}


def _button(button: Any, linked: App | None) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise ApiError(40017)
    subs = button.get("sub_button") or []
    if not isinstance(subs, list) or len(subs) > MOST_SUB_BUTTONS:
        raise ApiError(40023)
    if not subs:
        return {**_leaf(button, TOP, linked), "sub_button": []}
    return {"name": _name(button, TOP), "sub_button": [_sub_button(sub, linked) for sub in subs]}


def _sub_button(button: Any, linked: App | None) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise ApiError(40024)
    if button.get("sub_button"):
        raise ApiError(40022)
    return {**_leaf(button, SUB, linked), "sub_button": []}


def _leaf(button: Mapping[str, Any], level: Level, linked: App | None) -> dict[str, Any]:
    kind, name = button.get("type"), _name(button, level)
    if kind in KEYED:
        return {"type": kind, "name": name, "key": _text(button, "key", LONGEST_KEY, level.wrong_key)}
    if kind == "view":
        return {"type": kind, "name": name, "url": _url(button, level)}
    if kind != "miniprogram":
        raise ApiError(level.wrong_type)
    # The address is for phones too old to open mini-programs, and the page belongs to an app linked in the console.
    if linked is None or button.get("appid") != linked.appid:
        raise ApiError(45064)
    page = _text(button, "pagepath", LONGEST_URL, level.wrong_url)
    return {"type": kind, "name": name, "url": _url(button, level), "appid": linked.appid, "pagepath": page}


def _name(button: Mapping[str, Any], level: Level) -> str:
    return _text(button, "name", level.longest_name, level.wrong_name)


def _url(button: Mapping[str, Any], level: Level) -> str:
    url = _text(button, "url", LONGEST_URL, level.wrong_url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ApiError(level.wrong_domain) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ApiError(level.wrong_domain)
    return url


def _text(button: Mapping[str, Any], name: str, most_bytes: int, errcode: int) -> str:
    value = button.get(name)
    if not isinstance(value, str) or not 0 < len(value.encode()) <= most_bytes:
        raise ApiError(errcode)
    return value


def _hosts(buttons: list[dict[str, Any]]) -> Iterator[str]:
    for button in buttons:
        yield from _hosts(button["sub_button"])
        if "url" in button:
            yield urlsplit(button["url"]).hostname or ""
