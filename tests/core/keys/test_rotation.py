"""Rotation while everybody goes on: nothing stays under the old key, nothing is lost, and it goes on where it stood."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cabinet import CLEAR, Cabinet, begin, latest, only_newest, plain_of, work_off
from fakes import FakeAdapters, ManualClock
from key_rings import with_newer
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.booking.day.visit_pass import GOOD_FOR
from core.idempotency import KEPT
from core.jobs.queue import LeasedJob
from core.keys import rotate
from core.keys.known import Keyring, key_faults
from core.keys.report import KeyUse, key_uses
from core.keys.rotate import TICKETS_LIVE, begin_rotation, rotate_keys, stop_rotation
from core.keys.stored import STORED, keys_of
from core.workbench import Workbench
from models.account import PlatformIdentity
from models.base import new_id
from models.database import Database
from models.job import Job
from models.person import Dependent, PersonIdentifier
from models.sealing import Vault
from models.vault_key import Ring

JOB = LeasedJob(new_id(), rotate.ROTATE, {}, 1, 1)


@pytest.fixture
def filled(cabinet: Cabinet, clock: ManualClock, adapters: FakeAdapters) -> Cabinet:
    cabinet.fill(clock, adapters)
    return cabinet


def keys_there(cabinet: Cabinet) -> tuple[set[int | None], set[int]]:
    tables = {one.table.name: one for one in STORED}
    found = [keys_of(tables[name], row) for (name, _), row in cabinet.values().items()]  # type: ignore[arg-type]
    return {key for sealed, _ in found for key in sealed}, {key for _, hashed in found for key in hashed}


def test_everything_is_brought_under_the_new_keys(filled: Cabinet, clock: ManualClock) -> None:
    before = plain_of(filled.workbench.vault, filled.values())
    assert keys_there(filled) == ({1, None}, {1})
    newer = filled.newer()
    begin(newer)
    done = work_off(newer, clock)
    assert (done.finished_at is not None, done.failed, done.passes) == (True, 0, 2)
    assert keys_there(filled) == ({2}, {2})
    after = only_newest(newer).vault
    assert plain_of(after, filled.values()) == before
    assert CLEAR in before.values()


def test_what_is_hashed_anew_is_what_a_look_up_looks_for(filled: Cabinet, clock: ManualClock) -> None:
    newer = filled.newer()
    begin(newer)
    work_off(newer, clock)
    vault = only_newest(newer).vault

    def look(session: Session, _now: datetime) -> None:
        for document in session.scalars(select(PersonIdentifier)):
            (wanted,) = PersonIdentifier.hashes(vault, document.id_type, document.number(vault))
            assert (document.number_hash, document.number_hash_key) == (wanted.digest, wanted.key_id)
        for one in session.scalars(select(PlatformIdentity)):
            purpose = PlatformIdentity.hash_purpose(one.provider, one.app, one.kind)
            assert vault.keyed_hash(purpose, one.subject(vault)).digest == one.subject_hash
        for dependent in session.scalars(select(Dependent)):
            phone = vault.open_text("dependents.phone", dependent.id, dependent.phone_sealed)
            assert dependent.phone_hash == vault.keyed_hash("phone", phone).digest

    newer.transactions.read(look)


def test_it_stops_after_the_piece_in_hand_and_goes_on_where_it_stood(
    filled: Cabinet, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice of no length is one piece; between two of them anything may happen."""
    monkeypatch.setattr(rotate, "PAGE", 1)
    newer = filled.newer()
    begun = begin(newer)
    for _ in range(6):
        newer.transactions.write(lambda session, now: rotate._piece(session, now, vault=newer.vault))
    half_way = latest(newer)
    assert keys_there(filled)[0] >= {1, 2}
    newer.transactions.write(lambda session, now: stop_rotation(session, now=now))
    assert rotate_keys(newer, JOB) is None
    stopped = latest(newer)
    assert (stopped.table_name, stopped.after_id) == (half_way.table_name, half_way.after_id)
    plain_of(newer.vault, filled.values())  # both kinds are readable meanwhile
    assert begin(newer).id == begun.id
    done = work_off(newer, clock, rounds=40)
    assert done.finished_at is not None
    assert keys_there(filled) == ({2}, {2})


def test_a_run_that_was_killed_is_taken_up_by_the_next(filled: Cabinet, clock: ManualClock) -> None:
    newer = filled.newer()
    begin(newer)

    class Killed(BaseException):
        pass

    def piece_then_die(session: Session, now: datetime) -> None:
        rotate._piece(session, now, vault=newer.vault)
        raise Killed

    with pytest.raises(Killed):
        newer.transactions.write(piece_then_die)
    assert keys_there(filled) == ({1, None}, {1})
    assert work_off(newer, clock).finished_at is not None
    assert keys_there(filled) == ({2}, {2})


def test_one_run_gives_the_worker_back_in_time(
    filled: Cabinet, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotate, "SLICE_SECONDS", 0.0)
    newer = filled.newer()
    begin(newer)
    assert rotate_keys(newer, JOB) == clock.now()
    assert latest(newer).finished_at is None


def test_what_is_written_meanwhile_under_the_old_key_is_met_in_the_next_pass(
    filled: Cabinet, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was not started again yet seals under its own active key."""
    newer, older = filled.newer(), filled.newer(in_use=False)
    begin(newer)

    def late(session: Session, _now: datetime) -> None:
        dependent = session.scalars(select(Dependent).order_by(Dependent.id).limit(1)).one()
        dependent.seal_phone(older.vault, "+8613000000009", masked="130****0009")

    def piece(session: Session, now: datetime) -> Any:
        return rotate._piece(session, now, vault=newer.vault)

    while latest(newer).table_name != STORED[-1].table.name:
        newer.transactions.write(piece)
    newer.transactions.write(late)
    assert keys_there(filled) == ({1, 2}, {1, 2})
    done = work_off(newer, clock)
    assert (done.finished_at is not None, done.passes) == (True, 3)
    assert keys_there(filled) == ({2}, {2})


def test_a_row_that_somebody_has_in_hand_is_passed_by_and_met_again(
    filled: Cabinet, clock: ManualClock, database: Database
) -> None:
    if database.is_sqlite:
        pytest.skip("one writer at a time: nobody else has a row in hand")
    newer = filled.newer()
    begin(newer)
    with database.write() as holder:
        holder.execute(select(Dependent.id).with_for_update()).all()
        rotate_keys(newer, JOB)
        assert latest(newer).finished_at is None
        assert 1 in keys_there(filled)[0]
    assert work_off(newer, clock).finished_at is not None
    assert keys_there(filled) == ({2}, {2})


def test_a_value_that_does_not_open_stops_nothing_and_keeps_the_old_keys(
    filled: Cabinet, clock: ManualClock, capfd: pytest.CaptureFixture[str]
) -> None:
    newer = filled.newer()

    def spoil(session: Session, _now: datetime) -> None:
        one = session.scalars(select(Dependent).limit(1)).one()
        sealed = bytes(one.name_sealed)
        session.execute(
            update(Dependent).where(Dependent.id == one.id).values(name_sealed=sealed[:-1] + bytes([sealed[-1] ^ 1]))
        )

    newer.transactions.write(spoil)
    begin(newer)
    done = work_off(newer, clock)
    assert (done.finished_at is not None, done.failed) == (True, 1)
    left = {(use.ring, use.key_id): use for use in key_uses(newer)}
    assert (left[Ring.SEALING, 1].values, left[Ring.SEALING, 1].may_go) == (1, False)
    assert left[Ring.SEALING, 1].needed_until is None
    assert faults_of(only_newest(newer)) != []
    assert "dependents.name" in "".join(capfd.readouterr())


def test_two_rows_of_one_document_are_told_and_left_alone(filled: Cabinet, clock: ManualClock) -> None:
    """Whatever made them, one of them cannot have the new hash: neither is lost and the job comes to its end."""
    newer = filled.newer()

    def double(session: Session, now: datetime) -> None:
        first = session.scalars(select(PersonIdentifier).order_by(PersonIdentifier.id).limit(1)).one()
        twin = PersonIdentifier(id=new_id(), person_id=first.person_id, id_type=first.id_type, created_at=now)
        twin.seal_number(newer.vault, first.number(newer.vault))
        session.add(twin)

    newer.transactions.write(double)
    begin(newer)
    done = work_off(newer, clock)
    assert (done.finished_at is not None, done.failed) == (True, 1)
    assert keys_there(filled) == ({2}, {1, 2})


def faults_of(workbench: Workbench) -> list[Any]:
    keyring = Keyring(workbench.vault, workbench.tickets)
    return workbench.transactions.read(lambda session, now: key_faults(session, keyring, now=now))


def test_the_report_says_when_an_old_key_may_go(filled: Cabinet, clock: ManualClock) -> None:
    newer = filled.newer()
    begin(newer)

    def old(ring: Ring) -> KeyUse:
        return next(one for one in key_uses(newer) if (one.ring, one.key_id) == (ring, 1))

    assert [old(ring).may_go for ring in Ring] == [False, False, False]
    assert (old(Ring.SEALING).values or 0) > 8
    work_off(newer, clock)
    assert (old(Ring.SEALING).values, old(Ring.SEALING).may_go) == (0, True)
    assert (old(Ring.HASHING).values, old(Ring.HASHING).may_go) == (0, False)  # replies are found by it for seven days
    assert faults_of(only_newest(newer)) != []
    clock.advance(KEPT + timedelta(minutes=1))
    assert [old(ring).may_go for ring in Ring] == [True, True, True]
    assert faults_of(only_newest(newer)) == []
    active = [one for one in key_uses(newer) if one.key_id == 2]
    assert [one.may_go for one in active] == [False] * 3
    assert all(one.in_use and one.is_active for one in active)


def test_no_ticket_outlives_what_is_said_of_tickets() -> None:
    assert GOOD_FOR < TICKETS_LIVE


def test_another_rotation_takes_the_place_of_one_under_way(filled: Cabinet, clock: ManualClock) -> None:
    newer = filled.newer()
    first = begin(newer)
    newest = Cabinet(newer, filled.suite).newer()
    second = begin(newest)
    assert first.id != second.id
    done = work_off(newest, clock)
    assert (done.id, done.finished_at is not None) == (second.id, True)
    assert keys_there(filled) == ({3}, {3})
    jobs = select(func.count()).select_from(Job).where(Job.kind == rotate.ROTATE)
    assert newer.transactions.read(lambda session, _now: session.scalar(jobs)) == 1


def test_a_worker_that_lacks_the_new_key_leaves_it_to_another(filled: Cabinet, clock: ManualClock) -> None:
    newer = filled.newer()
    begin(newer)
    assert rotate_keys(filled.workbench, JOB) == clock.now() + rotate.AGAIN_AFTER
    assert keys_there(filled) == ({1, None}, {1})
    standby = filled.newer(in_use=False)  # other keys under the same number never get so far: settle_keys stops them
    assert standby.vault.sealing.keys.keys() == newer.vault.sealing.keys.keys()


@pytest.mark.parametrize("act", [lambda _: None, lambda newer: rotate_keys(newer, JOB)])
def test_nothing_under_way_nothing_done(cabinet: Cabinet, act: Callable[[Workbench], Any]) -> None:
    newer = cabinet.newer()
    assert act(newer) is None
    assert newer.transactions.write(lambda session, now: stop_rotation(session, now=now)) is None


def test_back_to_the_old_keys_is_a_rotation_too(filled: Cabinet, clock: ManualClock) -> None:
    newer = filled.newer()
    begin(newer)
    work_off(newer, clock)
    sealing, hashing = newer.vault.sealing, newer.vault.hashing
    back = Vault(
        sealing=type(sealing)(1, sealing.keys, sealing.suites), hashing=type(hashing)(1, hashing.keys, hashing.suites)
    )
    keyring = Keyring(back)
    newer.transactions.write(lambda session, now: begin_rotation(session, keyring, now=now))
    work_off(newer, clock)
    assert keys_there(filled) == ({1}, {1})
    assert with_newer(back.hashing).active == 3
