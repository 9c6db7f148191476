"""Examples of payloads, put together from what their fields say, so that they cannot fall behind the shapes.

A field's metadata may name its `example`, as it travels. Ids, instants, days, closed words, numbers and nested shapes
have one by their kind; what may be null is null, but a nested shape; text has none but its own. Of a request's
optional fields only those with an example of their own are shown. A shape with several faces names them in `examples`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import Enum
from typing import Any

from marshmallow import Schema, fields, validate

from schemas.base import Day, Instant, Strict

_BY_KIND: tuple[tuple[type[fields.Field[Any]], Any], ...] = (
    (Instant, "2026-11-25T02:00:00.000Z"),
    (Day, "2026-11-25"),
    (fields.Boolean, True),
    (fields.Mapping, {}),
)
_DEEPEST = 4  # departments hold departments


class NoExample(LookupError):
    """A text of which no example is known."""


def examples_of(kind: type[Schema]) -> dict[str, Any]:
    """Examples of a payload by name, as they travel. Raises: NoExample."""
    named: Mapping[str, Any] = getattr(kind, "examples", {})
    return dict(named) or {"example": _example(kind(), _thing(kind), 0)}


def an_id(thing: str) -> str:
    """The same id for the same kind of thing in every example."""
    return f"019abf4d-c000-7000-8000-{hashlib.sha256(thing.encode()).hexdigest()[:12]}"


def _thing(kind: type[Schema]) -> str:
    name = kind.__name__.removesuffix("Schema").removesuffix("Reply")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")


def _example(schema: Schema, thing: str, depth: int) -> dict[str, Any]:
    return {
        field.data_key or name: _value(field, name, thing, depth)
        for name, field in schema.fields.items()
        if "example" in field.metadata or not _may_be_left_out(schema, field)
    }


def _may_be_left_out(schema: Schema, field: fields.Field[Any]) -> bool:
    return not field.required if isinstance(schema, Strict) else bool(field.metadata.get("optional"))


def _value(field: fields.Field[Any], name: str, thing: str, depth: int) -> Any:
    if "example" in field.metadata:
        return field.metadata["example"]
    if isinstance(field, fields.Nested):
        return _example(field.schema, name, depth + 1)
    if isinstance(field, fields.List):
        return _items(field, depth)
    if isinstance(field, fields.UUID):
        return an_id(thing if name == "id" else name.removesuffix("_id"))
    if isinstance(field, fields.Enum):
        return next(member.value for member in field.enum)
    return _plain(field, name)


def _items(field: fields.List[Any], depth: int) -> list[Any]:
    inner = field.inner
    if not isinstance(inner, fields.Nested):
        return [_value(inner, "", "", depth)]
    return [_example(inner.schema, _thing(type(inner.schema)), depth + 1)] if depth < _DEEPEST else []


def _plain(field: fields.Field[Any], name: str) -> Any:
    if field.allow_none:
        return None
    for kind, value in _BY_KIND:
        if isinstance(field, kind):
            return value
    if (word := _first_word(field)) is not None:
        return word
    if isinstance(field, fields.Number):
        return 1500 if name.endswith("_fen") else 1
    raise NoExample(name)


def _first_word(field: fields.Field[Any]) -> Any:
    """Of a closed list."""
    for validator in field.validators:
        if isinstance(validator, validate.OneOf):
            word = next(iter(validator.choices))
            return word.value if isinstance(word, Enum) else word
        if isinstance(validator, validate.Equal):
            return validator.comparable
    return None
