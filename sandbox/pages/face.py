"""The camera: a face check by its verify_id or certify_id."""

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.context import this_sandbox
from sandbox.pages.faces import DESKS, Check, Desk
from sandbox.pages.frame import PageError, field, page_blueprint
from sandbox.phone import NotPossible

camera = page_blueprint("pages_face", "/pages/face")


@camera.get("")
def ask() -> str | Response:
    """A form for the number."""
    number = request.args.get("number", "").strip()
    return redirect(url_for(".show", number=number)) if number else render_template("face.html", check=None)


@camera.get("/<number>")
def show(number: str) -> str:
    """What stands before the camera."""
    return render_template("face.html", check=_found(number)[1])


@camera.post("/<number>")
def finish(number: str) -> Response:
    """How it ends."""
    desk, check = _found(number)
    outcome = field("outcome")
    if outcome not in check.outcomes:
        raise PageError(422, "outcome_unknown")
    try:
        desk.finish(this_sandbox(), number, outcome)
    except NotPossible as refused:
        raise PageError(409, refused.code) from refused
    return redirect(url_for(".show", number=number), 303)


def _found(number: str) -> tuple[Desk, Check]:
    sandbox = this_sandbox()
    for desk in DESKS:
        check = desk.find(sandbox, number)
        if check is not None:
            return desk, check
    raise PageError(404, "verification_not_found")
