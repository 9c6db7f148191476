"""`/control`: what people and merchants do at Alipay: log in, pay, show their face and number; keys and gateways."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify

from sandbox.alipay import app_gateway, cashier, certify, console, phone, refunds
from sandbox.alipay.keys import Account
from sandbox.alipay.wire import CHARSETS
from sandbox.context import this_sandbox
from sandbox.control.access import check_access
from sandbox.control.body import ControlError, read
from sandbox.phone import NotPossible

SIGNERS = ("platform", "stranger")

merchants = Blueprint("control_alipay", __name__, url_prefix="/control")
merchants.before_request(check_access)


def pay(
    account: Account,
    out_trade_no: str,
    amount_fen: int | None,
    client_params: Mapping[str, Any] | None,
    *,
    bank: str | None,
) -> dict[str, Any]:
    """The person pays; with `client_params` the way my.tradePay opens the cashier. Raises: NotPossible."""
    sandbox = this_sandbox()
    if client_params is not None:
        cashier.check_params(sandbox, account, out_trade_no, client_params)
    return cashier.pay(sandbox, cashier.trade_no_of(sandbox, account, out_trade_no), amount_fen, bank)


def fail(account: Account, out_trade_no: str) -> dict[str, Any]:
    """The person gives up, or the bank declines. Raises: NotPossible."""
    sandbox = this_sandbox()
    return cashier.fail(sandbox, cashier.trade_no_of(sandbox, account, out_trade_no))


def settle(account: Account, out_request_no: str, status: str, out_trade_no: str | None) -> dict[str, Any]:
    """End a pending refund; its number belongs to a trade, which may have to be named. Raises: ControlError."""
    if status != "SUCCESS":
        raise ControlError(422, "out_of_range", "status: SUCCESS")
    sandbox = this_sandbox()
    rows = sandbox.store.all(
        "select trade_no from alipay_refunds join alipay_trades using (trade_no) "
        "where seller_id = ? and out_request_no = ? and out_trade_no = coalesce(?, out_trade_no)",
        (account.seller_id, out_request_no, out_trade_no),
    )
    if not rows:
        raise ControlError(404, "refund_not_found")
    if len(rows) > 1:
        raise ControlError(409, "order_needed", "several trades used this number: name one in `out_trade_no`")
    settled = refunds.settle_by_hand(sandbox, account, rows[0]["trade_no"], out_request_no)
    if settled is None:
        raise ControlError(409, "refund_settled", out_request_no)
    return settled


def finish_face(certify_id: str, *, passed: bool, fail_reason: str | None = None) -> dict[str, Any]:
    """What happens before the camera. Raises: ControlError."""
    try:
        return certify.finish(this_sandbox(), certify_id, passed=passed, fail_reason=fail_reason or certify.FAIL_REASON)
    except NotPossible as refused:
        raise ControlError(409, refused.code, certify_id) from refused


@merchants.post("/phone-payloads")
def phone_payload() -> Response:
    """What my.getPhoneNumber would give to the mini-program."""
    given = read({"phone": str}, {"app": str, "encrypted": bool, "signed": bool, "failure": str})
    if given.get("failure", "isv.missing-encrypt-key") not in phone.FAILURES:
        raise ControlError(422, "out_of_range", f"failure: {', '.join(phone.FAILURES)}")
    return jsonify(
        phone.phone_payload(
            this_sandbox(),
            _miniapp(given.get("app")),
            given["phone"],
            encrypted=given.get("encrypted", True),
            signed=given.get("signed", True),
            failure=given.get("failure"),
        )
    )


@merchants.post("/alipay/gateway-check")
def gateway_check() -> Response:
    """Send `alipay.service.check` to a gateway and say what its answer is worth; without `url` only build it."""
    strings = ("url", "app", "merchant", "charset", "action_param", "signed_by")
    given = read(optional={**dict.fromkeys(strings, str), "params": dict})
    if given.get("charset", "GBK").lower() not in CHARSETS:
        raise ControlError(422, "out_of_range", f"charset: {', '.join(CHARSETS)}")
    if given.get("signed_by", SIGNERS[0]) not in SIGNERS:
        raise ControlError(422, "out_of_range", f"signed_by: {', '.join(SIGNERS)}")
    extra = given.get("params", {})
    if not all(isinstance(value, str) for value in extra.values()):
        raise ControlError(422, "wrong_type", "params: texts")
    account = _account(given["merchant"]) if "merchant" in given else _miniapp(given.get("app"))
    chosen = {name: given[name] for name in ("charset", "action_param", "signed_by") if name in given}
    headers, body = app_gateway.build_check(this_sandbox(), account, app_gateway.Check(**chosen, extra=extra))
    outcome = app_gateway.send_check(account, given["url"], headers, body) if "url" in given else {}
    return jsonify({"headers": headers, "body": body.decode(), **outcome})


@merchants.post("/alipay/rotate-certificate")
def rotate_certificate() -> Response:
    """Give the platform another certificate for a merchant; the next answer names it."""
    account = _account(read({"merchant": str})["merchant"])
    if account.app_cert is None:
        raise ControlError(409, "key_mode", account.name)
    return jsonify({"merchant": account.name, "alipay_cert_sn": console.rotate(this_sandbox(), account).cert_sn})


@merchants.post("/alipay/id-mode")
def set_id_mode() -> Response:
    """Make the mini-program one that knows people by open_id, or an older one that knows them by user_id."""
    given = read({"id_mode": str}, {"app": str})
    if given["id_mode"] not in console.ID_MODES:
        raise ControlError(422, "out_of_range", f"id_mode: {', '.join(console.ID_MODES)}")
    miniapp = _miniapp(given.get("app"))
    console.set_id_mode(this_sandbox(), miniapp.app_id, given["id_mode"])
    return jsonify({"app": miniapp.app, "app_id": miniapp.app_id, "id_mode": given["id_mode"]})


def _miniapp(app: str | None) -> Account:
    miniapp = this_sandbox().accounts.miniapp(app)
    if miniapp is None:
        raise ControlError(404, "app_not_found", str(app))
    return miniapp


def _account(name: str) -> Account:
    account = this_sandbox().accounts.named(name)
    if account is None:
        raise ControlError(404, "merchant_not_found", name)
    return account
