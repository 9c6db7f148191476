"""Facts of a refusal as JSON: a problem document and a reason of eligibility tell the same ones in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from marshmallow import fields

from schemas.base import instant_text


def facts_in_json(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Raises: TypeError where one is of a kind that no fact has."""
    return {name: _in_json(value) for name, value in facts.items()}


class Facts(fields.Dict):
    """Of a reply, whatever kinds a refusal has put into it."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> dict[str, Any] | None:
        return None if value is None else facts_in_json(value)


def _in_json(value: Any) -> Any:
    """Instants, days, ids and words, also within a list or an object."""
    if value is None or isinstance(value, str | int | float):  # enums of words and of numbers are such, too
        return value
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID | Enum):
        return str(value)
    if isinstance(value, Mapping):
        return facts_in_json(value)
    if isinstance(value, list | tuple):
        return [_in_json(one) for one in value]
    raise TypeError(f"{type(value).__name__} is no fact")
