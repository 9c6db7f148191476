"""The paths of api.weixin.qq.com that official accounts use, under `/wechat`."""

from flask import Blueprint, Response, request

from sandbox.context import this_sandbox
from sandbox.exchange import Result, text_or_none
from sandbox.keys import App, Official
from sandbox.wechat.admission import OfficialExchange, require
from sandbox.wechat.exchange import PLAIN_TYPE, ApiError, ApiExchange, AppExchange, json_body
from sandbox.wechat_official import menu, oauth, people, scenes, tickets

official_api = Blueprint("wechat_official", __name__, url_prefix="/wechat")
BOTH = ["GET", "POST"]


class VisitorLoginExchange(AppExchange):
    """Web login belongs to official accounts; a mini-program's appid is unknown."""

    def find(self, appid: str) -> App | None:
        """The official account of this appid."""
        app = super().find(appid)
        return app if isinstance(app, Official) else None


class VisitorExchange(ApiExchange):
    """Proved by the token of a visitor who logged in."""

    def admit(self) -> App:
        """Raises: ApiError 43001, 41001, 40001, 42001."""
        require("GET")
        return self.remember(oauth.holder_of(self.sandbox, request.args.get("access_token"))[0])


@official_api.route("/cgi-bin/menu/create", methods=BOTH)
def create_menu() -> Response:
    """Publish the menu."""
    sandbox = this_sandbox()

    def act(official: Official) -> Result:
        if not request.get_data():
            raise ApiError(44002)
        return menu.create(sandbox, official, request.get_data())

    return OfficialExchange(sandbox, "menu", "create").serve_official(act)


@official_api.route("/cgi-bin/menu/get", methods=BOTH)
def get_menu() -> Response:
    """The published menu."""
    sandbox = this_sandbox()
    exchange = OfficialExchange(sandbox, "menu", "get", "GET")
    return exchange.serve_official(lambda official: menu.get(sandbox, official))


@official_api.route("/cgi-bin/menu/delete", methods=BOTH)
def delete_menu() -> Response:
    """Take the menu away."""
    sandbox = this_sandbox()
    exchange = OfficialExchange(sandbox, "menu", "delete", "GET")
    return exchange.serve_official(lambda official: menu.delete(sandbox, official))


@official_api.route("/cgi-bin/qrcode/create", methods=BOTH)
def create_scene() -> Response:
    """A code to scan."""
    sandbox, root = this_sandbox(), request.host_url.rstrip("/")
    exchange = OfficialExchange(sandbox, "qrcode", None)
    return exchange.serve_official(lambda official: scenes.create(sandbox, official, json_body(), root))


@official_api.route("/cgi-bin/ticket/getticket", methods=BOTH)
def get_ticket() -> Response:
    """The ticket that pages are signed with."""
    sandbox, kind = this_sandbox(), request.args.get("type")
    exchange = OfficialExchange(sandbox, "ticket", text_or_none(kind), "GET")
    return exchange.serve_official(lambda official: tickets.fetch(sandbox, official, kind))


@official_api.route("/cgi-bin/user/info", methods=BOTH)
def follower_info() -> Response:
    """What the account may know of somebody."""
    sandbox, openid = this_sandbox(), request.args.get("openid")
    exchange = OfficialExchange(sandbox, "user", openid, "GET")
    return exchange.serve_official(lambda official: people.info(sandbox, official, openid))


@official_api.route("/sns/oauth2/access_token", methods=BOTH)
def visitor_token() -> Response:
    """Learn who a visitor is; answers as text/plain, like the other login."""
    sandbox, code = this_sandbox(), request.args.get("code")

    def act(app: App) -> Result:
        require("GET")
        if request.args.get("grant_type") != "authorization_code":
            raise ApiError(40002)
        return oauth.exchange_code(sandbox, app, code)

    return VisitorLoginExchange(sandbox, "oauth", code, request.args, PLAIN_TYPE).serve(act)


@official_api.route("/sns/userinfo", methods=BOTH)
def visitor_info() -> Response:
    """What a visitor agreed to show."""
    sandbox, openid = this_sandbox(), request.args.get("openid")

    def act(_: App) -> Result:
        return oauth.user_info(oauth.holder_of(sandbox, request.args.get("access_token"))[1], openid)

    return VisitorExchange(sandbox, "oauth", openid, PLAIN_TYPE).serve(act)
