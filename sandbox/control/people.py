"""`/control`: what people do: log in, pay, hold their face before the phone; and how a refund ends."""

import re
from dataclasses import asdict

from flask import Blueprint, Response, jsonify

from sandbox.alipay import certify
from sandbox.alipay.keys import Account
from sandbox.context import this_sandbox
from sandbox.control import alipay
from sandbox.control.access import check_access
from sandbox.control.body import ControlError, Kind, between, read
from sandbox.control.wallets import CHOICE, owner_of_order, owner_of_refund
from sandbox.logins import PROVIDERS, WITH_USER_ID, Person
from sandbox.phone import CARD, NotPossible
from sandbox.wechat import face, phone
from sandbox.wechat_pay import cashier, refunds
from sandbox.wechat_pay.trades import UNPAID

OPEN_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
USER_ID = re.compile(r"2088[0-9]{12}")
COUNTRY_CODE = re.compile(r"[1-9][0-9]{0,2}")
REFUND_STATES = ("SUCCESS", "ABNORMAL", "CLOSED")

people = Blueprint("control_people", __name__, url_prefix="/control")
people.before_request(check_access)


@people.post("/login-codes")
def login_code() -> tuple[Response, int]:
    """A login code of a person, who is created at the first time."""
    fields: dict[str, Kind] = {"union_id": str, "phone": str, "app": str, "user_id": str}
    given = read({"provider": str, "open_id": str}, fields)
    provider = given.pop("provider")
    if provider not in PROVIDERS:
        raise ControlError(422, "unknown_provider", ", ".join(PROVIDERS))
    if "user_id" in given and provider not in WITH_USER_ID:
        raise ControlError(422, "unknown_field", "user_id")
    if OPEN_ID.fullmatch(given["open_id"]) is None:
        raise ControlError(422, "wrong_format", "open_id: 1 to 64 of 0-9A-Za-z_-")
    if USER_ID.fullmatch(given.get("user_id", "2088" + "0" * 12)) is None:
        raise ControlError(422, "wrong_format", "user_id: 2088 and 12 digits")
    issued = PROVIDERS[provider](this_sandbox(), Person(**given))
    if issued is None:
        raise ControlError(404, "app_not_found", given["app"])
    return jsonify(asdict(issued)), 201


@people.post("/phone-codes")
def phone_code() -> tuple[Response, int]:
    """What the button for the phone number gives to a person of a WeChat mini-program."""
    given = read({"open_id": str}, {"app": str, "phone": str, "country_code": str})
    app, country = this_sandbox().keys.app_named(given.get("app")), given.get("country_code", phone.CHINA)
    if app is None:
        raise ControlError(404, "app_not_found", given["app"])
    if COUNTRY_CODE.fullmatch(country) is None:
        raise ControlError(422, "wrong_format", "country_code: 1 to 3 digits")
    try:
        code = phone.issue_code(this_sandbox(), app, given["open_id"], given.get("phone"), country)
    except NotPossible as refused:
        raise ControlError(404 if refused.code == "user_not_found" else 409, refused.code) from refused
    return jsonify({"code": code, "app": app.name, "appid": app.appid, "expires_in": phone.CODE_LIFE}), 201


@people.post("/payments/<out_trade_no>/pay")
def pay_order(out_trade_no: str) -> Response:
    """The person pays."""
    given = read(optional={**CHOICE, "amount_fen": int, "client_params": dict, "bank": str})
    if "amount_fen" in given:
        between("amount_fen", given["amount_fen"], 0, 10**12)
    if CARD.fullmatch(given.get("bank", "ICBC_DEBIT")) is None:
        raise ControlError(422, "wrong_format", "bank: a bank's letters and _DEBIT or _CREDIT")
    sandbox, owner = this_sandbox(), owner_of_order(out_trade_no, given)
    how, bank = (given.get("amount_fen"), given.get("client_params")), given.get("bank")
    try:
        if isinstance(owner, Account):
            return jsonify(alipay.pay(owner, out_trade_no, *how, bank=bank))
        return jsonify(cashier.pay(sandbox, owner, out_trade_no, *how, bank=bank))
    except NotPossible as refused:
        raise _refusal(refused) from refused


@people.post("/payments/<out_trade_no>/fail")
def fail_order(out_trade_no: str) -> Response:
    """The person gives up, or the bank declines."""
    given = read(optional={**CHOICE, "trade_state": str})
    state = given.get("trade_state", "NOTPAY")
    if state not in UNPAID:
        raise ControlError(422, "out_of_range", f"trade_state: {', '.join(UNPAID)}")
    owner = owner_of_order(out_trade_no, given)
    try:
        if isinstance(owner, Account):
            return jsonify(alipay.fail(owner, out_trade_no))
        return jsonify(cashier.fail(this_sandbox(), owner, out_trade_no, state))
    except NotPossible as refused:
        raise _refusal(refused) from refused


@people.post("/refunds/<out_refund_no>/settle")
def settle_refund(out_refund_no: str) -> Response:
    """End a refund that is still processing."""
    given = read(optional={**CHOICE, "status": str, "out_trade_no": str})
    status = given.get("status", "SUCCESS")
    if status not in REFUND_STATES:
        raise ControlError(422, "out_of_range", f"status: {', '.join(REFUND_STATES)}")
    owner = owner_of_refund(out_refund_no, given)
    if isinstance(owner, Account):
        return jsonify(alipay.settle(owner, out_refund_no, status, given.get("out_trade_no")))
    settled = refunds.settle_by_hand(this_sandbox(), owner, out_refund_no, status)
    if settled is None:
        raise ControlError(409, "refund_settled", out_refund_no)
    return jsonify(refunds.describe(settled))


@people.post("/identity/<verify_id>/pass")
def pass_face(verify_id: str) -> Response:
    """The face is the right one."""
    read()
    if certify.is_known(this_sandbox(), verify_id):
        return jsonify(alipay.finish_face(verify_id, passed=True))
    return _finish_face(verify_id, face.PASSED)


@people.post("/identity/<verify_id>/fail")
def fail_face(verify_id: str) -> Response:
    """The face is another one, or what `verify_ret` or `fail_reason` says."""
    given = read(optional={"verify_ret": int, "fail_reason": str})
    if certify.is_known(this_sandbox(), verify_id):
        return jsonify(alipay.finish_face(verify_id, passed=False, fail_reason=given.get("fail_reason")))
    verify_ret = given.get("verify_ret", face.FACE_MISMATCH)
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


def _refusal(refused: NotPossible) -> ControlError:
    return ControlError(404 if refused.code == "order_not_found" else 409, refused.code)
