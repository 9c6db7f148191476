"""What the official account's adapters must know, checked when it is made.

An error names the field and never shows its value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from integrations.wechat.config import MINIAPP_URL, MiniappAccount, require_notify_url

OPEN_URL = "https://open.weixin.qq.com"

_TOKEN = re.compile(r"[0-9A-Za-z]{3,32}")
_ENCODING_AES_KEY = re.compile(r"[0-9A-Za-z+/]{43}")
_NAME = re.compile(r"[0-9A-Za-z_.-]{1,128}")


class PushMode(StrEnum):
    """How pushes must come: the console's 明文, 安全 and 兼容模式.

    In plain mode nothing proves the body: the signature covers the token, a stamp and a nonce only, so whoever has seen
    one push can put any words under it. `both` is for the hours of a switch-over and as weak as `plain`.
    """

    PLAIN = "plain"
    SECURE = "secure"
    BOTH = "both"


@dataclass(frozen=True)
class OfficialAccountConfig:
    """One official account: `app` is our name of it, `miniapp` that of the mini-program that goes with it.

    `base_url` and `open_url` stand for api.weixin.qq.com and open.weixin.qq.com; `original_id` is the gh_… name that
    pushes are addressed to, compared where it is given. Raises: ValueError.
    """

    app: str
    appid: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    encoding_aes_key: str = field(repr=False)
    miniapp: str
    base_url: str = MINIAPP_URL
    open_url: str = OPEN_URL
    original_id: str = ""
    push_mode: PushMode = PushMode.SECURE

    def __post_init__(self) -> None:
        # Towards api.weixin.qq.com it is what a mini-program is: the same fields with the same rules.
        MiniappAccount(self.app, self.appid, self.secret, self.base_url)
        require_notify_url("open_url", self.open_url)
        _require(_TOKEN.fullmatch(self.token), "token must be 3 to 32 letters and digits")
        _require(_ENCODING_AES_KEY.fullmatch(self.encoding_aes_key), "encoding_aes_key must be 43 characters of base64")
        _require(_NAME.fullmatch(self.miniapp), "miniapp is missing or has characters that do not belong there")
        _require(not self.original_id or _NAME.fullmatch(self.original_id), "original_id has foreign characters")
        _require(self.push_mode in set(PushMode), f"push_mode must be one of: {', '.join(PushMode)}")


def _require(fits: object, complaint: str) -> None:
    if not fits:
        raise ValueError(complaint)
