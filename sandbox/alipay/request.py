"""A request to the gateway as it was sent: query and body merged, its charset, and who it says it is (section 1)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from sandbox.alipay.wire import CHARSETS, decrypt, text_to_sign
from sandbox.exchange import compact_json

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class GatewayRequest:
    """The parameters of a call.

    `blind`: the body holds more than ASCII, but the query does not say in which charset, and there the gateway looks.
    `doubled`: a name came twice. `wrong_type`: the body is no form.
    """

    params: Mapping[str, str]
    charset: str
    blind: bool
    doubled: bool
    wrong_type: bool

    @property
    def codec(self) -> str | None:
        """Python's name of the charset; None for one the gateway does not know."""
        return CHARSETS.get(self.charset.lower())

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the content comes encrypted."""
        return "encrypt_type" in self.params

    def get(self, name: str) -> str:
        """A parameter, empty where there is none: an empty one is dropped on arrival."""
        return self.params.get(name, "")

    @cached_property
    def signed_text(self) -> str:
        """What the signature covers; `sign_type` stays in."""
        return text_to_sign(self.params)

    def content(self, aes_key: str | None) -> dict[str, Any] | None:
        """The JSON object of `biz_content`, opened where it came encrypted; None where it is none."""
        raw: str | None = self.get("biz_content") or "{}"
        if self.is_encrypted and aes_key is not None:
            raw = decrypt(aes_key, self.get("biz_content"))
        try:
            value = json.loads(raw or "")
            compact_json(value)  # half a surrogate pair can be parsed, but neither written down nor sent
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


def read_request(query: str, body: bytes, mimetype: str) -> GatewayRequest:
    """Read what was sent. Nothing is refused here: the call is logged first."""
    in_query = dict(parse_qsl(query, keep_blank_values=True)).get("charset", "")
    codec = CHARSETS.get(in_query.lower(), "utf-8")
    wrong_type = bool(body) and mimetype != FORM
    text = "" if wrong_type else body.decode("latin-1")
    pairs = [
        (name, value)
        for part in (query, text)
        for name, value in parse_qsl(part, keep_blank_values=True, encoding=codec, errors="replace")
    ]
    params = dict(pairs)
    blind = not in_query and not unquote_to_bytes(text.encode("latin-1")).isascii()
    return GatewayRequest(params, params.get("charset", ""), blind, len(params) != len(pairs), wrong_type)
