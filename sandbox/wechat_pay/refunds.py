"""Refunds: PROCESSING to SUCCESS, ABNORMAL or CLOSED, each with its own event (protocol section 4.6)."""

import json
from collections.abc import Mapping
from typing import Any

from sandbox import faults
from sandbox.clock import china_time
from sandbox.context import Sandbox
from sandbox.crypto import random_digits
from sandbox.faults import OUTCOME_KINDS, Fault
from sandbox.keys import Merchant
from sandbox.phone import CARD
from sandbox.store import Row, Tx, first
from sandbox.wechat_pay import notices, trades
from sandbox.wechat_pay.errors import PayError, bad_parameter
from sandbox.wechat_pay.fields import BANKS

MOST_REFUNDS = 50
YEAR = 365 * 86400
ACCOUNT = "支付用户零钱"
OUTCOMES = {"abnormal": "ABNORMAL", "closed": "CLOSED"}
DECLINED = {
    "not_enough": ("NOT_ENOUGH", "商户余额不足"),
    "account_abnormal": ("USER_ACCOUNT_ABNORMAL", "用户账户异常, 退款失败"),
}


def create(sandbox: Sandbox, merchant: Merchant, body: Mapping[str, Any]) -> dict[str, Any]:
    """Accept a refund; the same number with the same parameters gives the same refund. Raises: PayError."""
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        known = _by_number(tx, merchant.number, body["out_refund_no"])
        if known is not None:
            if json.loads(known["params"]) != body:
                raise PayError(400, "INVALID_REQUEST", "请求重入时，退款参数与首次请求时不一致")
            return describe(known)
        trade = _trade_of(tx, merchant, body, now)
        _check_room(tx, trade, body, now)
        accepted = _accept(tx, sandbox, merchant, trade, body=body, now=now)
    # Raised after the commit: the scripted turn is used up although nothing was accepted.
    if isinstance(accepted, PayError):
        raise accepted
    sandbox.wake()
    return describe(accepted)


def query(sandbox: Sandbox, merchant: Merchant, out_refund_no: str) -> dict[str, Any]:
    """Look a refund up. Raises: PayError."""
    with sandbox.store.transaction() as tx:
        refund = _by_number(tx, merchant.number, out_refund_no)
    if refund is None:
        raise PayError(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
    return describe(refund)


def settle_due(sandbox: Sandbox) -> float | None:
    """Settle what is due and send the events; returns when the next refund is due."""
    now = sandbox.clock.now()
    with sandbox.store.transaction() as tx:
        for refund in tx.execute("select * from refunds where settle_at <= ?", (now,)).fetchall():
            settle(tx, sandbox, refund, refund["outcome"], now)
        row = first(tx, "select min(settle_at) as due from refunds where settle_at is not null")
    return None if row is None else row["due"]


def settle(tx: Tx, sandbox: Sandbox, refund: Row, state: str, now: float) -> Row:
    """Give a refund its result and put its event into the queue."""
    tx.execute(
        "update refunds set state = ?, settle_at = null, success_at = ?, settled_at = ? where refund_id = ?",
        (state, now if state == "SUCCESS" else None, now, refund["refund_id"]),
    )
    settled = _by_number(tx, refund["mchid"], refund["out_refund_no"])
    merchant = sandbox.keys.merchant(refund["mchid"])
    assert settled is not None
    if merchant is not None and settled["notify_url"] is not None:
        notices.enqueue_refund(tx, sandbox, merchant, settled, settled["account"] or ACCOUNT)
    return settled


def settle_by_hand(sandbox: Sandbox, merchant: Merchant, out_refund_no: str, state: str) -> Row | None:
    """Settle a refund that is still processing, at once; None where there is none."""
    with sandbox.store.transaction() as tx:
        refund = _by_number(tx, merchant.number, out_refund_no)
        if refund is None or refund["state"] != "PROCESSING":
            return None
        settled = settle(tx, sandbox, refund, state, sandbox.clock.now())
    sandbox.wake()
    return settled


def describe(refund: Row) -> dict[str, Any]:
    """A refund as create and query answer it: here the state is called `status`."""
    total, amount = refund["total_fen"], refund["amount_fen"]
    answer = {
        "refund_id": refund["refund_id"],
        "out_refund_no": refund["out_refund_no"],
        "transaction_id": refund["transaction_id"],
        "out_trade_no": refund["out_trade_no"],
        "channel": "ORIGINAL",
        "user_received_account": refund["account"] or ACCOUNT,
        "create_time": china_time(refund["created_at"]),
        "status": refund["state"],
        "funds_account": "AVAILABLE",
        "promotion_detail": [],
        "amount": {
            "total": total,
            "refund": amount,
            "from": json.loads(refund["params"])["amount"].get("from", []),
            "payer_total": total,
            "payer_refund": amount,
            "settlement_refund": amount,
            "settlement_total": total,
            "discount_refund": 0,
            "currency": "CNY",
            "refund_fee": 0,
        },
    }
    if refund["success_at"] is not None:
        answer["success_time"] = china_time(refund["success_at"])
    return answer


def _account_of(bank: str | None) -> str | None:
    """Of a card: its bank, its kind, and its last digits."""
    card = None if bank is None else CARD.fullmatch(bank)
    if card is None:
        return None
    name = BANKS.get(f"{card['bank']}_DEBIT", card["bank"])
    return f"{name}{'借记卡' if card['kind'] == 'DEBIT' else '信用卡'}0403"


def _by_number(tx: Tx, mchid: str, out_refund_no: str) -> Row | None:
    return first(tx, "select * from refunds where mchid = ? and out_refund_no = ?", (mchid, out_refund_no))


def _trade_of(tx: Tx, merchant: Merchant, body: Mapping[str, Any], now: float) -> Row:
    number, transaction_id = body.get("out_trade_no"), body.get("transaction_id")
    if number is None and transaction_id is None:
        raise bad_parameter("/transaction_id", None, "transaction_id和out_trade_no必须二选一")
    trade = (
        trades.find_paid(tx, merchant.number, transaction_id)
        if transaction_id is not None
        else trades.find(tx, merchant.number, number or "", now)
    )
    if trade is None or (number is not None and trade["out_trade_no"] != number):
        raise PayError(404, "RESOURCE_NOT_EXISTS", "订单不存在")
    return trade


def _check_room(tx: Tx, trade: Row, body: Mapping[str, Any], now: float) -> None:
    if trade["state"] not in trades.PAID:
        raise PayError(400, "INVALID_REQUEST", "订单未支付")
    if now - trade["success_at"] > YEAR:
        raise PayError(400, "INVALID_REQUEST", "订单已超过可退款的最大期限")
    amount = body["amount"]
    if amount["total"] != trade["amount_fen"]:
        raise PayError(400, "INVALID_REQUEST", "订单金额与支付时不一致")
    # What was closed has not been returned and takes up no room (section 4.6).
    row = first(
        tx,
        "select count(*) as n, coalesce(sum(amount_fen), 0) as fen from refunds "
        "where mchid = ? and out_trade_no = ? and state <> 'CLOSED'",
        (trade["mchid"], trade["out_trade_no"]),
    )
    assert row is not None
    if row["fen"] + amount["refund"] > trade["amount_fen"]:
        raise PayError(400, "INVALID_REQUEST", "申请退款金额超过可退金额")
    if row["n"] >= MOST_REFUNDS:
        raise PayError(400, "INVALID_REQUEST", "部分退款次数超过50次")


def _accept(
    tx: Tx, sandbox: Sandbox, merchant: Merchant, trade: Row, *, body: Mapping[str, Any], now: float
) -> Row | PayError:
    facts = {
        "out_trade_no": trade["out_trade_no"],
        "out_refund_no": body["out_refund_no"],
        "merchant": merchant.name,
        "mchid": merchant.number,
    }
    outcome = faults.take(tx, "refund.create", facts, OUTCOME_KINDS)
    if outcome is not None and outcome.kind in DECLINED:
        return PayError(403, *DECLINED[outcome.kind])
    trades.set_state(tx, trade, "REFUND")
    return _insert(tx, trade, body, outcome, now=now, delay=sandbox.settings.settle_delay)


def _insert(tx: Tx, trade: Row, body: Mapping[str, Any], outcome: Fault | None, *, now: float, delay: float) -> Row:
    kind = "" if outcome is None else outcome.kind
    settle_at = None if kind == "processing" else now + delay
    tx.execute(
        "insert into refunds (refund_id, mchid, out_refund_no, out_trade_no, transaction_id, params, amount_fen, "
        "total_fen, notify_url, state, outcome, settle_at, created_at, account) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, 'PROCESSING', ?, ?, ?, ?)",
        (
            f"503{random_digits(26)}",
            trade["mchid"],
            body["out_refund_no"],
            trade["out_trade_no"],
            trade["transaction_id"],
            json.dumps(body),
            body["amount"]["refund"],
            trade["amount_fen"],
            body.get("notify_url"),
            OUTCOMES.get(kind, "SUCCESS"),
            settle_at,
            now,
            _account_of(trade["bank"]),
        ),
    )
    refund = _by_number(tx, trade["mchid"], body["out_refund_no"])
    assert refund is not None
    return refund
