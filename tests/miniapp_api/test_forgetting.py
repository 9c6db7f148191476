"""Numbers that nobody names any more are erased, and one that somebody names is not, whoever comes at the same time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from harness import far_away, race
from minors import newborn
from people import CAUSE, resident_id
from people_http import SELF
from sqlalchemy import event, select
from sqlalchemy.orm import Session
from structlog.testing import capture_logs
from ward import Ward, add, book
from wire import Phone

from core.dependents.add import NewDependent, add_dependent
from core.dependents.remove import remove_dependent
from core.jobs.queue import LeasedJob
from core.rights.close import close_account
from core.rights.erase import erase_expired
from core.transactions import Transactions
from models.account import LoginSession
from models.base import new_id
from models.database import Database
from models.person import Dependent, IdType, PersonIdentifier, Relationship
from models.sealing import ERASED

ANYBODY = {"min_identity_level": 0}
only_postgres = pytest.mark.parametrize("database", ["postgres"], indirect=True)
SLIP, RIGHT = resident_id(order=101), resident_id(order=995)
PASSPORT = {
    "name": "MARIE CURIE", "id_type": "passport", "id_number": "AB1234567", "id_expires_on": "2031-05-31",
    "birth_date": "1950-01-01", "sex": "female", "relationship": "other",
}  # fmt: skip


def numbers(ward: Ward) -> set[str]:
    """Every document number that can still be opened."""
    vault = ward.workbench.vault

    def look(session: Session, _now: datetime) -> set[str]:
        stored = session.scalars(select(PersonIdentifier).where(PersonIdentifier.number_sealed != ERASED))
        return {one.number(vault) for one in stored}

    return ward.workbench.transactions.read(look)


def row(ward: Ward, dependent_id: str) -> Dependent:
    return ward.workbench.transactions.read(lambda session, _now: session.get_one(Dependent, UUID(dependent_id)))


def remove(phone: Phone, dependent_id: str) -> int:
    return phone.send("DELETE", f"/dependents/{dependent_id}").status


# --- two at once


@only_postgres
def test_a_number_that_is_just_being_named_is_not_erased(ward: Ward) -> None:
    an, bo = ward.log_in("an"), ward.log_in("bo")
    first = add(an)
    spare = add(bo, id_number=RIGHT, relationship="other")
    wanted = NewDependent("测试甲", IdType.RESIDENT_ID, SELF["id_number"], "13800000000", Relationship.SELF)
    removed: list[int] = []

    def step(session: Session, now: datetime) -> tuple[UUID, threading.Thread]:
        made = add_dependent(
            session, account_id=row(ward, spare).account_id, wanted=wanted, vault=ward.workbench.vault, now=now
        )
        removing = threading.Thread(target=lambda: removed.append(remove(an, first)))
        removing.start()
        time.sleep(0.5)  # the other one has come as far as it can
        return made.id, removing

    added, removing = ward.workbench.transactions.write(step)
    removing.join()
    assert removed == [204]
    assert bo.send("GET", f"/dependents/{added}").status == 200
    assert [bo.send("GET", path).status for path in ("/dependents", "/account/export")] == [200, 200]
    assert SELF["id_number"] in numbers(ward)


@only_postgres
def test_whoever_adds_while_another_erases_gets_a_record_that_can_be_read(ward: Ward) -> None:
    for turn in range(12):
        an, bo, number = ward.log_in(f"an{turn}"), ward.log_in(f"bo{turn}"), resident_id(order=2 * turn + 201)
        first, pause = add(an, id_number=number), random.uniform(0, 0.02)

        def erase(an: Phone = an, first: str = first, pause: float = pause) -> int:
            time.sleep(pause)
            return remove(an, first)

        def name(bo: Phone = bo, number: str = number) -> int:
            return bo.post("/dependents", SELF | {"id_number": number}).status

        assert race(erase, name) == [204, 201]
        assert bo.send("GET", "/dependents").status == 200
        assert bo.send("GET", "/account/export").status == 200
        assert number in numbers(ward)


@only_postgres
def test_of_two_who_erase_at_once_the_later_one_forgets_the_number(ward: Ward) -> None:
    for turn in range(12):
        an, bo, number = ward.log_in(f"an{turn}"), ward.log_in(f"bo{turn}"), resident_id(order=2 * turn + 301)
        first, second = add(an, id_number=number), add(bo, id_number=number)

        def one(an: Phone = an, first: str = first) -> int:
            return remove(an, first)

        def other(bo: Phone = bo, second: str = second) -> int:
            return remove(bo, second)

        assert race(one, other) == [204, 204]
        assert number not in numbers(ward)


def parents(ward: Ward) -> tuple[Phone, Phone]:
    """Two with the same children, whom the second one typed the other way round."""
    an, bo = ward.log_in("an"), ward.log_in("bo")
    children = [resident_id(order=2 * nth + 501) for nth in range(5)]
    for phone, typed in ((an, children), (bo, children[::-1])):
        for number in typed:
            add(phone, id_number=number, relationship="other")
    return an, bo


def closing(ward: Ward, phone: Phone, patient: Transactions) -> Callable[[], object]:
    """To close the account where locks are waited for long, so that a deadlock is told from a queue."""
    (one, *_) = phone.get("/dependents")["items"]
    account_id = row(ward, one["id"]).account_id

    def step(session: Session, now: datetime) -> object:
        login_id = session.scalars(select(LoginSession.id).where(LoginSession.account_id == account_id)).one()
        by = {"account_id": account_id, "login_id": login_id, "cause": CAUSE}
        return close_account(session, language="zh-CN", now=now, **by)  # type: ignore[arg-type]

    return lambda: patient.write(step)


def at_once(ward: Ward, database: Database, *calls: Callable[[], object]) -> None:
    """All of them succeed, and none of them has to begin anew."""
    with far_away(database), capture_logs() as lines:
        done = race(*calls)
    assert [one for one in done if isinstance(one, Exception)] == []
    assert [one for one in lines if one["event"] == "command_run_again"] == []
    assert numbers(ward) == set()


@only_postgres
def test_two_who_close_with_the_same_children_do_not_deadlock(ward: Ward, database: Database) -> None:
    patient = Transactions(database, ward.clock)
    at_once(ward, database, *(closing(ward, phone, patient) for phone in parents(ward)))


@only_postgres
def test_two_who_remove_the_same_child_do_not_deadlock(ward: Ward, database: Database) -> None:
    patient = Transactions(database, ward.clock)

    def removing(phone: Phone) -> Callable[[], object]:
        dependent = row(ward, add(phone, relationship="other"))
        by = {"account_id": dependent.account_id, "dependent_id": dependent.id, "cause": CAUSE}
        return lambda: patient.write(lambda session, now: remove_dependent(session, now=now, **by))  # type: ignore[arg-type]

    at_once(ward, database, *(removing(ward.log_in(name)) for name in ("an", "bo")))


@only_postgres
def test_nor_does_the_job_with_whoever_closes(ward: Ward, database: Database) -> None:
    """It erases those of many accounts in one transaction."""
    an, bo = parents(ward)
    patient = Transactions(database, ward.clock)
    job = LeasedJob(new_id(), "erase_expired", {}, 1, 1)

    def have_visited(session: Session, now: datetime) -> None:
        for one in an.get("/dependents")["items"]:
            removed = session.get_one(Dependent, UUID(one["id"]))
            removed.archived_at, removed.erase_after = now, ward.day(0)

    ward.workbench.transactions.write(have_visited)
    erasing = partial(erase_expired, replace(ward.workbench, transactions=patient), job)
    at_once(ward, database, erasing, closing(ward, bo, patient))


def test_n_4_removing_does_the_same_whether_another_account_names_them(ward: Ward) -> None:
    done: list[str] = []
    event.listen(
        ward.workbench.transactions.database.engine, "after_cursor_execute", lambda _c, _k, text, *_: done.append(text)
    )
    said: dict[str, list[str]] = {}
    for who, number in (("unknown", SLIP), ("known elsewhere", RIGHT)):
        if who == "known elsewhere":
            add(ward.log_in("elsewhere"), id_number=number)
        phone = ward.log_in(who)
        dependent_id = add(phone, id_number=number)
        done.clear()
        assert remove(phone, dependent_id) == 204
        said[who] = list(done)
    assert said["unknown"] == said["known elsewhere"]
    assert numbers(ward) == {RIGHT}


# --- corrected


def test_a_number_that_was_corrected_is_gone(ward: Ward) -> None:
    an = ward.log_in("an")
    slip = add(an, id_number=SLIP)
    assert an.send("PATCH", f"/dependents/{slip}", {"id_number": RIGHT}).status == 200
    assert numbers(ward) == {RIGHT}
    assert an.send("DELETE", "/account").status < 300
    assert numbers(ward) == set()


def test_a_number_that_another_account_names_stays(ward: Ward) -> None:
    an, bo = ward.log_in("an"), ward.log_in("bo")
    slip, theirs = add(an, id_number=SLIP), add(bo, id_number=SLIP)
    assert an.send("PATCH", f"/dependents/{slip}", {"id_number": RIGHT}).status == 200
    assert numbers(ward) == {SLIP, RIGHT}
    assert bo.send("GET", f"/dependents/{theirs}").status == 200
    assert bo.send("GET", "/account/export").status == 200


def test_a_number_that_a_hospital_was_told_is_shown_and_goes_with_the_record(ward: Ward) -> None:
    an = ward.log_in("an")
    slip = add(an, id_number=SLIP)
    visit = book(an, ward.schedule(terms=ANYBODY), slip, "on_site").json["id"]
    assert an.post(f"/appointments/{visit}/cancellation").status == 200
    assert an.send("PATCH", f"/dependents/{slip}", {"id_number": RIGHT}).status == 200
    (told,) = an.send("GET", "/account/export").json["dependents"]
    assert (told["id_number"], told["earlier_id_number"]) == (RIGHT, SLIP)
    assert an.send("DELETE", "/account").status < 300
    assert numbers(ward) == {SLIP, RIGHT}
    ward.work(after=timedelta(days=3 * 366 + 30))
    assert numbers(ward) == set()


def test_a_birth_certificate_goes_with_the_record_whichever_way_the_number_came(ward: Ward) -> None:
    for who, give in (("an", "PUT"), ("bo", "PATCH")):
        phone = ward.log_in(who)
        guardian = add(phone)
        certificate = {"id_type": "birth_certificate", "id_number": "P330123456"}
        child = phone.post("/dependents", newborn(ward, guardian_dependent_id=guardian) | certificate).json["id"]
        number = {"id_type": "resident_id", "id_number": resident_id(birth=ward.day(0), order=902), "name": "测试宝"}
        path = f"/dependents/{child}/document" if give == "PUT" else f"/dependents/{child}"
        assert phone.send(give, path, number).status == 200
        assert "P330123456" in numbers(ward)
        assert phone.send("DELETE", "/account").status < 300
        assert numbers(ward) == set(), give


def test_what_stood_for_a_number_goes_with_its_child_whomever_the_desk_said_it_is(ward: Ward) -> None:
    an, bo = ward.log_in("an"), ward.log_in("bo")
    guardian = add(an)
    child = an.post("/dependents", newborn(ward, guardian_dependent_id=guardian)).json["id"]
    number = {"id_type": "resident_id", "id_number": resident_id(birth=ward.day(0), order=902), "name": "测试宝"}
    assert an.send("PUT", f"/dependents/{child}/document", number).status == 200
    abroad = add(bo, **PASSPORT | {"birth_date": str(ward.day(0))}, country="FRA")
    merge = ["merge-records", child, abroad, "--operator", "clerk-1", "--documents-seen"]
    assert ward.app.test_cli_runner().invoke(args=merge).exit_code == 0
    assert len(numbers(ward)) == 4  # one of them stood for the child's
    assert remove(an, child) == 204
    assert numbers(ward) == {SELF["id_number"], "FRA:AB1234567"}


# --- whom a passport names


def test_the_same_number_of_another_country_is_another_person(ward: Ward) -> None:
    an, bo, cy = (ward.log_in(one) for one in ("an", "bo", "cy"))
    first = add(an, **PASSPORT, country="USA")
    assert an.send("PATCH", f"/dependents/{first}", {"country": "FRA"}).json["country"] == "FRA"
    same, another = add(bo, **PASSPORT, country="FRA"), add(cy, **PASSPORT, country="USA")
    people = [row(ward, one).person_id for one in (first, same, another)]
    assert people[0] == people[1] != people[2]
    schedule = ward.schedule(terms=ANYBODY)
    assert book(an, schedule, first, "on_site").status == 201
    assert book(bo, schedule, same, "on_site").json["code"] == "person_limit"
    assert book(cy, schedule, another, "on_site").status == 201


def test_oneself_is_replaced_no_oftener_by_correcting_than_by_adding(ward: Ward) -> None:
    an, answers = ward.log_in("an"), []
    for turn in range(4):
        made = an.post("/dependents", SELF | {"id_number": resident_id(order=2 * turn + 401), "relationship": "other"})
        named = an.send("PATCH", f"/dependents/{made.json['id']}", {"relationship": "self"})
        answers.append(named.json.get("code"))
        assert remove(an, made.json["id"]) == 204
    assert answers == [None, None, "change_limit", "change_limit"]
