"""The served document is valid, names every route and nothing else, and every success is shaped as it says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from attacks.generated.walk import own_ids, request_of
from attacks.generated.world import World
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from miniapp_api.auth import Auth

SERVED = ("/api/", "/callbacks/", "/h5/", "/healthz", "/readyz")
NOT_OPERATIONS = {"/openapi.json", "/docs", "/docs/<name>", "/h5/static/<name>"}


def test_the_served_document_is_valid(world: World) -> None:
    OpenAPIV31SpecValidator(world.document).validate()


def test_the_document_has_every_route_and_nothing_else(world: World) -> None:
    rules = list(world.app.url_map.iter_rules())
    operations = [rule for rule in rules if rule.rule.startswith(SERVED) and rule.rule not in NOT_OPERATIONS]
    assert {rule.rule for rule in rules if rule not in operations} == NOT_OPERATIONS
    routes = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in operations
        for method in (rule.methods or set()) - {"HEAD"}
    }
    told = {(method, path) for path, item in world.document["paths"].items() for method in item if method in METHODS}
    assert told == routes


METHODS = {"get", "put", "post", "patch", "delete", "head", "options", "trace"}


def test_success_and_refusal_of_every_operation_are_shaped_as_documented(world: World) -> None:
    """Each is asked three times: rightly, with a query that nobody knows, and rightly in English."""
    faults: list[str] = []
    for name, operation in world.operations.items():
        settled = world.two_settled()[0] if operation.method == "GET" else world.settle_for(name)
        for change in ({}, {"query_string": {"nobody_knows": "1"}}, {"headers": {"Accept-Language": "en"}}):
            request = request_of(world, name, own_ids(name, settled))
            headers = request.pop("headers") | change.get("headers", {})
            if operation.auth is Auth.LOGIN:
                headers["Authorization"] = f"Bearer {settled.patient.token}"
            with settled.patient.client.open(**request | change | {"headers": headers}) as answer:
                answer.get_data()
            assert change or answer.status_code < 400 or name == "get_readiness", answer.text
            faults += [f"{name}: {fault}" for fault in misfits(world, name, answer)]
    assert faults == []


def misfits(world: World, name: str, answer: Any) -> list[str]:
    """What of a reply the document does not say."""
    said = operation_of(world, name)["responses"].get(str(answer.status_code))
    if said is None:
        return [f"no reply with status {answer.status_code}"]
    content = said.get("content")
    if content is None:
        return ["a body where none is documented"] if answer.data else []
    if "*/*" in content:  # a platform's own word
        return []
    if answer.mimetype not in content:
        return [f"{answer.mimetype} is not documented for {answer.status_code}"]
    if answer.mimetype == "text/html":
        return []
    schema = content[answer.mimetype]["schema"]
    return [
        f"{error.json_path}: {error.message}" for error in validator(world, schema).iter_errors(answer_json(answer))
    ]


def answer_json(answer: Any) -> Any:
    return json.loads(answer.data)


def operation_of(world: World, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        one
        for item in world.document["paths"].values()
        for one in item.values()
        if isinstance(one, dict) and one.get("operationId") == name
    )
    return found


def validator(world: World, schema: dict[str, Any]) -> Draft202012Validator:
    registry: Registry[Any] = Registry().with_resource(
        "urn:document", Resource.from_contents(world.document, default_specification=DRAFT202012)
    )
    pointed = json.loads(json.dumps(schema).replace('"#/components', '"urn:document#/components'))
    return Draft202012Validator(pointed, registry=registry, format_checker=FormatChecker())


@pytest.mark.parametrize("spoiled", [{"now": 5}, {}, {"now": "2026-11-22T02:00:00.000Z", "secret": 1}])
def test_a_reply_that_does_not_fit_is_seen(world: World, spoiled: dict[str, Any]) -> None:
    schema = operation_of(world, "get_time")["responses"]["200"]["content"]["application/json"]["schema"]
    assert list(validator(world, schema).iter_errors(spoiled))
