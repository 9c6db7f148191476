"""The cashier: what wx.requestPayment and my.tradePay open on a phone, opened with the same params."""

import json
from collections.abc import Mapping

from flask import render_template, request

from sandbox.context import this_sandbox
from sandbox.pages.frame import PageError, field, page_blueprint
from sandbox.pages.wallets import WALLETS, Wallet
from sandbox.phone import NotPossible

pay = page_blueprint("pages_pay", "/pages")
LONGEST = 4096


@pay.get("/pay")
def sheet() -> str:
    """A form for the params, or the sheet they open: from `client_params` as JSON, or as a query of their own."""
    if not request.args:
        return render_template("pay.html", sheet=None, params="", outcome=None)
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
