"""The messages on a phone: where a person reads the code."""

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.context import this_sandbox
from sandbox.pages.frame import PageError, page_blueprint
from sandbox.sms import outbox

inbox = page_blueprint("pages_sms", "/pages/sms")


@inbox.get("")
def everyone() -> str | Response:
    """The phones that have messages, and a form for a number."""
    wanted = request.args.get("phone", "").strip()
    if wanted:
        return redirect(url_for(".show", phone=outbox.mainland(wanted) or wanted))
    return render_template("phones.html", phones=outbox.phones(this_sandbox()))


@inbox.get("/<phone>")
def show(phone: str) -> str:
    """What came to one phone, the latest first."""
    if outbox.mainland(phone) != phone:
        raise PageError(404, "no_mainland_phone")
    return render_template("inbox.html", phone=phone, messages=outbox.listed(this_sandbox(), phone)[::-1])
