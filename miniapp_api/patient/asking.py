"""Who asks for a code by text message."""

from __future__ import annotations

from flask import request

from core.identity.phone_codes import Asker
from miniapp_api.auth import current_caller
from miniapp_api.limits import network


def callers_asker(phone: str = "") -> Asker:
    """The caller, about this phone (E.164); without one, about a phone that the rows say."""
    caller = current_caller()
    return Asker(
        account_id=caller.account_id,
        identity_id=caller.identity_id,
        login_id=caller.session_id,
        phone=phone,
        net=network(request.remote_addr),
    )
