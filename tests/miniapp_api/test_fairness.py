"""The fairness report of a schedule, for everybody to read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import time_ns
from typing import Any
from uuid import UUID, uuid4

import pytest
from factories import make_department, make_hospital, make_schedule
from people import resident_id
from people_http import SELF, Clinic, Patient, open_clinic
from sqlalchemy import select
from uuid_utils.compat import uuid7

from core.booking.beside import add_number
from core.booking.watch.fairness import fairness_of
from miniapp_api.config import Config
from miniapp_api.keys import write_keys
from miniapp_api.refused import EXTENSION, RefusedBookings
from models.database import Database
from models.hospital import Department
from models.schedule import Schedule, Slot, SlotStatus
from models.states import Actor, Cause, CauseKind

DESK = Cause(Actor.OPERATOR, CauseKind.COMMAND, "dr-li")
AN_HOUR = 3600 * 10**9
CLEAR = ["clear-signal", str(uuid4()), "--operator", "dr-li"]
ANYBODY = {"min_identity_level": 0}


@pytest.fixture
def clinic(database: Database, tmp_path: Path, clock: Any) -> Iterator[Clinic]:
    write_keys(tmp_path / "keys.json")
    (tmp_path / "platforms.json").write_text("{}")
    url = database.url.render_as_string(hide_password=False)
    environ = {"MODE": "local", "DATA_DIR": str(tmp_path), "DATABASE_URL": url}
    with open_clinic(Config.from_environ(environ), clock) as opened:
        yield opened


@pytest.fixture
def schedule_id(clinic: Clinic) -> str:
    """Two numbers, released this minute."""
    now = clinic.clock.now()

    def make(session: Any, _now: Any) -> Schedule:
        department = make_department(session, make_hospital(session))
        return make_schedule(session, department, numbers=2, terms=ANYBODY, release_at=now, now=now)

    return str(clinic.workbench.transactions.write(make).id)


def refused(clinic: Clinic) -> RefusedBookings:
    found: RefusedBookings = clinic.app.extensions[EXTENSION]
    return found


def come(clinic: Clinic, order: int) -> tuple[Patient, str]:
    patient = clinic.patient(f"somebody-{order}")
    return patient, patient.add(SELF | {"id_number": resident_id(order=order), "phone": f"13800000{order:03d}"})


def book(who: tuple[Patient, str], schedule_id: str, pay: str = "on_site") -> Any:
    patient, dependent_id = who
    return patient.post("/appointments", {"schedule_id": schedule_id, "dependent_id": dependent_id, "pay": pay})


def report(clinic: Clinic, schedule_id: str) -> dict[str, Any]:
    answer = clinic.app.test_client().get(f"/api/v1/schedules/{schedule_id}/fairness")
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def test_it_tells_how_long_the_numbers_lasted_by_which_way_they_went_and_what_was_refused(
    clinic: Clinic, schedule_id: str
) -> None:
    people = [come(clinic, order) for order in (101, 103, 105)]
    clinic.clock.advance(timedelta(seconds=7))
    assert book(people[0], schedule_id).status_code == 201
    assert book(people[0], schedule_id).json["code"] == "already_booked"
    clinic.clock.advance(timedelta(seconds=30))
    assert book(people[1], schedule_id).status_code == 201
    for _ in range(2):
        assert book(people[2], schedule_id).json["code"] == "sold_out"
    refused(clinic).write()
    told = report(clinic, schedule_id)
    assert (told["numbers"], told["taken"], told["seconds_to_sold_out"]) == (2, 2, 37)
    assert told["channels"] == [{"channel": "wechat_miniapp", "numbers": 2, "share": 100}]
    assert told["refused"] == [{"code": "sold_out", "times": 2}, {"code": "already_booked", "times": 1}]


def test_what_is_given_out_later_changes_nothing_of_what_was_told(clinic: Clinic, schedule_id: str) -> None:
    """A doctor's extra number, let go again, and numbers that the hospital adds an hour after the first were gone."""
    people = [come(clinic, order) for order in (101, 103, 105)]
    clinic.clock.advance(timedelta(seconds=7))
    for who in people[:2]:
        assert book(who, schedule_id).status_code == 201
    clinic.clock.advance(timedelta(minutes=5))

    def give_extra(session: Any, now: Any) -> None:
        slots = session.scalars(select(Slot).where(Slot.schedule_id == UUID(schedule_id))).all()
        add_number(session, slots, slots[0], SlotStatus.BOOKED, why="extra", now=now, cause=DESK)

    def add(session: Any, _now: Any) -> None:
        beside = session.scalars(select(Slot).where(Slot.schedule_id == UUID(schedule_id)).limit(1)).one()
        columns = {name: getattr(beside, name) for name in ("hospital_id", "schedule_id", "starts_at", "ends_at")}
        later = uuid7(nanoseconds=time_ns() + AN_HOUR)
        session.add(Slot(id=later, sequence=9, status=SlotStatus.FREE, moved=0, **columns))

    def told() -> tuple[int, int, int | None]:
        found = clinic.workbench.transactions.read(lambda session, _now: fairness_of(session, UUID(schedule_id)))
        return found.numbers, found.taken, found.seconds_to_sold_out

    clinic.workbench.transactions.write(give_extra)
    assert told() == (3, 2, 7)
    clinic.workbench.transactions.write(add)
    assert told() == (4, 2, 7)
    clinic.clock.advance(timedelta(hours=1))
    assert book(people[2], schedule_id).status_code == 201
    assert told() == (4, 3, 7)


def test_whoever_wanted_it_in_exchange_or_for_a_family_counts_too(clinic: Clinic, schedule_id: str) -> None:
    def another(session: Any, now: Any) -> Schedule:
        wanted = session.get_one(Schedule, UUID(schedule_id))
        department = session.get_one(Department, wanted.department_id)
        return make_schedule(
            session, department, numbers=1, terms=ANYBODY, visit_date=wanted.visit_date + timedelta(days=1), now=now
        )

    full = str(clinic.workbench.transactions.write(another).id)
    assert book(come(clinic, 101), full).status_code == 201
    mother, own = come(clinic, 103)
    old = book((mother, own), schedule_id).json["id"]
    exchange = mother.post(f"/appointments/{old}/rescheduling", {"schedule_id": full})
    assert exchange.json["code"] == "sold_out"
    spouse = mother.add(SELF | {"id_number": resident_id(order=105), "relationship": "spouse"})
    items = [{"schedule_id": full, "dependent_id": one} for one in (own, spouse)]
    family = mother.post("/appointments/bundles", {"items": items, "pay": "on_site"}).json["code"]
    refused(clinic).write()
    assert family == "sold_out"
    assert report(clinic, full)["refused"] == [{"code": "sold_out", "times": 2}]


def test_what_never_ran_out_was_not_sold_out(clinic: Clinic, schedule_id: str) -> None:
    assert book(come(clinic, 101), schedule_id).status_code == 201
    told = report(clinic, schedule_id)
    assert (told["taken"], told["sold_out_at"], told["seconds_to_sold_out"]) == (1, None, None)


def test_refusals_add_up_and_those_of_nothing_are_forgotten(clinic: Clinic, schedule_id: str) -> None:
    counter = refused(clinic)
    for _ in range(2):
        counter.count(UUID(schedule_id), "not_released")
        counter.count(uuid4(), "not_released")
        counter.write()
    counter.write()
    assert report(clinic, schedule_id)["refused"] == [{"code": "not_released", "times": 2}]


def test_what_could_not_be_written_is_written_the_next_time(
    clinic: Clinic, schedule_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = refused(clinic)
    counter.count(UUID(schedule_id), "hold_open")
    with monkeypatch.context() as away:
        away.setattr(type(clinic.workbench.transactions), "write", lambda *_: 1 / 0)
        counter.write()
    counter.write()
    assert report(clinic, schedule_id)["refused"] == [{"code": "hold_open", "times": 1}]


def test_only_rules_are_counted(clinic: Clinic, schedule_id: str) -> None:
    who = come(clinic, 101)
    assert book(who, schedule_id, pay="with_shells").status_code == 422
    assert book(who, str(uuid4())).status_code == 404
    refused(clinic).write()
    assert report(clinic, schedule_id)["refused"] == []


def test_the_operator_reads_the_same(clinic: Clinic, schedule_id: str) -> None:
    assert book(come(clinic, 101), schedule_id).status_code == 201
    told = clinic.app.test_cli_runner().invoke(args=["fairness", schedule_id])
    assert (told.exit_code, '"taken": 1' in told.output) == (0, True)
    assert clinic.app.test_cli_runner().invoke(args=["fairness", str(uuid4())]).exit_code == 1


def test_a_sign_of_resale_is_cleared_with_a_reason_alone(clinic: Clinic) -> None:
    said = {why: clinic.app.test_cli_runner().invoke(args=[*CLEAR, "--why", why]) for why in (" ", "a big family")}
    assert [one.exit_code for one in said.values()] == [2, 1]
    assert "no such signal" in said["a big family"].output
