"""The language that a reader asked for, where a reply is made of words."""

from __future__ import annotations

from flask import Response, request

from core.identity.consent_texts import CHINESE, ENGLISH
from miniapp_api.errors import LANGUAGES


def language_asked() -> str:
    """English where it is preferred, else Chinese."""
    return ENGLISH if request.accept_languages.best_match(LANGUAGES, default=CHINESE) == ENGLISH else CHINESE


def in_language(response: Response) -> Response:
    """Tell caches and readers which language it became."""
    response.headers["Content-Language"] = language_asked()
    response.headers["Vary"] = "Accept-Language"
    return response
