"""What a person is told of their own data: all of it, who saw it, and what became of it."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from core.identity.consent_texts import CHINESE
from core.rights.access import AccessAction, AccessPurpose
from core.rights.holdings import HOLDINGS
from core.rights.laws import Law, law_in_words
from core.rights.retention import Outcome
from schemas.base import Instant, ReplySchema, Word

_ROWS = {"description": "each with its own fields, values in clear", "example": []}


class AccessSchema(ReplySchema):
    """Dumps a models.audit.AuditEntry."""

    id = fields.UUID()
    at = Instant()
    actor = fields.String(metadata={"description": "an operator's name, `self` or `grant_holder`", "example": "desk-1"})
    action = Word(AccessAction)
    purpose = Word(AccessPurpose, metadata={"description": "why"})
    result = fields.String(metadata={"example": "shown"})
    dependent_id = fields.UUID(allow_none=True, metadata={"description": "null where it was the account's own"})
    grant_id = fields.UUID(
        allow_none=True, metadata={"description": "the grant under which another account did it", "example": None}
    )


class KeptSchema(ReplySchema):
    """Dumps a core.rights.close.Kept."""

    kind = fields.String(
        metadata={
            "description": "as in the export; twice where of some it is kept and of others not",
            "example": "payments",
        }
    )
    count = fields.Integer(metadata={"description": "rows"})
    outcome = Word(Outcome, metadata={"description": "`restricted`: stored only, shown to nobody"})
    law = fields.String(
        metadata={
            "description": "what wants it so, by its full name",
            "example": law_in_words(Law.MINIMUM, language=CHINESE),
        }
    )
    lasts_days = fields.Integer(allow_none=True, metadata={"description": "null where nothing of it is left"})


class ClosingSchema(ReplySchema):
    """Dumps a core.rights.close.Closing."""

    closed_at = Instant()
    items = fields.List(fields.Nested(KeptSchema))


def _rows(name: str) -> fields.Field[Any]:
    row = fields.Dict(metadata={"example": {}})
    return row if name == "account" else fields.List(row, metadata=_ROWS)


AccountExportSchema: type[ReplySchema] = ReplySchema.from_dict(  # type: ignore[assignment]
    {"exported_at": fields.String(metadata={"example": "2026-11-25T02:00:00.000Z"})}
    | {one.name: _rows(one.name) for one in HOLDINGS}
    | {"moves": fields.List(fields.Dict(), metadata=_ROWS)},
    name="AccountExportSchema",
)
"""Dumps what core.rights.export.export_account made."""
