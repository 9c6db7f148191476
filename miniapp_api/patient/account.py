"""One's own account."""

from __future__ import annotations

from flask import Response

from miniapp_api.auth import current_caller
from miniapp_api.command import reading
from miniapp_api.openapi import endpoint, patient_blueprint
from models.account import Account
from schemas.account import AccountDetailsSchema

blueprint = patient_blueprint("account", "/api/v1/account")


@endpoint(blueprint, "GET", "", reply=AccountDetailsSchema, summary="One's own account")
def get_account() -> Response:
    account_id = current_caller().account_id
    return reading(lambda session, _now: session.get_one(Account, account_id), AccountDetailsSchema())
