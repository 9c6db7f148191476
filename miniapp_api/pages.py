"""Pages that people see in a browser: one frame, the words of one language, nothing from outside and no inline code."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from flask import Response, render_template, request

from core.identity.consent_texts import CHINESE, ENGLISH
from miniapp_api.page_words import WORDS, Saying
from miniapp_api.patient.languages import language_asked
from miniapp_api.services import services

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(template: str, *, status: int = 200, **facts: Any) -> Response:
    """A page in the language asked for: `?lang=` where it names one, else the browser's."""
    language = page_language()
    told = {"words": WORDS[language], "say": Saying(language), "language": language, "root": root_path()}
    text = render_template(template, **told, **facts)
    return Response(
        text,
        status=status,
        mimetype="text/html",
        headers={"Content-Security-Policy": POLICY, "Content-Language": language, "Vary": "Accept-Language"},
    )


def page_language() -> str:
    wanted = request.args.get("lang", "")
    return wanted if wanted in (CHINESE, ENGLISH) else language_asked()


def other_language() -> str:
    return CHINESE if page_language() == ENGLISH else ENGLISH


def root_path() -> str:
    """What stands before every path of ours as a browser sees it; empty unless a proxy serves us below a folder."""
    return urlsplit(services().config.public_base_url).path


def public_address(path: str) -> str:
    """Where a browser finds `path`, which begins with a slash. Never built from what the request says of its host."""
    return f"{services().config.public_base_url}{path}"


def login_path(app: str) -> str:
    """The route at which a browser logs in by the official account `app`."""
    return f"/callbacks/wechat-official/{quote(app, safe='')}/oauth"


def login_address(app: str, target: str) -> str:
    """Where a browser logs in by the official account `app`, and is sent on to `target`."""
    return public_address(f"{login_path(app)}?to={quote(target, safe='')}")
