"""Trades: WAIT_BUYER_PAY to TRADE_SUCCESS to TRADE_CLOSED or TRADE_FINISHED (protocol sections 7.1, 7.4 and 7.5)."""

import json
from typing import Any

from sandbox.alipay.call import Call
from sandbox.alipay.content import read_order, read_term
from sandbox.alipay.errors import bad_argument, success, trade_error
from sandbox.alipay.keys import Account
from sandbox.alipay.login import buyer_ids, find_by_user_id, find_person
from sandbox.alipay.wire import stamp, yuan
from sandbox.context import Sandbox
from sandbox.crypto import random_digits
from sandbox.phone import CARD
from sandbox.store import Row, Tx, first

#: After this no refund is taken any more; the contract says how long, three months where it says nothing.
REFUND_TERM = 90 * 86400
WAITING, PAID, CLOSED, FINISHED = "WAIT_BUYER_PAY", "TRADE_SUCCESS", "TRADE_CLOSED", "TRADE_FINISHED"
LOGON_ID = "pat***@sandbox.example"


def create(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Place a trade; the same content again gives the same trade. Raises: GatewayError."""
    order = read_order(call)
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        trade_no = place(tx, call, order, _payer(tx, call.account, order), now)
    return success(out_trade_no=order["out_trade_no"], trade_no=trade_no)


def place(tx: Tx, call: Call, order: dict[str, Any], person: Row, now: float) -> str:
    """The platform's number of a trade, which is there already where the same was asked for. Raises: GatewayError."""
    known = find(tx, call.account, order["out_trade_no"], now)
    if known is None:
        return _insert(tx, call, order, person, now)
    _check_repeat(known, person, order)
    trade_no: str = known["trade_no"]
    return trade_no


def query(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Look a trade up. Raises: GatewayError."""
    with sandbox.store.transaction() as tx:
        trade = named(tx, call, sandbox.clock.now())
    answer = success(
        buyer_logon_id=LOGON_ID,
        buyer_pay_amount=yuan(0),
        buyer_user_type="PRIVATE",
        invoice_amount=yuan(0),
        out_trade_no=trade["out_trade_no"],
        point_amount=yuan(0),
        receipt_amount=yuan(0),
        subject=trade["subject"],
        total_amount=yuan(trade["amount_fen"]),
        trade_no=trade["trade_no"],
        trade_status=trade["state"],
        **buyer_ids(sandbox, call.account, trade, "buyer_user_id"),
    )
    if trade["passback_params"] is not None:
        answer["passback_params"] = trade["passback_params"]
    if trade["paid_at"] is not None:
        paid = dict.fromkeys(("buyer_pay_amount", "invoice_amount", "receipt_amount"), yuan(trade["amount_fen"]))
        answer |= {**paid, "send_pay_date": stamp(trade["paid_at"])}
        if "fund_bill_list" in (call.content.get("query_options") or ()):
            answer["fund_bill_list"] = [fund_bill(trade)]
    return answer


def fund_bill(trade: Row) -> dict[str, str]:
    """Where its money came from."""
    card = None if trade["bank"] is None else CARD.fullmatch(trade["bank"])
    told = {"amount": yuan(trade["amount_fen"]), "fund_channel": "ALIPAYACCOUNT" if card is None else "BANKCARD"}
    return told if card is None else {**told, "fund_type": f"{card['kind']}_CARD", "bank_code": card["bank"]}


def close(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Close an unpaid trade. Raises: GatewayError."""
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        trade = named(tx, call, now)
        if trade["state"] == CLOSED:
            raise trade_error("REASON_TRADE_STATUS_INVALID", "交易已关闭")
        if trade["state"] != WAITING:
            raise trade_error("TRADE_STATUS_ERROR", "交易状态不合法")
        set_closed(tx, trade, now)
    return success(out_trade_no=trade["out_trade_no"], trade_no=trade["trade_no"])


def named(tx: Tx, call: Call, now: float) -> Row:
    """The trade that a call speaks of; the platform's number wins. Raises: GatewayError."""
    trade_no, out_trade_no = call.text("trade_no"), call.text("out_trade_no")
    if trade_no is not None:
        trade = by_trade_no(tx, trade_no, now)
    elif out_trade_no is not None:
        trade = find(tx, call.account, out_trade_no, now)
    else:
        raise bad_argument("out_trade_no和trade_no不能同时为空")
    if trade is None or trade["seller_id"] != call.account.seller_id:
        raise trade_error("TRADE_NOT_EXIST", "交易不存在")
    return trade


def find(tx: Tx, account: Account, out_trade_no: str, now: float) -> Row | None:
    """A seller's trade by the seller's number, as it stands now."""
    trade = first(
        tx,
        "select * from alipay_trades where seller_id = ? and out_trade_no = ?",
        (account.seller_id, out_trade_no),
    )
    return None if trade is None else _aged(tx, trade, now)


def by_trade_no(tx: Tx, trade_no: str, now: float) -> Row | None:
    """A trade by the platform's number, as it stands now."""
    trade = first(tx, "select * from alipay_trades where trade_no = ?", (trade_no,))
    return None if trade is None else _aged(tx, trade, now)


def set_paid(tx: Tx, trade: Row, amount_fen: int, now: float, bank: str | None) -> Row:
    """Take the money, from a card or from the balance."""
    tx.execute(
        "update alipay_trades set state = ?, amount_fen = ?, paid_at = ?, bank = ? where trade_no = ?",
        (PAID, amount_fen, now, bank, trade["trade_no"]),
    )
    return _again(tx, trade)


def set_closed(tx: Tx, trade: Row, now: float) -> Row:
    """End a trade: unpaid, or paid and returned in full."""
    tx.execute("update alipay_trades set state = ?, closed_at = ? where trade_no = ?", (CLOSED, now, trade["trade_no"]))
    return _again(tx, trade)


def _aged(tx: Tx, trade: Row, now: float) -> Row:
    """What time alone does: an unpaid trade closes at its end, a paid one is finished when refunds end."""
    if trade["state"] == WAITING and now >= trade["time_expire"]:
        return set_closed(tx, trade, trade["time_expire"])
    if trade["state"] == PAID and now - trade["paid_at"] >= REFUND_TERM:
        tx.execute("update alipay_trades set state = ? where trade_no = ?", (FINISHED, trade["trade_no"]))
        return _again(tx, trade)
    return trade


def _again(tx: Tx, trade: Row) -> Row:
    row = first(tx, "select * from alipay_trades where trade_no = ?", (trade["trade_no"],))
    assert row is not None
    return row


def _payer(tx: Tx, account: Account, order: dict[str, Any]) -> Row:
    """Who is to pay; an open_id counts at the app it was given by (section 5.3). Raises: GatewayError."""
    kind, value = order["payer"]
    if kind == "buyer_id":
        person = find_by_user_id(tx, account.op_app_id, value)
    elif kind == "op_buyer_open_id" or account.is_miniapp:
        person = find_person(tx, account.op_app_id, value)
    else:
        person = None
    if person is None:
        raise trade_error("BUYER_NOT_EXIST", "买家不存在")
    return person


def _check_repeat(known: Row, person: Row, order: dict[str, Any]) -> None:
    if known["state"] in (PAID, FINISHED):
        raise trade_error("TRADE_HAS_SUCCESS", "交易已被支付")
    if known["state"] == CLOSED:
        raise trade_error("TRADE_HAS_CLOSE", "交易已经关闭")
    if known["user_id"] != person["user_id"]:
        raise trade_error("TRADE_BUYER_NOT_MATCH", "交易买家不匹配")
    if json.loads(known["content"]) != order["content"]:
        raise trade_error("CONTEXT_INCONSISTENT", "交易信息被篡改")


def _insert(tx: Tx, call: Call, order: dict[str, Any], person: Row, now: float) -> str:
    term = read_term(call.content, now)
    trade_no = f"{stamp(now)[:10].replace('-', '')}22001{random_digits(15)}"
    columns = {
        "trade_no": trade_no,
        "seller_id": call.account.seller_id,
        "app_id": call.account.app_id,
        "out_trade_no": order["out_trade_no"],
        "open_id": person["open_id"],
        "user_id": person["user_id"],
        "content": json.dumps(order["content"]),
        "subject": order["subject"],
        "body": order["body"],
        "passback_params": order["passback_params"],
        "amount_fen": order["amount_fen"],
        "notify_url": call.request.get("notify_url") or None,
        "charset": call.request.charset,
        "time_expire": term,
        "state": WAITING,
        "created_at": now,
    }
    tx.execute(
        f"insert into alipay_trades ({', '.join(columns)}) values ({', '.join('?' * len(columns))})",
        tuple(columns.values()),
    )
    return trade_no
