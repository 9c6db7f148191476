"""The samples that Tencent Cloud and Aliyun publish of their signing, as the sandbox proves a call."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

from sandbox.cloud import aliyun, tencent
from sandbox.keys import CloudAccount

FOLDER = Path(__file__).parents[1] / "vectors" / "cloud"


def vectors(name: str) -> list[Any]:
    found = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))["vectors"]
    return [pytest.param(v["inputs"], v["expected"], id=v["id"]) for v in found if "host" in v["inputs"]["headers"]]


def heard(given: dict[str, Any], path: str, body: str, **more: Any) -> Any:
    """Inside it, the sandbox hears this call."""
    headers = {name: value for name, value in given["headers"].items() if name != "host"}
    base_url = f"http://{given['headers']['host']}"
    builder = EnvironBuilder(path, base_url, method=given["method"], headers=headers, data=body.encode(), **more)
    return Flask(__name__).request_context(builder.get_environ())


def changed(text: str) -> str:
    return text[:-1] + chr(ord(text[-1]) ^ 1)


def tc3(given: dict[str, Any], **bent: Any) -> str:
    told = given | bent
    account = CloudAccount("tencent", told["secret_id"], told["secret_key"])
    with heard(told, told["uri"], told["payload"], query_string=told["query"]):
        names = told["signed_headers"].split(";")
        return tencent.signature_of(account, told["service"], names, told["timestamp"])


@pytest.mark.parametrize(("inputs", "expected"), vectors("tc3"))
def test_a_call_of_tencent_cloud_has_its_published_signature(inputs: dict[str, Any], expected: dict[str, str]) -> None:
    assert tc3(inputs) == expected["signature"]
    for name in ("method", "uri", "query", "payload", "secret_key", "service"):
        value = changed(inputs[name]) if inputs[name] else "1"
        assert tc3(inputs, **{name: value}) != expected["signature"], name
    assert tc3(inputs, timestamp=inputs["timestamp"] + 1) != expected["signature"]


def acs3(given: dict[str, Any], **bent: Any) -> str:
    told = given | bent
    account = CloudAccount("aliyun", told["key_id"], told["secret"])
    with heard(told, told["path"], "", query_string=told["params"]):
        return aliyun.signature_of(account, sorted(told["headers"]))


@pytest.mark.parametrize(("inputs", "expected"), vectors("acs3"))
def test_a_call_of_aliyun_has_its_published_signature(inputs: dict[str, Any], expected: str) -> None:
    """Only that of a call that names a host: the gateway takes no other."""
    signature = expected.rpartition("=")[2]
    assert acs3(inputs) == signature
    for name in ("method", "path", "secret"):
        assert acs3(inputs, **{name: changed(inputs[name])}) != signature, name
    for part in ("headers", "params"):
        for name in inputs[part]:
            if name == "x-acs-content-sha256":
                with pytest.raises(aliyun.AliyunError):
                    acs3(inputs, headers=inputs["headers"] | {name: changed(inputs["headers"][name])})
                continue
            bent = inputs[part] | {name: changed(inputs[part][name])}
            assert acs3(inputs, **{part: bent}) != signature, name
