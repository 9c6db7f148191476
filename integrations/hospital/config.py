"""What an account at a hospital's own system must know. Checked when it is made; an error never shows a value."""

from __future__ import annotations

from dataclasses import dataclass, field

from integrations.accounts import WORD, require_match, require_plain_url

SHORTEST_SECRET = 32


@dataclass(frozen=True)
class HospitalSystemAccount:
    """`system` is the name under which hospitals are connected to it. Raises: ValueError."""

    system: str
    key_id: str
    secret: str = field(repr=False)
    base_url: str

    def __post_init__(self) -> None:
        require_match(WORD, "system", self.system)
        require_match(WORD, "key_id", self.key_id)
        require_match(WORD, "secret", self.secret)
        if len(self.secret) < SHORTEST_SECRET:
            raise ValueError(f"secret has less than {SHORTEST_SECRET} characters")
        require_plain_url("base_url", self.base_url)

    @property
    def url(self) -> str:
        return self.base_url.rstrip("/")
