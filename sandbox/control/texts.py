"""`/control/sms`: the text messages that phones got."""

from flask import Blueprint, Response, jsonify, request

from sandbox.context import this_sandbox
from sandbox.control.access import check_access
from sandbox.sms import outbox

texts_control = Blueprint("control_sms", __name__, url_prefix="/control/sms")
texts_control.before_request(check_access)


@texts_control.get("")
def messages() -> Response:
    """In order of arrival; `phone` (E.164), `provider` and `template` choose."""
    chosen = [(name, request.args[name]) for name in ("phone", "provider", "template") if name in request.args]
    items = [one for one in outbox.listed(this_sandbox()) if all(one[name] == value for name, value in chosen)]
    return jsonify({"items": items})


@texts_control.delete("")
def forget_messages() -> tuple[str, int]:
    """Empty all phones."""
    outbox.forget(this_sandbox())
    return "", 204
