"""Both ways of signing give what their makers published, and no byte of what is signed can change."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.cloud import acs3, tc3

FOLDER = Path(__file__).parents[2] / "vectors" / "cloud"


def vectors(name: str) -> list[Any]:
    found = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))["vectors"]
    assert {vector["kind"] for vector in found} == {name}
    return [pytest.param(v["inputs"], v["expected"], id=v["id"]) for v in found]


def sign_acs3(given: dict[str, Any]) -> str:
    kept = {name: given[name] for name in ("method", "path", "headers", "body_digest")}
    query = acs3.canonical_query(given["params"])
    return acs3.authorization(acs3.Acs3Key(given["key_id"], given["secret"]), query=query, **kept)


def sign_tc3(given: dict[str, Any]) -> str:
    return tc3.authorization(
        tc3.Tc3Key(given["secret_id"], given["secret_key"], given["service"]),
        method=given["method"],
        path=given["uri"],
        query=given["query"],
        headers=given["headers"],
        body=given["payload"].encode(),
        timestamp=given["timestamp"],
    )


@pytest.mark.parametrize(("inputs", "expected"), vectors("acs3"))
def test_acs3_is_signed_as_published(inputs: dict[str, Any], expected: str) -> None:
    assert sign_acs3(inputs) == expected


@pytest.mark.parametrize(("inputs", "expected"), vectors("tc3"))
def test_tc3_is_signed_as_published(inputs: dict[str, Any], expected: dict[str, str]) -> None:
    assert datetime.fromtimestamp(inputs["timestamp"], UTC).date().isoformat() == inputs["date"]
    scope = f"{inputs['date']}/{inputs['service']}/tc3_request"
    assert sign_tc3(inputs) == (
        f"TC3-HMAC-SHA256 Credential={inputs['secret_id']}/{scope}, SignedHeaders={inputs['signed_headers']}, "
        f"Signature={expected['signature']}"
    )


def test_the_query_of_acs3_is_escaped_as_rfc_3986_says() -> None:
    assert acs3.canonical_query({"b": "a b*c~d/e+", "A": "约诊", "a": ""}) == (
        "A=%E7%BA%A6%E8%AF%8A&a=&b=a%20b%2Ac~d%2Fe%2B"
    )


def changed(text: str, data: st.DataObject) -> str:
    """One character of it is another one."""
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii", categories=("L", "N")).filter(lambda one: one != text[at]))
    return text[:at] + other + text[at + 1 :]


ACS3: dict[str, Any] = vectors("acs3")[0].values[0]
TC3: dict[str, Any] = vectors("tc3")[-1].values[0]


def signature(authorization: str) -> str:
    return authorization.rpartition("Signature=")[2]


@given(st.data())
def test_any_character_of_an_acs3_request_changes_its_signature(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["method", "path", "body_digest", "secret", *ACS3["headers"], *ACS3["params"]]))
    bent = json.loads(json.dumps(ACS3))
    inside = next(one for one in (bent, bent["headers"], bent["params"]) if name in one and isinstance(one[name], str))
    inside[name] = changed(inside[name], data)
    assert signature(sign_acs3(bent)) != signature(sign_acs3(ACS3))


@given(st.data())
def test_any_character_of_a_tc3_request_changes_its_signature(data: st.DataObject) -> None:
    """Headers are compared in lower case, so a case alone is no change."""
    name = data.draw(st.sampled_from(["method", "uri", "payload", "secret_key", "service", *TC3["headers"]]))
    bent = json.loads(json.dumps(TC3))
    inside = bent["headers"] if name in bent["headers"] else bent
    before = inside[name]
    inside[name] = changed(before, data)
    if name in bent["headers"] and inside[name].lower() == before.lower():
        return
    assert signature(sign_tc3(bent)) != signature(sign_tc3(TC3))


@pytest.mark.parametrize("later", [1, 86400])
def test_a_tc3_signature_is_of_its_second_and_day(later: int) -> None:
    assert signature(sign_tc3(TC3 | {"timestamp": TC3["timestamp"] + later})) != signature(sign_tc3(TC3))
