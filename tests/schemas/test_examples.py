"""Every shape has an example that is one: what a request shows can be sent, and nothing is shown that has no shape."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest
from marshmallow import Schema, ValidationError, fields

import schemas
from schemas.base import Day, Instant, ReplySchema, Strict, Text
from schemas.examples import NoExample, an_id, examples_of

MODULES = [importlib.import_module(f"schemas.{found.name}") for found in pkgutil.iter_modules(schemas.__path__)]
BASES = {"Strict", "ReplySchema", "PageQuery", "SparseReply"}


def kinds_of(base: type[Schema]) -> list[type[Schema]]:
    found = {kind for module in MODULES for kind in vars(module).values() if isinstance(kind, type)}
    return sorted((kind for kind in found if issubclass(kind, base) and kind.__name__ not in BASES), key=str)


@pytest.mark.parametrize("kind", kinds_of(Strict), ids=lambda kind: kind.__name__)
def test_every_example_of_a_request_can_be_sent(kind: type[Strict]) -> None:
    for example in examples_of(kind).values():
        kind().load({name: _as_sent(kind, name, value) for name, value in example.items()})


def _as_sent(kind: type[Strict], name: str, value: Any) -> Any:
    """Numbers of a query are digits; of a body they are numbers."""
    return str(value) if kind.__name__.endswith("Query") and isinstance(value, int) else value


@pytest.mark.parametrize("kind", kinds_of(ReplySchema), ids=lambda kind: kind.__name__)
def test_every_example_of_a_reply_has_every_field_that_is_always_sent(kind: type[ReplySchema]) -> None:
    always = {field.data_key or name for name, field in kind().fields.items() if field.required}
    for example in examples_of(kind).values():
        assert always <= example.keys()


def test_an_example_is_made_of_what_the_fields_say() -> None:
    class Inner(ReplySchema):
        id = fields.UUID()
        at = Instant()
        nothing = Instant(allow_none=True)

    class Shown(ReplySchema):
        hospital_id = fields.UUID()
        hospital = fields.Nested(Inner)
        others = fields.List(fields.Nested(Inner))
        fee_fen = fields.Integer()
        day = Day(data_key="on")
        name = fields.String(metadata={"example": "甲"})
        seldom = fields.String(metadata={"optional": True})

    inner = {"at": "2026-11-25T02:00:00.000Z", "nothing": None}
    assert examples_of(Shown)["example"] == {
        "hospital_id": an_id("hospital"),
        "hospital": {"id": an_id("hospital")} | inner,
        "others": [{"id": an_id("inner")} | inner],
        "fee_fen": 1500,
        "on": "2026-11-25",
        "name": "甲",
    }


def test_a_text_without_an_example_is_named() -> None:
    class Silent(Strict):
        unsaid = Text(9, required=True)

    with pytest.raises(NoExample, match="unsaid"):
        examples_of(Silent)


def test_a_shape_with_several_faces_shows_them_by_name() -> None:
    class TwoFaced(Strict):
        examples = {"by_code": {"code": "1"}, "by_hand": {"typed": "2"}}  # noqa: RUF012
        code = Text(9)
        typed = Text(9)

    assert examples_of(TwoFaced) == {"by_code": {"code": "1"}, "by_hand": {"typed": "2"}}
    for example in examples_of(TwoFaced).values():
        TwoFaced().load(example)
    with pytest.raises(ValidationError):
        TwoFaced().load({"neither": "3"})
