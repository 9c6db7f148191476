"""Login and logout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response

from core.identity.consent_texts import consent_text
from core.identity.login import LoggedIn, ask_who, log_in, log_out
from core.identity.page_login import log_in_by_handoff
from core.ports import LoginPlatform
from core.refusals import LoginFailed, ProviderDown
from core.registry import NotConfigured
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, run_command
from miniapp_api.limits import limit_logins
from miniapp_api.openapi import endpoint, open_blueprint, patient_blueprint
from miniapp_api.patient.languages import in_language, language_asked
from miniapp_api.services import services
from models.account import Provider
from models.errors import FieldError, ValidationFailed
from schemas.session import LogInSchema, SessionSchema

blueprint = open_blueprint("sessions", "/api/v1/sessions")
current = patient_blueprint("current_session", "/api/v1/sessions/current", tag="sessions")


@endpoint(
    blueprint,
    "POST",
    "",
    body=LogInSchema,
    reply=SessionSchema,
    status=201,
    refusals=(LoginFailed, ProviderDown),
    summary="Log in with a platform's one-time code",
)
def create_session(body: dict[str, Any]) -> Response:
    """The account is made at the first login. The platform's session_key is never even read. A `handoff` is the code
    that a web page got in the fragment of its address when it was logged in; it works for 60 seconds, once."""
    enter = _by_handoff(body) if body["provider"] is Provider.HANDOFF else _by_platform(body)
    return in_language(run_command(lambda command: _told(enter(command)), SessionSchema(), status=201))


@endpoint(current, "DELETE", "", status=204, summary="Log out")
def delete_current_session() -> Response:
    """The token is dead at once."""
    session_id = current_caller().session_id
    return run_command(
        lambda command: log_out(command.session, session_id=session_id, now=command.now),
        None,
        status=204,
        moves_login=True,
    )


def _by_handoff(body: dict[str, Any]) -> Callable[[Command], LoggedIn]:
    """No login is counted: the one that brought the code was. Raises: ValidationFailed where an app is named: the code
    knows whose it is."""
    if "app" in body:
        raise ValidationFailed(FieldError("#/app", "not_configured"))
    code, lasts = body["code"], services().config.session_lifetime
    return lambda command: log_in_by_handoff(command.session, code=code, lasts=lasts, now=command.now)


def _by_platform(body: dict[str, Any]) -> Callable[[Command], LoggedIn]:
    """Asks the platform at once, before any transaction.

    Raises: TooMany, ValidationFailed, LoginFailed, ProviderDown."""
    limit_logins()
    lasts = services().config.session_lifetime
    user = ask_who(_platform(body["provider"], body.get("app")), body["code"])
    return lambda command: log_in(
        command.session, user=user, vault=command.vault, lasts=lasts, now=command.now, cause=command.cause
    )


def _platform(provider: str, app: str | None) -> LoginPlatform:
    """Raises: ValidationFailed."""
    adapters = services().workbench.adapters
    try:
        return adapters.login(provider, app)
    except NotConfigured:
        pointer = "#/provider" if app is None or not _is_configured(provider) else "#/app"
        raise ValidationFailed(FieldError(pointer, "not_configured")) from None


def _is_configured(provider: str) -> bool:
    try:
        services().workbench.adapters.login(provider, None)
    except NotConfigured:
        return False
    return True


def _told(entered: LoggedIn) -> dict[str, Any]:
    language = language_asked()
    return {
        "token": entered.token,
        "expires_at": entered.login.expires_at,
        "account": entered.account,
        "consents_due": [consent_text(purpose, language=language) for purpose in entered.consents_due],
    }
