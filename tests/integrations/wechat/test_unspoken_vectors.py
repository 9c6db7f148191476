"""The published samples of signing that the product does not speak: see unspoken_signing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from unspoken_signing import ecb_open, ecb_seal, v2_req_info, v2_sign

FOLDER = Path(__file__).parents[2] / "vectors" / "wechat"


def vectors(name: str, *kinds: str) -> list[Any]:
    found = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))["vectors"]
    assert {vector["kind"] for vector in found} <= {"v2_sign", "aes_ecb", "v2_req_info"}
    return [pytest.param(v["inputs"], v["expected"], id=v["id"]) for v in found if v["kind"] in kinds]


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v2_legacy", "v2_sign"))
def test_api_v2_is_signed_as_published(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    params = inputs["params"]
    assert v2_sign(params, inputs["key"], inputs["sign_type"]) == expected["sign"]
    assert v2_sign(params | {"sign": "X", "empty": ""}, inputs["key"], inputs["sign_type"]) == expected["sign"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v2_legacy", "aes_ecb"))
def test_api_v2_is_sealed_as_published(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    assert ecb_seal(inputs["key"], inputs["plaintext"]) == expected["ciphertext"]
    assert ecb_open(inputs["key"], expected["ciphertext"]) == inputs["plaintext"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v2_legacy", "v2_req_info"))
def test_a_refund_notice_of_api_v2_opens(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    plain = v2_req_info(inputs["api_key"], inputs["req_info"])
    assert all(part in plain for part in expected["contains"])
