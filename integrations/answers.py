"""How every adapter reads a platform's answer: what fits a schema is taken, the rest is ignored or unknown."""

from __future__ import annotations

from typing import Any, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

from core.ports import ProviderUnavailable


class AnswerSchema(Schema):
    """What a platform leaves out it sometimes sends as null or as an empty text: both count as absent."""

    class Meta:
        unknown = EXCLUDE

    @pre_load
    def _drop_empty(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None and value != ""}


def text(longest: int, *, required: bool = False, data_key: str | None = None) -> fields.String:
    """A text of 1 to `longest` characters, under the name `data_key` on the wire."""
    return fields.String(required=required, data_key=data_key, validate=validate.Length(min=1, max=longest))


def load(schema: Schema, content: Any) -> dict[str, Any]:
    """Raises: ValidationError."""
    return cast("dict[str, Any]", schema.load(content))


def load_answer(schema: Schema, content: Any) -> dict[str, Any]:
    """Raises: ProviderUnavailable."""
    try:
        return load(schema, content)
    except ValidationError as error:
        raise misfit(error) from None


def misfit(error: ValidationError) -> ProviderUnavailable:
    """For an answer that does not fit: names its fields, never their values.

    To be raised `from None`: the error of marshmallow carries the whole answer.
    """
    return ProviderUnavailable(f"answer does not fit: {', '.join(sorted(map(str, error.messages_dict)))}")
