"""Shipping management: `/wxa/sec/order/…` (protocol section 1.10).

What is paid in a managed mini-program is frozen until its delivery is reported. A delivery can be reported anew once;
the same report again says only that nothing is new.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.context import Sandbox
from sandbox.keys import App
from sandbox.store import Row, Tx, first
from sandbox.wechat.exchange import ApiError

BY_MERCHANT, BY_TRANSACTION = 1, 2
EXPRESS, IN_TOWN, VIRTUAL, PICKED_UP = 1, 2, 3, 4
UNIFIED, SPLIT = 1, 2
LONGEST_ITEM = 120
MOST_REPORTS = 2
#: RFC 3339 with milliseconds: several were refused without them.
UPLOAD_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)")
FROZEN, FREE, RETURNED = "frozen", "free", "returned"
UNSHIPPED, SHIPPED, REFUNDED = 1, 2, 5

_TRADE = (
    "select trades.*, shipping.content, shipping.upload_time, shipping.is_finished, shipping.reports, shipping.held, "
    "(select coalesce(sum(refunds.amount_fen), 0) from refunds where refunds.mchid = trades.mchid and "
    "refunds.out_trade_no = trades.out_trade_no and refunds.state = 'SUCCESS') as returned_fen "
    "from trades left join (select *, 1 as held from shippings) as shipping using (transaction_id) "
)


def set_managed(sandbox: Sandbox, app: App, *, managed: bool) -> None:
    """Make the mini-program one whose money waits, or one that it does not concern; what was paid stays as it was."""
    with sandbox.store.transaction() as tx:
        tx.execute("delete from managed_apps where appid = ?", (app.appid,))
        if managed:
            tx.execute("insert into managed_apps (appid) values (?)", (app.appid,))


def is_managed(sandbox: Sandbox, app: App) -> bool:
    """Whether what is paid in it from now on is frozen."""
    with sandbox.store.transaction() as tx:
        return _is_managed(tx, app.appid)


def hold(tx: Tx, trade: Row) -> None:
    """An order was paid: in a managed mini-program the money waits. From a browser nothing is paid in it."""
    if trade["openid"] and _is_managed(tx, trade["appid"]):
        tx.execute("insert into shippings (transaction_id) values (?)", (trade["transaction_id"],))


def funds(sandbox: Sandbox) -> dict[str, str]:
    """What became of the money of each paid order, by the platform's number."""
    rows = sandbox.store.all(f"{_TRADE} where trades.transaction_id is not null")
    return {row["transaction_id"]: _funds(row) for row in rows}


def answer_managed(sandbox: Sandbox, app: App, body: Mapping[str, Any]) -> dict[str, Any]:
    """`is_trade_managed`; nobody is told of another's. Raises: ApiError 40097, 40013."""
    appid = body.get("appid")
    if not isinstance(appid, str) or not appid:
        raise ApiError(40097, "appid")
    if appid != app.appid:
        raise ApiError(40013)
    return {"errcode": 0, "errmsg": "ok", "is_trade_managed": is_managed(sandbox, app)}


def report(sandbox: Sandbox, app: App, body: Mapping[str, Any]) -> dict[str, Any]:
    """`upload_shipping_info`. Raises: ApiError."""
    key, payer = _object(body, "order_key"), _object(body, "payer")
    number = _order_number(key)
    _check_way(body)
    _check_items(body)
    upload_time = _upload_time(body)
    if not isinstance(payer.get("openid"), str):
        raise ApiError(47001)
    content = json.dumps({name: value for name, value in body.items() if name != "upload_time"}, sort_keys=True)
    with sandbox.store.transaction() as tx:
        trade = _found(tx, app, number)
        if trade["openid"] != payer["openid"]:
            raise ApiError(10060031)
        if _funds(trade) == RETURNED:
            raise ApiError(10060004)
        _check_again(trade, content, upload_time)
        tx.execute(
            "update shippings set content = ?, upload_time = ?, is_finished = ?, reports = ? where transaction_id = ?",
            (
                content,
                upload_time,
                body["delivery_mode"] == UNIFIED or body["is_all_delivered"],
                trade["reports"] + bool(trade["is_finished"] or not trade["reports"]),
                trade["transaction_id"],
            ),
        )
    return {"errcode": 0, "errmsg": "ok"}


def find(sandbox: Sandbox, app: App, body: Mapping[str, Any]) -> dict[str, Any]:
    """`get_order`. Raises: ApiError 47001, 10060001."""
    number = (body.get("transaction_id"), body.get("merchant_id"), body.get("merchant_trade_no"))
    if not all(isinstance(one, str | None) for one in number) or not (number[0] or (number[1] and number[2])):
        raise ApiError(47001)
    with sandbox.store.transaction() as tx:
        trade = _found(tx, app, number)
    state = {FREE: SHIPPED, FROZEN: UNSHIPPED, RETURNED: REFUNDED}[_funds(trade)]
    order: dict[str, Any] = {
        "transaction_id": trade["transaction_id"],
        "merchant_id": trade["mchid"],
        "merchant_trade_no": trade["out_trade_no"],
        "description": json.loads(trade["params"])["description"],
        "paid_amount": trade["amount_fen"],
        "openid": trade["openid"],
        "trade_create_time": int(trade["created_at"]),
        "pay_time": int(trade["success_at"]),
        "order_state": state,
        "in_complaint": False,
    }
    if trade["content"] is not None:
        told = json.loads(trade["content"])
        order["shipping"] = {
            "delivery_mode": told["delivery_mode"],
            "logistics_type": told["logistics_type"],
            "finish_shipping": bool(trade["is_finished"]),
            "finish_shipping_count": trade["reports"],
            "goods_desc": told["shipping_list"][0]["item_desc"],
        }
    return {"errcode": 0, "errmsg": "ok", "order": order}


def _is_managed(tx: Tx, appid: str) -> bool:
    return first(tx, "select 1 from managed_apps where appid = ?", (appid,)) is not None


def _funds(trade: Row) -> str:
    if trade["returned_fen"] >= trade["amount_fen"]:
        return RETURNED
    return FROZEN if trade["held"] and not trade["is_finished"] else FREE


def _found(tx: Tx, app: App, number: tuple[str | None, str | None, str | None]) -> Row:
    """A paid order of this mini-program that waits for its delivery, or did. Raises: ApiError 10060001."""
    transaction_id, mchid, out_trade_no = number
    where = "where trades.transaction_id = ?" if transaction_id else "where mchid = ? and out_trade_no = ?"
    trade = first(tx, _TRADE + where, (transaction_id,) if transaction_id else (mchid, out_trade_no))
    if trade is None or trade["appid"] != app.appid or not trade["held"]:
        raise ApiError(10060001)
    return trade


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise ApiError(47001)
    return value


def _order_number(key: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    for name in ("transaction_id", "mchid", "out_trade_no"):
        if not isinstance(key.get(name), str | None):
            raise ApiError(47001)
    match key.get("order_number_type"):
        case 2:
            if not key.get("transaction_id"):
                raise ApiError(268485195)
            return key["transaction_id"], None, None
        case 1:
            if not key.get("mchid"):
                raise ApiError(268485196)
            if not key.get("out_trade_no"):
                raise ApiError(268485197)
            return None, key["mchid"], key["out_trade_no"]
    raise ApiError(268485194)


def _check_way(body: Mapping[str, Any]) -> None:
    """Numbers, as documented: the words of the enumerations are refused."""
    way, mode = body.get("logistics_type"), body.get("delivery_mode")
    if type(way) is not int or type(mode) is not int or not isinstance(body.get("is_all_delivered"), bool | None):
        raise ApiError(47001)
    if way not in (EXPRESS, IN_TOWN, VIRTUAL, PICKED_UP):
        raise ApiError(10060005)
    if mode not in (UNIFIED, SPLIT):
        raise ApiError(268485224)
    if mode == SPLIT and way != EXPRESS:
        raise ApiError(10060006)
    if mode == SPLIT and body.get("is_all_delivered") is None:
        raise ApiError(10060007)


def _check_items(body: Mapping[str, Any]) -> None:
    items = body.get("shipping_list")
    if not isinstance(items, list) or not items or not all(isinstance(one, dict) for one in items):
        raise ApiError(47001)
    if body["delivery_mode"] == UNIFIED and len(items) != 1:
        raise ApiError(268485228)
    for item in items:
        told = item.get("item_desc")
        if not isinstance(told, str) or not told:
            raise ApiError(10060008)
        if len(told) > LONGEST_ITEM:
            raise ApiError(10060009)
        if body["logistics_type"] == EXPRESS and not item.get("tracking_no"):
            raise ApiError(268485226)
        if body["logistics_type"] == EXPRESS and not item.get("express_company"):
            raise ApiError(268485227)


def _upload_time(body: Mapping[str, Any]) -> float:
    """Raises: ApiError 268485216."""
    told = body.get("upload_time")
    try:
        if not isinstance(told, str) or UPLOAD_TIME.fullmatch(told) is None:
            raise ApiError(268485216)
        return datetime.fromisoformat(told).timestamp()
    except ValueError:
        raise ApiError(268485216) from None


def _check_again(trade: Row, content: str, upload_time: float) -> None:
    """Raises: ApiError 10060023 where nothing is new, 10060003 where it was told anew before."""
    if trade["content"] is None:
        return
    if trade["content"] == content or upload_time <= trade["upload_time"]:
        raise ApiError(10060023)
    if trade["is_finished"] and trade["reports"] >= MOST_REPORTS:
        raise ApiError(10060003)
