"""Grants: what is offered, and what is given and held."""

from __future__ import annotations

from marshmallow import fields, validate

from core.dependents.grants import LONGEST
from models.account import Provider
from models.grant import EndedBy, GrantState, Scope
from schemas.base import Flag, Id, Instant, ReplySchema, Strict, Text, Word

_SCOPES = {"description": "`book` brings `see` with it", "example": ["see", "book", "pay"]}


class OfferGrantSchema(Strict):
    dependent_id = Id(required=True, metadata={"description": "oneself: 18 or older, and matched at the least"})
    scopes = fields.List(Word(Scope), required=True, validate=validate.Length(min=1, max=9), metadata=_SCOPES)
    to_at = Instant(
        required=True,
        metadata={
            "description": f"when it ends by itself, within {LONGEST.days} days",
            "example": "2027-05-31T16:00:00.000Z",
        },
    )


class GrantOfferSchema(ReplySchema):
    """Dumps a core.dependents.grants.Offer."""

    id = fields.UUID()
    code = fields.String(metadata={"description": "to be passed on; never told again", "example": "7KQM-2XHD-9RTB"})
    expires_at = Instant(metadata={"description": "until then the code can be typed"})


class AcceptGrantSchema(Strict):
    code = Text(
        40,
        required=True,
        metadata={"description": "capital or small, with or without hyphens", "example": "7KQM-2XHD-9RTB"},
    )


class GrantedDependentSchema(ReplySchema):
    id = fields.UUID(metadata={"description": "to book for"})
    name_masked = fields.String(metadata={"example": "测**"})


class OtherSideSchema(ReplySchema):
    name_masked = fields.String(
        allow_none=True, metadata={"description": "of who is `self` there; null where nobody is", "example": "测**"}
    )
    wallet = Word(Provider, metadata={"description": "where the other account was first seen"})


class GrantSchema(ReplySchema):
    """Dumps a core.dependents.grants.GrantView."""

    id = fields.UUID(attribute="grant.id")
    given = Flag(metadata={"description": "true on the granter's side, false on the holder's"})
    state = Word(GrantState)
    scopes = fields.List(Word(Scope), attribute="grant.scopes", metadata=_SCOPES)
    dependent = fields.Nested(
        GrantedDependentSchema,
        allow_none=True,
        metadata={"description": "who it is about; null for the holder once it is over"},
    )
    other = fields.Nested(
        OtherSideSchema,
        allow_none=True,
        metadata={"description": "the other side; null until the code was typed, and for the holder once it is over"},
    )
    offered_at = Instant(attribute="grant.offered_at")
    from_at = Instant(attribute="grant.accepted_at", allow_none=True)
    to_at = Instant(attribute="grant.to_at")
    ended_at = Instant(attribute="grant.ended_at", allow_none=True)
    ended_by = Word(EndedBy, attribute="grant.ended_by", allow_none=True)
