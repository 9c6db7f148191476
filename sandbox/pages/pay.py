"""The cashier: what wx.requestPayment and my.tradePay open on a phone, opened with the same params."""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from flask import render_template, request

from sandbox.config import is_loopback
from sandbox.context import this_sandbox
from sandbox.pages.frame import PageError, field, page_blueprint
from sandbox.pages.wallets import WALLETS, Wallet
from sandbox.phone import NotPossible

pay = page_blueprint("pages_pay", "/pages")
LONGEST = 4096


@pay.get("/pay")
def sheet() -> str:
    """A form for the params, or the sheet they open: from `client_params` as JSON, or as a query of their own, as a
    browser brings them that was led to an `h5_url`."""
    if not request.args:
        return render_template("pay.html", sheet=None, params="", outcome=None)
    if "prepay_id" in request.args and not _comes_from_registered():
        raise PageError(403, "referer_unknown")
    params = _params(request.args.get("client_params"), request.args.to_dict())
    return _shown(params, None)


@pay.post("/pay")
def decide() -> str:
    """Pay, or give up."""
    params = _params(field("client_params", LONGEST), {})
    wallet, sandbox = _wallet(params), this_sandbox()
    try:
        match field("deed"):
            case "pay":
                outcome = wallet.pay(sandbox, params)
            case "give_up":
                outcome = wallet.give_up(sandbox, params)
            case _:
                raise PageError(422, "outcome_unknown")
    except NotPossible as refused:
        raise PageError(409, refused.code) from refused
    return _shown(params, outcome)


def _comes_from_registered() -> bool:
    """Loopback, and the host of what is tested, stand for the domain registered for H5 payments (section 4.4). A
    browser that was led nowhere, as by a pasted address, names none."""
    try:
        host = urlsplit(request.headers.get("Referer", "")).hostname or ""
    except ValueError:
        return False
    return bool(host) and (is_loopback(host) or host == urlsplit(this_sandbox().settings.product_url).hostname)


def _shown(params: Mapping[str, str], outcome: str | None) -> str:
    try:
        opened = _wallet(params).open(this_sandbox(), params)
    except NotPossible as refused:
        raise PageError(409, refused.code) from refused
    return render_template("pay.html", sheet=opened, params=json.dumps(params, ensure_ascii=False), outcome=outcome)


def _params(text: str | None, given: Mapping[str, str]) -> dict[str, str]:
    """Raises: PageError 422."""
    if text is None:
        return dict(given)
    try:
        params = json.loads(text)
    except (ValueError, RecursionError):
        raise PageError(422, "params_unreadable") from None
    if not isinstance(params, dict) or not all(isinstance(value, str) for value in params.values()):
        raise PageError(422, "params_unreadable")
    return params


def _wallet(params: Mapping[str, str]) -> Wallet:
    found = next((wallet for wallet in WALLETS if wallet.takes(params)), None)
    if found is None:
        raise PageError(422, "params_unreadable")
    return found
