"""No change of a signed message, however small, gets through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ports import InvalidSignature
from integrations.wechat import WeChatPayMessageReader

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)
HEADERS = ("Timestamp", "Nonce", "Serial", "Signature", "Signature-Type")

pytestmark = pytest.mark.parametrize("key_mode", ["public_key", "certificate", "mixed"], indirect=True, scope="session")


@dataclass(frozen=True)
class Signed:
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def signed(wechat_pay: Any, paid_trade: dict[str, Any]) -> Signed:
    body = wechat_pay.event(paid_trade, event_type="TRANSACTION.SUCCESS")
    return Signed(wechat_pay.headers(body), body)


def is_refused(reader: WeChatPayMessageReader, headers: dict[str, str], body: bytes) -> bool:
    try:
        reader.check(headers, body, now=NOW)
    except InvalidSignature:
        return True
    return False


def test_every_byte_of_the_body_counts(reader: WeChatPayMessageReader, signed: Signed) -> None:
    assert not is_refused(reader, signed.headers, signed.body)
    for place, byte in enumerate(signed.body):
        changed = signed.body[:place] + bytes([byte ^ 1]) + signed.body[place + 1 :]
        assert is_refused(reader, signed.headers, changed), place


@pytest.mark.parametrize("extra", [b" ", b"\n", b"\r\n", b"\0"])
def test_nothing_may_stand_around_the_body(reader: WeChatPayMessageReader, signed: Signed, extra: bytes) -> None:
    assert is_refused(reader, signed.headers, signed.body + extra)
    assert is_refused(reader, signed.headers, extra + signed.body)


@pytest.mark.parametrize("name", HEADERS)
def test_every_character_of_a_signed_header_counts(reader: WeChatPayMessageReader, signed: Signed, name: str) -> None:
    header = f"Wechatpay-{name}"
    value = signed.headers[header]
    for place, character in enumerate(value):
        for other in {chr(ord(character) ^ 1), character.swapcase(), "A", "0", "=", " "} - {character}:
            changed = value[:place] + other + value[place + 1 :]
            assert is_refused(reader, signed.headers | {header: changed}, signed.body), (place, other)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_change_of_one_byte_is_refused(reader: WeChatPayMessageReader, signed: Signed, data: st.DataObject) -> None:
    """A-20."""
    place = data.draw(st.integers(0, len(signed.body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != signed.body[place]))
    kept = data.draw(st.sampled_from([0, 1]))  # replace the byte, or put one before it
    changed = signed.body[:place] + bytes([byte]) + signed.body[place + 1 - kept :]
    if changed != signed.body:
        assert is_refused(reader, signed.headers, changed)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_change_of_one_header_character_is_refused(
    reader: WeChatPayMessageReader, signed: Signed, data: st.DataObject
) -> None:
    header = f"Wechatpay-{data.draw(st.sampled_from(HEADERS))}"
    value = signed.headers[header]
    place = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters().filter(lambda character: character != value[place]))
    changed = value[:place] + other + value[place + 1 :]
    assert is_refused(reader, signed.headers | {header: changed}, signed.body)


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=300), extra=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4))
def test_no_body_raises_anything_but_a_refusal(
    reader: WeChatPayMessageReader, signed: Signed, body: bytes, extra: dict[str, str]
) -> None:
    assert is_refused(reader, signed.headers | extra, body)
    assert is_refused(reader, extra, body)
    with pytest.raises(InvalidSignature):
        reader.read(body)
