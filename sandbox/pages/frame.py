"""What all pages share: who may see them, what their answers forbid, how refusals look."""

from flask import Blueprint, Response, make_response, render_template, request

from sandbox.context import this_sandbox
from sandbox.control.access import check_loopback, check_origin, is_same
from sandbox.control.body import ControlError
from sandbox.pages.words import saying

#: No scripts at all. `same-origin` and not `no-referrer`: with that a browser's forms would say `Origin: null`.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class PageError(Exception):
    """A page that cannot be shown; `code` chooses its words."""

    def __init__(self, status: int, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail


def page_blueprint(name: str, prefix: str) -> Blueprint:
    """A blueprint behind the door, with the headers of every page."""
    blueprint = Blueprint(name, __name__, url_prefix=prefix, template_folder="templates")
    blueprint.before_request(_check)
    blueprint.after_request(harden)
    blueprint.register_error_handler(PageError, _refused)
    blueprint.register_error_handler(ControlError, _refused)
    return blueprint


def harden(response: Response) -> Response:
    """Forbid what a page does not need."""
    response.headers.update(HEADERS)
    return response


def error_page(status: int, code: str, detail: str = "") -> Response:
    """A refusal in words."""
    return make_response(render_template("error.html", code=code, saying=saying(code), detail=detail), status)


def field(name: str, most: int = 4096) -> str:
    """One field of the form that was sent. Raises: PageError 422 where it is too long."""
    value = request.form.get(name, "").strip()
    if len(value) > most:
        raise PageError(422, "too_long", name)
    return value


def _check() -> Response | None:
    """The door of `/control`, for browsers: a token is asked for as a password, and forms of other sites are refused.

    Raises: ControlError 403."""
    token = this_sandbox().settings.token
    if token is None:
        check_loopback()
    else:
        given = request.authorization
        password = None if given is None or given.type != "basic" else given.password
        if password is None or not is_same(password, token):
            refused = error_page(401, "token_needed")
            refused.headers["WWW-Authenticate"] = 'Basic realm="sandbox", charset="UTF-8"'
            return harden(refused)
    check_origin()
    return None


def _refused(error: PageError | ControlError) -> Response:
    return error_page(error.status, error.code, getattr(error, "detail", ""))
