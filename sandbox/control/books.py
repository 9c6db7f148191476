"""`/control`: credentials, ledger, calls, tokens, clock."""

import time
from datetime import datetime
from operator import itemgetter
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.alipay import cashier as alipay_cashier
from sandbox.alipay import console
from sandbox.clock import utc_time
from sandbox.context import this_sandbox
from sandbox.control.access import check_access
from sandbox.control.body import ControlError, between, read
from sandbox.hospital import console as hospital_console
from sandbox.keys import App
from sandbox.realname import console as realname_console
from sandbox.sms import console as sms_console
from sandbox.store import write_meta
from sandbox.wechat import shipping
from sandbox.wechat.tokens import token_counts
from sandbox.wechat_official import push
from sandbox.wechat_pay import cashier
from sandbox.wechat_pay import console as pay_console

CLOCK_OFFSET = "clock_offset"
TEN_YEARS = 10 * 366 * 86400

books = Blueprint("control_books", __name__, url_prefix="/control")
books.before_request(check_access)


@books.get("/credentials")
def credentials() -> Response:
    """Everything a client needs to speak as each app and merchant."""
    keys, root = this_sandbox().keys, request.host_url.rstrip("/")
    return jsonify(
        {
            "wechat_miniapp": [_miniapp(app, root) for app in keys.apps],
            "wechat_official": [
                {
                    "app": official.name,
                    "appid": official.appid,
                    "secret": official.secret,
                    "token": official.token,
                    "encoding_aes_key": official.encoding_aes_key,
                    "base_url": f"{root}/wechat",
                    "open_url": f"{root}/wechat-open",
                    "miniapp": official.miniapp,
                }
                for official in keys.officials
            ],
            "wechat_pay": pay_console.credentials(this_sandbox(), root),
            "alipay": console.credentials(this_sandbox(), root),
            "hospital_systems": hospital_console.credentials(this_sandbox(), root),
            "realname": realname_console.credentials(this_sandbox(), root),
            "sms": sms_console.credentials(this_sandbox(), root),
        }
    )


def _miniapp(app: App, root: str) -> dict[str, Any]:
    told = {"app": app.name, "appid": app.appid, "secret": app.secret, "base_url": f"{root}/wechat"}
    return told | ({"trade_managed": True} if shipping.is_managed(this_sandbox(), app) else {})


@books.get("/ledger")
def ledger() -> Response:
    """Orders and refunds as the platforms know them."""
    sandbox = this_sandbox()
    items = [
        _timed(entry)
        for entry in sorted((*cashier.ledger(sandbox), *alipay_cashier.ledger(sandbox)), key=itemgetter("created_at"))
        if _wanted(entry, "kind", "channel", "merchant", "mchid", "out_trade_no", "out_refund_no", "state")
    ]
    return jsonify({"items": items})


@books.get("/messages")
def messages() -> Response:
    """Messages: what accounts were pushed, and what they answered; `app` and `open_id` choose."""
    items = push.listed(this_sandbox(), None, request.args.get("open_id"))
    return jsonify({"items": [item for item in items if _wanted(item, "app", "kind")]})


@books.get("/calls")
def calls() -> Response:
    """Every platform call in order of arrival, whether or not it was answered."""
    rows = this_sandbox().store.all("select * from calls order by id")
    items = [
        {
            "id": row["id"],
            "at": utc_time(row["at"]),
            "operation": row["operation"],
            "method": row["method"],
            "path": row["path"],
            "number": row["number"],
            "caller": row["caller"],
            "count": row["count"],
            "status": row["status"],
        }
        for row in rows
    ]
    items = [item for item in items if _wanted(item, "operation", "number", "caller", "method", "path", "status")]
    return jsonify({"items": items, "count": len(items)})


@books.delete("/calls")
def forget_calls() -> tuple[str, int]:
    """Empty the log of calls."""
    with this_sandbox().store.transaction() as tx:
        tx.execute("delete from calls")
    return "", 204


@books.get("/tokens")
def tokens() -> Response:
    """How often each app fetched an access token: a test can demand `one fetch`."""
    sandbox = this_sandbox()
    items = []
    for row in token_counts(sandbox):
        app = sandbox.keys.app(row["appid"])
        items.append(
            {
                "app": app.name if app else None,
                "appid": row["appid"],
                "family": row["family"],
                "fetches": row["fetches"],
                "issued": row["issued"],
            }
        )
    return jsonify({"items": items})


@books.get("/clock")
def read_clock() -> Response:
    """The sandbox's time and its distance from real time."""
    clock = this_sandbox().clock
    return jsonify({"now": utc_time(clock.now()), "offset_seconds": clock.offset})


@books.post("/clock")
def move_clock() -> Response:
    """Move lifetimes and schedules: by `advance_seconds`, to `offset_seconds`, or to an instant called `now`.

    Signed stamps stay real.
    """
    sandbox = this_sandbox()
    given = read(optional={"advance_seconds": (int, float), "offset_seconds": (int, float), "now": str})
    offset = given.get("offset_seconds", sandbox.clock.offset)
    if "now" in given:
        offset = _instant(given["now"]) - time.time()
    offset += given.get("advance_seconds", 0)
    between("offset_seconds", offset, -TEN_YEARS, TEN_YEARS)
    sandbox.clock.offset = float(offset)
    write_meta(sandbox.store, CLOCK_OFFSET, str(float(offset)))
    sandbox.wake()
    return read_clock()


def _instant(text: str) -> float:
    """Seconds of an instant with its zone. Raises: ControlError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ControlError(422, "out_of_range", "now: an instant with its zone, as 2026-11-20T10:00:00+08:00")
    return moment.timestamp()


def _wanted(item: dict[str, Any], *names: str) -> bool:
    return all(request.args.get(name, item.get(name)) == item.get(name) for name in names)


def _timed(entry: dict[str, Any]) -> dict[str, Any]:
    success = entry["success_at"]
    return {
        **entry,
        "created_at": utc_time(entry["created_at"]),
        "success_at": None if success is None else utc_time(success),
    }
