"""Orders: NOTPAY to SUCCESS to REFUND, or NOTPAY to CLOSED (protocol sections 4.4, 4.5 and 8.5)."""

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.clock import CHINA, china_time
from sandbox.context import Sandbox
from sandbox.crypto import random_digits
from sandbox.keys import Merchant
from sandbox.store import Row, Tx, first
from sandbox.wechat_pay import errors
from sandbox.wechat_pay.errors import PayError, bad_parameter
from sandbox.wechat_pay.parties import check_apps, check_ids, check_payer, paid_in, payer_of

SHORTEST_TERM = 60
DEFAULT_TERM = 7 * 86400
PREPAY_LIFE = 2 * 3600
H5_LIFE = 300
H5_MERCHANTS = ("demo", "fuyou")
UNPAID = ("NOTPAY", "PAYERROR")
PURSE = "OTHERS"
PAID = ("SUCCESS", "REFUND")
PARTIES = ("appid", "mchid", "sp_appid", "sp_mchid", "sub_appid", "sub_mchid")
STATE_WORDS = {
    "NOTPAY": "订单未支付",
    "SUCCESS": "支付成功",
    "REFUND": "订单发生过退款，退款详情请查询退款单",
    "CLOSED": "订单已关闭",
    "PAYERROR": "支付失败",
}


def create(sandbox: Sandbox, merchant: Merchant, body: Mapping[str, Any]) -> dict[str, Any]:
    """Place an order; the identical order again gives a fresh prepay_id. Raises: PayError."""
    return {"prepay_id": _place(sandbox, merchant, body)}


def create_h5(sandbox: Sandbox, merchant: Merchant, body: Mapping[str, Any], root: str) -> dict[str, Any]:
    """The same for a browser, which is sent to the cashier's page. Raises: PayError."""
    if merchant.name not in H5_MERCHANTS:
        raise PayError(403, "NO_AUTH", "商户号该产品权限未开通")
    prepay_id = _place(sandbox, merchant, body)
    return {"h5_url": f"{root}/pages/pay?prepay_id={prepay_id}&package={random_digits(10)}"}


def _place(sandbox: Sandbox, merchant: Merchant, body: Mapping[str, Any]) -> str:
    check_ids(merchant, body)
    check_apps(sandbox.keys, merchant, body)
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        if "payer" in body:
            check_payer(tx, sandbox.keys, body)
        trade = find(tx, merchant.number, body["out_trade_no"], now)
        if trade is None:
            _insert(tx, merchant, body, now)
        else:
            _check_reentry(trade, body, now)
        return _issue_prepay(tx, merchant.number, body["out_trade_no"], now)


def query(
    sandbox: Sandbox,
    merchant: Merchant,
    ids: Mapping[str, str],
    *,
    out_trade_no: str | None = None,
    transaction_id: str | None = None,
) -> dict[str, Any]:
    """Look an order up by either number. Raises: PayError."""
    check_ids(merchant, ids, location="query")
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        if transaction_id is not None:
            trade = find_paid(tx, merchant.number, transaction_id)
        else:
            trade = find(tx, merchant.number, out_trade_no or "", now)
        if trade is None:
            raise order_absent()
        return describe(trade)


def close(sandbox: Sandbox, merchant: Merchant, out_trade_no: str, body: Mapping[str, Any]) -> None:
    """Close an unpaid order; closing it again changes nothing. Raises: PayError."""
    check_ids(merchant, body)
    with sandbox.store.transaction() as tx:
        trade = find(tx, merchant.number, out_trade_no, sandbox.clock.now())
        if trade is None:
            raise order_absent()
        if trade["state"] in PAID:
            raise order_paid()
        set_state(tx, trade, "CLOSED")


def find(tx: Tx, mchid: str, out_trade_no: str, now: float) -> Row | None:
    """A merchant's order; one that stayed unpaid for seven days has closed itself (section 4.5)."""
    trade = first(tx, "select * from trades where mchid = ? and out_trade_no = ?", (mchid, out_trade_no))
    if trade is not None and trade["state"] in UNPAID and now - trade["created_at"] >= DEFAULT_TERM:
        set_state(tx, trade, "CLOSED")
        return first(tx, "select * from trades where mchid = ? and out_trade_no = ?", (mchid, out_trade_no))
    return trade


def find_paid(tx: Tx, mchid: str, transaction_id: str) -> Row | None:
    """A merchant's paid order by the platform's number."""
    return first(tx, "select * from trades where mchid = ? and transaction_id = ?", (mchid, transaction_id))


def set_state(tx: Tx, trade: Row, state: str) -> None:
    """The one line that moves an order."""
    tx.execute(
        "update trades set state = ? where mchid = ? and out_trade_no = ?",
        (state, trade["mchid"], trade["out_trade_no"]),
    )


def set_paid(tx: Tx, trade: Row, amount_fen: int, now: float, bank: str | None) -> Row:
    """Take the money, from a card or from the purse, and name the transaction."""
    tx.execute(
        "update trades set transaction_id = ?, success_at = ?, amount_fen = ?, bank = ? "
        "where mchid = ? and out_trade_no = ?",
        (f"42000{random_digits(23)}", now, amount_fen, bank, trade["mchid"], trade["out_trade_no"]),
    )
    set_state(tx, trade, "SUCCESS")
    paid = first(
        tx, "select * from trades where mchid = ? and out_trade_no = ?", (trade["mchid"], trade["out_trade_no"])
    )
    assert paid is not None
    return paid


def live_prepays(tx: Tx, trade: Row, now: float) -> list[str]:
    """The prepay_ids with which the order can be paid now: each lives two hours, whatever time_expire says, and five
    minutes in a browser."""
    life = H5_LIFE if is_h5(json.loads(trade["params"])) else PREPAY_LIFE
    rows = tx.execute(
        "select prepay_id from prepays where mchid = ? and out_trade_no = ? and created_at > ?",
        (trade["mchid"], trade["out_trade_no"], now - life),
    )
    return [row["prepay_id"] for row in rows]


def describe(trade: Row) -> dict[str, Any]:
    """An order as query and notice show it; unpaid ones lack what only a payment brings (section 4.5)."""
    ordered = json.loads(trade["params"])
    answer: dict[str, Any] = {
        **{name: ordered[name] for name in PARTIES if name in ordered},
        "out_trade_no": trade["out_trade_no"],
        "trade_type": type_of(ordered),
        "trade_state": trade["state"],
        "trade_state_desc": STATE_WORDS[trade["state"]],
        **_payer(trade, ordered),
        "amount": {"total": trade["amount_fen"], "currency": "CNY"},
    }
    if trade["attach"] is not None:
        answer["attach"] = trade["attach"]
    scene = ordered.get("scene_info", {})
    if "device_id" in scene:
        answer["scene_info"] = {"device_id": scene["device_id"]}
    if trade["transaction_id"] is not None:
        answer |= {
            "transaction_id": trade["transaction_id"],
            "bank_type": trade["bank"] or PURSE,
            "success_time": china_time(trade["success_at"]),
            "promotion_detail": [],
        }
        answer["amount"] |= {"payer_total": trade["amount_fen"], "payer_currency": "CNY"}
    return answer


def is_h5(ordered: Mapping[str, Any]) -> bool:
    """Whether an order is paid from a browser."""
    return "h5_info" in ordered.get("scene_info", {})


def type_of(ordered: Mapping[str, Any]) -> str:
    """An order's way to pay, in the platform's word."""
    return "MWEB" if is_h5(ordered) else "JSAPI"


def _payer(trade: Row, ordered: Mapping[str, Any]) -> dict[str, Any]:
    """Who pays from a browser is known once it is paid."""
    if "payer" in ordered:
        return {"payer": ordered["payer"]}
    if trade["transaction_id"] is None:
        return {}
    name = "openid" if "appid" in ordered else "sub_openid" if "sub_appid" in ordered else "sp_openid"
    return {"payer": {name: f"o{trade['transaction_id']}"}}


def order_absent() -> PayError:
    """No such order of this merchant."""
    return PayError(404, "ORDERNOTEXIST", "订单不存在", errors.ORDER_ABSENT)


def order_paid() -> PayError:
    """The order has been paid."""
    return PayError(400, "ORDERPAID", "该订单已支付", errors.ALREADY_PAID)


def _check_reentry(trade: Row, body: Mapping[str, Any], now: float) -> None:
    if trade["state"] in PAID:
        raise order_paid()
    if trade["state"] == "CLOSED":
        raise PayError(400, "ORDER_CLOSED", "该订单已关闭")
    if json.loads(trade["params"]) != body:
        raise PayError(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致", errors.OTHER_PARAMETERS)
    if now >= trade["time_expire"]:
        raise PayError(400, "INVALID_REQUEST", "订单已过期，请更换商户订单号重新下单", errors.ORDER_EXPIRED)


def _insert(tx: Tx, merchant: Merchant, body: Mapping[str, Any], now: float) -> None:
    expires = time_of(body["time_expire"]) if "time_expire" in body else now + DEFAULT_TERM
    # Asked of a new order only: a repeated request must be told that the order was paid, however late it comes.
    if expires < int(now) + SHORTEST_TERM:
        raise bad_parameter("/time_expire", body["time_expire"], "交易结束时间应在1分钟之后")
    tx.execute(
        "insert into trades (mchid, out_trade_no, appid, openid, params, amount_fen, attach, notify_url, time_expire, "
        "state, created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, 'NOTPAY', ?)",
        (
            merchant.number,
            body["out_trade_no"],
            paid_in(body),
            payer_of(body) if "payer" in body else "",
            json.dumps(body),
            body["amount"]["total"],
            body.get("attach"),
            body["notify_url"],
            expires,
            now,
        ),
    )


def _issue_prepay(tx: Tx, mchid: str, out_trade_no: str, now: float) -> str:
    prepay_id = f"wx{datetime.fromtimestamp(now, CHINA):%d%H%M%S}{secrets.token_hex(13)}"
    tx.execute("insert into prepays values (?, ?, ?, ?)", (prepay_id, mchid, out_trade_no, now))
    return prepay_id


def time_of(text: str) -> float:
    """Seconds of `yyyy-MM-ddTHH:mm:ss+08:00`. Raises: PayError for a day that does not exist."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise bad_parameter("/time_expire", text, "时间格式错误") from None
