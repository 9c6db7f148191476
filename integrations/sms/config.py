"""What an account for text messages must know. Checked when it is made; an error names the field, never its value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from core.ports import TextKind
from integrations.accounts import DIGITS, WORD, require_match, require_plain_url

ALIYUN, TENCENT = "aliyun", "tencent"
OWN_URLS = {ALIYUN: "https://dysmsapi.aliyuncs.com", TENCENT: "https://sms.tencentcloudapi.com"}
"""Where each platform listens, by provider."""

DEFAULT_REGION = "ap-guangzhou"

_WITH_APP = frozenset({TENCENT})
"""Where messages go through an application of their own, in a region."""

_SIGN_NAME = re.compile(r"[^\x00-\x20\x7f-\x9f【】]{1,32}")
_REGION = re.compile(r"[a-z]{2}-[a-z]{1,24}(-[0-9])?")


@dataclass(frozen=True)
class SmsAccount:
    """One account, with the signature and the two templates that were approved for it.

    Each template has one variable, the code: named `code` at Aliyun, `{1}` at Tencent. `agreement_template_id` is of
    the text by which a grown-up agrees to be booked for. `sdk_app_id` and `region` are Tencent's alone. Without
    `base_url` it is the platform's own. Raises: ValueError.
    """

    provider: str
    access_key_id: str
    access_key_secret: str = field(repr=False)
    sign_name: str
    template_id: str
    agreement_template_id: str
    sdk_app_id: str | None = None
    region: str | None = None
    base_url: str = ""

    def __post_init__(self) -> None:
        if self.provider not in OWN_URLS:
            raise ValueError(f"provider must be one of: {', '.join(sorted(OWN_URLS))}")
        require_match(WORD, "access_key_id", self.access_key_id)
        require_match(WORD, "access_key_secret", self.access_key_secret)
        require_match(_SIGN_NAME, "sign_name", self.sign_name)
        require_match(WORD, "template_id", self.template_id)
        require_match(WORD, "agreement_template_id", self.agreement_template_id)
        if self.agreement_template_id == self.template_id:
            raise ValueError("agreement_template_id is the same as template_id")
        self._require_app()
        if not self.base_url:
            object.__setattr__(self, "base_url", OWN_URLS[self.provider])
        require_plain_url("base_url", self.base_url)
        if self.base_url.rstrip("/") in {url for name, url in OWN_URLS.items() if name != self.provider}:
            raise ValueError("base_url is another platform's")

    def _require_app(self) -> None:
        """Raises: ValueError."""
        if self.provider in _WITH_APP:
            require_match(DIGITS, "sdk_app_id", self.sdk_app_id or "")
            object.__setattr__(self, "region", self.region or DEFAULT_REGION)
            require_match(_REGION, "region", self.region or "")
        elif self.sdk_app_id is not None or self.region is not None:
            raise ValueError("sdk_app_id and region belong to another provider")

    def template(self, kind: TextKind) -> str:
        """The platform's number of the text of this kind."""
        return {TextKind.CODE: self.template_id, TextKind.AGREEMENT: self.agreement_template_id}[kind]

    @property
    def url(self) -> str:
        """Where calls go; the path ends in a slash, and at the platform itself it is nothing else."""
        return f"{self.base_url.rstrip('/')}/"

    @property
    def host(self) -> str:
        """The Host header: with its port where it has one."""
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        return urlsplit(self.url).path
