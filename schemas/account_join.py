"""Accounts that can be joined, are joined, or were."""

from __future__ import annotations

from marshmallow import fields

from core.identity.join_offers import JoinState, WaitsFor
from models.account import Provider
from models.account_join import JoinReason
from schemas.base import Day, Id, Instant, ReplySchema, Strict, Word

_SINCE = {"description": "the day on which the other account was made"}
_WAITS = {"description": "whose yes is missing; null where none is"}


class SayYesSchema(Strict):
    join_id = Id(required=True, metadata={"description": "of an item that the list has shown"})


class AccountJoinSchema(ReplySchema):
    """Dumps a core.identity.join_offers.JoinView."""

    id = fields.UUID()
    state = Word(JoinState)
    reason = Word(JoinReason, metadata={"description": "what shows that both are one's own"})
    wallet = Word(Provider, metadata={"description": "where the other account was first seen"})
    since = Day(metadata=_SINCE)
    phone_masked = fields.String(
        allow_none=True, metadata={"description": "the phone that both have proven", "example": "138****0000"}
    )
    waits_for = Word(WaitsFor, allow_none=True, metadata=_WAITS)
    asked_until = Instant(allow_none=True, metadata={"description": "until then the second yes is waited for"})
    joined_at = Instant(allow_none=True)
    undo_before = Instant(allow_none=True)
    undone_at = Instant(allow_none=True)
