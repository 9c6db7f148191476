"""What is sealed opens only where it was sealed, unchanged, under a key we still hold."""

from __future__ import annotations

import os
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import new_id
from models.sealing import KeyRing, SealBroken, Vault

KEYS = {number: bytes([number]) * 32 for number in (1, 2, 3)}
ROW = UUID("01900000-0000-7000-8000-000000000001")


def vault(active: int = 1, *known: int, hashing: int = 1) -> Vault:
    ring = {number: KEYS[number] for number in (active, *known)}
    return Vault(sealing=KeyRing(active, ring), hashing=KeyRing(hashing, KEYS))


@given(st.binary(max_size=300))
def test_what_was_sealed_opens_again(plain: bytes) -> None:
    sealed = vault().seal("dependents.name", ROW, plain)
    assert vault().open("dependents.name", ROW, sealed) == plain


def test_text_opens_as_text_and_is_not_readable_in_between() -> None:
    sealed = vault().seal("dependents.name", ROW, "测试某")
    assert "测试某".encode() not in sealed
    assert vault().open_text("dependents.name", ROW, sealed) == "测试某"


def test_the_same_value_is_sealed_differently_each_time() -> None:
    assert vault().seal("dependents.name", ROW, "x") != vault().seal("dependents.name", ROW, "x")


@pytest.mark.parametrize(
    ("purpose", "row"), [("dependents.name", new_id()), ("dependents.phone", ROW), ("dependents.nam", ROW)]
)
def test_a_value_moved_to_another_row_or_column_does_not_open(purpose: str, row: UUID) -> None:
    sealed = vault().seal("dependents.name", ROW, "x")
    with pytest.raises(SealBroken):
        vault().open(purpose, row, sealed)


def test_a_change_in_any_byte_is_refused() -> None:
    sealed = vault(1, 2).seal("dependents.name", ROW, "320106198812259988")
    for place in range(len(sealed)):
        for bit in (1, 3, 128):
            changed = bytearray(sealed)
            changed[place] ^= bit
            with pytest.raises(SealBroken):
                vault(1, 2).open("dependents.name", ROW, bytes(changed))


def test_a_value_cut_short_or_made_longer_is_refused() -> None:
    sealed = vault().seal("dependents.name", ROW, "x")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            vault().open("dependents.name", ROW, sealed[:length])
    with pytest.raises(SealBroken):
        vault().open("dependents.name", ROW, sealed + b"\0")


def test_rotation_old_values_open_and_new_ones_use_the_new_key() -> None:
    old = vault(1).seal("dependents.name", ROW, "x")
    rotated = vault(2, 1)
    assert rotated.open("dependents.name", ROW, old) == b"x"
    new = rotated.seal("dependents.name", ROW, "x")
    assert (old[2:4], new[2:4]) == (b"\0\1", b"\0\2")
    assert vault(2).open("dependents.name", ROW, new) == b"x"
    with pytest.raises(SealBroken):
        vault(1).open("dependents.name", ROW, new)


def test_a_key_of_another_number_does_not_open() -> None:
    sealed = vault(1).seal("dependents.name", ROW, "x")
    impostor = Vault(sealing=KeyRing(1, {1: KEYS[3]}), hashing=KeyRing(1, KEYS))
    with pytest.raises(SealBroken):
        impostor.open("dependents.name", ROW, sealed)


def test_a_digest_is_found_again_under_both_keys_while_they_rotate() -> None:
    old = vault(hashing=1).keyed_hash("phone", "+8613000000000")
    rotated = vault(hashing=2)
    found = rotated.keyed_hashes("phone", "+8613000000000")
    assert [one.key_id for one in found] == [2, 1, 3]
    assert old in found
    assert rotated.keyed_hash("phone", "+8613000000000") == found[0] != old


def test_a_digest_belongs_to_its_purpose_and_its_key() -> None:
    digests = {vault(hashing=key).keyed_hash(what, "x").digest for key in (1, 2) for what in ("phone", "other")}
    assert len(digests) == 4
    assert vault().keyed_hash("phone", "x") == vault().keyed_hash("phone", "x")


def test_sealing_and_hashing_keys_do_not_stand_in_for_one_another() -> None:
    one = Vault(sealing=KeyRing(1, {1: KEYS[1]}), hashing=KeyRing(1, {1: KEYS[2]}))
    other = Vault(sealing=KeyRing(1, {1: KEYS[2]}), hashing=KeyRing(1, {1: KEYS[2]}))
    with pytest.raises(SealBroken):
        other.open("dependents.name", ROW, one.seal("dependents.name", ROW, "x"))
    assert one.keyed_hash("phone", "x") == other.keyed_hash("phone", "x")


@pytest.mark.parametrize(("active", "keys"), [(2, {1: os.urandom(32)}), (1, {1: b"short"}), (1, {})])
def test_a_ring_without_its_key_or_with_a_short_one_is_refused(active: int, keys: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        KeyRing(active, keys)


def test_keys_are_not_shown() -> None:
    assert KEYS[1].hex() not in repr(KeyRing(1, KEYS))
    assert repr(KEYS[1]) not in repr(KeyRing(1, KEYS))
