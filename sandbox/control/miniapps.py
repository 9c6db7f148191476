"""`/control/miniapps/{name}`: what the platform has made of a mini-program."""

from flask import Blueprint, Response, jsonify

from sandbox.context import this_sandbox
from sandbox.control.access import check_access
from sandbox.control.body import ControlError, read
from sandbox.keys import App
from sandbox.wechat import shipping

miniapps = Blueprint("control_miniapps", __name__, url_prefix="/control/miniapps")
miniapps.before_request(check_access)


@miniapps.get("/<name>")
def show(name: str) -> Response:
    """Whether what is paid in it from now on is frozen."""
    app = _app(name)
    managed = shipping.is_managed(this_sandbox(), app)
    return jsonify({"app": app.name, "appid": app.appid, "trade_managed": managed})


@miniapps.post("/<name>")
def manage(name: str) -> Response:
    """Put it under shipping management, or take it out."""
    shipping.set_managed(this_sandbox(), _app(name), managed=read({"trade_managed": bool})["trade_managed"])
    return show(name)


def _app(name: str) -> App:
    app = this_sandbox().keys.app_named(name)
    if app is None:
        raise ControlError(404, "app_not_found", name)
    return app
