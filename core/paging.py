"""Pages of a list in the order of its ids, which is the order of making. No page is ever counted or skipped to."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.errors import FieldError, ValidationFailed

T = TypeVar("T")

LARGEST_PAGE = 100
_VERSION = b"\x01"


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items, and the cursor that asks for those after them (None on the last page)."""

    items: Sequence[T]
    next_cursor: str | None


def page_of(
    session: Session,
    statement: Select[T],
    id_column: InstrumentedAttribute[UUID],
    *,
    cursor: str | None,
    limit: int,
    newest_first: bool = False,
) -> Page[T]:
    """One page of `statement`, which selects one entity and has no order of its own.

    The cursor is a place and no permission: the statement itself says whose rows these are.
    Raises: ValidationFailed."""
    limit = max(1, min(limit, LARGEST_PAGE))
    if cursor is not None:
        after = read_cursor(cursor)
        statement = statement.where(id_column < after if newest_first else id_column > after)
    order = id_column.desc() if newest_first else id_column.asc()
    found = list(session.scalars(statement.order_by(order).limit(limit + 1)))
    items = found[:limit]
    more = len(found) > limit
    return Page(items, make_cursor(_id_of(items[-1], id_column)) if more else None)


def make_cursor(last: UUID) -> str:
    """An opaque word for the place after `last`."""
    return base64.urlsafe_b64encode(_VERSION + last.bytes).rstrip(b"=").decode()


def read_cursor(cursor: str) -> UUID:
    """Raises: ValidationFailed."""
    try:
        raw = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 17 or raw[:1] != _VERSION:
        raise ValidationFailed(FieldError("?cursor", "invalid_cursor"))
    return UUID(bytes=raw[1:])


def _id_of(item: Any, id_column: InstrumentedAttribute[UUID]) -> UUID:
    found: UUID = getattr(item, id_column.key)
    return found
