"""What a service of the gateway is given: who calls, with which parameters and which content."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.alipay.keys import Account
from sandbox.alipay.request import GatewayRequest


@dataclass(frozen=True)
class Call:
    """A call that has been proved and opened."""

    account: Account
    request: GatewayRequest
    content: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """A field of the content that is a text with something in it; None for anything else."""
        value = self.content.get(name)
        return value if isinstance(value, str) and value else None
