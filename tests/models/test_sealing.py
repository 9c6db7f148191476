"""What is sealed opens only where it was sealed, unchanged, under a key we still hold."""

from __future__ import annotations

import os
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from models.base import new_id
from models.ciphers import ALGORITHMS, Suite
from models.sealing import KeyRing, SealBroken, Vault, key_of

KEYS = {number: bytes([number]) * 32 for number in (1, 2, 3)}
SIZES = {Suite.AES: 32, Suite.SM: 16}
ROW = UUID("01900000-0000-7000-8000-000000000001")
# Each rule holds in either suite, and while values of both are there: odd keys are of one, even ones of the other.
SUITES = {
    "aes": {},
    "sm": dict.fromkeys(KEYS, Suite.SM),
    "aes to sm": {2: Suite.SM},
    "sm to aes": {1: Suite.SM, 3: Suite.SM},
}
suites: dict[int, Suite] = {}


@pytest.fixture(autouse=True, scope="module", params=SUITES)
def _suites(request: pytest.FixtureRequest) -> None:
    suites.clear()
    suites.update(SUITES[request.param])


def sealing_ring(active: int, *known: int) -> KeyRing:
    wanted = {number: suites.get(number, Suite.AES) for number in (active, *known)}
    return KeyRing(active, {number: KEYS[number][: SIZES[suite]] for number, suite in wanted.items()}, wanted)


def hashing_ring(active: int) -> KeyRing:
    return KeyRing(active, KEYS, dict(suites))


def vault(active: int = 1, *known: int, hashing: int = 1) -> Vault:
    return Vault(sealing=sealing_ring(active, *known), hashing=hashing_ring(hashing))


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
    suite = suites.get(1, Suite.AES)
    other = KeyRing(1, {1: KEYS[3][: SIZES[suite]]}, {1: suite})
    impostor = Vault(sealing=other, hashing=hashing_ring(1))
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


def test_a_value_of_one_algorithm_does_not_open_as_one_of_the_other() -> None:
    """The id names one key of one algorithm; a file that says something else of it opens nothing."""
    sealed = Vault(sealing=KeyRing(1, {1: KEYS[1]}), hashing=hashing_ring(1)).seal("dependents.name", ROW, "x")
    other = KeyRing(1, {1: KEYS[1][:16]}, {1: Suite.SM})
    with pytest.raises(SealBroken):
        Vault(sealing=other, hashing=hashing_ring(1)).open("dependents.name", ROW, sealed)
    relabelled = sealed[:1] + bytes([2]) + sealed[2:]
    with pytest.raises(SealBroken):
        Vault(sealing=other, hashing=hashing_ring(1)).open("dependents.name", ROW, relabelled)


def test_the_header_tells_algorithm_and_key() -> None:
    for number in KEYS:
        sealed = vault(number).seal("dependents.name", ROW, "x")
        assert sealed[1] == {Suite.AES: 1, Suite.SM: 2}[suites.get(number, Suite.AES)]
        assert key_of(sealed) == key_of(sealed[:4]) == number
    assert [key_of(other) for other in (b"", b"\1\1\0", b"{}{}", b"\2\1\0\1")] == [None] * 4


def test_a_key_can_be_named_and_one_that_is_not_there_is_told() -> None:
    both = vault(1, 2)
    assert key_of(both.seal("dependents.name", ROW, "x", key_id=2)) == 2
    assert both.keyed_hash("phone", "x", key_id=3) == both.keyed_hashes("phone", "x")[2]
    for lost in (lambda: both.seal("x", ROW, "x", key_id=9), lambda: both.keyed_hash("x", "x", key_id=9)):
        with pytest.raises(SealBroken, match="key_missing") as told:
            lost()
        assert told.value.key_id == 9


def test_a_vault_that_is_not_trusted_opens_and_makes_nothing_new() -> None:
    ours = vault()
    sealed = ours.seal("dependents.name", ROW, "x")
    ours.distrust("key_wrong")
    for refused in (
        lambda: ours.seal("dependents.name", ROW, "x"),
        lambda: ours.keyed_hash("phone", "x"),
        lambda: ours.keyed_hashes("phone", "x"),
    ):
        with pytest.raises(SealBroken, match="key_wrong"):
            refused()
    assert ours.open("dependents.name", ROW, sealed) == b"x"
    ours.distrust(None)
    ours.seal("dependents.name", ROW, "x")


def test_published_vectors() -> None:
    """GB/T 32907 in GCM (RFC 8998, A.1) and GB/T 32905 under HMAC (RFC 4231's first key and data, worked out apart)."""
    sealer = ALGORITHMS[Suite.SM].sealer(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
    plain = b"".join(bytes([byte]) * 8 for byte in (0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA))
    nonce = bytes.fromhex("00001234567800000000ABCD")
    bound = bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
    sealed = bytes.fromhex(
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735D82710CA5C22F0CCFA7CBF93D496AC15"
        "A56834CBCF98C397B4024A2691233B8D" "83DE3541E4C2B58177E065A9BF7B62EC"
    )  # fmt: skip
    assert sealer.encrypt(nonce, plain, bound) == sealed
    assert sealer.decrypt(nonce, sealed, bound) == plain
    digest = ALGORITHMS[Suite.SM].authenticate(b"\x0b" * 20, b"Hi There")
    assert digest == _hmac_by_hand("sm3", b"\x0b" * 20, b"Hi There")
    assert ALGORITHMS[Suite.AES].authenticate(b"\x0b" * 20, b"Hi There").hex().startswith("b0344c61d8db3853")


def _hmac_by_hand(name: str, key: bytes, message: bytes) -> bytes:
    digest = hashes.SM3() if name == "sm3" else hashes.SHA256()

    def once(data: bytes) -> bytes:
        made = hashes.Hash(digest)
        made.update(data)
        return made.finalize()

    padded = key.ljust(64, b"\0")
    inner = once(bytes(byte ^ 0x36 for byte in padded) + message)
    return once(bytes(byte ^ 0x5C for byte in padded) + inner)


@pytest.mark.parametrize(("active", "keys"), [(2, {1: os.urandom(32)}), (1, {1: b"short"}), (1, {})])
def test_a_ring_without_its_key_or_with_a_short_one_is_refused(active: int, keys: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        KeyRing(active, keys)


def test_keys_are_not_shown() -> None:
    assert KEYS[1].hex() not in repr(KeyRing(1, KEYS))
    assert repr(KEYS[1]) not in repr(KeyRing(1, KEYS))
