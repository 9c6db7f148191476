"""What every schema stands on: strict requests, complete replies, and the few kinds of field the contract knows.

A request schema refuses fields it does not know, and each of its error messages is one stable code word
(`missing`, `too_long` …), which `miniapp_api/errors.py` turns into `errors: [{pointer, code, detail}]`.
A reply schema names every field it sends; a reply that lacks one is our bug and raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from marshmallow import RAISE, Schema, fields, post_dump, validate

SAFE_INTEGER = 2**53 - 1
"""The largest number that every JSON reader keeps exact."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WHOLE_TEXT = re.compile(r"-?\d{1,16}", re.ASCII)

_FIELD_CODES = {
    "required": "missing",
    "null": "null_not_allowed",
    "type": "not_an_object",
    "unknown": "unknown_field",
    "too_large": "too_large",
    "special": "invalid",
    "invalid_utf8": "invalid_character",
    "invalid_uuid": "not_an_id",
    "validator_failed": "invalid",
}
_KIND_CODES: tuple[tuple[type[fields.Field[Any]], str], ...] = (
    (fields.Boolean, "not_a_boolean"),
    (fields.Float, "not_a_number"),
    (fields.Number, "not_a_whole_number"),
    (fields.List, "not_a_list"),
    (fields.Nested, "not_an_object"),
    (fields.Mapping, "not_an_object"),
    (fields.UUID, "not_an_id"),
    (fields.String, "not_a_string"),
    (fields.Enum, "unknown_word"),
)
_VALIDATOR_CODES: tuple[tuple[type[validate.Validator], Mapping[str, str]], ...] = (
    (
        validate.Length,
        {
            "message_min": "too_short",
            "message_max": "too_long",
            "message_all": "bad_length",
            "message_equal": "bad_length",
        },
    ),
    (
        validate.Range,
        {
            "message_min": "too_small",
            "message_max": "too_large",
            "message_all": "out_of_range",
        },
    ),
    (validate.OneOf, {"error": "unknown_word"}),
    (validate.ContainsOnly, {"error": "unknown_word"}),
    (validate.Validator, {"error": "bad_format"}),
)


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC with `Z` and milliseconds, cut off and never rounded up: no deadline is told too late."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Strict(Schema):
    """Base of request bodies and queries: unknown fields are refused, and messages are code words."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "unknown_field", "type": "not_an_object"}  # noqa: RUF012 - marshmallow's own attribute

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        messages: dict[str, Any] = {key: _FIELD_CODES.get(key, "invalid") for key in field_obj.error_messages}
        messages["invalid"] = next((code for kind, code in _KIND_CODES if isinstance(field_obj, kind)), "invalid")
        if isinstance(field_obj, fields.Enum):
            messages["unknown"] = "unknown_word"
        elif isinstance(field_obj, Instant | Day):
            messages["invalid"] = field_obj.fault
        field_obj.error_messages = messages
        field_obj.validators = [part for validator in field_obj.validators for part in _halves(validator)]
        for validator in field_obj.validators:
            _speak_in_codes(validator)
        if isinstance(field_obj, fields.List):
            self.on_bind_field(field_name, field_obj.inner)


def _halves(validator: Any) -> list[Any]:
    """A length between two bounds as two checks, so that the code says which one was passed."""
    if isinstance(validator, validate.Length) and None not in (validator.min, validator.max) and not validator.error:
        return [validate.Length(min=validator.min), validate.Length(max=validator.max)]
    return [validator]


def _speak_in_codes(validator: Any) -> None:
    """Give a library validator our code words, unless its author chose one (`Length(max=9, error="too_many")`)."""
    if getattr(validator, "error", None) not in (None, getattr(validator, "default_message", None)):
        return
    for kind, words in _VALIDATOR_CODES:
        if isinstance(validator, kind):
            for name, word in words.items():
                setattr(validator, name, word)
            return


class ReplySchema(Schema):
    """Base of replies. Every field is sent, unless its metadata says `optional`."""

    class Meta:
        unknown = RAISE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = not field_obj.metadata.get("optional", False)

    @post_dump
    def _refuse_holes(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        holes = [
            name for name, field in self.dump_fields.items() if field.required and (field.data_key or name) not in data
        ]
        if holes:
            raise LookupError(f"{type(self).__name__} has nothing for: {', '.join(holes)}")
        return data


class Instant(fields.Field[datetime]):
    """An instant, `2026-11-22T02:00:00.000Z`. Only UTC with `Z` is taken."""

    fault = "not_an_instant"
    default_error_messages = {"invalid": fault}  # noqa: RUF012 - marshmallow's own attribute

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else instant_text(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or not _INSTANT.fullmatch(value):
            raise self.make_error("invalid")
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise self.make_error("invalid") from error


class Day(fields.Field[date]):
    """A calendar day at the hospital, `2026-11-22`."""

    fault = "not_a_day"
    default_error_messages = {"invalid": fault}  # noqa: RUF012 - marshmallow's own attribute

    def _serialize(self, value: date | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise self.make_error("invalid")
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise self.make_error("invalid") from error


class Id(fields.UUID):
    """An id of ours, in the one spelling we send."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> UUID:
        if not isinstance(value, str) or not _UUID.fullmatch(value):
            raise self.make_error("invalid_uuid")
        return UUID(value)


class Whole(fields.Integer):
    """A whole number as JSON has it: `true`, `1.0` and `"1"` are none. In a query, where all is text, use Count."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid")
        if abs(value) > SAFE_INTEGER:
            raise self.make_error("too_large")
        return value


class Degrees(fields.Float):
    """A number as JSON has it, as of a place on earth."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid")
        if abs(value) > SAFE_INTEGER:
            raise self.make_error("too_large")
        return float(value)


class Count(fields.Integer):
    """A whole number in a query string, in plain digits."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not _WHOLE_TEXT.fullmatch(value):
            raise self.make_error("invalid")
        return int(value)


class Flag(fields.Boolean):
    """`true` or `false`, and nothing that resembles them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Text(fields.String):
    """A string of 1 to `longest` characters, or 0 with `empty=True`; control characters are refused.

    Line feeds and tabs pass where `lines` is set.
    """

    def __init__(self, longest: int, *, empty: bool = False, lines: bool = False, **more: Any) -> None:
        also = more.pop("validate", None)
        checks = [] if also is None else list(also) if isinstance(also, list | tuple) else [also]
        size = validate.Length(min=0 if empty else 1, max=longest)
        super().__init__(validate=[size, _no_controls(lines), *checks], **more)


def _no_controls(lines: bool) -> validate.Regexp:
    kept = r"\t\n\r" if lines else ""
    return validate.Regexp(
        rf"(?s:[^\x00-\x1f\x7f-\x9f]|[{kept}])*\Z" if kept else r"[^\x00-\x1f\x7f-\x9f]*\Z", error="invalid_character"
    )


class Word(fields.String):
    """One word of a closed list. Loads into the member of the enumeration and dumps the word."""

    def __init__(self, words: type[StrEnum], **more: Any) -> None:
        self.words = words
        super().__init__(validate=validate.OneOf([str(word) for word in words]), **more)

    def _validate(self, value: Any) -> None:
        super()._validate(str(value))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return self.words(text)
        except ValueError:
            return text  # refused by the validator, as any other unknown word


CURSOR = {"description": "the `next_cursor` of the page before; whatever else stands here is refused"}


class PageQuery(Strict):
    """The query of a list. Lists with filters inherit from it."""

    cursor = fields.String(load_default=None, validate=validate.Length(max=100), metadata=CURSOR)
    limit = Count(load_default=20, validate=validate.Range(min=1, max=100))


@cache
def page_schema(item: type[ReplySchema]) -> type[ReplySchema]:
    """The reply schema of one page of `item`: `{"items": [...], "next_cursor": null | "..."}`."""
    name = f"{item.__name__.removesuffix('Schema')}PageSchema"
    parts = {
        "items": fields.List(fields.Nested(item), metadata={"description": "in a stable order"}),
        "next_cursor": fields.String(allow_none=True, metadata={"description": "null on the last page"}),
    }
    return type(name, (ReplySchema,), parts)
