"""A key that is lost, or another one under its number, is told by name, and nothing is read or written with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cabinet import Cabinet, begin, only_newest, work_off
from fakes import FakeAdapters, ManualClock
from harness import race
from key_rings import new_ring, without
from sqlalchemy import delete, select, update

from core.idempotency import KEPT
from core.keys.known import KeyFault, Keyring, Reason, key_faults, make_known
from core.keys.settle import check_keys, settle_keys
from core.tickets import Tickets
from core.workbench import Workbench
from models.ciphers import Suite
from models.person import Dependent
from models.sealing import KeyRing, SealBroken, Vault
from models.vault_key import Ring, VaultKey

Rings = dict[Ring, KeyRing]


def with_rings(workbench: Workbench, change: Callable[[Rings], Any]) -> Workbench:
    rings = {
        Ring.SEALING: workbench.vault.sealing,
        Ring.HASHING: workbench.vault.hashing,
        Ring.TICKETS: workbench.tickets.keys,
    }
    change(rings)
    vault = Vault(sealing=rings[Ring.SEALING], hashing=rings[Ring.HASHING])
    return replace(workbench, vault=vault, tickets=Tickets(rings[Ring.TICKETS]))


def another_key(ring: Ring) -> Callable[[Rings], Any]:
    def change(rings: Rings) -> None:
        suite = rings[ring].suites[1]
        rings[ring] = new_ring(suite, sealing=ring is Ring.SEALING)

    return change


def rows(workbench: Workbench) -> list[VaultKey]:
    query = select(VaultKey).order_by(VaultKey.ring, VaultKey.key_id)
    return workbench.transactions.read(lambda session, _now: list(session.scalars(query)))


def forget_all(workbench: Workbench) -> None:
    workbench.transactions.write(lambda session, _now: session.execute(delete(VaultKey)))


@pytest.fixture
def settled(cabinet: Cabinet) -> Workbench:
    assert settle_keys(cabinet.workbench) == []
    return cabinet.workbench


def test_the_first_look_makes_the_keys_known_and_later_ones_change_nothing(settled: Workbench) -> None:
    made = rows(settled)
    assert [(row.ring, row.key_id, row.in_use) for row in made] == [
        (Ring.HASHING, 1, True), (Ring.SEALING, 1, True), (Ring.TICKETS, 1, True),
    ]  # fmt: skip
    assert settle_keys(settled) == []
    assert [row.proof for row in rows(settled)] == [row.proof for row in made]


def test_no_key_is_in_what_is_kept_of_it(settled: Workbench) -> None:
    keys = [*settled.vault.sealing.keys.values(), *settled.vault.hashing.keys.values()]
    assert not [key for key in keys for row in rows(settled) if key in row.proof or key[:8] in row.proof]


@pytest.mark.parametrize("ring", Ring)
def test_another_key_under_the_same_number_is_wrong(settled: Workbench, ring: Ring) -> None:
    impostor = with_rings(settled, another_key(ring))
    assert settle_keys(impostor) == [KeyFault(ring, 1, Reason.WRONG)]
    for refused in (
        lambda: impostor.vault.seal("dependents.name", rows(settled)[0].id, "x"),
        lambda: impostor.vault.keyed_hashes("phone", "x"),
    ):
        with pytest.raises(SealBroken, match="key_wrong"):
            refused()


@pytest.mark.parametrize("ring", Ring)
def test_a_lost_key_is_missing(cabinet: Cabinet, settled: Workbench, ring: Ring) -> None:
    newer = cabinet.newer()
    assert settle_keys(newer) == []
    lost = with_rings(newer, lambda rings: rings.update({ring: without(rings[ring], 1)}))
    assert settle_keys(lost) == [KeyFault(ring, 1, Reason.MISSING)]


def test_a_key_that_is_said_to_be_of_the_other_algorithm_is_wrong(settled: Workbench) -> None:
    def relabel(rings: Rings) -> None:
        was = rings[Ring.HASHING]
        other = Suite.SM if was.suites[1] is Suite.AES else Suite.AES
        rings[Ring.HASHING] = KeyRing(1, was.keys, {1: other})

    assert settle_keys(with_rings(settled, relabel)) == [KeyFault(Ring.HASHING, 1, Reason.WRONG)]


def test_the_right_keys_make_it_good_again(settled: Workbench) -> None:
    settled.vault.distrust("key_wrong")
    assert check_keys(settled) == []
    settled.vault.seal("dependents.name", rows(settled)[0].id, "x")


def test_a_key_on_standby_is_not_known_until_it_is_active(cabinet: Cabinet, settled: Workbench) -> None:
    assert settle_keys(cabinet.newer(in_use=False)) == []
    assert {row.key_id for row in rows(settled)} == {1}
    assert settle_keys(settled) == []
    assert settle_keys(cabinet.newer()) == []
    assert {row.key_id for row in rows(settled) if row.in_use} == {1}
    assert {fault.reason for fault in settle_keys(settled)} == {Reason.MISSING}  # it was not started again


@pytest.mark.parametrize("ring", [Ring.SEALING, Ring.HASHING])
def test_a_database_from_before_tells_a_wrong_key_by_its_values(
    cabinet: Cabinet, clock: ManualClock, adapters: FakeAdapters, ring: Ring
) -> None:
    cabinet.fill(clock, adapters)
    forget_all(cabinet.workbench)
    impostor = with_rings(cabinet.workbench, another_key(ring))
    assert settle_keys(impostor) == [KeyFault(ring, 1, Reason.WRONG)]
    assert rows(cabinet.workbench) == []
    lost = only_newest(cabinet.newer())
    assert KeyFault(Ring.SEALING, 1, Reason.MISSING) in settle_keys(lost)
    assert rows(cabinet.workbench) == []
    assert settle_keys(cabinet.workbench) == []


def test_one_damaged_value_makes_no_key_wrong(cabinet: Cabinet, clock: ManualClock, adapters: FakeAdapters) -> None:
    cabinet.fill(clock, adapters)
    forget_all(cabinet.workbench)
    damage = update(Dependent).values(name_sealed=Dependent.phone_sealed)
    cabinet.workbench.transactions.write(lambda session, _now: session.execute(damage))
    assert settle_keys(cabinet.workbench) == []


def test_a_key_that_is_needed_no_more_may_be_lost_and_may_come_back(
    cabinet: Cabinet, clock: ManualClock, adapters: FakeAdapters
) -> None:
    cabinet.fill(clock, adapters)
    newer = cabinet.newer()
    begin(newer)
    work_off(newer, clock)
    clock.advance(KEPT * 2)
    assert settle_keys(only_newest(newer)) == []
    assert settle_keys(cabinet.newer(in_use=False)) != []  # other keys under number 2
    back = with_rings(
        newer,
        lambda rings: rings.update({ring: KeyRing(1, keys.keys, keys.suites) for ring, keys in list(rings.items())}),
    )
    assert settle_keys(back) == []
    assert {row.needed_until for row in rows(newer)} == {None}


def test_two_first_looks_at_once_agree(cabinet: Cabinet) -> None:
    forget_all(cabinet.workbench)
    assert race(*[lambda: settle_keys(cabinet.workbench)] * 6) == [[]] * 6
    assert len(rows(cabinet.workbench)) == 3


def test_the_first_of_all_makes_the_keys_known_also_where_nobody_looked(cabinet: Cabinet) -> None:
    forget_all(cabinet.workbench)
    keyring = Keyring(cabinet.workbench.vault)
    cabinet.workbench.transactions.write(lambda session, now: make_known(session, keyring, now=now))
    assert {row.ring for row in rows(cabinet.workbench)} == {Ring.SEALING, Ring.HASHING}
    look = cabinet.workbench.transactions.read(lambda session, now: key_faults(session, keyring, now=now))
    assert look == []
