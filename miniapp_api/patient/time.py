"""What time it is, for countdowns."""

from __future__ import annotations

from flask import Response

from miniapp_api.command import reading
from miniapp_api.openapi import endpoint, open_blueprint
from schemas.time import TimeSchema

blueprint = open_blueprint("time", "/api/v1/time")


@endpoint(blueprint, "GET", "", reply=TimeSchema, summary="The clock every rule goes by")
def get_time() -> Response:
    return reading(lambda session, now: {"now": now}, TimeSchema())
