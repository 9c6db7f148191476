"""`/control/notices`: what was sent and how it was answered; sending again; sending what was never true."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox import delivery
from sandbox.alipay.notices import CHANNEL as ALIPAY_CHANNEL
from sandbox.clock import utc_time
from sandbox.context import this_sandbox
from sandbox.control import alipay_forgery
from sandbox.control.access import check_access
from sandbox.control.body import ControlError, between, read, read_any
from sandbox.control.forgery import FIELDS, Forgery, forge
from sandbox.control.scripts import MOST_COPIES
from sandbox.sending import Attempt, post, spread

FILTERS = ("id", "channel", "kind", "event_type", "merchant", "mchid", "out_trade_no", "out_refund_no", "state")

mail = Blueprint("control_mail", __name__, url_prefix="/control/notices")
mail.before_request(check_access)


@mail.get("")
def list_notices() -> Response:
    """Every notice with its attempts."""
    sandbox = this_sandbox()
    rows = sandbox.store.all("select * from notices order by created_at, id")
    items = [delivery.describe_notice(sandbox, row) for row in rows]
    wanted = [item for item in items if all(request.args.get(name, item[name]) == item[name] for name in FILTERS)]
    return jsonify({"items": [_timed(item) for item in wanted]})


@mail.post("/<event_id>/resend")
def resend_notice(event_id: str) -> Response:
    """Send a genuine notice again, now, and wait for the answers."""
    given = read(optional={"copies": int, "concurrently": bool})
    copies = given.get("copies", 1)
    between("copies", copies, 1, MOST_COPIES)
    attempts = delivery.resend(this_sandbox(), event_id, copies, concurrently=given.get("concurrently", False))
    if attempts is None:
        raise ControlError(404, "notice_not_found", event_id)
    return jsonify({"id": event_id, "attempts": [_attempt(attempt) for attempt in attempts]})


@mail.post("/forge")
def forge_notice() -> Response:
    """Craft any message, and send it where `url` says; without `url` it is only returned."""
    message, given = _forged(read_any().get("channel", "wechat_pay"))
    return jsonify(
        {
            "id": message.event_id,
            "headers": message.headers,
            "body": message.body.decode("utf-8", "replace"),
            "attempts": [_attempt(attempt) for attempt in _send(message, given)],
        }
    )


def _forged(channel: object) -> tuple[Forgery, dict[str, Any]]:
    sandbox = this_sandbox()
    if channel == ALIPAY_CHANNEL:
        given = read({"merchant": str}, alipay_forgery.FIELDS)
        account = sandbox.accounts.named(given["merchant"])
        if account is not None:
            between("copies", given.get("copies", 1), 1, MOST_COPIES)
            return alipay_forgery.forge(sandbox, account, given), given
    else:
        given = read({"merchant": str}, {**FIELDS, "channel": str})
        merchant = sandbox.keys.merchant_named(given["merchant"])
        if merchant is not None:
            between("copies", given.get("copies", 1), 1, MOST_COPIES)
            return forge(sandbox, merchant, given), given
    raise ControlError(404, "merchant_not_found", given["merchant"])


def _send(message: Forgery, given: dict[str, Any]) -> list[Attempt]:
    if "url" not in given:
        return []
    now = this_sandbox().clock.now()
    accepts = delivery.CHANNELS[message.channel].accepts
    return spread(
        lambda: post(given["url"], message.headers, message.body, now, accepts),
        given.get("copies", 1),
        concurrently=given.get("concurrently", False),
    )


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {**asdict(attempt), "at": utc_time(attempt.at)}


def _timed(item: dict[str, Any]) -> dict[str, Any]:
    return {
        **item,
        "created_at": utc_time(item["created_at"]),
        "next_at": None if item["next_at"] is None else utc_time(item["next_at"]),
        "attempts": [{**attempt, "at": utc_time(attempt["at"])} for attempt in item["attempts"]],
    }
