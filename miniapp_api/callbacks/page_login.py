"""Login of a web page by an official account: out to the platform, back with a code, and on to the page with a
one-time handoff in the fragment, which no server sees. No token is ever part of an address."""

from __future__ import annotations

from flask import Response, request

from core.identity.login import ask_who
from core.identity.page_login import (
    ATTEMPT_LIFE,
    HANDOFF_LIFE,
    HOME,
    begin_page_login,
    hand_off,
    read_target,
    return_from_platform,
)
from core.ports import PageLogin, PlatformUser, StandInUser
from core.refusals import LoginFailed, ProviderDown
from core.registry import NotConfigured
from core.transactions import OutcomeUnknown
from miniapp_api.command import request_cause
from miniapp_api.limits import limit_logins
from miniapp_api.openapi import endpoint, open_blueprint
from miniapp_api.pages import login_address, login_path, page, public_address, root_path
from miniapp_api.services import services
from models.errors import NotFound, TooMany
from schemas.pages import PageLoginQuerySchema

blueprint = open_blueprint("page_login", "/callbacks", tag="wechat_official")

BROWSER_COOKIE = "page_login"
HANDOFF_COOKIE = "handoff"
HANDOFF_MARK = 10
"""Characters of the code, 60 bits of its 256, that the browser which logged in knows beside it."""
_LONGEST_CODE = 512


@endpoint(
    blueprint,
    "GET",
    "/wechat-official/<app>/oauth",
    query=PageLoginQuerySchema,
    status=302,
    also={200: None, 400: None, 429: None, 503: None},
    refusals=(OutcomeUnknown,),
    page=True,
    summary="Log a web page in by an official account",
)
def log_in_by_page(app: str) -> Response:
    """Without `code` the browser is sent to the platform, with a one-time `state` that is bound to it by a cookie. With
    the `code` and `state` that the platform adds it is sent on to the page, with `#handoff=` and a one-time code of 60
    seconds for `POST /api/v1/sessions`. Whatever goes wrong is told on a page with a link to try again."""
    try:
        login = services().workbench.adapters.page_login(app)
    except NotConfigured:
        raise NotFound() from None
    return _finish(login) if {"code", "state"} & request.args.keys() else _begin(login)


def _begin(login: PageLogin) -> Response:
    asked = request.args.getlist("to") or [HOME]
    target = read_target(asked[0]) if len(asked) == 1 else None
    if target is None:
        return _notice(login, "bad_target", HOME, status=400)
    begun = services().workbench.transactions.write(
        lambda session, now: begin_page_login(session, app=login.app, target=target, now=now)
    )
    return_url = public_address(login_path(login.app))
    response = _sent_on(login.authorization_url(return_url=return_url, state=begun.state))
    response.set_cookie(
        BROWSER_COOKIE,
        begun.browser,
        max_age=ATTEMPT_LIFE,
        path=root_path() + login_path(login.app),
        secure=services().config.is_production,
        httponly=True,
        samesite="Lax",
    )
    return response


def _finish(login: PageLogin) -> Response:
    """The state is used up first, so that nothing that follows happens twice."""
    state, code = request.args.get("state", ""), request.args.get("code", "")
    browser = request.cookies.get(BROWSER_COOKIE, "")
    workbench = services().workbench
    returned = workbench.transactions.write(
        lambda session, now: return_from_platform(session, app=login.app, state=state, browser=browser, now=now)
    )
    if not returned.accepted:
        return _notice(login, "expired", returned.target, status=400)
    if not code:
        return _notice(login, "denied", returned.target)
    try:
        limit_logins()  # only here a code is tried: whoever shares the address is kept out by no empty request
        user = _ask(login, code)
    except (TooMany, LoginFailed, ProviderDown) as refusal:
        notice, status = _why(refusal)
        return _notice(login, notice, returned.target, status=status)
    handoff = workbench.transactions.write(
        lambda session, now: hand_off(session, user=user, vault=workbench.vault, now=now, cause=request_cause())
    )
    return _handed_over(login, returned.target, handoff)


def _why(refusal: TooMany | LoginFailed | ProviderDown) -> tuple[str, int]:
    """The notice to show, and its status."""
    if isinstance(refusal, TooMany):
        return "too_many", 429
    if isinstance(refusal, ProviderDown):
        return "unavailable", 503
    return ("stand_in", 200) if isinstance(refusal.__cause__, StandInUser) else ("refused", 400)


def _ask(login: PageLogin, code: str) -> PlatformUser:
    """Raises: LoginFailed, ProviderDown."""
    if len(code) > _LONGEST_CODE or not code.isascii() or not code.isprintable():
        raise LoginFailed()
    return ask_who(login, code)


def _handed_over(login: PageLogin, target: str, handoff: str) -> Response:
    """The page takes only a handoff whose mark its own browser was given: a link that somebody sends logs nobody in."""
    response = _sent_on(f"{public_address(target)}#handoff={handoff}")
    secure = services().config.is_production
    response.delete_cookie(BROWSER_COOKIE, path=root_path() + login_path(login.app), secure=secure, httponly=True)
    response.set_cookie(
        HANDOFF_COOKIE,
        handoff[:HANDOFF_MARK],
        max_age=HANDOFF_LIFE,
        path=root_path() + HOME,
        secure=secure,
        samesite="Lax",
    )
    return response


def _sent_on(address: str) -> Response:
    return Response(status=302, headers={"Location": address})


def _notice(login: PageLogin, notice: str, target: str, *, status: int = 200) -> Response:
    return page("notice.html", status=status, notice=notice, again=login_address(login.app, target))
