"""Events: built and put into the queue in the transaction that made them true (protocol section 4.7).

An event is sealed once, so every copy and every retry carries the same bytes; only its stamp and signature are fresh.
"""

import json
import secrets
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from sandbox import faults
from sandbox.clock import china_time
from sandbox.context import Sandbox
from sandbox.crypto import random_digits, random_letters, seal
from sandbox.exchange import compact_json
from sandbox.faults import CONTENT_KINDS, KINDS, Fault
from sandbox.keys import Keyring, Merchant
from sandbox.sending import Notice, enqueue
from sandbox.store import Row, Tx
from sandbox.wechat_pay.trades import describe

REFUND_WORDS = {"SUCCESS": "退款成功", "ABNORMAL": "退款异常", "CLOSED": "退款关闭"}


@dataclass(frozen=True)
class Event:
    """What happened, before it is sealed."""

    kind: str
    event_type: str
    summary: str
    url: str
    out_trade_no: str
    out_refund_no: str | None
    plaintext: Mapping[str, Any]

    @property
    def original_type(self) -> str:
        """The platform's word for the kind; it is the associated data too."""
        return "transaction" if self.kind == "payment" else "refund"


def enqueue_payment(tx: Tx, sandbox: Sandbox, merchant: Merchant, trade: Row) -> str:
    """TRANSACTION.SUCCESS to the order's notify_url."""
    return _enqueue(
        tx,
        sandbox,
        merchant,
        Event(
            "payment",
            "TRANSACTION.SUCCESS",
            "支付成功",
            trade["notify_url"],
            trade["out_trade_no"],
            None,
            describe(trade),
        ),
    )


def enqueue_refund(tx: Tx, sandbox: Sandbox, merchant: Merchant, refund: Row, account: str) -> str:
    """REFUND.SUCCESS, .ABNORMAL or .CLOSED to the refund's own notify_url; here the state is called refund_status."""
    plaintext = {
        **merchant.ids,
        "out_trade_no": refund["out_trade_no"],
        "transaction_id": refund["transaction_id"],
        "out_refund_no": refund["out_refund_no"],
        "refund_id": refund["refund_id"],
        "refund_status": refund["state"],
        "user_received_account": account,
        "amount": {
            "total": refund["total_fen"],
            "refund": refund["amount_fen"],
            "payer_total": refund["total_fen"],
            "payer_refund": refund["amount_fen"],
        },
    }
    if refund["success_at"] is not None:
        plaintext["success_time"] = china_time(refund["success_at"])
    return _enqueue(
        tx,
        sandbox,
        merchant,
        Event(
            "refund",
            f"REFUND.{refund['state']}",
            REFUND_WORDS[refund["state"]],
            refund["notify_url"],
            refund["out_trade_no"],
            refund["out_refund_no"],
            plaintext,
        ),
    )


def _enqueue(tx: Tx, sandbox: Sandbox, merchant: Merchant, event: Event) -> str:
    fault = _take_fault(tx, merchant, event)
    now = sandbox.clock.now()
    event_id, created = f"EV-{random_digits(19)}{secrets.token_hex(6)}", china_time(now)
    signer, spoilt = _spoil(sandbox.keys, merchant, event, fault)
    notice = Notice(
        event_id,
        "wechat_pay",
        event.kind,
        event.event_type,
        merchant.number,
        event.out_trade_no,
        event.out_refund_no,
        event.url,
        envelope(merchant, event, event.plaintext, event_id, created),
        None if spoilt is None else envelope(signer, event, spoilt, event_id, created),
        signer.number,
    )
    enqueue(tx, notice, fault, now)
    return event_id


def _take_fault(tx: Tx, merchant: Merchant, event: Event) -> Fault | None:
    target = f"notice.{event.kind}"
    facts = {
        "merchant": merchant.name,
        "mchid": merchant.number,
        "out_trade_no": event.out_trade_no,
        "out_refund_no": event.out_refund_no,
        "event_type": event.event_type,
    }
    return faults.take(tx, target, facts, KINDS[target])


def envelope(merchant: Merchant, event: Event, plaintext: Mapping[str, Any], event_id: str, created: str) -> bytes:
    """The body of a notice, its resource sealed with the merchant's APIv3 key."""
    nonce = random_letters(12)
    return compact_json(
        {
            "id": event_id,
            "create_time": created,
            "resource_type": "encrypt-resource",
            "event_type": event.event_type,
            "summary": event.summary,
            "resource": {
                "original_type": event.original_type,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": seal(merchant.apiv3_key.encode(), nonce, event.original_type, compact_json(plaintext)),
                "associated_data": event.original_type,
                "nonce": nonce,
            },
        }
    )


def _spoil(
    keys: Keyring, merchant: Merchant, event: Event, fault: Fault | None
) -> tuple[Merchant, dict[str, Any] | None]:
    """Who signs, and the false content, where the fault is about content."""
    if fault is None or fault.kind not in CONTENT_KINDS:
        return merchant, None
    stranger = _another(keys, merchant)
    false = json.loads(json.dumps(deepcopy(event.plaintext)))
    match fault.kind:
        case "wrong_amount":
            figure = "total" if event.kind == "payment" else "refund"
            false["amount"][figure] = fault.params.get("amount_fen", false["amount"][figure] + 1)
            false["amount"][f"payer_{figure}"] = false["amount"][figure]
        case "wrong_currency":
            false["amount"] |= {"currency": "USD", "payer_currency": "USD"}
        case "wrong_merchant" | "other_merchant":
            false |= stranger.ids
        case "wrong_app":
            field = "sub_appid" if "sub_appid" in false else "sp_appid" if merchant.is_sub else "appid"
            false[field] = next(app.appid for app in keys.apps if app.appid not in (merchant.appid, merchant.sub_appid))
        case "unknown_number":
            false["out_trade_no"] = f"unknown{random_digits(16)}"
            false |= {"out_refund_no": f"unknown{random_digits(16)}"} if event.kind == "refund" else {}
    # other_merchant: a message that is genuine in every way, but meant for somebody else.
    return (stranger if fault.kind == "other_merchant" else merchant), false


def _another(keys: Keyring, merchant: Merchant) -> Merchant:
    """Somebody else of the same kind: of a sub-merchant, one of the same partner, who has the same keys."""
    others = (other for other in keys.merchants if other.number != merchant.number)
    return next(other for other in others if (other.mchid == merchant.mchid) is merchant.is_sub)
