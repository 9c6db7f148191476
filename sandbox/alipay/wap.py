"""Paying from a browser outside of the wallet: `alipay.trade.wap.pay` (protocol section 7.3).

The signed address leads to the cashier. A trade is made only when somebody logs in there; until then the gateway knows
none. With the payment the browser is sent back, with a signature that proves nothing but where it comes from.
"""

import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sandbox.alipay import cashier, trades
from sandbox.alipay.call import Call
from sandbox.alipay.console import signer_of
from sandbox.alipay.content import read_page_order, read_term
from sandbox.alipay.errors import GatewayError
from sandbox.alipay.keys import Account
from sandbox.alipay.request import GatewayRequest
from sandbox.alipay.wire import notice_text, stamp, yuan
from sandbox.context import Sandbox
from sandbox.crypto import random_digits, rsa_sign
from sandbox.phone import NotPossible
from sandbox.store import Row, Tx, first

VISITOR = "wap-visitor"


@dataclass(frozen=True)
class Visit:
    """What the cashier shows. `state` is empty while nobody has logged in; `back_url` is there once it was paid."""

    merchant: str
    out_trade_no: str
    subject: str
    amount_fen: int
    state: str
    quit_url: str
    back_url: str | None

    @property
    def yuan(self) -> str:
        """The amount as it stands on the sheet."""
        return yuan(self.amount_fen)


def open_page(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """The page call: where to send the browser. Raises: GatewayError."""
    read_page_order(call)
    token = secrets.token_urlsafe(24)
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        read_term(call.content, now)
        tx.execute(
            "insert into alipay_wap_orders (token, app_id, content, notify_url, return_url, charset, created_at) "
            "values (?, ?, ?, ?, ?, ?, ?)",
            (
                token,
                call.account.app_id,
                json.dumps(call.content),
                call.request.get("notify_url") or None,
                call.request.get("return_url") or None,
                call.request.charset,
                now,
            ),
        )
    return {"location": f"/pages/wap/{token}"}


def visit(sandbox: Sandbox, token: str) -> Visit:
    """What stands at this address. Raises: NotPossible."""
    call, back = _call(sandbox, token)
    order = read_page_order(call)
    with sandbox.store.transaction() as tx:
        trade = trades.find(tx, call.account, order["out_trade_no"], sandbox.clock.now())
    paid = trade is not None and trade["paid_at"] is not None
    return Visit(
        call.account.name,
        order["out_trade_no"],
        order["subject"],
        order["amount_fen"],
        "" if trade is None else trade["state"],
        call.content["quit_url"],
        _back_url(sandbox, call.account, trade, back) if trade is not None and paid and back else None,
    )


def log_in(sandbox: Sandbox, token: str) -> str:
    """Somebody opens the cashier: from now on there is a trade. Returns its number. Raises: NotPossible."""
    call, _ = _call(sandbox, token)
    try:
        with sandbox.store.transaction() as tx:
            now = sandbox.clock.now()
            return trades.place(tx, call, read_page_order(call), _visitor(tx, call.account, now), now)
    except GatewayError as refused:
        raise NotPossible(_WHY.get(refused.sub_code, "order_not_found")) from refused


_WHY = {
    "ACQ.TRADE_HAS_SUCCESS": "order_paid",
    "ACQ.TRADE_HAS_CLOSE": "order_closed",
    "ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR": "order_expired",
}


def pay(sandbox: Sandbox, token: str) -> None:
    """Log in and pay. Raises: NotPossible."""
    cashier.pay(sandbox, log_in(sandbox, token))


def _call(sandbox: Sandbox, token: str) -> tuple[Call, str | None]:
    row = sandbox.store.one("select * from alipay_wap_orders where token = ?", (token,))
    account = None if row is None else sandbox.accounts.by_app_id(row["app_id"])
    if row is None or account is None:
        raise NotPossible("order_not_found")
    params = {"notify_url": row["notify_url"] or ""}
    request = GatewayRequest(params, row["charset"], blind=False, doubled=False, wrong_type=False)
    return Call(account, request, json.loads(row["content"])), row["return_url"]


def _visitor(tx: Tx, account: Account, now: float) -> Row:
    """Whoever it is, it is the same person each time."""
    tx.execute(
        "insert into alipay_users (app_id, open_id, user_id, created_at) values (?, ?, ?, ?) on conflict do nothing",
        (account.op_app_id, VISITOR, f"2088{random_digits(12)}", now),
    )
    person = first(tx, "select * from alipay_users where app_id = ? and open_id = ?", (account.op_app_id, VISITOR))
    assert person is not None
    return person


def _back_url(sandbox: Sandbox, account: Account, trade: Row, return_url: str) -> str:
    fields = {
        "app_id": account.app_id,
        "auth_app_id": account.app_id,
        "charset": trade["charset"] or "utf-8",
        "method": "alipay.trade.wap.pay.return",
        "out_trade_no": trade["out_trade_no"],
        "seller_id": account.seller_id,
        "sign_type": "RSA2",
        "timestamp": stamp(sandbox.clock.now()),
        "total_amount": yuan(trade["amount_fen"]),
        "trade_no": trade["trade_no"],
        "version": "1.0",
    }
    sign = rsa_sign(signer_of(sandbox, account).key, notice_text(fields).encode())
    return f"{return_url}?{urlencode({**fields, 'sign': sign})}"
