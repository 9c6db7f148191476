"""`/control/merchants/{name}`: which keys WeChat Pay signs with for a merchant, and another certificate."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify

from sandbox.context import this_sandbox
from sandbox.control.access import check_access
from sandbox.control.body import ControlError, between, read
from sandbox.keys import Merchant
from sandbox.wechat_pay import console
from sandbox.wechat_pay.certificates import LIFE, Certificate

TEN_YEARS = 10 * 366 * 86400

pay_keys = Blueprint("control_pay_keys", __name__, url_prefix="/control/merchants")
pay_keys.before_request(check_access)


@pay_keys.get("/<name>/keys")
def read_keys(name: str) -> Response:
    """The mode, the share of the public key among events, and the certificates, oldest first."""
    return jsonify(_described(_merchant(name)))


@pay_keys.post("/<name>/keys")
def set_keys(name: str) -> Response:
    """Set the mode. Without `public_key_percent` a switch-over begins now and takes the platform's seven days."""
    given = read({"mode": str}, {"public_key_percent": (int, float), "certificate_serial": str})
    merchant, serial = _merchant(name), given.get("certificate_serial")
    if given["mode"] not in console.MODES:
        raise ControlError(422, "out_of_range", f"mode: {', '.join(console.MODES)}")
    between("public_key_percent", given.get("public_key_percent", 0), 0, 100)
    if serial is not None and console.named_signer(this_sandbox(), merchant, serial) is None:
        raise ControlError(404, "certificate_not_found", serial)
    now = this_sandbox().clock.now()
    setting = console.Setting(given["mode"], now, given.get("public_key_percent"), serial)
    console.set_setting(this_sandbox(), merchant, setting)
    return jsonify(_described(merchant))


@pay_keys.post("/<name>/certificates")
def issue_certificate(name: str) -> tuple[Response, int]:
    """Another certificate beside those that there are; times are real, from now on, and may lie in the past."""
    given = read(optional={"begins_in_seconds": int, "lasts_seconds": int})
    begins_in, lasts = given.get("begins_in_seconds", 0), given.get("lasts_seconds", int(LIFE.total_seconds()))
    between("begins_in_seconds", begins_in, -TEN_YEARS, TEN_YEARS)
    between("lasts_seconds", lasts, 1, TEN_YEARS)
    merchant = _merchant(name)
    if console.setting_of(this_sandbox(), merchant).mode == console.PUBLIC_KEY:
        raise ControlError(409, "public_key_mode", name)
    begins = datetime.now(UTC) + timedelta(seconds=begins_in)
    made = console.issue(this_sandbox(), merchant, begins, timedelta(seconds=lasts))
    return jsonify(_certificate(made)), 201


def _described(merchant: Merchant) -> dict[str, Any]:
    sandbox = this_sandbox()
    setting = console.setting_of(sandbox, merchant)
    share = {console.PUBLIC_KEY: 100.0, console.CERTIFICATE: 0.0}.get(setting.mode)
    return {
        "merchant": merchant.name,
        "mode": setting.mode,
        "public_key_id": merchant.public_key_id,
        "public_key_percent": console.share(setting, sandbox.clock.now()) if share is None else share,
        "certificate_serial": setting.serial,
        "certificates": [_certificate(one) for one in console.certificates_of(sandbox, merchant)],
    }


def _certificate(one: Certificate) -> dict[str, Any]:
    effective, expires = one.times
    return {
        "serial_no": one.serial,
        "effective_time": effective,
        "expire_time": expires,
        "valid": one.is_valid,
        "certificate": one.pem,
    }


def _merchant(name: str) -> Merchant:
    merchant = this_sandbox().keys.merchant_named(name)
    if merchant is None:
        raise ControlError(404, "merchant_not_found", name)
    return merchant
