"""Refunds: done in the call that asks, or pending; told only by `fastpay.refund.query` (protocol sections 7.6, 7.7).

`refund_fee` is what has been returned of the trade so far. `fund_change` says whether this very call moved money.
"""

from typing import Any

from sandbox import faults
from sandbox.alipay import notices, trades
from sandbox.alipay.call import Call
from sandbox.alipay.content import read_refund_amount, read_request_no
from sandbox.alipay.errors import bad_argument, success, trade_error
from sandbox.alipay.keys import Account
from sandbox.alipay.login import buyer_ids
from sandbox.alipay.wire import stamp, yuan
from sandbox.context import Sandbox
from sandbox.faults import ALIPAY_OUTCOME_KINDS
from sandbox.store import Row, Tx, first

DONE, PENDING = "REFUND_SUCCESS", "PROCESSING"
DECLINED = {
    "not_enough": ("SELLER_BALANCE_NOT_ENOUGH", "卖家余额不足"),
    "account_abnormal": ("BUYER_ENABLE_STATUS_FORBID", "买家状态异常"),
}


def create(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Return money; the same number with the same amount is the same refund. Raises: GatewayError."""
    amount, given = read_refund_amount(call), read_request_no(call)
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        trade = trades.named(tx, call, now)
        request_no = given or trade["out_trade_no"]
        known = find(tx, trade, request_no)
        if known is not None:
            if known["amount_fen"] != amount:
                raise trade_error("DISCORDANT_REPEAT_REQUEST", "不一致的请求")
            return _answer(tx, sandbox, call.account, trade, moved_fen=0)
        _check_room(tx, trade, amount, numbered=given is not None)
        outcome = faults.take(tx, "alipay.refund.create", _facts(call.account, trade, request_no), ALIPAY_OUTCOME_KINDS)
        if outcome is None or outcome.kind == "processing":
            _insert(tx, call, trade, request_no, amount, now=now)
            moved = 0
            if outcome is None:
                trade, moved = settle(tx, sandbox, call.account, trade, request_no, now=now), amount
            answer = _answer(tx, sandbox, call.account, trade, moved_fen=moved)
    # Raised after the commit: the scripted turn is used up although nothing was returned.
    if outcome is not None and outcome.kind in DECLINED:
        raise trade_error(*DECLINED[outcome.kind])
    sandbox.wake()
    return answer


def query(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Look a refund up; without `refund_status` nothing has been returned (yet). Raises: GatewayError."""
    with sandbox.store.transaction() as tx:
        trade = trades.named(tx, call, sandbox.clock.now())
        request_no = read_request_no(call)
        if request_no is None:
            raise bad_argument("out_request_no")
        refund = find(tx, trade, request_no)
    if refund is None:
        return success()
    answer = success(
        out_request_no=request_no,
        out_trade_no=trade["out_trade_no"],
        refund_amount=yuan(refund["amount_fen"]),
        total_amount=yuan(trade["amount_fen"]),
        trade_no=trade["trade_no"],
    )
    if refund["reason"] is not None:
        answer["refund_reason"] = refund["reason"]
    if refund["state"] == DONE:
        answer["refund_status"] = DONE
        if "gmt_refund_pay" in (call.content.get("query_options") or ()):
            answer["gmt_refund_pay"] = stamp(refund["refunded_at"])
        if trade["bank"] is not None and "deposit_back_info" in (call.content.get("query_options") or ()):
            back = {"has_deposit_back": "true", "dback_status": "S", "dback_amount": yuan(refund["amount_fen"])}
            answer["deposit_back_info"] = {**back, "bank_ack_time": stamp(refund["refunded_at"])}
    return answer


def find(tx: Tx, trade: Row, request_no: str) -> Row | None:
    """A refund by its number, which belongs to its trade alone."""
    return first(
        tx,
        "select * from alipay_refunds where trade_no = ? and out_request_no = ?",
        (trade["trade_no"], request_no),
    )


def settle(tx: Tx, sandbox: Sandbox, account: Account, trade: Row, request_no: str, *, now: float) -> Row:
    """Move the money of a refund, close the trade when all has been returned, and put the event into the queue."""
    tx.execute(
        "update alipay_refunds set state = ?, refunded_at = ? where trade_no = ? and out_request_no = ?",
        (DONE, now, trade["trade_no"], request_no),
    )
    if returned_fen(tx, trade) >= trade["amount_fen"]:
        trade = trades.set_closed(tx, trade, now)
    refund = find(tx, trade, request_no)
    assert refund is not None
    notices.enqueue_refund(tx, sandbox, account, trade, refund=refund, returned_fen=returned_fen(tx, trade))
    return trade


def settle_by_hand(sandbox: Sandbox, account: Account, trade_no: str, request_no: str) -> dict[str, Any] | None:
    """End a refund that is pending; None where there is none."""
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        trade = trades.by_trade_no(tx, trade_no, now)
        refund = None if trade is None else find(tx, trade, request_no)
        if trade is None or refund is None or refund["state"] != PENDING:
            return None
        trade = settle(tx, sandbox, account, trade, request_no, now=now)
        answer = {
            "out_request_no": request_no,
            "out_trade_no": trade["out_trade_no"],
            "trade_no": trade_no,
            "refund_amount": yuan(refund["amount_fen"]),
            "refund_status": DONE,
            "trade_status": trade["state"],
        }
    sandbox.wake()
    return answer


def returned_fen(tx: Tx, trade: Row, states: tuple[str, str] = (DONE, DONE)) -> int:
    """What has been returned of a trade, all refunds together."""
    row = first(
        tx,
        "select coalesce(sum(amount_fen), 0) as fen from alipay_refunds where trade_no = ? and state in (?, ?)",
        (trade["trade_no"], *states),
    )
    assert row is not None
    return int(row["fen"])


def _check_room(tx: Tx, trade: Row, amount: int, *, numbered: bool) -> None:
    if trade["state"] == trades.CLOSED:
        raise trade_error("TRADE_HAS_CLOSE", "交易已经关闭")
    if trade["state"] == trades.FINISHED:
        raise trade_error("TRADE_HAS_FINISHED", "交易已完结")
    if trade["state"] != trades.PAID:
        raise trade_error("TRADE_STATUS_ERROR", "交易状态不合法")
    if not numbered and amount != trade["amount_fen"]:
        raise bad_argument("部分退款时out_request_no必传")
    if returned_fen(tx, trade, (DONE, PENDING)) + amount > trade["amount_fen"]:
        raise trade_error("REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限")


def _facts(account: Account, trade: Row, request_no: str) -> dict[str, str | None]:
    return {
        "out_trade_no": trade["out_trade_no"],
        "out_refund_no": request_no,
        "transaction_id": trade["trade_no"],
        "merchant": account.name,
        "mchid": account.seller_id,
        "appid": account.app_id,
    }


def _insert(tx: Tx, call: Call, trade: Row, request_no: str, amount: int, *, now: float) -> None:
    tx.execute(
        "insert into alipay_refunds (trade_no, out_request_no, amount_fen, reason, state, created_at) "
        "values (?, ?, ?, ?, ?, ?)",
        (trade["trade_no"], request_no, amount, call.text("refund_reason"), PENDING, now),
    )


def _answer(tx: Tx, sandbox: Sandbox, account: Account, trade: Row, *, moved_fen: int) -> dict[str, Any]:
    answer = success(
        buyer_logon_id=trades.LOGON_ID,
        fund_change="Y" if moved_fen else "N",
        out_trade_no=trade["out_trade_no"],
        refund_fee=yuan(returned_fen(tx, trade)),
        send_back_fee=yuan(moved_fen),
        trade_no=trade["trade_no"],
        **buyer_ids(sandbox, account, trade, "buyer_user_id"),
    )
    if moved_fen:
        answer["gmt_refund_pay"] = stamp(sandbox.clock.now())
    return answer
