"""Alipay's cashier in a browser: what the signed address of `alipay.trade.wap.pay` leads to."""

from flask import redirect, render_template, url_for
from werkzeug.wrappers import Response

from sandbox.alipay import wap
from sandbox.context import this_sandbox
from sandbox.pages.frame import PageError, field, page_blueprint
from sandbox.phone import NotPossible

cashier = page_blueprint("pages_wap", "/pages/wap")


@cashier.get("/<token>")
def show(token: str) -> str:
    """What is to be paid, and to whom."""
    try:
        return render_template("wap.html", visit=wap.visit(this_sandbox(), token))
    except NotPossible as refused:
        raise PageError(404, refused.code) from refused


@cashier.post("/<token>")
def decide(token: str) -> Response:
    """Log in, or pay."""
    deeds = {"log_in": wap.log_in, "pay": wap.pay}
    deed = deeds.get(field("deed"))
    if deed is None:
        raise PageError(422, "outcome_unknown")
    try:
        deed(this_sandbox(), token)
    except NotPossible as refused:
        raise PageError(409, refused.code) from refused
    return redirect(url_for(".show", token=token), 303)
