"""`/control`: what people do: log in, pay, hold their face before the phone; and how a refund ends."""

import re

from flask import Blueprint, Response, jsonify

from sandbox.context import this_sandbox
from sandbox.control.access import check_access
from sandbox.control.body import ControlError, between, read
from sandbox.keys import Merchant
from sandbox.wechat import face, login
from sandbox.wechat_pay import cashier, refunds
from sandbox.wechat_pay.trades import UNPAID

OPEN_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
PAYER_CHOICE = {"merchant": str, "mchid": str}
REFUND_STATES = ("SUCCESS", "ABNORMAL", "CLOSED")

people = Blueprint("control_people", __name__, url_prefix="/control")
people.before_request(check_access)


@people.post("/login-codes")
def login_code() -> tuple[Response, int]:
    """A login code of a person, who is created at the first time."""
    given = read({"provider": str, "open_id": str}, {"union_id": str, "phone": str, "app": str})
    if given["provider"] != "wechat_miniapp":
        raise ControlError(422, "unknown_provider", "wechat_miniapp")
    if OPEN_ID.fullmatch(given["open_id"]) is None:
        raise ControlError(422, "wrong_format", "open_id: 1 to 64 of 0-9A-Za-z_-")
    sandbox = this_sandbox()
    app = sandbox.keys.app_named(given.get("app"))
    if app is None:
        raise ControlError(404, "app_not_found", given["app"])
    code = login.issue_code(sandbox, app, given["open_id"], given.get("union_id"), given.get("phone"))
    return jsonify({"code": code, "app": app.name, "appid": app.appid, "expires_in": login.CODE_LIFE}), 201


@people.post("/payments/<out_trade_no>/pay")
def pay_order(out_trade_no: str) -> Response:
    """The person pays."""
    given = read(optional={**PAYER_CHOICE, "amount_fen": int, "client_params": dict})
    if "amount_fen" in given:
        between("amount_fen", given["amount_fen"], 0, 10**12)
    sandbox = this_sandbox()
    merchant = _merchant_of(out_trade_no, given)
    try:
        return jsonify(
            cashier.pay(sandbox, merchant, out_trade_no, given.get("amount_fen"), given.get("client_params"))
        )
    except cashier.NotPossible as refused:
        raise _refusal(refused) from refused


@people.post("/payments/<out_trade_no>/fail")
def fail_order(out_trade_no: str) -> Response:
    """The person gives up, or the bank declines."""
    given = read(optional={**PAYER_CHOICE, "trade_state": str})
    state = given.get("trade_state", "NOTPAY")
    if state not in UNPAID:
        raise ControlError(422, "out_of_range", f"trade_state: {', '.join(UNPAID)}")
    try:
        return jsonify(cashier.fail(this_sandbox(), _merchant_of(out_trade_no, given), out_trade_no, state))
    except cashier.NotPossible as refused:
        raise _refusal(refused) from refused


@people.post("/refunds/<out_refund_no>/settle")
def settle_refund(out_refund_no: str) -> Response:
    """End a refund that is still processing."""
    given = read(optional={**PAYER_CHOICE, "status": str})
    status = given.get("status", "SUCCESS")
    if status not in REFUND_STATES:
        raise ControlError(422, "out_of_range", f"status: {', '.join(REFUND_STATES)}")
    sandbox = this_sandbox()
    rows = sandbox.store.all("select mchid from refunds where out_refund_no = ?", (out_refund_no,))
    merchant = _choose([row["mchid"] for row in rows], given, "refund_not_found")
    settled = refunds.settle_by_hand(sandbox, merchant, out_refund_no, status)
    if settled is None:
        raise ControlError(409, "refund_settled", out_refund_no)
    return jsonify(refunds.describe(settled))


@people.post("/identity/<verify_id>/pass")
def pass_face(verify_id: str) -> Response:
    """The face is the right one."""
    read()
    return _finish_face(verify_id, face.PASSED)


@people.post("/identity/<verify_id>/fail")
def fail_face(verify_id: str) -> Response:
    """The face is another one, or what `verify_ret` says."""
    verify_ret = read(optional={"verify_ret": int}).get("verify_ret", face.FACE_MISMATCH)
    if verify_ret in (face.PASSED, face.PENDING):
        raise ControlError(422, "out_of_range", "verify_ret: neither 0 nor 10000")
    return _finish_face(verify_id, verify_ret)


def _finish_face(verify_id: str, verify_ret: int) -> Response:
    outcome = face.finish(this_sandbox(), verify_id, verify_ret)
    if outcome == "unknown":
        raise ControlError(404, "verification_not_found", verify_id)
    if outcome != "finished":
        raise ControlError(409, f"verification_{outcome}", verify_id)
    return jsonify({"verify_id": verify_id, "verify_ret": verify_ret})


def _merchant_of(out_trade_no: str, given: dict[str, str]) -> Merchant:
    return _choose(cashier.merchants_of(this_sandbox(), out_trade_no), given, "order_not_found")


def _choose(mchids: list[str], given: dict[str, str], absent: str) -> Merchant:
    merchants = [
        merchant
        for merchant in this_sandbox().keys.merchants
        if merchant.mchid in mchids
        and merchant.name == given.get("merchant", merchant.name)
        and merchant.mchid == given.get("mchid", merchant.mchid)
    ]
    if not merchants:
        raise ControlError(404, absent)
    if len(merchants) > 1:
        raise ControlError(409, "merchant_needed", "several merchants used this number: name one in `merchant`")
    return merchants[0]


def _refusal(refused: cashier.NotPossible) -> ControlError:
    return ControlError(404 if refused.code == "order_not_found" else 409, refused.code)
