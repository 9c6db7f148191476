"""No change of a signed event, however small, gets through."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ports import InvalidSignature
from integrations.alipay import AlipayMessageReader

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def signed(alipay: Any, event: dict[str, str]) -> bytes:
    body: bytes = alipay.form(event | {"subject": "预约+挂号 费", "refund_fee": "20.00", "out_biz_no": "R1"})
    return body


def is_refused(reader: AlipayMessageReader, body: bytes) -> bool:
    try:
        reader.check({}, body, now=NOW)
    except InvalidSignature:
        return True
    return False


def test_every_byte_of_the_body_counts(reader: AlipayMessageReader, signed: bytes) -> None:
    assert not is_refused(reader, signed)
    for place, byte in enumerate(signed):
        for other in {byte ^ 1, byte ^ 0x20, ord("A"), ord("0"), ord("="), ord("&"), ord("+"), ord("%")} - {byte}:
            changed = signed[:place] + bytes([other]) + signed[place + 1 :]
            assert is_refused(reader, changed), (place, changed[place - 10 : place + 10])


@pytest.mark.parametrize("extra", [b" ", b"\n", b"\r\n", b"\0", b"&", b"=", b"a", b"&a=b"])
def test_nothing_may_stand_around_the_body(reader: AlipayMessageReader, signed: bytes, extra: bytes) -> None:
    assert is_refused(reader, signed + extra)
    assert is_refused(reader, extra + signed)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_any_change_of_one_byte_is_refused(reader: AlipayMessageReader, signed: bytes, data: st.DataObject) -> None:
    """A-20."""
    place = data.draw(st.integers(0, len(signed) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != signed[place]))
    kept = data.draw(st.sampled_from([0, 1]))  # replace the byte, or put one before it
    changed = signed[:place] + bytes([byte]) + signed[place + 1 - kept :]
    if changed != signed:
        assert is_refused(reader, changed)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_byte_less_is_refused(reader: AlipayMessageReader, signed: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(signed) - 1))
    end = data.draw(st.integers(start + 1, len(signed)))
    gone = signed[start:end]
    if gone not in (b"&sign_type=RSA2", b"sign_type=RSA2&"):  # an absent word for the algorithm is allowed
        assert is_refused(reader, signed[:start] + signed[end:])


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=300) | st.text(alphabet="sign=&%+2Ba_", max_size=80).map(str.encode))
def test_no_body_raises_anything_but_a_refusal(reader: AlipayMessageReader, body: bytes) -> None:
    assert is_refused(reader, body)
    with pytest.raises(InvalidSignature):
        reader.read(body)
