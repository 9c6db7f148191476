"""What a person does with the pay sheet of the phone: pay, or fail to (protocol section 4.4)."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.context import Sandbox
from sandbox.crypto import pay_text, rsa_verify
from sandbox.keys import Merchant
from sandbox.phone import NotPossible
from sandbox.store import Row, Tx, first
from sandbox.wechat import shipping
from sandbox.wechat_pay import notices, trades

PAY_PARAMS = frozenset({"timeStamp", "nonceStr", "package", "signType", "paySign"})


def pay(
    sandbox: Sandbox,
    merchant: Merchant,
    out_trade_no: str,
    amount_fen: int | None,
    client_params: Mapping[str, str] | None,
    *,
    bank: str | None = None,
) -> dict[str, Any]:
    """Pay an order and send its notice, from the purse or by a card of that bank. `amount_fen` makes the platform take
    another sum than was asked for.

    With `client_params` the sheet is opened as wx.requestPayment does: paySign and prepay_id are checked first; or as a
    browser does that goes to the `h5_url`.
    Raises: NotPossible.
    """
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        trade = _payable(tx, merchant, out_trade_no, now)
        prepays = trades.live_prepays(tx, trade, now)
        if not prepays:
            raise NotPossible("prepay_expired")
        if client_params is not None:
            _check_sheet(merchant, trade, prepays, client_params)
        paid = trades.set_paid(tx, trade, trade["amount_fen"] if amount_fen is None else amount_fen, now, bank)
        shipping.hold(tx, paid)
        event_id = notices.enqueue_payment(tx, sandbox, merchant, paid)
    sandbox.wake()
    return {
        "out_trade_no": out_trade_no,
        "transaction_id": paid["transaction_id"],
        "state": paid["state"],
        "amount_fen": paid["amount_fen"],
        "event_id": event_id,
    }


def describe(sandbox: Sandbox, client_params: Mapping[str, str]) -> dict[str, Any]:
    """The order that a pay sheet opened with these params shows. Raises: NotPossible."""
    prepay_id = h5_prepay(client_params) or str(client_params.get("package", "")).removeprefix("prepay_id=")
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        prepay = first(tx, "select * from prepays where prepay_id = ?", (prepay_id,))
        if prepay is None:
            raise NotPossible("prepay_unknown")
        merchant = sandbox.keys.merchant(prepay["mchid"])
        trade = trades.find(tx, prepay["mchid"], prepay["out_trade_no"], now)
        if merchant is None or trade is None:
            raise NotPossible("order_not_found")
        prepays = trades.live_prepays(tx, trade, now)
        if prepay_id not in prepays:
            raise NotPossible("prepay_expired")
        _check_sheet(merchant, trade, prepays, client_params)
    return {
        "merchant": merchant.name,
        "out_trade_no": trade["out_trade_no"],
        "description": json.loads(trade["params"])["description"],
        "amount_fen": trade["amount_fen"],
        "state": trade["state"],
    }


def fail(sandbox: Sandbox, merchant: Merchant, out_trade_no: str, state: str) -> dict[str, Any]:
    """An attempt that came to nothing: no notice is sent, and the order can still be paid. Raises: NotPossible."""
    with sandbox.store.transaction() as tx:
        trade = _payable(tx, merchant, out_trade_no, sandbox.clock.now())
        tx.execute(
            "update trades set failures = failures + 1 where mchid = ? and out_trade_no = ?",
            (merchant.number, out_trade_no),
        )
        trades.set_state(tx, trade, state)
    return {"out_trade_no": out_trade_no, "state": state, "failures": trade["failures"] + 1}


def _payable(tx: Tx, merchant: Merchant, out_trade_no: str, now: float) -> Row:
    trade = trades.find(tx, merchant.number, out_trade_no, now)
    if trade is None:
        raise NotPossible("order_not_found")
    if trade["state"] in trades.PAID:
        raise NotPossible("order_paid")
    if trade["state"] == "CLOSED":
        raise NotPossible("order_closed")
    if now >= trade["time_expire"]:
        raise NotPossible("order_expired")
    return trade


def h5_prepay(params: Mapping[str, str]) -> str | None:
    """The prepay_id of a place that a browser goes to, as a whole or by its query; None where it is none."""
    query = dict(parse_qsl(urlsplit(str(params["h5_url"])).query)) if "h5_url" in params else params
    return query.get("prepay_id")


def _check_sheet(merchant: Merchant, trade: Row, prepays: list[str], params: Mapping[str, str]) -> None:
    prepay_id = h5_prepay(params)
    if (prepay_id is not None) is not trades.is_h5(json.loads(trade["params"])):
        raise NotPossible("pay_params_invalid")
    if prepay_id is not None:
        if prepay_id not in prepays:
            raise NotPossible("prepay_unknown")
        return
    given = {name: value for name, value in params.items() if name != "appId"}
    if given.keys() != PAY_PARAMS or not all(isinstance(value, str) for value in params.values()):
        raise NotPossible("pay_params_invalid")
    if given["signType"] != "RSA" or params.get("appId", trade["appid"]) != trade["appid"]:
        raise NotPossible("pay_params_invalid")
    text = pay_text(trade["appid"], given["timeStamp"], given["nonceStr"], given["package"])
    if not rsa_verify(merchant.public_key, text, given["paySign"]):
        raise NotPossible("pay_sign_invalid")
    if given["package"].removeprefix("prepay_id=") not in prepays or not given["package"].startswith("prepay_id="):
        raise NotPossible("prepay_unknown")


def merchants_of(sandbox: Sandbox, out_trade_no: str) -> list[str]:
    """The merchant numbers that have an order of this number: it is unique for each merchant only."""
    rows = sandbox.store.all("select mchid from trades where out_trade_no = ? order by mchid", (out_trade_no,))
    return [row["mchid"] for row in rows]


def ledger(sandbox: Sandbox) -> list[dict[str, Any]]:
    """All orders and refunds as the platform knows them, oldest first."""
    rows = sandbox.store.all(
        "select 'trade' as kind, mchid, out_trade_no, null as out_refund_no, transaction_id, amount_fen, state, "
        "success_at, created_at, params from trades union all "
        "select 'refund', mchid, out_trade_no, out_refund_no, transaction_id, amount_fen, state, "
        "success_at, created_at, params from refunds order by created_at, kind desc"
    )
    funds = shipping.funds(sandbox)
    return [_entry(sandbox, row, funds) for row in rows]


def _entry(sandbox: Sandbox, row: Row, funds: Mapping[str, str]) -> dict[str, Any]:
    merchant = sandbox.keys.merchant(row["mchid"])
    params = json.loads(row["params"])
    entry = {
        "kind": row["kind"],
        "channel": "wechat_pay",
        "merchant": merchant.name if merchant else None,
        "mchid": row["mchid"],
        "out_trade_no": row["out_trade_no"],
        "transaction_id": row["transaction_id"],
        "amount_fen": row["amount_fen"],
        "state": row["state"],
        "created_at": row["created_at"],
        "success_at": row["success_at"],
    }
    if row["kind"] == "refund":
        return {**entry, "out_refund_no": row["out_refund_no"], "reason": params.get("reason")}
    return {**entry, "description": params["description"], "funds": funds.get(row["transaction_id"])}
