"""The paths of api.weixin.qq.com under `/wechat`."""

from flask import Blueprint, Response, request

from sandbox.context import Sandbox, this_sandbox
from sandbox.exchange import Result, read_object, text_or_none
from sandbox.keys import App, Official
from sandbox.wechat import face, links, login, phone, shipping, tokens
from sandbox.wechat.admission import TokenExchange, require
from sandbox.wechat.exchange import PLAIN_TYPE, ApiError, AppExchange, json_body

api = Blueprint("wechat", __name__, url_prefix="/wechat")


class LoginExchange(AppExchange):
    """Mini-programs log in here; an official account's appid is unknown."""

    def find(self, appid: str) -> App | None:
        """The mini-program of this appid."""
        app = super().find(appid)
        return None if isinstance(app, Official) else app


@api.route("/sns/jscode2session", methods=["GET", "POST"])
def jscode2session() -> Response:
    """Login; answers as text/plain, the variant clients tend to forget."""
    sandbox, code = this_sandbox(), request.args.get("js_code")

    def act(app: App) -> Result:
        require("GET")
        if request.args.get("grant_type") != "authorization_code":
            raise ApiError(40002)
        return login.exchange_code(sandbox, app, code)

    return LoginExchange(sandbox, "login", code, request.args, PLAIN_TYPE).serve(act)


@api.route("/cgi-bin/token", methods=["GET", "POST"])
def plain_token() -> Response:
    """A new access token at each call."""
    sandbox = this_sandbox()

    def act(app: App) -> Result:
        require("GET")
        if request.args.get("grant_type") != "client_credential":
            raise ApiError(40002)
        return tokens.fetch_plain_token(sandbox, app)

    return AppExchange(sandbox, "token", request.args.get("appid"), request.args).serve(act)


class StableTokenExchange(AppExchange):
    """Reads its JSON body first: what is not JSON has no appid, whatever the query says."""

    def admit(self) -> App:
        """Raises: ApiError 43002, 44002, 47001, 41002, 41004, 40002, 40013, 40125."""
        require("POST")
        if json_body().get("grant_type") != "client_credential":
            raise ApiError(40002)
        return super().admit()


@api.route("/cgi-bin/stable_token", methods=["GET", "POST"])
def stable_token() -> Response:
    """The same access token for everyone who asks."""
    sandbox, given = this_sandbox(), read_object(request.get_data())
    exchange = StableTokenExchange(sandbox, "token", text_or_none(given.get("appid")), given)
    return exchange.serve(lambda app: tokens.fetch_stable_token(sandbox, app, given))


@api.route("/cityservice/face/identify/getverifyid", methods=["GET", "POST"])
def getverifyid() -> Response:
    """Begin a face verification."""
    sandbox = this_sandbox()
    return _face_exchange(sandbox, "face.start").serve(lambda app: face.start(sandbox, app, json_body()))


@api.route("/cityservice/face/identify/queryverifyinfo", methods=["GET", "POST"])
def queryverifyinfo() -> Response:
    """Ask how a face verification ended."""
    sandbox = this_sandbox()
    return _face_exchange(sandbox, "face.query").serve(lambda app: face.query(sandbox, app, json_body()))


@api.route("/wxa/generate_urllink", methods=["GET", "POST"])
def generate_urllink() -> Response:
    """An https address that opens a page of the mini-program."""
    sandbox, root = this_sandbox(), request.host_url.rstrip("/")
    exchange = TokenExchange(sandbox, "urllink", text_or_none(read_object(request.get_data()).get("path")))
    return exchange.serve(lambda app: links.create(sandbox, app, json_body(), root))


@api.route("/wxa/business/getuserphonenumber", methods=["GET", "POST"])
def getuserphonenumber() -> Response:
    """The number of the person who touched the button."""
    sandbox = this_sandbox()
    number = text_or_none(read_object(request.get_data()).get("code"))
    return TokenExchange(sandbox, "phone", number).serve(lambda app: phone.read_number(sandbox, app, json_body()))


class ShippingExchange(TokenExchange):
    """About one paid order, by either of its numbers."""

    def __init__(self, sandbox: Sandbox, operation: str) -> None:
        body = read_object(request.get_data())
        named = body.get("order_key")
        key = named if isinstance(named, dict) else body
        numbers = {
            "transaction_id": key.get("transaction_id"),
            "out_trade_no": key.get("out_trade_no", key.get("merchant_trade_no")),
            "mchid": key.get("mchid", key.get("merchant_id")),
        }
        told = {name: text_or_none(value) for name, value in numbers.items()}
        super().__init__(sandbox, operation, told["transaction_id"] or told["out_trade_no"])
        self.facts |= told


@api.route("/wxa/sec/order/upload_shipping_info", methods=["GET", "POST"])
def upload_shipping_info() -> Response:
    """A delivery is reported; the money it was paid with is free."""
    sandbox = this_sandbox()
    return ShippingExchange(sandbox, "shipping.report").serve(lambda app: shipping.report(sandbox, app, json_body()))


@api.route("/wxa/sec/order/get_order", methods=["GET", "POST"])
def get_order() -> Response:
    """How far the delivery of an order is."""
    sandbox = this_sandbox()
    return ShippingExchange(sandbox, "shipping.query").serve(lambda app: shipping.find(sandbox, app, json_body()))


@api.route("/wxa/sec/order/is_trade_managed", methods=["GET", "POST"])
def is_trade_managed() -> Response:
    """Whether the mini-program's money waits for deliveries."""
    sandbox = this_sandbox()
    exchange = TokenExchange(sandbox, "shipping.managed", None)
    return exchange.serve(lambda app: shipping.answer_managed(sandbox, app, json_body()))


def _face_exchange(sandbox: Sandbox, operation: str) -> TokenExchange:
    number = text_or_none(read_object(request.get_data()).get("out_seq_no"))
    return TokenExchange(sandbox, operation, number)
