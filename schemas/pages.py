"""What browsers ask the web pages for, and what a page asks us for."""

from __future__ import annotations

from marshmallow import fields, validate

from core.identity.page_login import HOME, LONGEST_TARGET, TARGET
from schemas.base import Instant, ReplySchema, Strict


class PageLoginQuerySchema(Strict):
    to = fields.String(
        load_default=HOME,
        validate=[validate.Length(max=LONGEST_TARGET), validate.Regexp(TARGET)],
        metadata={"description": "the page of ours to go to afterwards", "example": HOME},
    )


class OpenMiniappQuerySchema(Strict):
    scene = fields.String(
        metadata={"description": "what to open: `doctor:`, `department:` or `appointment:` and an id"}
    )
    account = fields.String(metadata={"description": "our name of the official account; the first one without"})


class MiniappLinkSchema(ReplySchema):
    url = fields.String(
        metadata={"description": "https, opens the mini-program", "example": "https://wxaurl.cn/AbCdEfGhIjk"}
    )
    expires_at = Instant(metadata={"example": "2026-11-26T02:00:00.000Z"})


class PageSignatureQuerySchema(Strict):
    url = fields.String(
        required=True,
        validate=[validate.Length(max=1024), validate.Regexp(r"^https?://[!#-;=?-\[\]^_`a-z{|}~]+\Z")],
        metadata={"description": "of a page of ours", "example": "https://api.hospital.example/h5/"},
    )


class PageSignatureSchema(ReplySchema):
    client_params = fields.Dict(
        keys=fields.String(),
        metadata={
            "description": "goes unchanged into wx.config",
            "example": {
                "appId": "wx0000000000000001",
                "timestamp": 1795572000,
                "nonceStr": "c5d3f0a1b2e49786",
                "signature": "0f9de62fce790f9a083d5c99e95740ceb90c27ed",
            },
        },
    )
