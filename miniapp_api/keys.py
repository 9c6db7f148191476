"""The key file: three rings that are never mixed, readable by its owner only.

`{"sealing": {"active": 2, "keys": {"1": "…", "2": {"algorithm": "sm4-gcm", "key": "…"}}}, "hashing": …, "tickets": …}`
A key that stands alone is of the suite `aes`. An id belongs to one key for ever: it stands beside what was stored.
`python -m miniapp_api.keys FILE` makes the file, and with `--add` it gives each ring a new key.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import fcntl
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.ciphers import ALGORITHMS, HASHING_KEY_BYTES, Suite
from models.sealing import KeyRing
from models.vault_key import Ring

SUITE_VARIABLE = "CRYPTO_SUITE"
LARGEST_ID = 2**16 - 1


class KeysUnusable(Exception):
    """The key file cannot be used. The message names the fault and never a key."""


@dataclass(frozen=True)
class Keys:
    """`sealing` encrypts columns, `hashing` makes the digests they are found by, `tickets` signs visit passes."""

    sealing: KeyRing = field(repr=False)
    hashing: KeyRing = field(repr=False)
    tickets: KeyRing = field(repr=False)

    @property
    def suites(self) -> set[Suite]:
        """Of the active keys."""
        rings = (self.sealing, self.hashing, self.tickets)
        return {ring.suites.get(ring.active, Suite.AES) for ring in rings}


def suite_wanted(environ: Mapping[str, str]) -> Suite | None:
    """The suite that `CRYPTO_SUITE` asks for; None where it says nothing. Raises: KeysUnusable."""
    word = environ.get(SUITE_VARIABLE, "").strip()
    if word and word not in set(Suite):
        raise KeysUnusable(f"{SUITE_VARIABLE} must be one of: {', '.join(Suite)}")
    return Suite(word) if word else None


def algorithm_of(ring: Ring, suite: Suite) -> tuple[str, int]:
    """What a key of this ring is used with, by name, and how many bytes it has."""
    algorithms = ALGORITHMS[suite]
    if ring is Ring.SEALING:
        return algorithms.cipher, algorithms.sealing_key_bytes
    return algorithms.mac, HASHING_KEY_BYTES


def read_keys(path: Path) -> Keys:
    """Raises: KeysUnusable."""
    return parse_keys(read_content(path))


def read_content(path: Path) -> Any:
    """The JSON in a file that nobody else can read. Raises: KeysUnusable."""
    try:
        with path.open("rb") as file:
            _require_private(os.fstat(file.fileno()))
            return json.loads(file.read())
    except OSError as error:
        raise KeysUnusable(f"cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise KeysUnusable("is not JSON") from None


def parse_keys(content: Any) -> Keys:
    """Raises: KeysUnusable."""
    if not isinstance(content, dict):
        raise KeysUnusable("is not a JSON object")
    rings = {ring.value: _ring(ring, content.get(ring)) for ring in Ring}
    every = [key for ring in rings.values() for key in ring.keys.values()]
    if len(set(every)) != len(every):
        raise KeysUnusable("uses one key twice: each ring needs keys of its own")
    return Keys(**rings)


def _require_private(facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise KeysUnusable("is not a regular file")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise KeysUnusable("can be read by others: its mode must be 0600")


def _ring(ring: Ring, content: Any) -> KeyRing:
    if not isinstance(content, Mapping) or not isinstance(content.get("keys"), Mapping):
        raise KeysUnusable(f'lacks the ring "{ring}"')
    found = {_key_id(ring, key_id): _key(ring, value) for key_id, value in content["keys"].items()}
    active = content.get("active")
    if isinstance(active, bool) or not isinstance(active, int) or active not in found:
        raise KeysUnusable(f'names no active key in the ring "{ring}"')
    if len(found) != len(content["keys"]):
        raise KeysUnusable(f'names one key id twice in the ring "{ring}"')
    return KeyRing(
        active,
        {key_id: key for key_id, (_, key) in found.items()},
        {key_id: suite for key_id, (suite, _) in found.items()},
    )


def _key_id(ring: Ring, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= LARGEST_ID):
        raise KeysUnusable(f'has a key id in the ring "{ring}" that is no number from 1 to {LARGEST_ID}')
    return int(text)


def _key(ring: Ring, value: Any) -> tuple[Suite, bytes]:
    suite = Suite.AES
    if isinstance(value, Mapping):
        suite, value = _suite_named(ring, value), value.get("key")
    size = algorithm_of(ring, suite)[1]
    try:
        key = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        key = b""
    if len(key) != size or len(set(key)) == 1:
        raise KeysUnusable(f'has a key in the ring "{ring}" that is not {size} random bytes in base64')
    return suite, key


def _suite_named(ring: Ring, value: Mapping[str, Any]) -> Suite:
    names = {algorithm_of(ring, suite)[0]: suite for suite in Suite}
    named = value.get("algorithm")
    if value.keys() != {"algorithm", "key"} or not isinstance(named, str) or named not in names:
        raise KeysUnusable(
            f'has a key in the ring "{ring}" that is not {{"algorithm": {" or ".join(sorted(names))}, "key": base64}}'
        )
    return names[named]


# --- writing


def make_keys(suite: Suite | None = None) -> dict[str, Any]:
    """The content of a new key file, with one fresh key in each ring; of `aes` where nothing else is asked for."""
    chosen = suite or suite_wanted(os.environ) or Suite.AES
    return {ring.value: {"active": 1, "keys": {"1": _new_key(ring, chosen)}} for ring in Ring}


def write_keys(path: Path, suite: Suite | None = None) -> None:
    """Make a new key file, mode 0600. An existing one is never touched: its keys open what is stored.

    Raises: FileExistsError, OSError, KeysUnusable."""
    content = make_keys(suite)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_new(path, content)


def add_keys(path: Path, suite: Suite | None = None, *, standby: bool = False) -> None:
    """Give each ring a new key beside those it has, and use it from the next start on; a `standby` one only once it is
    activated. Without `suite` it is of the one in use. Raises: OSError, KeysUnusable."""

    def add(content: Any) -> None:
        keys = parse_keys(content)
        chosen = suite or suite_wanted(os.environ) or keys.sealing.suites[keys.sealing.active]
        for ring in Ring:
            newest = 1 + max(int(key_id) for key_id in content[ring]["keys"])
            if newest > LARGEST_ID:
                raise KeysUnusable(f'has no key id left in the ring "{ring}"')
            content[ring]["keys"][str(newest)] = _new_key(ring, chosen)
            content[ring]["active"] = content[ring]["active"] if standby else newest

    _change(path, add)


def activate_keys(path: Path) -> None:
    """Use the newest key of each ring from the next start on. Raises: OSError, KeysUnusable."""

    def activate(content: Any) -> None:
        parse_keys(content)
        for ring in Ring:
            content[ring]["active"] = max(int(key_id) for key_id in content[ring]["keys"])

    _change(path, activate)


def _new_key(ring: Ring, suite: Suite) -> str | dict[str, str]:
    algorithm, size = algorithm_of(ring, suite)
    key = base64.b64encode(os.urandom(size)).decode()
    return key if suite is Suite.AES else {"algorithm": algorithm, "key": key}


def _change(path: Path, change: Callable[[Any], None]) -> None:
    """Whoever reads meanwhile, or finds the file after a crash, has the old keys or the new ones as a whole."""
    path = path.resolve()
    with _only_one(path.parent):
        content = read_content(path)
        change(content)
        parse_keys(content)
        draft = path.with_name(f".{path.name}.draft")
        draft.unlink(missing_ok=True)
        _write_new(draft, content, owner=path.stat())
        draft.replace(path)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise KeysUnusable(f"cannot be read ({error.strerror})") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_new(path: Path, content: Any, *, owner: os.stat_result | None = None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if owner is not None and (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)  # the app that reads it may be another user
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())


def main() -> None:
    """`python -m miniapp_api.keys FILE`: the first keys, made before any app can start, and those that follow."""
    parser = argparse.ArgumentParser(prog="python -m miniapp_api.keys", description="Make or change a key file.")
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--suite", choices=list(Suite), help=f"algorithms of the new keys; else {SUITE_VARIABLE} says")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--add", action="store_true", help="a new key in each ring, used from the next start on")
    what.add_argument("--activate", action="store_true", help="use the newest key of each ring from the next start on")
    parser.add_argument("--standby", action="store_true", help="with --add: do not use the new keys yet")
    asked = parser.parse_args()
    if (asked.standby and not asked.add) or (asked.suite and asked.activate):
        parser.error("--standby goes with --add, and --suite does not go with --activate")
    suite = Suite(asked.suite) if asked.suite else None
    try:
        if asked.add:
            add_keys(asked.file, suite, standby=asked.standby)
        elif asked.activate:
            activate_keys(asked.file)
        else:
            write_keys(asked.file, suite)
    except FileExistsError:
        sys.exit(f"{asked.file} exists already; keys are never overwritten")
    except KeysUnusable as fault:
        sys.exit(f"{asked.file} {fault}")
    except OSError as error:
        sys.exit(f"{asked.file} cannot be written: {error.strerror}")


if __name__ == "__main__":
    main()
