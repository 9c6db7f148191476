"""What an account for name matching must know. Checked when it is made; an error names the field, never its value."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from integrations.accounts import WORD, require_match, require_plain_url

ALIYUN, TENCENT = "aliyun", "tencent"
OWN_URLS = {ALIYUN: "https://cloudauth.aliyuncs.com", TENCENT: "https://faceid.tencentcloudapi.com"}
"""Where each platform listens, by provider."""


@dataclass(frozen=True)
class NameMatchAccount:
    """One account. Without `base_url` it is the platform's own. Raises: ValueError."""

    provider: str
    access_key_id: str
    access_key_secret: str = field(repr=False)
    base_url: str = ""

    def __post_init__(self) -> None:
        if self.provider not in OWN_URLS:
            raise ValueError(f"provider must be one of: {', '.join(sorted(OWN_URLS))}")
        require_match(WORD, "access_key_id", self.access_key_id)
        require_match(WORD, "access_key_secret", self.access_key_secret)
        if not self.base_url:
            object.__setattr__(self, "base_url", OWN_URLS[self.provider])
        require_plain_url("base_url", self.base_url)
        if self.base_url.rstrip("/") in {url for name, url in OWN_URLS.items() if name != self.provider}:
            raise ValueError("base_url is another platform's")

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
