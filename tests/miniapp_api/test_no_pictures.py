"""F-06: nothing that we take or keep has a place for a picture, and a body that is one is refused unread."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from miniapp_api.app import App
from miniapp_api.auth import Auth
from miniapp_api.openapi import operations
from models import Base

PICTURE = re.compile(
    r"(^|_)(img|images?|photos?|pictures?|pics?|portraits?|videos?|selfies?|avatars?|attachments?|uploads?|files?|faces?"
    r"|biometrics?|fingerprints?)(_|\d|$)"
)
TYPES = ("image/jpeg", "image/png", "image/svg+xml", "video/mp4", "application/octet-stream", "multipart/form-data")
NOT_PICTURES = {"idempotency_keys.fingerprint": "a digest of a request"}


@pytest.fixture
def database_url(sqlite_url: URL) -> str:
    return str(sqlite_url)


@pytest.fixture
def document(client: FlaskClient) -> Any:
    return client.get("/openapi.json").json


def test_the_words_are_found() -> None:
    for word in ("img_base64", "best_img", "video", "face", "id_card_photo", "image2", "files"):
        assert PICTURE.search(word)
    for word in ("surface", "profile", "filed", "videotex"):
        assert not PICTURE.search(word)


def test_f_06_no_column_keeps_a_picture() -> None:
    columns = {f"{column}": column.name for table in Base.metadata.sorted_tables for column in table.columns}
    assert {full for full, name in columns.items() if PICTURE.search(name)} == set(NOT_PICTURES)


def test_f_06_no_request_has_a_field_for_a_picture(document: Any) -> None:
    """Nor for bytes of any kind. Fields that no schema names are refused (tests/schemas/test_base.py)."""
    seen = list(fields_taken(document))
    assert len(seen) > 40
    assert [where for where, name, schema in seen if PICTURE.search(name) or is_bytes(schema)] == []


def test_f_06_requests_are_json_and_nothing_else(document: Any, app: App) -> None:
    signed = {one.name for one in operations(app).values() if one.auth is Auth.SIGNATURE}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "requestBody" in operation and operation["operationId"] not in signed:
                assert set(operation["requestBody"]["content"]) == {"application/json"}, (method, path)


@pytest.mark.parametrize("content_type", TYPES)
def test_f_06_a_picture_is_refused_at_every_operation_that_takes_a_body(
    app: App, client: FlaskClient, login: Any, content_type: str
) -> None:
    headers, jpeg = login(), b"\xff\xd8\xff\xe0\x00\x10JFIF"
    document = client.get("/openapi.json").json
    tried = 0
    for operation in operations(app).values():
        path = re.sub(r"<(?:uuid:)?(\w+)>", r"{\1}", operation.rule)
        if "requestBody" not in document["paths"].get(path, {}).get(operation.method.lower(), {}):
            continue
        if operation.auth is Auth.SIGNATURE:
            continue
        path = re.sub(r"<uuid:\w+>", "019abf4d-c000-7000-8000-000000000001", operation.rule)
        sent = headers | {"Content-Type": content_type, "Idempotency-Key": "k" * 16}
        answer = client.open(path, method=operation.method, data=jpeg, headers=sent)
        assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type"), operation.name
        tried += 1
    assert tried >= 10


def fields_taken(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Place, name and schema of every field of every request."""
    for path, item in document["paths"].items():
        for operation in item.values():
            if not isinstance(operation, dict):
                continue
            for parameter in operation.get("parameters", []):
                yield path, parameter["name"], parameter["schema"]
            content = operation.get("requestBody", {}).get("content", {})
            for schema in content.values():
                yield from ((path, name, inner) for name, inner in fields_of(document, schema.get("schema", {})))


def fields_of(document: Any, schema: Any) -> Iterator[tuple[str, Any]]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from fields_of(document, part)
    for name, inner in schema.get("properties", {}).items():
        yield name, inner
        yield from fields_of(document, inner.get("items", inner))


def is_bytes(schema: Any) -> bool:
    return "contentEncoding" in schema or "contentMediaType" in schema or schema.get("format") in {"binary", "byte"}
