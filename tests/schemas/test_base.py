"""The fields of the contract, both ways."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields, validate

from schemas.base import (
    SAFE_INTEGER,
    Count,
    Day,
    Flag,
    Id,
    Instant,
    PageQuery,
    ReplySchema,
    Strict,
    Text,
    Whole,
    Word,
    instant_text,
    page_schema,
)

CODE = r"[a-z][a-z0-9_]*"


class Colour(StrEnum):
    RED = "red"


class Everything(Strict):
    text = Text(5)
    lines = Text(50, lines=True, empty=True)
    whole = Whole(validate=validate.Range(min=0))
    most = Whole(validate=validate.Range(max=9))
    flag = Flag()
    word = Word(Colour)
    enum = fields.Enum(Colour, by_value=True)
    id = Id()
    uuid = fields.UUID()
    at = Instant()
    day = Day()
    pattern = fields.String(validate=validate.Regexp("^a$"))
    own = fields.String(validate=validate.Length(max=1, error="too_many"))
    least = fields.List(fields.String(), validate=validate.Length(min=2))
    exact = fields.String(validate=validate.Length(equal=2))
    several = fields.List(fields.String(), validate=validate.ContainsOnly(["a"]))
    plain = fields.Integer(strict=True)
    boolean = fields.Boolean()


class OneReply(ReplySchema):
    id = fields.UUID()
    at = Instant(allow_none=True)
    day = Day(allow_none=True)
    note = fields.String(metadata={"optional": True})


def codes(schema: Schema, payload: Any) -> Any:
    with pytest.raises(ValidationError) as raised:
        schema.load(payload)
    return raised.value.messages


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"text": "123456"}, "too_long"), ({"text": ""}, "too_short"), ({"text": "a\tb"}, "invalid_character"),
        ({"lines": "a\x00"}, "invalid_character"), ({"lines": "\x85"}, "invalid_character"),
        ({"whole": -1}, "too_small"), ({"most": 10}, "too_large"), ({"whole": 1.5}, "not_a_whole_number"),
        ({"whole": "1"}, "not_a_whole_number"), ({"whole": SAFE_INTEGER + 1}, "too_large"),
        ({"flag": 0}, "not_a_boolean"), ({"flag": "yes"}, "not_a_boolean"), ({"word": "blue"}, "unknown_word"),
        ({"word": "RED"}, "unknown_word"), ({"enum": "blue"}, "unknown_word"), ({"enum": ["red"]}, "unknown_word"),
        ({"id": "x"}, "not_an_id"), ({"uuid": "x"}, "not_an_id"), ({"at": "x"}, "not_an_instant"),
        ({"at": "2026-11-22 02:00:00Z"}, "not_an_instant"), ({"at": "2026-11-22T02:00:60Z"}, "not_an_instant"),
        ({"at": "２026-11-22T02:00:00Z"}, "not_an_instant"), ({"day": "20261122"}, "not_a_day"),
        ({"day": 5}, "not_a_day"),
        ({"pattern": "b"}, "bad_format"), ({"own": "ab"}, "too_many"), ({"least": ["a"]}, "too_short"),
        ({"exact": "a"}, "bad_length"), ({"several": ["b"]}, "unknown_word"), ({"plain": "x"}, "not_a_whole_number"),
        ({"boolean": "perhaps"}, "not_a_boolean"), ({"text": None}, "null_not_allowed"), ({"more": 1}, "unknown_field"),
    ],
)  # fmt: skip
def test_each_fault_has_a_code(payload: dict[str, Any], code: str) -> None:
    assert codes(Everything(), payload) == {next(iter(payload)): [code]}


def test_what_is_no_object_is_told() -> None:
    assert codes(Everything(), []) == {"_schema": ["not_an_object"]}


def test_a_required_field_is_missed_by_name() -> None:
    class Needs(Strict):
        name = Text(5, required=True, data_key="Name")

    assert codes(Needs(), {}) == {"Name": ["missing"]}


@given(
    st.dictionaries(
        st.sampled_from(sorted(Everything().fields)),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.text())
        | st.dictionaries(st.text(), st.integers()),
    )
)
def test_no_input_is_answered_with_anything_but_codes(payload: dict[str, Any]) -> None:
    def words(found: Any) -> list[str]:
        inner = found.values() if isinstance(found, dict) else found
        return [found] if isinstance(found, str) else [word for part in inner for word in words(part)]

    try:
        Everything().load(payload)
    except ValidationError as error:
        for word in words(error.messages):
            assert re.fullmatch(CODE, word), word


def test_what_fits_is_loaded_in_its_type() -> None:
    loaded = Everything().load(
        {
            "at": "2026-11-22T02:00:00.123456Z",
            "day": "2026-11-22",
            "word": "red",
            "id": "01A205DA-7a95-7518-9ed1-d1aeee8126c5",
            "lines": "a\r\n\tb",
        }
    )
    assert loaded["at"] == datetime(2026, 11, 22, 2, 0, 0, 123456, tzinfo=UTC)
    assert loaded["day"] == date(2026, 11, 22)
    assert loaded["word"] is Colour.RED
    assert loaded["id"] == UUID("01a205da-7a95-7518-9ed1-d1aeee8126c5")
    assert loaded["lines"] == "a\r\n\tb"


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))])))
def test_an_instant_is_told_in_utc_and_never_too_late(instant: datetime) -> None:
    if instant.year in (1, 9999):
        return
    told = instant_text(instant)
    assert told.endswith("Z")
    again = Everything().load({"at": told})["at"]
    assert timedelta(0) <= instant - again < timedelta(milliseconds=1)


def test_a_query_counts_in_plain_digits() -> None:
    class Query(PageQuery):
        size = Count()

    assert Query().load({"size": "-7", "limit": "100"}) == {"size": -7, "limit": 100, "cursor": None}
    for text in ("1_0", " 1", "+1", "1.0", "٣", "0x1", "9" * 17):
        assert codes(Query(), {"size": text}) == {"size": ["not_a_whole_number"]}
    assert codes(Query(), {"limit": "101"}) == {"limit": ["out_of_range"]}
    assert codes(Query(), {"cursor": "x" * 101}) == {"cursor": ["too_long"]}


def test_a_reply_sends_every_field_it_names() -> None:
    known = {"id": UUID(int=1), "at": datetime(2026, 11, 22, 2, tzinfo=UTC), "day": None}
    assert OneReply().dump(known) == {"id": str(UUID(int=1)), "at": "2026-11-22T02:00:00.000Z", "day": None}
    assert OneReply().dump({**known, "note": "x"})["note"] == "x"
    with pytest.raises(LookupError, match="OneReply has nothing for: at, day"):
        OneReply().dump({"id": UUID(int=1)})


def test_a_hole_inside_a_list_is_found_as_well() -> None:
    with pytest.raises(LookupError):
        page_schema(OneReply)().dump({"items": [{}], "next_cursor": None})


def test_a_reply_sends_nothing_it_does_not_name() -> None:
    known = {"id": UUID(int=1), "at": None, "day": None, "token": "secret"}
    assert set(OneReply().dump(known)) == {"id", "at", "day"}


def test_a_page_has_one_schema_for_each_kind_of_item() -> None:
    assert page_schema(OneReply) is page_schema(OneReply)
    assert page_schema(OneReply).__name__ == "OneReplyPageSchema"
    assert page_schema(OneReply)().dump({"items": [], "next_cursor": None}) == {"items": [], "next_cursor": None}
