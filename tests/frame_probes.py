"""Routes made to be attacked: each takes one shape of input, or raises what it was handed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import flask
from flask import Response, jsonify, request
from marshmallow import fields

from core.refusals import SoldOut
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, run_command
from miniapp_api.limits import limit_logins
from miniapp_api.openapi import Blueprint, endpoint, open_blueprint, patient_blueprint, signed_blueprint
from models.account import Provider
from schemas.base import Count, Day, Flag, Id, Instant, PageQuery, ReplySchema, Strict, Text, Whole, Word

to_raise: list[BaseException] = []
"""What the next GET /probe/failure raises."""


class InnerProbeSchema(Strict):
    day = Day()
    tags = fields.List(Text(10))


class ProbeSchema(Strict):
    name = Text(20, required=True)
    amount_fen = Whole()
    sure = Flag()
    provider = Word(Provider)
    dependent_id = Id()
    at = Instant()
    inner = fields.Nested(InnerProbeSchema)
    inners = fields.List(fields.Nested(InnerProbeSchema))


class ProbeQuery(PageQuery):
    size = Count()
    q = Text(20)


class ProbeReply(ReplySchema):
    name = fields.String()


class EchoReply(ReplySchema):
    seen = fields.Dict()


def make_probes() -> tuple[Blueprint, ...]:
    """Fresh blueprints, since each belongs to one app."""
    return _open_probes(), _patient_probes(), _signed_probes()


def _open_probes() -> Blueprint:
    blp = open_blueprint("probe", "/api/v1/probe")

    @endpoint(blp, "POST", "", body=ProbeSchema, reply=EchoReply)
    def send_probe(body: dict[str, Any]) -> Response:
        return jsonify(seen=sorted(body))

    @endpoint(blp, "GET", "", query=ProbeQuery, reply=EchoReply)
    def get_probe(query: dict[str, Any]) -> Response:
        return jsonify(seen=query)

    @endpoint(blp, "DELETE", "/<uuid:probe_id>", status=204)
    def delete_probe(probe_id: UUID) -> Response:
        return Response(status=204)

    @endpoint(blp, "POST", "/login", reply=EchoReply)
    def try_login() -> Response:
        limit_logins()
        return jsonify(seen={"from": request.remote_addr, "host": request.host, "scheme": request.scheme})

    flask.Blueprint.add_url_rule(blp, "/failure", "get_failure", _fail)  # unlisted: it answers any code at all
    return blp


def _fail() -> Response:
    raise to_raise.pop()


def _patient_probes() -> Blueprint:
    blp = patient_blueprint("own_probe", "/api/v1/own-probe")

    @endpoint(blp, "GET", "", reply=EchoReply)
    def get_own_probe() -> Response:
        caller = current_caller()
        return jsonify(seen={"account": caller.account_id, "provider": caller.provider, "app": caller.app})

    @endpoint(blp, "POST", "", body=ProbeSchema, reply=ProbeReply, status=201, keyed=True, refusals=(SoldOut,))
    def send_own_probe(body: dict[str, Any]) -> Response:
        def step(command: Command) -> dict[str, Any]:
            if body["name"] == "sold out":
                raise SoldOut(retry_at=datetime(2026, 11, 22, 2, 1, tzinfo=UTC), remaining=0)
            return body

        return run_command(step, ProbeReply(), status=201, keyed=True)

    return blp


def _signed_probes() -> Blueprint:
    blp = signed_blueprint("signed_probe", "/callbacks/probe")

    @endpoint(blp, "POST", "/<merchant>")
    def take_message(merchant: str) -> Response:
        return Response(str(len(request.get_data(cache=False))))

    return blp
