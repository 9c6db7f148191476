"""How our column types are written into a migration: as what the database sees, so that a later change of the
classes never changes what an old migration did."""

from __future__ import annotations

from typing import Any, Literal

from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Enum

from models.base import Document, UTCDateTime


def render_item(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """For alembic's `render_item`; False leaves an item to alembic."""
    if kind != "type":
        return False
    if isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, Document):
        context.imports.add("from sqlalchemy.dialects.postgresql import JSONB")
        return 'sa.JSON().with_variant(JSONB(), "postgresql")'
    if isinstance(item, Enum) and not item.native_enum:
        return f"sa.String({item.length})"
    return False
