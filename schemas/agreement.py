"""Agreements: a grown-up's word that an account may book for them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from models.agreement import AgreementWay
from schemas.base import Instant, ReplySchema, Strict, Text, Word
from schemas.otp import otp_field
from schemas.sparse import SparseReply


class AskedWay(StrEnum):
    """What can be asked for."""

    PHONE_CODE = "phone_code"


class SaidWay(StrEnum):
    """What can be said here; the third way is the desk's."""

    PHONE_CODE = "phone_code"
    FACE = "face"


_VERSION = {"description": "of the text that the person was shown", "example": "2026-11"}


class AskAgreementSchema(Strict):
    examples = {"phone_code": {"way": "phone_code"}}  # noqa: RUF012
    way = Word(AskedWay, required=True, metadata={"description": "a code to the dependent's own phone"})


class AskedAgreementSchema(ReplySchema):
    phone_masked = fields.String(metadata={"description": "where the code went", "example": "139****0000"})
    expires_at = Instant(metadata={"description": "from then on the code is good for nothing"})
    again_at = Instant(metadata={"description": "when another code may be asked for, at the earliest"})
    version = fields.String(metadata=_VERSION)
    title = fields.String(metadata={"example": "同意他人为本人预约"})
    text = fields.String(
        metadata={"description": "what the person agrees to; show it to them", "example": "您可以随时撤回。"}
    )


class GiveAgreementSchema(Strict):
    examples = {  # noqa: RUF012
        "phone_code": {"way": "phone_code", "version": "2026-11", "otp": "012345"},
        "face": {"way": "face", "version": "2026-11"},
    }
    way = Word(
        SaidWay,
        required=True,
        metadata={"description": "`face`: a face check of this dependent was passed within a day, and says it once"},
    )
    version = Text(32, required=True, metadata=_VERSION)
    otp = otp_field()

    @validates_schema
    def _otp_with_its_way(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("otp" in data) is not (data.get("way") is SaidWay.PHONE_CODE):
            raise ValidationError({"otp": ["not_allowed" if "otp" in data else "missing"]})


class AgreementSchema(SparseReply):
    status = fields.String(
        validate=validate.OneOf(["not_needed", "needed", "given", "revoked"]),
        metadata={"description": "whether the dependent has agreed to be booked for; asked of those from 18 to 59"},
    )
    at = Instant(metadata={"optional": True, "description": "when it was given or revoked"})
    way = Word(AgreementWay, metadata={"optional": True})


class GivenAgreementSchema(SparseReply):
    """Dumps a core.dependents.agreed_by_me.GivenAgreement."""

    id = fields.UUID()
    given_at = Instant()
    way = Word(AgreementWay)
    holder_masked = fields.String(
        metadata={"optional": True, "description": "who books, as far as the account says it", "example": "测*"}
    )
