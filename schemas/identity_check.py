"""Identity checks: begin one, and hear how it ended."""

from __future__ import annotations

from marshmallow import fields

from models.identity_check import IdentityCheckStatus, IdentityMethod
from schemas.base import Id, Instant, Strict, Word
from schemas.otp import otp_field
from schemas.sparse import SparseReply

_REASON = {
    "optional": True,
    "description": "why it failed, a stable word: expired, start_refused, start_lost, consent_withdrawn, corrected, "
    "not_confirmed, mismatch, no_record, number_mismatch, face_mismatch, cancelled, device, timeout and others",
}
_SHOWN = {"description": "pending, passed or failed; an expired check is failed, with the reason expired"}


class BeginCheckSchema(Strict):
    method = Word(IdentityMethod, required=True)


class IdentityCheckSchema(SparseReply):
    id = Id()
    method = Word(IdentityMethod)
    status = Word(IdentityCheckStatus, metadata=_SHOWN)
    expires_at = Instant(metadata={"example": "2026-11-25T03:00:00.000Z"})
    client_params = fields.Dict(
        keys=fields.String(),
        metadata={
            "description": "goes unchanged to the platform's component; empty for the desk",
            "example": {"verifyId": "0AnHqJqTzQ2v"},
        },
    )
    reason = fields.String(metadata=_REASON)


class CompleteCheckSchema(Strict):
    client_result = fields.Dict(
        keys=fields.String(), metadata={"description": "what the platform's component told the client; never proof"}
    )

    otp = otp_field()


class CheckStateSchema(SparseReply):
    status = Word(IdentityCheckStatus, metadata=_SHOWN)
    level = fields.Integer(metadata={"description": "what the dependent is proven to now"})
    reason = fields.String(metadata=_REASON)
