"""Numbers that are kept sealed only: opened for a reply, and masked before anybody sees them.

The reply is dumped inside of `opened_with`, by which the fields reach the vault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from marshmallow import fields

from models.sealing import Vault

_VAULT: ContextVar[Vault] = ContextVar("vault of the reply")


@contextmanager
def opened_with(vault: Vault) -> Iterator[None]:
    """What is dumped meanwhile is opened with this vault."""
    token = _VAULT.set(vault)
    try:
        yield
    finally:
        _VAULT.reset(token)


class Masked(fields.String):
    """`opened` takes the object that is dumped and gives the value in clear, None where there is none; of it only what
    `mask` leaves goes out. Raises: SealBroken where the value does not open."""

    _CHECK_ATTRIBUTE = False

    def __init__(self, mask: Callable[[str], str], opened: Callable[[Any, Vault], str | None], **more: Any) -> None:
        super().__init__(**more)
        self.mask, self.opened = mask, opened

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        plain = self.opened(obj, _VAULT.get())
        return None if plain is None else self.mask(plain)
