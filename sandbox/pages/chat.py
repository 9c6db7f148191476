"""The official account in a browser: its console, its people, the chat with its menu, and the codes they scan."""

import json

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.context import this_sandbox
from sandbox.control.official import is_address
from sandbox.keys import Official
from sandbox.pages.bubbles import bubble
from sandbox.pages.frame import PageError, field, page_blueprint
from sandbox.pages.persons import chosen_person, known_person, new_person, official_named, remember
from sandbox.phone import NotPossible
from sandbox.wechat_official import deeds, menu, people, push, scenes
from sandbox.wechat_official.deeds import Deed, scanning
from sandbox.wechat_official.envelope import MODES
from sandbox.wechat_official.messages import FORMATS, is_sayable
from sandbox.wechat_official.people import Person
from sandbox.wechat_official.push import PushServer

MOST_SHOWN = 30
MOST_CODES = 8
#: What a menu button of a type does, and which of its fields goes with it.
TAPS = {
    "click": (deeds.CLICK, "key"),
    "view": (deeds.VIEW, "url"),
    "miniprogram": (deeds.OPEN_MINIAPP, "pagepath"),
}

chat = page_blueprint("pages_chat", "/pages")


@chat.get("/official/<app>")
def account(app: str) -> str:
    """The account's console, and whom it knows."""
    sandbox, official = this_sandbox(), official_named(app)
    buttons = menu.buttons_of(sandbox, official)
    return render_template(
        "account.html",
        official=official,
        server=push.server_of(sandbox, official),
        product_url=sandbox.settings.product_url,
        modes=MODES,
        formats=FORMATS,
        people=people.everyone(sandbox, official),
        published=buttons and json.dumps({"button": buttons}, ensure_ascii=False, indent=1),
    )


@chat.post("/official/<app>/server")
def save_server(app: str) -> AnyResponse:
    """Save where messages go, if the server proves itself."""
    official = official_named(app)
    server = PushServer(field("url"), field("mode"), field("format"))
    if server.mode not in MODES or server.format not in FORMATS or not is_address(server.url):
        raise PageError(422, "word_invalid")
    answer = push.save_server(this_sandbox(), official, server)
    if answer is not None:
        raise PageError(409, "server_check_failed", f"{answer.error or answer.status} {answer.text[:200]}")
    return redirect(url_for(".account", app=app), 303)


@chat.post("/official/<app>/people")
def add_person(app: str) -> AnyResponse:
    """Make a person known to the account and to its mini-program."""
    return redirect(url_for(".talk", app=app, open_id=new_person(official_named(app)).open_id), 303)


@chat.get("/official/<app>/people/<open_id>")
def talk(app: str, open_id: str) -> Response:
    """The chat; whoever it belongs to is also whom web pages meet from now on."""
    official = official_named(app)
    person = known_person(official, open_id)
    response = make_response(_window(official, person))
    remember(response, person)
    return response


@chat.post("/official/<app>/people/<open_id>/deeds")
def act(app: str, open_id: str) -> AnyResponse:
    """Follow, leave, or write."""
    deed = Deed(field("deed"), field("word"))
    if deed.name not in (deeds.SUBSCRIBE, deeds.UNSUBSCRIBE, deeds.TEXT):
        raise PageError(422, "word_invalid")
    if deed.name == deeds.TEXT and not deed.word:
        raise PageError(422, "word_invalid")
    official = official_named(app)
    return _done(official, known_person(official, open_id), deed)


@chat.post("/official/<app>/people/<open_id>/taps")
def tap(app: str, open_id: str) -> AnyResponse:
    """Tap a button of the menu, which is named by its place and its name."""
    official = official_named(app)
    button = _button(official, field("place"), field("name"))
    name, which = TAPS.get(button["type"], (deeds.CLICK, "key"))
    done = _done(official, known_person(official, open_id), Deed(name, button[which]))
    # The browser follows by itself: a form's own redirect to another site is forbidden by the page's policy.
    return make_response(render_template("leave.html", url=button["url"])) if name == deeds.VIEW else done


@chat.post("/official/<app>/people/<open_id>/scans")
def scan(app: str, open_id: str) -> AnyResponse:
    """Scan a code: its address, or the scene itself."""
    sandbox, official = this_sandbox(), official_named(app)
    given = field("code")
    row = scenes.find(sandbox, given.rpartition("/")[2])
    scene = given if row is None else row["scene"]
    if not given or (row is None and "/" in given) or len(scene) > scenes.LONGEST_SCENE:
        raise PageError(404, "code_not_found")
    person = known_person(official, open_id)
    return _done(official, person, scanning(person, scene))


@chat.route("/scan/<code>", methods=["GET", "POST"])
def scanned(code: str) -> AnyResponse:
    """Where a code's picture leads in a browser: somebody scans it."""
    sandbox = this_sandbox()
    row = scenes.find(sandbox, code)
    official = None if row is None else sandbox.keys.app(row["appid"])
    if row is None or not isinstance(official, Official):
        raise PageError(404, "code_not_found")
    if request.method == "POST":
        person = chosen_person(official)
        return _done(official, person, scanning(person, row["scene"]))
    known = people.everyone(sandbox, official)
    return make_response(render_template("scan.html", official=official, scene=row["scene"], people=known))


def _window(official: Official, person: Person) -> str:
    sandbox = this_sandbox()
    return render_template(
        "chat.html",
        official=official,
        person=person,
        server=push.server_of(sandbox, official),
        bubbles=[bubble(each) for each in push.listed(sandbox, official, person.open_id)[-MOST_SHOWN:]],
        buttons=menu.buttons_of(sandbox, official) or [],
        codes=scenes.newest(sandbox, official, MOST_CODES),
    )


def _done(official: Official, person: Person, deed: Deed) -> AnyResponse:
    if not is_sayable(deed.word):
        raise PageError(422, "word_invalid")
    try:
        deeds.do(this_sandbox(), official, person.open_id, deed)
    except NotPossible as refused:
        raise PageError(409, refused.code) from refused
    return redirect(url_for(".talk", app=official.name, open_id=person.open_id, _anchor="last"), 303)


def _button(official: Official, place: str, name: str) -> dict[str, str]:
    buttons = menu.buttons_of(this_sandbox(), official) or []
    for top, button in enumerate(buttons):
        leaves = button["sub_button"] or [button]
        for sub, leaf in enumerate(leaves):
            if (place, name) == (f"{top}.{sub}", leaf["name"].strip()):
                found: dict[str, str] = leaf
                return found
    raise PageError(409, "menu_changed")
