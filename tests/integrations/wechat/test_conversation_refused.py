"""Every push that is not proven, not readable or not ours is one refusal with a short reason."""

from __future__ import annotations

import json
import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from official_side import ACCOUNT, FOLLOWER, NOW, STAMP, Push, WeChatSide, event, official_account, text_message, xml_of

from core.ports import InvalidSignature
from integrations.wechat import PushMode, WeChatConversation

CONFIG = official_account()
SIDE = WeChatSide.of(CONFIG)
SECURE = WeChatConversation(CONFIG)
PLAIN = WeChatConversation(official_account(push_mode=PushMode.PLAIN))
BOTH = WeChatConversation(official_account(push_mode=PushMode.BOTH))
MESSAGE = xml_of(text_message("心内科"))


def refused(push: Push, conversation: WeChatConversation = SECURE) -> str:
    with pytest.raises(InvalidSignature) as caught:
        conversation.check(push.query, push.body, now=NOW)
    assert (caught.value.__cause__, caught.value.__suppress_context__ or caught.value.__context__ is None) == (
        None,
        True,
    )
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


def outcome(push: Push, conversation: WeChatConversation) -> str:
    """`taken`, or the reason of the refusal; any other error is the test's."""
    try:
        conversation.check(push.query, push.body, now=NOW)
    except InvalidSignature as refusal:
        return refusal.reason
    return "taken"


# --- who may speak ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("conversation", "plain", "secure"), [(SECURE, 0, 1), (PLAIN, 1, 0), (BOTH, 1, 1)])
def test_only_what_the_account_is_set_to_is_taken(conversation: WeChatConversation, plain: int, secure: int) -> None:
    for push, is_taken in ((SIDE.plain(MESSAGE), plain), (SIDE.secure(MESSAGE), secure)):
        if is_taken:
            assert conversation.check(push.query, push.body, now=NOW).text == "心内科"
        else:
            assert refused(push, conversation) == "mode"


def test_a_secure_push_is_not_taken_as_a_plain_one_by_leaving_words_out() -> None:
    """In `both`, a stranger who saw a secure push has its stamp, nonce and signature: the known weakness of plain."""
    push = SIDE.secure(MESSAGE)
    for left_out in ({"encrypt_type"}, {"encrypt_type", "msg_signature"}):
        query = {name: value for name, value in push.query.items() if name not in left_out}
        assert refused(Push(query, push.body)) == "mode"


@pytest.mark.parametrize("name", ["timestamp", "nonce", "msg_signature"])
def test_a_secure_push_without_one_of_its_parameters_is_refused(name: str) -> None:
    push = SIDE.secure(MESSAGE)
    del push.query[name]
    assert refused(push) == "missing_parameter"


@pytest.mark.parametrize("name", ["timestamp", "nonce", "signature"])
def test_a_plain_push_without_one_of_its_parameters_is_refused(name: str) -> None:
    push = SIDE.plain(MESSAGE)
    del push.query[name]
    assert refused(push, PLAIN) == "missing_parameter"


def test_a_secure_push_needs_no_second_signature_but_a_wrong_one_is_refused() -> None:
    push = SIDE.secure(MESSAGE)
    del push.query["signature"]
    assert SECURE.check(push.query, push.body, now=NOW).text == "心内科"
    assert refused(Push(push.query | {"signature": "0" * 40}, push.body)) == "bad_signature"


@pytest.mark.parametrize("value", ["", "号", "-1", "1e9", "１７", " ", "1" * 11, "9" * 200, "\ud83d", "1\n"])
@pytest.mark.parametrize("name", ["timestamp", "msg_signature", "signature"])
def test_a_parameter_with_foreign_characters_is_refused(name: str, value: str) -> None:
    push = SIDE.secure(MESSAGE)
    assert refused(Push(push.query | {name: value}, push.body)) == "bad_parameter"


def test_a_signature_in_capitals_is_another_one() -> None:
    push = SIDE.secure(MESSAGE)
    push.query["msg_signature"] = push.query["msg_signature"].upper()
    assert refused(push) == "bad_parameter"


@pytest.mark.parametrize(("age", "is_taken"), [(0, True), (3600, True), (-3600, True), (3601, False), (-3601, False)])
def test_an_old_push_is_refused(age: int, is_taken: bool) -> None:
    push = SIDE.secure(MESSAGE, stamp=str(int(STAMP) - age))
    if is_taken:
        SECURE.check(push.query, push.body, now=NOW)
    else:
        assert refused(push) == "stale"
        push = SIDE.plain(MESSAGE, stamp=str(int(STAMP) - age))
        assert refused(push, PLAIN) == "stale"
        SECURE.check(*_parts(SIDE.secure(MESSAGE, stamp=str(int(STAMP) - age))), now=NOW - timedelta(seconds=age))


def _parts(push: Push) -> tuple[dict[str, str], bytes]:
    return push.query, push.body


# --- one byte changed ------------------------------------------------------------------------------------------------


def _changed(data: bytes, at: int, by: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ by]) + data[at + 1 :]


@settings(max_examples=400)
@given(st.sampled_from(["xml", "json"]), st.integers(0, 10_000), st.integers(1, 255))
def test_any_one_byte_of_a_secure_body_changed_is_refused(form: str, at: int, by: int) -> None:
    push = SIDE.secure(xml_of(event("CLICK", EventKey="CLOSED")), form=form)
    body = push.body.replace(b'": "', b'":"').replace(b'", "', b'","')  # a blank between words means nothing
    assert SECURE.check(push.query, body, now=NOW).key == "CLOSED"
    refused(Push(push.query, _changed(body, at, by)))


@settings(max_examples=300)
@given(
    st.sampled_from(["signature", "timestamp", "nonce", "msg_signature"]),
    st.integers(0, 100),
    st.characters(exclude_categories=("Cs",)) | st.sampled_from("0123456789abcdef"),
)
def test_any_one_character_of_its_parameters_changed_is_refused(name: str, at: int, char: str) -> None:
    push = SIDE.secure(MESSAGE)
    value = push.query[name]
    at %= len(value)
    changed = value[:at] + char + value[at + 1 :]
    if changed != value:
        refused(Push(push.query | {name: changed}, push.body))


@given(st.sampled_from(["timestamp", "nonce", "signature"]), st.integers(0, 100), st.integers(1, 15))
def test_any_one_character_of_a_plain_signature_changed_is_refused(name: str, at: int, by: int) -> None:
    push = SIDE.plain(MESSAGE)
    changed = _changed(push.query[name].encode(), at, by).decode()
    assert refused(Push(push.query | {name: changed}, push.body), PLAIN) in {"bad_signature", "bad_parameter"}


# --- what is sealed --------------------------------------------------------------------------------------------------


def test_another_accounts_push_is_refused() -> None:
    stranger = WeChatSide.of(official_account(token="AnotherToken"))
    assert refused(stranger.secure(MESSAGE)) == "bad_signature"
    assert refused(SIDE.secure(MESSAGE, appid="wx0000000000000000")) == "foreign_app"
    assert refused(SIDE.secure(MESSAGE, appid=CONFIG.appid + "\0")) == "foreign_app"
    foreign = xml_of(text_message("1", ToUserName="gh_another"))
    assert refused(SIDE.secure(foreign, account="gh_another")) == "foreign_account"
    assert refused(SIDE.secure(MESSAGE, account="gh_another")) == "foreign_account"
    assert refused(SIDE.secure(foreign)) == "foreign_account"
    anybody = WeChatConversation(official_account(original_id=""))
    push = SIDE.secure(foreign, account="gh_another")
    assert anybody.check(push.query, push.body, now=NOW).return_to["account"] == "gh_another"


def test_an_envelope_without_name_or_content_is_refused() -> None:
    sealed = SIDE.seal(MESSAGE.encode())
    push = SIDE.enveloped(sealed)
    assert refused(Push(push.query, xml_of({"Encrypt": sealed}).encode())) == "foreign_account"
    push = SIDE.enveloped("")
    assert refused(push) == "unreadable"
    assert refused(Push(push.query, xml_of({"ToUserName": ACCOUNT}).encode())) == "unreadable"


@pytest.mark.parametrize("padding", [b"\x00" * 32, b"\x21" * 33, b"\x20" * 31 + b"\x1f", b"\xff" * 32])
def test_padding_is_not_taken_on_trust(padding: bytes) -> None:
    frame = os.urandom(16) + len(MESSAGE.encode()).to_bytes(4, "big") + MESSAGE.encode() + CONFIG.appid.encode()
    frame += b"\0" * (-(len(frame) + len(padding)) % 16)
    assert refused(SIDE.enveloped(SIDE.seal_frame(frame, padding=padding))) == "sealed"


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**32 - 1])
def test_a_length_that_lies_is_refused(length: int) -> None:
    frame = os.urandom(16) + length.to_bytes(4, "big") + MESSAGE.encode() + CONFIG.appid.encode()
    assert refused(SIDE.enveloped(SIDE.seal_frame(frame))) in {"sealed", "foreign_app"}


@pytest.mark.parametrize(
    "sealed", ["", "AAAA", "A" * 22, "====", "AAAA AAAA", "号", "A" * 44, "A" * 43 + "=", "-_" * 22]
)
def test_what_is_no_sealed_frame_is_refused(sealed: str) -> None:
    assert refused(SIDE.enveloped(sealed)) in {"sealed", "unreadable", "foreign_app"}


# --- what is written -------------------------------------------------------------------------------------------------


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in text_message("1").items() if key != name}


@pytest.mark.parametrize(
    "fields",
    [
        without("FromUserName"),
        without("MsgType"),
        without("CreateTime"),
        text_message("1", FromUserName="o" * 129),
        text_message("1", FromUserName="o n e"),
        text_message("1", CreateTime="soon"),
        text_message("1", CreateTime=-1),
        text_message("1", CreateTime=10**11),
        text_message("1", MsgId="one"),
        text_message("1", MsgType=""),
    ],
)
@pytest.mark.parametrize("form", ["xml", "json"])
def test_a_message_without_who_when_or_what_is_refused(fields: dict[str, Any], form: str) -> None:
    message = json.dumps(fields) if form == "json" else xml_of(fields)
    assert refused(SIDE.secure(message, form=form)) == "unreadable"


JSON_MESSAGE = json.dumps(text_message("1")).encode()


def odd(markup: str) -> bytes:
    """A good message with something in it that does not belong there."""
    return MESSAGE.replace("</xml>", f"{markup}</xml>").encode()


UNREADABLE: list[bytes] = [
    b"",
    b" ",
    b"success",
    b"<xml>",
    b"<xml/>",
    b"[]",
    b"null",
    b'"text"',
    b'{"a":1}{"b":2}',
    JSON_MESSAGE.replace(b"{", b'{"FromUserName":"oAnother",', 1),
    JSON_MESSAGE.replace(b"{", b'{"a":NaN,', 1),
    JSON_MESSAGE.replace(b"{", b'{"a":"\\ud83d",', 1),
    JSON_MESSAGE.replace(b"{", b'{"a":' + b"[" * 5000 + b"]" * 5000 + b",", 1),
    JSON_MESSAGE.replace(b"{", b'{"a":' + b"9" * 5000 + b",", 1),
    odd("<a>" * 20 + "</a>" * 20),
    odd("<a><b/>" + "<b/>" * 1000 + "</a>"),
    MESSAGE.replace("<xml>", "<xml a='1'>").encode(),
    odd("<a b='1'/>"),
    odd("words"),
    odd("<![CDATA[words]]>"),
    odd("<a>words<b/></a>"),
    odd("<Content>another</Content>"),
    odd("<?php echo 1 ?>"),
    b"<?xml-stylesheet href='http://127.0.0.1/'?>" + MESSAGE.encode(),
    MESSAGE.replace("xml>", "html>").encode(),
    MESSAGE.encode() * 2,
    odd("<a>&unknown;</a>"),
    odd("<a>\x00</a>"),
    odd("<a>\x08</a>"),
    odd("<a>~</a>").replace(b"~", b"\xff"),
    odd("<a>~</a>").replace(b"~", b"\xed\xa0\xbd"),
    b"\xff\xfe" + MESSAGE.encode("utf-16-le"),
    MESSAGE.encode("utf-16-be"),
    MESSAGE.encode("utf-32"),
    MESSAGE.encode().replace(b"<", b"+ADw-").replace(b">", b"+AD4-"),
    MESSAGE.encode("gbk"),
    b'<?xml version="1.0" encoding="UTF-7"?>+ADw-xml+AD4-',
    b"<!DOCTYPE xml><xml><a/></xml>",
    b'<!DOCTYPE xml [<!ENTITY a "b">]>' + MESSAGE.encode(),
    b'<!DOCTYPE xml SYSTEM "http://127.0.0.1/x.dtd">' + MESSAGE.encode(),
]


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_cannot_be_read_is_refused_outside_and_inside_of_an_envelope(body: bytes) -> None:
    assert refused(Push(SIDE.plain("").query, body), PLAIN) == "unreadable"
    assert refused(Push(SIDE.secure("").query, body)) == "unreadable"
    inner = refused(SIDE.enveloped(SIDE.seal(body)))
    assert inner in {"unreadable", "foreign_account"}  # an envelope's name has to be inside


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_a_message_or_a_refusal(body: bytes) -> None:
    for push, conversation in (
        (Push(SIDE.plain("").query, body), PLAIN),
        (Push(SIDE.secure("").query, body), SECURE),
        (SIDE.enveloped(SIDE.seal(body)), SECURE),
        (SIDE.enveloped(SIDE.seal_frame(body)), SECURE),
    ):
        known = {"taken", "unreadable", "foreign_account", "foreign_app", "sealed", "bad_signature"}
        assert outcome(push, conversation) in known


@given(st.dictionaries(st.sampled_from([*text_message(""), "Event", "EventKey", "List"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)))  # fmt: skip
def test_any_json_at_all_is_a_message_or_a_refusal(changes: dict[str, Any]) -> None:
    message = json.dumps(event("subscribe") | changes)
    assert outcome(SIDE.plain(message), PLAIN) in {"taken", "unreadable", "foreign_account"}


def test_a_body_beyond_the_limit_is_refused_before_it_is_read() -> None:
    message = xml_of(text_message("a" * 64 * 1024))
    assert refused(SIDE.plain(message), PLAIN) == "too_large"
    assert refused(Push(SIDE.plain("").query, b"\xff" * 64 * 1024 + b"\xff"), PLAIN) == "too_large"
    assert refused(Push(SIDE.plain("").query, b"\xff" * 64 * 1024), PLAIN) == "unreadable"


def test_no_file_and_no_address_is_opened_for_a_document(tmp_path: Path) -> None:
    """A canary that is signed well: an entity of the outside, in each of the places where a parser might fetch it."""
    canary = tmp_path / "canary"
    canary.write_text("CANARY")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        for source in (canary.as_uri(), address):
            for head in (
                f'<!DOCTYPE xml [<!ENTITY c SYSTEM "{source}">]>',
                f'<!DOCTYPE xml SYSTEM "{source}">',
                f'<!DOCTYPE xml [<!ENTITY % c SYSTEM "{source}"> %c;]>',
            ):
                message = head + MESSAGE.replace("<![CDATA[心内科]]>", "&c;")
                assert refused(SIDE.plain(message), PLAIN) == "unreadable"
                assert refused(SIDE.secure(message)) == "unreadable"
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_billion_laughs_are_none() -> None:
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    message = f'<!DOCTYPE xml [<!ENTITY l0 "ha">{entities}]>' + MESSAGE.replace("<![CDATA[心内科]]>", "&l9;")
    assert refused(SIDE.secure(message)) == "unreadable"


# --- the check of our address ----------------------------------------------------------------------------------------

GREETING = SIDE.plain("").query | {"echostr": "4375120948345356249"}


@pytest.mark.parametrize("name", ["signature", "timestamp", "nonce", "echostr"])
def test_a_check_of_our_address_without_one_of_its_parameters_is_refused(name: str) -> None:
    assert SECURE.greet(GREETING).body == b"4375120948345356249"
    with pytest.raises(InvalidSignature, match="missing_parameter"):
        SECURE.greet({key: value for key, value in GREETING.items() if key != name})


@pytest.mark.parametrize("value", ["", "a b", "<b>\n", "号", "\ud83d", "a" * 513])
@pytest.mark.parametrize("name", ["echostr", "nonce", "signature"])
def test_no_other_characters_are_echoed_or_compared(name: str, value: str) -> None:
    with pytest.raises(InvalidSignature, match="bad_parameter"):
        SECURE.greet(GREETING | {name: value})


@given(st.sampled_from(["signature", "timestamp", "nonce"]), st.integers(0, 100), st.integers(1, 15))
def test_any_one_character_of_a_check_of_our_address_changed_is_refused(name: str, at: int, by: int) -> None:
    changed = _changed(GREETING[name].encode(), at, by).decode()
    with pytest.raises(InvalidSignature):
        SECURE.greet(GREETING | {name: changed})


def test_no_secret_is_in_a_refusal_or_a_repr() -> None:
    push = SIDE.secure(MESSAGE)
    told = repr(CONFIG) + repr(SECURE.check(push.query, push.body, now=NOW)) + refused(Push(push.query, b"<xml>"))
    for secret in (CONFIG.token, CONFIG.encoding_aes_key, CONFIG.secret, FOLLOWER, "心内科"):
        assert secret not in told
