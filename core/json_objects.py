"""JSON objects that have one meaning, whoever reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any


class KeyTwice(ValueError):
    """`keys` stand twice in one object. Its text does not tell them: who sent them may be anybody."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__("a key stands there twice")
        self.keys = keys


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs, for `json.loads`. Raises: KeyTwice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise KeyTwice(sorted(key for key, count in Counter(key for key, _ in pairs).items() if count > 1))
    return found
