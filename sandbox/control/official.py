"""`/control/official`, `/control/oauth-authorizations`, `/control/user-data`: an account's console and its people."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify

from sandbox.context import this_sandbox
from sandbox.control.access import check_access
from sandbox.control.body import ControlError, between, read
from sandbox.control.official_forgery import forged
from sandbox.control.people import OPEN_ID
from sandbox.control.scripts import MOST_COPIES
from sandbox.keys import Official
from sandbox.phone import NotPossible
from sandbox.wechat.user_data import user_data
from sandbox.wechat_official import deeds, oauth, push, tickets
from sandbox.wechat_official.deeds import Deed
from sandbox.wechat_official.envelope import MODES, SECURE
from sandbox.wechat_official.messages import FORMATS, LONGEST_WORD, XML, is_sayable
from sandbox.wechat_official.push import PushServer

#: The field that goes with an event; those of `subscribe` may be absent.
WORDS: Mapping[str, str] = {
    deeds.SUBSCRIBE: "scene",
    deeds.SCAN: "scene",
    deeds.CLICK: "key",
    deeds.VIEW: "url",
    deeds.OPEN_MINIAPP: "page",
}

official_control = Blueprint("control_official", __name__, url_prefix="/control")
official_control.before_request(check_access)


@official_control.get("/official/<app>/server")
def read_server(app: str) -> Response:
    """Where the account takes its messages."""
    server = push.server_of(this_sandbox(), _official(app))
    if server is None:
        raise ControlError(404, "server_not_set", app)
    return jsonify({"url": server.url, "mode": server.mode, "format": server.format})


@official_control.post("/official/<app>/server")
def save_server(app: str) -> Response:
    """Save it as the console does: the server must give a random text back."""
    given = read({"url": str}, {"mode": str, "format": str})
    server = PushServer(given["url"], given.get("mode", SECURE), given.get("format", XML))
    if server.mode not in MODES or server.format not in FORMATS:
        raise ControlError(422, "out_of_range", f"mode: {', '.join(MODES)}; format: {', '.join(FORMATS)}")
    if not is_address(server.url):
        raise ControlError(422, "wrong_format", "url: http or https")
    answer = push.save_server(this_sandbox(), _official(app), server)
    if answer is not None:
        raise ControlError(409, "server_check_failed", f"{answer.error or answer.status}: {answer.text[:200]}")
    return read_server(app)


@official_control.post("/official/<app>/events")
def play_event(app: str) -> Response:
    """A person does something, genuine or, with `forge`, as somebody would who is not the platform."""
    given = read(
        {"open_id": str},
        {
            **dict.fromkeys(("event", "text", "union_id", *WORDS.values()), str),
            "copies": int,
            "concurrently": bool,
            "forge": dict,
        },
    )
    sandbox, official = this_sandbox(), _official(app)
    between("copies", given.get("copies", 1), 1, MOST_COPIES)
    try:
        message = deeds.prepare(sandbox, official, _open_id(given["open_id"]), _deed(given))
    except NotPossible as refused:
        raise ControlError(409, refused.code) from refused
    forge = given.get("forge")
    number = push.push(
        sandbox,
        message,
        wrapped=None if forge is None else forged(message, forge),
        copies=given.get("copies", 1),
        concurrently=given.get("concurrently", False),
    )
    return jsonify(push.describe(sandbox, number))


@official_control.post("/official/<app>/page-signatures")
def check_page(app: str) -> Response:
    """What wx.config of a page decides."""
    given = read({"url": str, "timestamp": (int, str), "nonceStr": str, "signature": str})
    signed = tickets.is_signed(
        this_sandbox(),
        _official(app),
        nonce=given["nonceStr"],
        timestamp=str(given["timestamp"]),
        url=given["url"],
        signature=given["signature"],
    )
    return jsonify({"ok": signed})


@official_control.post("/oauth-authorizations")
def authorize() -> tuple[Response, int]:
    """A person opens an authorize address and agrees."""
    given = read({"open_id": str, "url": str}, {"app": str, "union_id": str, "snapshot": bool})
    sandbox, official = this_sandbox(), _official(given.get("app"))
    try:
        asked = oauth.read_request(sandbox, urlsplit(given["url"]).query)
    except (oauth.NotAllowed, ValueError) as refused:
        raise ControlError(409, "oauth_not_allowed", str(refused)) from refused
    if asked.official != official:
        raise ControlError(409, "oauth_not_allowed", "the address is another account's")
    redirect = oauth.authorize(
        sandbox, asked, _open_id(given["open_id"]), given.get("union_id"), snapshot=given.get("snapshot", False)
    )
    return jsonify({"redirect": redirect, "scope": asked.scope, "state": asked.state}), 201


@official_control.post("/user-data")
def show_user() -> Response:
    """What wx.getUserInfo hands the page, sealed for the app's server; the person must have logged in."""
    given = read({"open_id": str, "data": dict}, {"app": str})
    sandbox = this_sandbox()
    app = sandbox.keys.app_named(given.get("app"))
    if app is None:
        raise ControlError(404, "app_not_found", given["app"])
    sealed = user_data(sandbox, app, given["open_id"], given["data"])
    if sealed is None:
        raise ControlError(409, "not_logged_in", given["open_id"])
    return jsonify(sealed)


def is_address(url: str) -> bool:
    """Tell whether a message can be sent there."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.fragment
    except ValueError:
        return False


def _official(name: str | None) -> Official:
    official = this_sandbox().keys.official_named(name)
    if official is None:
        raise ControlError(404, "app_not_found", str(name))
    return official


def _open_id(given: str) -> str:
    if OPEN_ID.fullmatch(given) is None:
        raise ControlError(422, "wrong_format", "open_id: 1 to 64 of 0-9A-Za-z_-")
    return given


def _deed(given: Mapping[str, Any]) -> Deed:
    if ("text" in given) == ("event" in given):
        raise ControlError(422, "missing_field", "either text or event")
    name = given.get("event", deeds.TEXT)
    if "event" in given and name not in deeds.EVENTS:
        raise ControlError(422, "unknown_event", ", ".join(deeds.EVENTS))
    field = "text" if name == deeds.TEXT else WORDS.get(name)
    stray = [word for word in WORDS.values() if word in given and word != field]
    if stray:
        raise ControlError(422, "unknown_field", f"{', '.join(stray)} does not go with {name}")
    word = given.get(field or "", "")
    if field is not None and name != deeds.SUBSCRIBE and not word:
        raise ControlError(422, "missing_field", field)
    if not is_sayable(word):
        raise ControlError(422, "wrong_format", f"{field}: at most {LONGEST_WORD} bytes, no control characters")
    return Deed(name, word, given.get("union_id"))
