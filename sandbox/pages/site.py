"""The first page, the style sheet, login codes, and links into the mini-program."""

from flask import Response, render_template, request, send_from_directory

from sandbox.context import this_sandbox
from sandbox.control.people import OPEN_ID
from sandbox.logins import PROVIDERS, Person
from sandbox.pages.frame import PageError, field, page_blueprint
from sandbox.wechat import links

site = page_blueprint("pages", "")


@site.get("/")
def index() -> str:
    """Where everything is."""
    return render_template("index.html", keys=this_sandbox().keys)


@site.get("/pages/static/<path:name>")
def style(name: str) -> Response:
    """The style sheet."""
    return send_from_directory(f"{site.root_path}/static", name)


@site.route("/pages/login", methods=["GET", "POST"])
def login_code() -> str:
    """A login code to paste into a client."""
    if request.method == "GET":
        return render_template("login.html", providers=PROVIDERS, issued=None, given={})
    given = {name: field(name, 64) for name in ("provider", "app", "open_id", "union_id", "phone")}
    issue = PROVIDERS.get(given["provider"])
    if issue is None or OPEN_ID.fullmatch(given["open_id"]) is None:
        raise PageError(422, "wrong_name")
    filled = {name: value for name, value in given.items() if value and name != "provider"}
    issued = issue(this_sandbox(), Person(**filled))
    if issued is None:
        raise PageError(404, "app_not_found", given["app"])
    return render_template("login.html", providers=PROVIDERS, issued=issued, given=given)


@site.get("/pages/link/<code>")
def miniapp_link(code: str) -> str:
    """What a link into the mini-program opens on the phone."""
    sandbox = this_sandbox()
    row = links.find(sandbox, code)
    app = None if row is None else sandbox.keys.app(row["appid"])
    if row is None or app is None or row["expires_at"] <= sandbox.clock.now():
        raise PageError(404, "link_not_found")
    return render_template("miniapp.html", app=app, path=row["path"], query=row["query"])
