"""The document can be learned from: every operation says what it is, and shows what travels as it may travel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from sqlalchemy.engine import URL

from miniapp_api.problems import PROBLEMS

JSON, PROBLEM = "application/json", "application/problem+json"
ROOT = Path(__file__).parent.parent.parent
Operations = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def database_url(sqlite_url: URL) -> str:
    return str(sqlite_url)


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    """As it is served, without the probes of this folder."""
    served: dict[str, Any] = client.get("/openapi.json").get_json()
    return served


@pytest.fixture
def operations(document: dict[str, Any]) -> Operations:
    return [
        (f"{method.upper()} {path}", found)
        for path, item in document["paths"].items()
        for method, found in item.items()
        if method != "parameters"
    ]


def test_every_operation_says_what_it_is(operations: Operations) -> None:
    assert len(operations) > 30
    for name, operation in operations:
        assert 3 <= len(operation["summary"]) <= 90, name
        assert not operation["summary"].endswith("."), name
        assert operation["operationId"].isidentifier(), name
        if not name.startswith("GET"):
            assert len(operation.get("description", "")) > 20, f"{name} does something, and does not tell what"


def test_every_payload_has_examples_and_they_fit(document: dict[str, Any], operations: Operations) -> None:
    faults = []
    for name, operation in operations:
        for where, content in payloads(operation):
            shown = content.get("examples", {}).values() or [{"value": content.get("example")}]
            for example in shown:
                found = list(validator(document, content["schema"]).iter_errors(example["value"]))
                faults += [f"{name} {where}: {error.json_path} {error.message}" for error in found]
    assert faults == []


def payloads(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is sent, and every success in JSON."""
    for kind, content in operation.get("requestBody", {"content": {}})["content"].items():
        yield f"request {kind}", content
    for status, reply in operation["responses"].items():
        if JSON in reply.get("content", {}):
            yield status, reply["content"][JSON]


def test_every_problem_of_every_operation_has_its_example(document: dict[str, Any], operations: Operations) -> None:
    shown = document["components"]["examples"]
    assert shown.keys() == PROBLEMS.keys()
    for name, operation in operations:
        told: set[str] = set()
        for status, reply in operation["responses"].items():
            content = reply.get("content", {}).get(PROBLEM)
            if content is None:
                continue
            assert content["examples"] == {code: {"$ref": f"#/components/examples/{code}"} for code in reply["x-codes"]}
            for code in content["examples"]:
                example = shown[code]["value"]
                assert (example["status"], example["code"]) == (int(status), code)
                assert list(validator(document, content["schema"]).iter_errors(example)) == [], (name, code)
            told |= content["examples"].keys()
        assert told == set(operation["x-codes"]), name


def test_every_id_in_a_path_has_an_example(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for parameter in item.get("parameters", []):
            if parameter["schema"].get("format") == "uuid":
                assert not list(validator(document, parameter["schema"]).iter_errors(parameter["example"])), path


def test_an_example_that_does_not_fit_is_seen(document: dict[str, Any]) -> None:
    content = document["paths"]["/api/v1/sessions"]["post"]["requestBody"]["content"][JSON]
    spoiled = {**content["examples"]["example"]["value"], "provider": "nobody"}
    assert list(validator(document, content["schema"]).iter_errors(spoiled))


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    registry: Registry[Any] = Registry().with_resource(
        "urn:document", Resource.from_contents(document, default_specification=DRAFT202012)
    )
    pointed = json.loads(json.dumps(schema).replace('"#/components', '"urn:document#/components'))
    return Draft202012Validator(pointed, registry=registry, format_checker=FormatChecker())


_PRINTED = """
import sys
from miniapp_api.app import create_app
from miniapp_api.config import Config
app = create_app(Config.from_environ({"MODE": "local", "DATA_DIR": sys.argv[1]}))
sys.stdout.buffer.write(app.test_client().get("/openapi.json").data)
"""


def test_the_document_is_the_same_in_every_process(environ: dict[str, str]) -> None:
    """Clients are generated from it: an order that changes from start to start would look like a change."""
    written = {
        subprocess.run(
            [sys.executable, "-c", _PRINTED, environ["DATA_DIR"]],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    (served,) = written
    assert json.loads(served)["openapi"] == "3.1.0"
