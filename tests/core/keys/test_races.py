"""While keys change, one document is one person and one platform's id one account, whoever hashes under which key."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from cabinet import Cabinet, begin
from factories import make_account
from harness import insistently, race
from people import APP, CAUSE, PROVIDER, agree, resident_id
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from core.dependents.add import NewDependent, add_dependent
from core.dependents.remove import remove_dependent
from core.identity.login import log_in
from core.keys import rotate
from core.keys.in_use import take_into_use
from core.keys.known import Keyring, make_known
from core.ports import PlatformUser
from core.tickets import Tickets
from core.workbench import Workbench
from models.account import Account, PlatformIdentity, Purpose
from models.base import Base
from models.database import Database
from models.person import Dependent, IdType, Person, PersonIdentifier, Relationship
from models.sealing import SealBroken, Vault
from models.vault_key import KeyRotation

LASTS = timedelta(hours=1)
turns = pytest.mark.parametrize("turn", range(4))


def new_account(workbench: Workbench) -> UUID:
    def step(session: Session, now: datetime) -> UUID:
        account = make_account(session, now=now)
        agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY, now=now)
        return account.id

    return workbench.transactions.write(step)


def count(workbench: Workbench, table: type[Base]) -> int:
    query = select(func.count()).select_from(table)
    return workbench.transactions.read(lambda session, _now: session.scalar(query) or 0)


def new_dependent(id_number: str) -> NewDependent:
    return NewDependent(
        name="测试乙",
        id_type=IdType.RESIDENT_ID,
        id_number=id_number,
        phone="13000000000",
        relationship=Relationship.PARENT,
    )


def add(workbench: Workbench, account_id: UUID, id_number: str) -> Dependent:
    wanted = new_dependent(id_number)
    return workbench.transactions.write(
        lambda session, now: add_dependent(
            session, account_id=account_id, wanted=wanted, vault=workbench.vault, now=now
        )
    )


def adds(workbench: Workbench, id_number: str) -> Callable[[], Any]:
    account_id = new_account(workbench)
    return insistently(lambda: add(workbench, account_id, id_number))


def logs_in(workbench: Workbench, open_id: str) -> Callable[[], Any]:
    user = PlatformUser(provider=PROVIDER, app=APP, open_id=open_id)
    return insistently(
        lambda: workbench.transactions.write(
            lambda session, now: (
                log_in(session, user=user, vault=workbench.vault, lasts=LASTS, now=now, cause=CAUSE).account.id
            )
        )
    )


def changes_keys(workbench: Workbench) -> Callable[[], Any]:
    """The operator's command, then the job, piece by piece until it is done."""

    def call() -> None:
        insistently(lambda: begin(workbench))()
        query = select(KeyRotation.finished_at)
        for _ in range(2000):
            insistently(
                lambda: workbench.transactions.write(
                    lambda session, now: rotate._piece(session, now, vault=workbench.vault)
                )
            )()
            if workbench.transactions.read(lambda session, _now: session.scalar(query)) is not None:
                return
        raise AssertionError("the rotation never ends")

    return call


def told(outcomes: list[Any]) -> list[Any]:
    for one in outcomes:
        if isinstance(one, Exception):
            raise one
    return outcomes


@turns
@pytest.mark.parametrize("known_before", [False, True])
def test_one_document_is_one_person_while_keys_change(cabinet: Cabinet, turn: int, known_before: bool) -> None:
    older = cabinet.newer(in_use=False)
    newer = active(older)
    number = resident_id(order=901 + 2 * turn)
    if known_before:
        add(cabinet.workbench, new_account(cabinet.workbench), number)
    sides = [adds(older, number), adds(newer, number), adds(older, number), adds(newer, number)]
    told(race(*sides, changes_keys(newer)))
    told([adds(older, number)(), adds(newer, number)()])
    assert count(newer, Person) == count(newer, PersonIdentifier) == 1
    only = newer.transactions.read(lambda session, _now: session.scalars(select(PersonIdentifier)).one())
    assert only.number_hash_key == 2


def test_nobody_who_names_a_person_waits_for_another_to_let_go_of_the_old_hash(cabinet: Cabinet) -> None:
    """Each would hold the row beside the other and want it alone: a deadlock, found after a second of waiting."""
    number = resident_id()
    add(cabinet.workbench, new_account(cabinet.workbench), number)
    newer = cabinet.newer()
    begin(newer)
    with capture_logs() as said:
        told(race(*(partial(add, newer, new_account(newer), number) for _ in range(6))))
    assert not [one for one in said if one["event"] == "command_run_again"]
    assert count(newer, Person) == count(newer, PersonIdentifier) == 1


def test_a_number_that_is_being_forgotten_does_not_come_back_with_a_new_hash(
    cabinet: Cabinet, database: Database
) -> None:
    if database.is_sqlite:
        pytest.skip("one writer at a time: nobody is in between")
    number, leaving = resident_id(), new_account(cabinet.workbench)
    gone = add(cabinet.workbench, leaving, number)
    newer = cabinet.newer()
    begin(newer)
    coming = new_account(newer)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:
            now = newer.transactions.clock.now()
            remove_dependent(session, account_id=leaving, dependent_id=gone.id, now=now, cause=CAUSE)
            added = pool.submit(add, newer, coming, number)
            with pytest.raises(TimeoutError):
                added.result(0.3)
        made = added.result(20)
    assert made.identifier_id != gone.identifier_id
    known = newer.transactions.read(lambda session, _now: session.get_one(PersonIdentifier, made.identifier_id))
    assert known.number(newer.vault) == number


@turns
def test_one_id_of_a_platform_is_one_account_while_keys_change(cabinet: Cabinet, turn: int) -> None:
    older = cabinet.newer(in_use=False)
    newer = active(older)
    sides = [logs_in(workbench, f"open-{turn}") for workbench in (older, newer, older, newer)]
    *accounts, _ = told(race(*sides, changes_keys(newer)))
    assert len(set(accounts)) == 1
    assert count(newer, Account) == count(newer, PlatformIdentity) == 1


def active(workbench: Workbench) -> Workbench:
    """The same keys, in a process that was started after they were activated."""
    rings = [workbench.vault.sealing, workbench.vault.hashing, workbench.tickets.keys]
    sealing, hashing, tickets = (replace(ring, active=max(ring.keys)) for ring in rings)
    return replace(workbench, vault=Vault(sealing=sealing, hashing=hashing), tickets=Tickets(tickets))


def test_the_next_key_waits_for_whoever_makes_something_under_this_one(cabinet: Cabinet, database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("one writer at a time: nobody is in between")
    older = cabinet.newer(in_use=False)
    newer = active(older)
    newer.transactions.write(lambda session, now: make_known(session, Keyring(newer.vault, newer.tickets), now=now))
    number, mine, theirs = resident_id(), new_account(older), new_account(newer)
    at_it = Event()

    def change() -> None:
        at_it.set()
        keyring = Keyring(newer.vault, newer.tickets)
        newer.transactions.write(lambda session, now: take_into_use(session, keyring, now=now))

    wanted = new_dependent(number)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:
            now = older.transactions.clock.now()
            add_dependent(session, account_id=mine, wanted=wanted, vault=older.vault, now=now)
            changing = pool.submit(change)
            assert at_it.wait(20)
            with pytest.raises(TimeoutError):
                changing.result(0.3)
        changing.result(20)
    add(newer, theirs, number)
    assert count(newer, Person) == count(newer, PersonIdentifier) == 1


def test_a_process_that_lacks_the_key_in_use_makes_nobody(cabinet: Cabinet) -> None:
    """Started before the new keys were there, and never again since: it finds nobody who was hashed anew."""
    number = resident_id()
    accounts = [new_account(cabinet.workbench) for _ in range(3)]
    add(cabinet.workbench, accounts[0], number)
    newer = cabinet.newer()
    changes_keys(newer)()
    with pytest.raises(SealBroken, match="key_missing"):
        add(cabinet.workbench, accounts[1], number)
    with pytest.raises(SealBroken, match="key_missing"):
        logs_in(cabinet.workbench, "open")()
    add(newer, accounts[2], number)
    assert count(newer, Person) == count(newer, PersonIdentifier) == 1
    assert count(newer, PlatformIdentity) == 0


def test_a_person_found_under_the_old_key_is_hashed_anew_at_that_moment(cabinet: Cabinet) -> None:
    number = resident_id()
    accounts = [new_account(cabinet.workbench) for _ in range(2)]
    first = add(cabinet.workbench, accounts[0], number)
    newer = cabinet.newer()
    begin(newer)
    second = add(newer, accounts[1], number)
    assert first.person_id == second.person_id
    only = newer.transactions.read(lambda session, _now: session.scalars(select(PersonIdentifier)).one())
    assert only.number_hash_key == 2
    assert only.number(newer.vault) == number


def test_until_the_operator_begins_what_is_new_is_hashed_under_the_old_key(cabinet: Cabinet) -> None:
    newer = cabinet.newer()
    add(newer, new_account(newer), resident_id())
    only = newer.transactions.read(lambda session, _now: session.scalars(select(PersonIdentifier)).one())
    assert only.number_hash_key == 1
