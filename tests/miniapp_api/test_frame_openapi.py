"""The document says what the routes do: one operation a route, every code it may answer, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy.engine import URL

from miniapp_api.app import App
from miniapp_api.auth import Auth
from miniapp_api.openapi import operations
from miniapp_api.problems import PROBLEMS


@pytest.fixture
def database_url(sqlite_url: URL) -> str:
    return str(sqlite_url)


@pytest.fixture
def document(app: App) -> dict[str, Any]:
    """With the probes, which are registered after `/openapi.json` was made."""
    api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    return json.loads(json.dumps(api.spec.to_dict()))


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path][method]
    return found


def test_the_document_is_valid_openapi_3_1(client: FlaskClient, document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()
    served = client.get("/openapi.json")
    assert served.mimetype == "application/json"
    OpenAPIV31SpecValidator(served.get_json()).validate()


def test_every_route_is_an_operation_and_the_other_way_round(app: App, document: dict[str, Any]) -> None:
    unlisted = {"docs.get_openapi", "docs.get_docs", "docs.get_docs_file", "h5_files.get_h5_file", "probe.get_failure"}
    routes = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in unlisted
        for method in (rule.methods or set()) - {"HEAD"}
    }
    assert routes == {(found.method, found.rule) for found in operations(app).values()}
    documented = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    assert len(documented) == len(routes)


def test_names_are_unique_and_every_operation_has_a_tag(document: dict[str, Any]) -> None:
    every = [found for item in document["paths"].values() for name, found in item.items() if name != "parameters"]
    names = [found["operationId"] for found in every]
    assert len(set(names)) == len(names)
    assert all(found["tags"] for found in every)
    assert "get_time" in names


def test_codes_are_documented_by_status(app: App, document: dict[str, Any]) -> None:
    keyed = operation(document, "post", "/api/v1/own-probe")
    assert set(keyed["x-codes"]) == {
        "malformed_json", "idempotency_key_required", "unauthenticated", "sold_out", "request_in_progress",
        "payload_too_large", "unsupported_media_type", "validation_failed", "idempotency_key_reused", "rate_limited",
        "overloaded", "outcome_unknown", "internal_error",
    }  # fmt: skip
    refused = keyed["responses"]["409"]
    assert refused["x-codes"] == ["request_in_progress", "sold_out"]
    assert "`sold_out`" in refused["description"]
    assert set(refused["content"]) == {"application/problem+json"}
    assert "Retry-After" in refused["headers"]
    assert set(keyed["responses"]) == {"201", "400", "401", "409", "413", "415", "422", "429", "500", "503"}
    for found in operations(app).values():
        assert found.codes <= set(PROBLEMS)


def test_auth_is_documented(app: App, document: dict[str, Any]) -> None:
    assert operation(document, "get", "/api/v1/own-probe")["security"] == [{"bearer": []}]
    assert operation(document, "get", "/api/v1/time")["security"] == []
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for found in operations(app).values():
        assert ("unauthenticated" in found.codes) is (found.auth is Auth.LOGIN)


def test_an_idempotency_key_is_documented_where_it_is_asked_for(document: dict[str, Any]) -> None:
    (key,) = operation(document, "post", "/api/v1/own-probe")["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", True)
    assert (key["schema"]["minLength"], key["schema"]["maxLength"]) == (16, 128)
    assert "parameters" not in operation(document, "get", "/api/v1/own-probe")


def test_shapes_are_documented_as_they_are_read(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    probe = schemas["Probe"]
    assert probe["additionalProperties"] is False
    assert probe["required"] == ["name"]
    kinds = {name: (shape.get("type"), shape.get("format")) for name, shape in probe["properties"].items()}
    assert kinds["at"] == ("string", "date-time")
    assert kinds["dependent_id"] == ("string", "uuid")
    assert kinds["amount_fen"] == ("integer", None)
    assert kinds["sure"] == ("boolean", None)
    assert (probe["properties"]["name"]["minLength"], probe["properties"]["name"]["maxLength"]) == (1, 20)
    assert set(probe["properties"]["provider"]["enum"]) >= {"wechat_miniapp", "handoff"}
    assert schemas["InnerProbe"]["properties"]["day"]["format"] == "date"
    assert schemas["Time"]["required"] == ["now"]
    assert schemas["Time"]["additionalProperties"] is False
    queries = {parameter["name"]: parameter for parameter in operation(document, "get", "/api/v1/probe")["parameters"]}
    assert queries["limit"]["schema"]["maximum"] == 100
    assert queries["limit"]["required"] is False


def test_paths_have_their_ids_and_the_404_that_follows(document: dict[str, Any]) -> None:
    item = document["paths"]["/api/v1/probe/{probe_id}"]
    (parameter,) = item["parameters"]
    assert (parameter["in"], parameter["schema"]["format"]) == ("path", "uuid")
    assert item["delete"]["responses"]["404"]["x-codes"] == ["not_found"]
    assert "content" not in item["delete"]["responses"]["204"]


def test_nothing_is_documented_that_is_never_sent(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for absent in ("X-Pagination", "DEFAULT_ERROR", "UNPROCESSABLE", "If-None-Match"):
        assert absent not in text


def test_every_code_is_listed_at_the_top(document: dict[str, Any]) -> None:
    assert document["x-codes"]["sold_out"] == {"status": 409, "zh-CN": "号已约满", "en": "Fully booked"}
    assert set(document["x-codes"]) == set(PROBLEMS)
    assert document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == sorted(PROBLEMS)
