"""Events of trades: built and put into the queue in the transaction that made them true (protocol section 8).

A partial refund says TRADE_SUCCESS like the payment did; only `refund_fee`, `gmt_refund` and `out_biz_no` tell the two
apart. Both go to the `notify_url` of the create call.
"""

import json
from collections.abc import Mapping

from sandbox import faults
from sandbox.alipay.keys import Account
from sandbox.alipay.login import buyer_ids
from sandbox.alipay.trades import LOGON_ID, fund_bill
from sandbox.alipay.wire import node_text, stamp, stamp_with_milliseconds, yuan
from sandbox.context import Sandbox
from sandbox.crypto import random_digits
from sandbox.faults import ALIPAY_CONTENT_KINDS, KINDS, Fault
from sandbox.sending import Notice, enqueue
from sandbox.store import Row, Tx

CHANNEL = "alipay"
_CAMEL = {"fund_channel": "fundChannel", "fund_type": "fundType", "bank_code": "bankCode"}


def enqueue_payment(tx: Tx, sandbox: Sandbox, account: Account, trade: Row) -> str | None:
    """TRADE_SUCCESS; None where the create call named nobody to tell."""
    return _enqueue(tx, sandbox, account, trade, event=event_of(sandbox, account, trade))


def enqueue_refund(
    tx: Tx, sandbox: Sandbox, account: Account, trade: Row, *, refund: Row, returned_fen: int
) -> str | None:
    """TRADE_SUCCESS with the marks of a refund, or TRADE_CLOSED when all has been returned."""
    event = event_of(sandbox, account, trade) | {
        "out_biz_no": refund["out_request_no"],
        "refund_fee": yuan(returned_fen),
        "gmt_refund": stamp_with_milliseconds(refund["refunded_at"]),
    }
    return _enqueue(tx, sandbox, account, trade, event=event)


def event_of(sandbox: Sandbox, account: Account, trade: Row) -> dict[str, str]:
    """The fields of an event, without the moment of sending and the signature."""
    amount = yuan(trade["amount_fen"])
    event = {
        **skeleton(account),
        "charset": trade["charset"],
        "trade_no": trade["trade_no"],
        "out_trade_no": trade["out_trade_no"],
        "trade_status": trade["state"],
        "buyer_logon_id": LOGON_ID,
        "total_amount": amount,
        "receipt_amount": amount,
        "invoice_amount": amount,
        "buyer_pay_amount": amount,
        "point_amount": yuan(0),
        "subject": trade["subject"],
        "gmt_create": stamp(trade["created_at"]),
        # JSON inside the form, and its names are in another style than those of the synchronous answers.
        "fund_bill_list": node_text([{_CAMEL.get(name, name): text for name, text in fund_bill(trade).items()}]),
        **buyer_ids(sandbox, account, trade, "buyer_id"),
    }
    for name in ("body", "passback_params"):
        if trade[name] is not None:
            event[name] = trade[name]
    for name, column in (("gmt_payment", "paid_at"), ("gmt_close", "closed_at")):
        if trade[column] is not None:
            event[name] = stamp(trade[column])
    return event


def skeleton(account: Account) -> dict[str, str]:
    """What every event has; its number stays the same over all sends."""
    return {
        "notify_type": "trade_status_sync",
        "notify_id": random_digits(34),
        "app_id": account.app_id,
        "auth_app_id": account.app_id,
        "charset": "utf-8",
        "version": "1.0",
        "sign_type": "RSA2",
        "seller_id": account.seller_id,
        "seller_email": f"{account.name}@sandbox.example",
    }


def _enqueue(tx: Tx, sandbox: Sandbox, account: Account, trade: Row, *, event: dict[str, str]) -> str | None:
    if trade["notify_url"] is None:
        return None
    request_no = event.get("out_biz_no")
    kind = "payment" if request_no is None else "refund"
    fault = _take_fault(tx, account, event, kind, request_no)
    signer, false = _spoil(sandbox, account, event, fault, kind)
    notice = Notice(
        event["notify_id"],
        CHANNEL,
        kind,
        event["trade_status"],
        account.seller_id,
        trade["out_trade_no"],
        request_no,
        trade["notify_url"],
        json.dumps(event).encode(),
        None if false is None else json.dumps(false).encode(),
        signer.seller_id,
    )
    enqueue(tx, notice, fault, sandbox.clock.now())
    return notice.id


def _take_fault(tx: Tx, account: Account, event: Mapping[str, str], kind: str, request_no: str | None) -> Fault | None:
    target = f"alipay.notice.{kind}"
    facts = {
        "merchant": account.name,
        "mchid": account.seller_id,
        "appid": account.app_id,
        "out_trade_no": event["out_trade_no"],
        "out_refund_no": request_no,
        "transaction_id": event["trade_no"],
        "event_type": event["trade_status"],
    }
    return faults.take(tx, target, facts, KINDS[target])


def _spoil(
    sandbox: Sandbox, account: Account, event: Mapping[str, str], fault: Fault | None, kind: str
) -> tuple[Account, dict[str, str] | None]:
    """Who signs, and the false content, where the fault is about content."""
    if fault is None or fault.kind not in ALIPAY_CONTENT_KINDS:
        return account, None
    other = next(each for each in sandbox.accounts.items if each.seller_id != account.seller_id)
    false = dict(event)
    if fault.kind == "wrong_amount":
        figure = "total_amount" if kind == "payment" else "refund_fee"
        truth = int(event[figure].replace(".", ""))
        false[figure] = yuan(fault.params.get("amount_fen", truth + 1))
    if fault.kind == "unknown_number":
        false["out_trade_no"] = f"unknown{random_digits(16)}"
    if fault.kind in ("wrong_app", "wrong_merchant", "other_merchant"):
        false |= {"app_id": other.app_id, "auth_app_id": other.app_id}
    if fault.kind in ("wrong_seller", "wrong_merchant", "other_merchant"):
        false["seller_id"] = other.seller_id
    # other_merchant: a message that is genuine in every way, but meant for somebody else.
    return (other if fault.kind == "other_merchant" else account), false
