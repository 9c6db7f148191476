"""What a person does in the wallet's cashier, my.tradePay on the phone: pay, or fail to (protocol section 7.2)."""

from collections.abc import Mapping
from typing import Any

from sandbox.alipay import notices, trades
from sandbox.alipay.keys import Account
from sandbox.context import Sandbox
from sandbox.phone import NotPossible
from sandbox.store import Row, Tx

PAY_PARAMS = frozenset({"tradeNO"})


def describe(sandbox: Sandbox, trade_no: str) -> dict[str, Any] | None:
    """A trade as the cashier shows it; instants in seconds; None where there is none."""
    with sandbox.store.transaction() as tx:
        trade = trades.by_trade_no(tx, trade_no, sandbox.clock.now())
    if trade is None:
        return None
    account = sandbox.accounts.by_seller(trade["seller_id"])
    return {
        "trade_no": trade_no,
        "out_trade_no": trade["out_trade_no"],
        "merchant": account.name if account else None,
        "seller_id": trade["seller_id"],
        "subject": trade["subject"],
        "amount_fen": trade["amount_fen"],
        "state": trade["state"],
        "time_expire": trade["time_expire"],
        "failures": trade["failures"],
    }


def pay(sandbox: Sandbox, trade_no: str, amount_fen: int | None = None, bank: str | None = None) -> dict[str, Any]:
    """Pay a trade, by a card of `bank` or from the balance, and send its event. `amount_fen` makes the platform take
    another sum. Raises: NotPossible."""
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        trade = _payable(tx, trade_no, now)
        paid = trades.set_paid(tx, trade, trade["amount_fen"] if amount_fen is None else amount_fen, now, bank)
        event_id = notices.enqueue_payment(tx, sandbox, _account_of(sandbox, trade), paid)
    sandbox.wake()
    return {
        "out_trade_no": paid["out_trade_no"],
        "transaction_id": trade_no,
        "state": paid["state"],
        "amount_fen": paid["amount_fen"],
        "event_id": event_id,
    }


def fail(sandbox: Sandbox, trade_no: str) -> dict[str, Any]:
    """An attempt that came to nothing: no event, and the trade can still be paid. Raises: NotPossible."""
    with sandbox.store.transaction() as tx:
        trade = _payable(tx, trade_no, sandbox.clock.now())
        tx.execute("update alipay_trades set failures = failures + 1 where trade_no = ?", (trade_no,))
    return {"out_trade_no": trade["out_trade_no"], "state": trade["state"], "failures": trade["failures"] + 1}


def check_params(sandbox: Sandbox, account: Account, out_trade_no: str, params: Mapping[str, Any]) -> None:
    """Look at the parameters of my.tradePay as the phone does. Raises: NotPossible."""
    if params.keys() != PAY_PARAMS or not isinstance(params["tradeNO"], str):
        raise NotPossible("pay_params_invalid")
    if params["tradeNO"] != trade_no_of(sandbox, account, out_trade_no):
        raise NotPossible("prepay_unknown")


def trade_no_of(sandbox: Sandbox, account: Account, out_trade_no: str) -> str:
    """The platform's number of a seller's trade. Raises: NotPossible."""
    row = sandbox.store.one(
        "select trade_no from alipay_trades where seller_id = ? and out_trade_no = ?",
        (account.seller_id, out_trade_no),
    )
    if row is None:
        raise NotPossible("order_not_found")
    trade_no: str = row["trade_no"]
    return trade_no


def _account_of(sandbox: Sandbox, trade: Row) -> Account:
    account = sandbox.accounts.by_seller(trade["seller_id"])
    if account is None:
        raise NotPossible("order_not_found")
    return account


def _payable(tx: Tx, trade_no: str, now: float) -> Row:
    trade = trades.by_trade_no(tx, trade_no, now)
    if trade is None:
        raise NotPossible("order_not_found")
    if trade["paid_at"] is not None:
        raise NotPossible("order_paid")
    if trade["state"] == trades.CLOSED:
        raise NotPossible("order_expired" if now >= trade["time_expire"] else "order_closed")
    return trade


def ledger(sandbox: Sandbox) -> list[dict[str, Any]]:
    """All trades and refunds as the platform knows them, oldest first."""
    rows = sandbox.store.all(
        "select 'trade' as kind, seller_id, out_trade_no, null as out_refund_no, trade_no, amount_fen, state, "
        "paid_at as success_at, created_at, subject as words from alipay_trades union all "
        "select 'refund', t.seller_id, t.out_trade_no, r.out_request_no, r.trade_no, r.amount_fen, r.state, "
        "r.refunded_at, r.created_at, r.reason from alipay_refunds r join alipay_trades t using (trade_no) "
        "order by created_at, kind desc"
    )
    return [_entry(sandbox, row) for row in rows]


def _entry(sandbox: Sandbox, row: Row) -> dict[str, Any]:
    account = sandbox.accounts.by_seller(row["seller_id"])
    entry = {
        "kind": row["kind"],
        "channel": notices.CHANNEL,
        "merchant": account.name if account else None,
        "mchid": row["seller_id"],
        "out_trade_no": row["out_trade_no"],
        "transaction_id": row["trade_no"],
        "amount_fen": row["amount_fen"],
        "state": row["state"],
        "created_at": row["created_at"],
        "success_at": row["success_at"],
    }
    if row["kind"] == "refund":
        return {**entry, "out_refund_no": row["out_refund_no"], "reason": row["words"]}
    return {**entry, "description": row["words"]}
