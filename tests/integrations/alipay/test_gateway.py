"""The application gateway: a check in GBK, events that are acknowledged, XML that tries too much."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ports import InvalidSignature, Reply
from integrations.alipay import AlipayAccount, AlipayAppGateway
from integrations.alipay._signing import verify
from integrations.alipay._xml import read_fields

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)
APP_ID = "2021004100000001"
_ANSWER = re.compile(
    r'<\?xml version="1\.0" encoding="(?P<charset>[^"]+)"\?><alipay><response>(?P<content>.*)</response>'
    r"<sign>(?P<sign>[^<]+)</sign><sign_type>RSA2</sign_type></alipay>"
)


@dataclass(frozen=True)
class Read:
    charset: str
    content: str


def opened(reply: Reply, key: RSAPrivateKey, *, codec: str = "gbk") -> Read:
    """Read an answer as Alipay does: its signature covers what stands inside of <response>."""
    found = _ANSWER.fullmatch(reply.body.decode(codec))
    assert found is not None
    verify([key.public_key()], found["content"].encode(codec), found["sign"])
    assert reply.status == 200
    assert reply.content_type == f"text/xml; charset={found['charset']}"
    return Read(found["charset"], found["content"])


def message(event: str, **more: str) -> str:
    fields = {"AppId": APP_ID, "FromUserId": "", "CreateTime": "1763605800000", "MsgType": "event", "EventType": event}
    inside = "".join(f"<{name}><![CDATA[{text}]]></{name}>" for name, text in (fields | more).items())
    return f'<?xml version="1.0" encoding="gbk"?><XML>{inside}</XML>'


def check(**changes: str) -> dict[str, str]:
    return {
        "service": "alipay.service.check",
        "sign_type": "RSA2",
        "charset": "GBK",
        "biz_content": message("verifygw", UserInfo="张三"),
    } | changes


@pytest.fixture(scope="module")
def app(account: AlipayAccount) -> AlipayAppGateway:
    return AlipayAppGateway(account, clock=lambda: NOW)


def refused(app: AlipayAppGateway, body: bytes) -> str:
    with pytest.raises(InvalidSignature) as caught:
        app.answer(body)
    assert caught.value.__cause__ is None
    return caught.value.reason


@pytest.mark.parametrize("charset", ["GBK", "gbk", "GB2312", "UTF-8", ""])
def test_a_check_is_answered_with_our_key_in_its_own_charset(
    app: AlipayAppGateway, app_key: RSAPrivateKey, alipay: Any, charset: str
) -> None:
    codec = charset or "gbk"
    reply = app.answer(alipay.form(check(charset=charset), sign_type=True, charset=codec))
    told = opened(reply, app_key, codec=codec)
    assert told.charset == codec.upper()
    found = re.fullmatch(r"<success>true</success><biz_content>(.+)</biz_content>", told.content)
    assert found is not None
    assert load_der_public_key(b64decode(found[1])) == app_key.public_key()


def test_with_certificates_the_key_is_known_already(certified: Any, app_key: RSAPrivateKey, alipay: Any) -> None:
    app = AlipayAppGateway(certified.account, clock=lambda: NOW)
    reply = app.answer(certified.alipay.form(check(), sign_type=True, charset="gbk"))
    assert opened(reply, app_key).content == "<success>true</success>"


def test_a_check_by_the_rule_of_trade_events_is_refused(app: AlipayAppGateway, alipay: Any) -> None:
    """Here sign_type is signed."""
    assert refused(app, alipay.form(check(), charset="gbk")) == "bad_signature"


def test_a_check_signed_over_another_charset_is_refused(app: AlipayAppGateway, alipay: Any) -> None:
    """The signature covers the bytes that were sent: those of GBK."""
    other = alipay.form(check(), sign_type=True, charset="utf-8").partition(b"&sign=")[2]
    sent = alipay.form(check(), sign_type=True, charset="gbk").partition(b"&sign=")[0]
    assert refused(app, sent + b"&sign=" + other) == "bad_signature"


@pytest.mark.parametrize(
    ("more", "user"),
    [
        ({"FromAlipayUserId": "2088102146225135"}, "2088102146225135"),
        (
            {"FromOpenId": "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5"},
            "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5",
        ),
        ({"FromOpenId": "</ToUserId><x>"}, ""),
        ({}, ""),
    ],
)
def test_an_event_of_a_follower_is_acknowledged(
    app: AlipayAppGateway, app_key: RSAPrivateKey, alipay: Any, more: dict[str, str], user: str
) -> None:
    fields = check(service="alipay.mobile.public.message.notify", biz_content=message("follow", **more))
    told = opened(app.answer(alipay.form(fields, sign_type=True, charset="gbk")), app_key)
    assert read_fields(told.content) == {
        "ToUserId": user,
        "AppId": APP_ID,
        "CreateTime": str(int(NOW.timestamp() * 1000)),
        "MsgType": "ack",
    }


def test_a_newer_event_is_acknowledged_with_one_word(app: AlipayAppGateway, alipay: Any) -> None:
    fields = {"msg_method": "alipay.open.mini.version.audit.passed", "app_id": APP_ID, "biz_content": "{}"}
    body = alipay.form(fields | {"charset": "UTF-8", "sign_type": "RSA2"}, sign_type=True)
    assert app.answer(body) == Reply(200, b"success", "text/plain")


@pytest.mark.parametrize(
    "fields",
    [
        check(biz_content=message("verifygw", AppId="2021004100000009")),
        check(biz_content="<XML></XML>"),
        check(service="alipay.mobile.public.message.notify", biz_content=message("follow", AppId="1")),
        {"msg_method": "alipay.open.x", "app_id": "2021004100000009", "sign_type": "RSA2"},
        {"msg_method": "alipay.open.x", "sign_type": "RSA2"},
    ],
)
def test_a_message_for_another_app_is_refused(app: AlipayAppGateway, alipay: Any, fields: dict[str, str]) -> None:
    assert refused(app, alipay.form(fields, sign_type=True, charset="gbk")) == "foreign_app"


def test_a_refusal_is_signed_too_and_the_same_for_every_reason(app: AlipayAppGateway, app_key: RSAPrivateKey) -> None:
    assert opened(app.refused(), app_key).content == (
        "<success>false</success><error_code>VERIFY_FAILED</error_code><biz_content>not accepted</biz_content>"
    )
    assert app.refused() == app.refused()


@pytest.mark.parametrize("sign", ["", "AAAA", "x"])
def test_a_message_that_nothing_proves_is_refused(app: AlipayAppGateway, stranger: Any, sign: str) -> None:
    body = stranger.form(check(), sign_type=True, charset="gbk")
    assert refused(app, body) == "bad_signature"
    assert refused(app, re.sub(rb"sign=[^&]*", b"sign=" + sign.encode(), body)) in {
        *("missing_sign", "bad_base64", "bad_signature"),
    }


@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "idna", "zlib", "../x", "gbk gbk"])
def test_only_the_known_charsets_are_read(app: AlipayAppGateway, alipay: Any, charset: str) -> None:
    assert refused(app, alipay.form(check(charset=charset), sign_type=True, charset="gbk")) == "unreadable"


ENTITY = '<!DOCTYPE XML [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
HOSTILE = [
    ENTITY + "<XML><AppId>&b;</AppId></XML>",
    '<!DOCTYPE XML SYSTEM "file:///etc/passwd"><XML><AppId>1</AppId></XML>',
    '<!DOCTYPE XML [<!ENTITY x SYSTEM "http://127.0.0.1:1/">]><XML><AppId>&x;</AppId></XML>',
    "<!DOCTYPE XML><XML/>",
    "<?php x?><XML/>",
    "<XML><AppId>&x;</AppId></XML>",
    f"<XML><AppId>{APP_ID}</AppId><AppId>2</AppId></XML>",
    f"<XML><AppId>{APP_ID}</AppId>",
    "<a>" * 200 + "</a>" * 200,
    "<XML/><XML/>",
    "",
    "{}",
    "x" * 70_000,
    "<XML>" + "<a/>" * 20_000 + "</XML>",
]


@pytest.mark.parametrize("xml", HOSTILE)
def test_xml_that_tries_more_than_fields_is_refused(app: AlipayAppGateway, alipay: Any, xml: str) -> None:
    """Proven or not: Alipay never sends it."""
    with pytest.raises(ValueError):
        read_fields(xml)
    assert refused(app, alipay.form(check(biz_content=xml), sign_type=True, charset="gbk")) == "unreadable"


def test_fields_are_read_from_the_second_level_only() -> None:
    text = "<XML><A> 1 </A><B><![CDATA[<2>&]]></B><C><D>3</D></C><E>&lt;</E></XML>"
    assert read_fields(text) == {"A": "1", "B": "<2>&", "C": "", "E": "<"}


# --- any change -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signed(alipay: Any) -> bytes:
    body: bytes = alipay.form(check(), sign_type=True, charset="gbk")
    return body


def test_every_byte_of_a_message_counts(app: AlipayAppGateway, signed: bytes) -> None:
    assert app.answer(signed).status == 200
    for place, byte in enumerate(signed):
        for other in {byte ^ 1, byte ^ 0x20, ord("A"), ord("="), ord("&"), ord("+"), ord("%")} - {byte}:
            refused(app, signed[:place] + bytes([other]) + signed[place + 1 :])


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_change_of_one_byte_is_refused(app: AlipayAppGateway, signed: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(signed) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != signed[place]))
    refused(app, signed[:place] + bytes([byte]) + signed[place + 1 :])


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200), xml=st.text(max_size=60))
def test_no_message_raises_anything_but_a_refusal(app: AlipayAppGateway, body: bytes, xml: str) -> None:
    refused(app, body)
    try:
        read_fields(xml)
    except ValueError:
        return
