"""The key file: three rings that are never mixed, readable by its owner only."""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.sealing import KeyRing

RINGS = ("sealing", "hashing", "tickets")
_KEY_BYTES = 32
_LARGEST_ID = 2**16 - 1


class KeysUnusable(Exception):
    """The key file cannot be used. The message names the fault and never a key."""


@dataclass(frozen=True)
class Keys:
    """`sealing` encrypts columns, `hashing` makes the digests they are found by, `tickets` signs visit passes."""

    sealing: KeyRing = field(repr=False)
    hashing: KeyRing = field(repr=False)
    tickets: KeyRing = field(repr=False)


def make_keys() -> dict[str, Any]:
    """The content of a new key file, with one fresh key in each ring."""
    return {ring: {"active": 1, "keys": {"1": base64.b64encode(os.urandom(_KEY_BYTES)).decode()}} for ring in RINGS}


def write_keys(path: Path) -> None:
    """Make a new key file, mode 0600. An existing one is never touched: its keys open what is stored.

    Raises: FileExistsError, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(make_keys(), file, indent=2)
        file.flush()
        os.fsync(file.fileno())


def read_keys(path: Path) -> Keys:
    """Raises: KeysUnusable."""
    try:
        with path.open("rb") as file:
            _require_private(file.fileno())
            content = json.loads(file.read())
    except OSError as error:
        raise KeysUnusable(f"cannot be read ({error.strerror})") from None
    except ValueError:
        raise KeysUnusable("is not JSON") from None
    if not isinstance(content, dict):
        raise KeysUnusable("is not a JSON object")
    rings = {name: _ring(name, content.get(name)) for name in RINGS}
    every = [key for ring in rings.values() for key in ring.keys.values()]
    if len(set(every)) != len(every):
        raise KeysUnusable("uses one key twice: each ring needs keys of its own")
    return Keys(**rings)


def _require_private(descriptor: int) -> None:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise KeysUnusable("is not a regular file")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise KeysUnusable("can be read by others: its mode must be 0600")


def _ring(name: str, content: Any) -> KeyRing:
    if not isinstance(content, Mapping) or not isinstance(content.get("keys"), Mapping):
        raise KeysUnusable(f'lacks the ring "{name}"')
    keys = {_key_id(name, key_id): _key(name, value) for key_id, value in content["keys"].items()}
    active = content.get("active")
    if isinstance(active, bool) or not isinstance(active, int) or active not in keys:
        raise KeysUnusable(f'names no active key in the ring "{name}"')
    return KeyRing(active, keys)


def _key_id(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _LARGEST_ID):
        raise KeysUnusable(f'has a key id in the ring "{name}" that is no number from 1 to {_LARGEST_ID}')
    return int(text)


def _key(name: str, value: Any) -> bytes:
    try:
        key = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        key = b""
    if len(key) != _KEY_BYTES or len(set(key)) == 1:
        raise KeysUnusable(f'has a key in the ring "{name}" that is not {_KEY_BYTES} random bytes in base64')
    return key


def main() -> None:
    """`python -m miniapp_api.keys FILE`: the first keys, made before any app can start."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m miniapp_api.keys FILE")
    try:
        write_keys(Path(sys.argv[1]))
    except FileExistsError:
        sys.exit(f"{sys.argv[1]} exists already; keys are never overwritten")
    except OSError as error:
        sys.exit(f"{sys.argv[1]} cannot be written: {error.strerror}")


if __name__ == "__main__":
    main()
