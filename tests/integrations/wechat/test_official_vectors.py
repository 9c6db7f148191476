"""The published samples for pushes, page signatures and user data (wechat.md section 7)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from official_side import official_account

from core.ports import IncomingKind, InvalidSignature
from integrations.wechat import WeChatConversation
from integrations.wechat._push_crypto import PushCipher, push_signature
from integrations.wechat.official import page_signature
from integrations.wechat.user_data import open_user_data, raw_data_signature, session_signature

FOLDER = Path(__file__).parents[2] / "vectors" / "wechat"


def vectors(name: str, *kinds: str) -> list[Any]:
    found = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))["vectors"]
    return [pytest.param(v["inputs"], v["expected"], id=v["id"]) for v in found if v["kind"] in kinds]


@pytest.mark.parametrize(("inputs", "expected"), vectors("oa_push_signature", "sha1_sorted"))
def test_a_push_is_signed_as_published(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    assert push_signature(*inputs["parts"]) == expected["signature"]
    assert push_signature(*reversed(inputs["parts"])) == expected["signature"]


def test_the_published_check_of_an_address_is_answered_with_its_echo() -> None:
    [official] = [v for v in vectors("oa_push_signature", "sha1_sorted") if v.id == "official-url-verify"]
    (inputs, expected) = official.values
    token, stamp, nonce = inputs["parts"]
    query = {"signature": expected["signature"], "timestamp": stamp, "nonce": nonce, "echostr": "4375120948345356249"}
    reply = WeChatConversation(official_account(token=token)).greet(query)
    assert (reply.status, reply.body) == (200, b"4375120948345356249")
    assert reply.content_type.startswith("text/plain")


@pytest.mark.parametrize(("inputs", "expected"), vectors("oa_secure_mode", "oa_encrypt", "oa_decrypt"))
def test_a_published_push_opens(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    message, appid = PushCipher(inputs["encoding_aes_key"]).open(inputs["encrypt"])
    assert inputs["appid"] in (None, appid)
    if expected["message"] is not None:
        assert message.decode() == expected["message"]
    assert (expected["message_contains"] or "") in message.decode()


@pytest.mark.parametrize(("inputs", "expected"), vectors("oa_secure_mode", "oa_encrypt"))
def test_a_message_is_sealed_as_published(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    cipher = PushCipher(inputs["encoding_aes_key"], random16=lambda: inputs["random16"])
    assert cipher.seal(expected["message"], inputs["appid"]) == inputs["encrypt"]


SIGNED = [v for v in vectors("oa_secure_mode", "oa_encrypt", "oa_decrypt") if v.values[1]["msg_signature"] is not None]


@pytest.mark.parametrize(("inputs", "expected"), SIGNED)
def test_a_sealed_push_is_signed_as_published(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    parts = (inputs[name] for name in ("token", "timestamp", "nonce", "encrypt"))
    assert push_signature(*parts) == expected["msg_signature"]


def test_the_published_json_push_is_proven_opened_and_of_its_own_time_only() -> None:
    [official] = [v for v in vectors("oa_secure_mode", "oa_decrypt") if v.id == "official-secure-json-push"]
    inputs, expected = official.values
    account = official_account(
        token=inputs["token"],
        appid=inputs["appid"],
        encoding_aes_key=inputs["encoding_aes_key"],
        original_id="gh_97417a04a28d",
    )
    query = {
        "timestamp": inputs["timestamp"],
        "nonce": inputs["nonce"],
        "openid": "o9AgO5Kd5ggOC-bXrbNODIiE3bGY",
        "encrypt_type": "aes",
        "msg_signature": expected["msg_signature"],
    }
    body = json.dumps({"ToUserName": "gh_97417a04a28d", "Encrypt": inputs["encrypt"]}).encode()
    then = datetime.fromtimestamp(int(inputs["timestamp"]), UTC)
    conversation = WeChatConversation(account)
    incoming = conversation.check(query, body, now=then)
    assert (incoming.kind, incoming.follower) == (IncomingKind.OTHER, "o9AgO5Kd5ggOC-bXrbNODIiE3bGY")
    assert incoming.sent_at == then
    with pytest.raises(InvalidSignature, match="stale"):
        conversation.check(query, body, now=datetime(2026, 11, 20, tzinfo=UTC))


@pytest.mark.parametrize(("inputs", "expected"), vectors("oa_jssdk", "jssdk"))
def test_a_page_is_signed_as_published(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    signature = page_signature(
        inputs["jsapi_ticket"], nonce=inputs["noncestr"], timestamp=inputs["timestamp"], url=inputs["url"]
    )
    assert signature == expected["signature"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("mp_user_data", "rawdata_sha1"))
def test_raw_data_is_signed_as_published(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    assert raw_data_signature(inputs["rawData"], inputs["session_key"]) == expected["signature"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("mp_user_data", "aes_cbc_userdata"))
def test_user_data_opens_as_published_for_its_app_alone(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    given = {"iv": inputs["iv"], "session_key": inputs["session_key"]}
    content = open_user_data(inputs["encryptedData"], appid=inputs["appid"], **given)
    assert content == json.loads(expected["plaintext"])
    with pytest.raises(InvalidSignature, match="foreign_app"):
        open_user_data(inputs["encryptedData"], appid="wx0000000000000000", **given)
    for wrong in ({"session_key": "AAAAAAAAAAAAAAAAAAAAAA=="}, {"iv": "AAAA"}, {"session_key": "not base64"}):
        with pytest.raises(InvalidSignature, match="sealed"):
            open_user_data(inputs["encryptedData"], appid=inputs["appid"], **(given | wrong))
    with pytest.raises(InvalidSignature, match="sealed"):
        open_user_data(inputs["encryptedData"][:-24], appid=inputs["appid"], **given)


def test_the_session_key_signs_as_text() -> None:
    """HMAC-SHA-256 over nothing; the value is openssl's: `printf '' | openssl dgst -sha256 -hmac KEY`."""
    assert session_signature("o0q0otL8aEzpcZL/FT9WsQ==") == (
        "46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128"
    )
