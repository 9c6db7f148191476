"""Free-form messages in the shape of an event of Alipay: any field, any key, any byte. For attacks on a receiver."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sandbox.alipay import trades
from sandbox.alipay.console import signer_of
from sandbox.alipay.delivery import form_headers
from sandbox.alipay.keys import Account
from sandbox.alipay.notices import CHANNEL, event_of, skeleton
from sandbox.alipay.wire import CHARSETS, notice_text, stamp
from sandbox.clock import real_now
from sandbox.context import Sandbox
from sandbox.control.body import ControlError, Kind
from sandbox.control.forgery import STRANGER, Forgery, bend_headers, flip
from sandbox.crypto import rsa_sign

FIELDS: Mapping[str, Kind] = {
    "channel": str,
    "url": str,
    "copies": int,
    "concurrently": bool,
    "out_trade_no": str,
    "fields": dict,
    "signed_by": str,
    "sign": str,
    "body": str,
    "headers": dict,
    "tamper": dict,
}


def forge(sandbox: Sandbox, account: Account, given: Mapping[str, Any]) -> Forgery:
    """Build a message: genuine wherever the request says nothing. Raises: ControlError."""
    params = _params(sandbox, account, given)
    codec = CHARSETS.get(params.get("charset", "utf-8").lower(), "utf-8")
    signature = given.get("sign", rsa_sign(_key(sandbox, account, given), notice_text(params).encode(codec)))
    tamper = given.get("tamper", {})
    if "sign" in tamper:
        signature = flip(signature.encode(), tamper["sign"]).decode("latin-1")
    if signature:
        params["sign"] = signature
    body = given["body"].encode() if "body" in given else urlencode(params, encoding=codec).encode()
    if "body" in tamper:
        body = flip(body, tamper["body"])
    headers = bend_headers(form_headers(params.get("charset", "utf-8")), given.get("headers", {}))
    return Forgery(params.get("notify_id", ""), headers, body, CHANNEL)


def _params(sandbox: Sandbox, account: Account, given: Mapping[str, Any]) -> dict[str, str]:
    params = {"notify_time": stamp(real_now()), "trade_status": trades.PAID, **skeleton(account)}
    if "out_trade_no" in given:
        with sandbox.store.transaction() as tx:
            trade = trades.find(tx, account, given["out_trade_no"], sandbox.clock.now())
        if trade is None:
            raise ControlError(404, "order_not_found", given["out_trade_no"])
        params |= event_of(sandbox, account, trade)
    for name, value in given.get("fields", {}).items():
        params.pop(name, None)
        if value is not None:
            params[name] = str(value)
    return params


def _key(sandbox: Sandbox, account: Account, given: Mapping[str, Any]) -> RSAPrivateKey:
    name = given.get("signed_by", account.name)
    if name == STRANGER:
        return sandbox.keys.stranger
    signer = sandbox.accounts.named(name)
    if signer is None:
        raise ControlError(404, "merchant_not_found", name)
    return signer_of(sandbox, signer).key
