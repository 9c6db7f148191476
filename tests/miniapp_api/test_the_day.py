"""The day over HTTP and at the desk: a pass is shown, somebody arrives, waits and is seen."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from click.testing import Result
from factories import make_schedule
from sqlalchemy import update
from sqlalchemy.orm import Session
from ward import Ward, add, book, verify
from wire import Phone

from models.hospital import Department, Hospital
from models.schedule import Schedule

HERE = {"lat": 32.05, "lng": 118.78, "accuracy_m": 20}


def desk(ward: Ward, *args: str) -> Result:
    return ward.app.test_cli_runner().invoke(args=list(args))


def said(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def schedule(ward: Ward, **facts: Any) -> str:
    """Free of charge, at a hospital that is on the map."""
    made = ward.schedule(fee_fen=0, terms={"min_identity_level": 0}, **facts)
    ward.workbench.transactions.write(
        lambda session, _now: session.execute(update(Hospital).values(lat=HERE["lat"], lng=HERE["lng"]))
    )
    return made


def number(ward: Ward, phone: Phone, schedule_id: str, **person: Any) -> dict[str, Any]:
    made = book(phone, schedule_id, add(phone, **person), "on_site")
    assert made.status == 201, made
    return dict(made.json)


def to_the_segment(ward: Ward, phone: Phone, appointment_id: str) -> None:
    starts = datetime.fromisoformat(phone.get(f"/appointments/{appointment_id}")["slot"]["starts_at"])
    ward.clock.advance(starts - ward.clock.now())


def test_the_desk_reads_facts_as_json(ward: Ward) -> None:
    made = number(ward, ward.log_in("an"), schedule(ward))
    ward.clock.advance(timedelta(days=4))
    late = desk(ward, "check-in", made["number"])
    code, facts = late.output.strip().split(" ", 1)
    assert (late.exit_code, code, json.loads(facts)["open"]) == (1, "check_in_too_late", ["desk"])
    assert json.loads(facts)["closes_at"].endswith("Z")


def test_a_patient_arrives_waits_and_is_seen(ward: Ward) -> None:
    an, bo, schedule_id = ward.log_in("an"), ward.log_in("bo"), schedule(ward)
    first, second = number(ward, an, schedule_id), number(ward, bo, schedule_id, id_number="330102199001029960")
    assert an.get(f"/appointments/{first['id']}")["arrival"] is None
    code = bo.get(f"/appointments/{second['id']}/visit-pass")["code"]
    early = desk(ward, "check-in", code)
    assert (early.exit_code, "check_in_too_early" in early.output) == (1, True)
    to_the_segment(ward, an, first["id"])
    an_again, bo_again = ward.log_in("an"), ward.log_in("bo")
    code = bo_again.get(f"/appointments/{second['id']}/visit-pass")["code"]
    (checked,) = said(desk(ward, "check-in", code, "--operator", "desk-3"))
    assert (checked["number"], checked["status"]) == (second["number"], "arrived")
    arrived = an_again.post(f"/appointments/{first['id']}/check-in", HERE)
    assert (arrived.status, arrived.json["status"]) == (200, "arrived")
    assert bo_again.get(f"/appointments/{second['id']}")["arrival"]["people_ahead"] == 1
    assert [one["sequence"] for one in said(desk(ward, "queue", schedule_id))] == [1, 2]
    assert said(desk(ward, "pass-number", first["number"]))[0]["passed"] == 1
    assert [one["sequence"] for one in said(desk(ward, "queue", schedule_id))] == [2, 1]
    assert an_again.post(f"/appointments/{first['id']}/cancellation").code == "not_cancellable"
    assert said(desk(ward, "fulfil", second["number"]))[0]["status"] == "fulfilled"
    assert said(desk(ward, "cancel-at-desk", first["number"]))[0]["status"] == "cancelled"
    assert said(desk(ward, "queue", schedule_id)) == []
    log = [(one["actor"], one["action"]) for one in bo_again.get("/account/access-log")["items"]]
    assert log == [("desk", "appointment.fulfil"), ("desk-3", "appointment.check_in")]


def test_a_number_is_found_however_it_is_typed_and_a_half_day_that_is_none_is_told(ward: Ward) -> None:
    """Full-width digits come from a Chinese keyboard, blanks from reading aloud; an empty queue means an empty room."""
    an, schedule_id = ward.log_in("an"), schedule(ward)
    mine = number(ward, an, schedule_id)
    wide = mine["number"].translate({ord(str(one)): ord("\N{FULLWIDTH DIGIT ZERO}") + one for one in range(10)})
    for typed in (wide, f" {mine['number'][:6]} {mine['number'][6:]} "):
        (checked,) = said(desk(ward, "check-in", typed, "--overrule"))
        assert (checked["number"], checked["status"]) == (mine["number"], "arrived")
    nowhere = desk(ward, "queue", mine["id"])
    assert (nowhere.exit_code, nowhere.output) == (1, "not_found\n")


def test_who_was_seen_comes_again_on_the_same_registration(ward: Ward) -> None:
    an, terms = ward.log_in("an"), {"min_identity_level": 0, "follow_up_days": 3}
    first = ward.schedule(terms=terms)
    seen = number(ward, an, first)
    assert "no_follow_up" in desk(ward, "allow-follow-up", seen["number"]).output
    to_the_segment(ward, an, seen["id"])
    said(desk(ward, "check-in", seen["number"]))
    (told,) = said(desk(ward, "allow-follow-up", seen["number"], "--operator", "desk-3"))
    an = ward.log_in("an")
    shown = an.get(f"/appointments/{seen['id']}")["follow_up"]
    assert shown == {"until": told["until"], "appointment_id": None}

    again = ward.workbench.transactions.write(lambda session, now: tomorrow(session, UUID(first), now))
    path = f"/appointments/{seen['id']}/follow-up"
    made = an.post(path, {"schedule_id": again})
    assert (made.status, made.json["status"], made.json["fee_fen"]) == (201, "booked", 0)
    assert (made.json["follow_up_of_id"], made.json["charge"]["due_fen"]) == (seen["id"], 0)
    assert an.get(f"/appointments/{seen['id']}")["follow_up"]["appointment_id"] == made.json["id"]
    refused = an.post(path, {"schedule_id": again})
    assert (refused.code, refused.json["facts"]["reason"]) == ("no_follow_up", "used")
    assert an.post(f"/appointments/{made.json['id']}/cancellation").json["status"] == "cancelled"
    assert an.post(path, {"schedule_id": again}).status == 201
    assert "follow_up.allow" in [one["action"] for one in an.get("/account/access-log")["items"]]


def tomorrow(session: Session, schedule_id: UUID, now: datetime) -> str:
    """One more of the same department."""
    first = session.get_one(Schedule, schedule_id)
    department = session.get_one(Department, first.department_id)
    day = first.visit_date + timedelta(days=1)
    return str(make_schedule(session, department, visit_date=day, terms=first.terms, now=now).id)


def test_a_strangers_number_is_frozen_until_the_desk_decides(ward: Ward) -> None:
    an, schedule_id = ward.log_in("an"), schedule(ward)
    booked = number(ward, an, schedule_id)
    me = ward.log_in("me")
    own = add(me)
    assert me.send("POST", "/account/not-me").code == "identity_required"
    verify(ward, own)
    assert me.send("POST", "/account/not-me").json == {"frozen": 1}
    to_the_segment(ward, an, booked["id"])
    assert ward.log_in("an").post(f"/appointments/{booked['id']}/check-in", HERE).code == "appointment_frozen"
    assert "appointment_frozen" in desk(ward, "check-in", booked["number"]).output
    decided = desk(ward, "decide-not-me", booked["number"], "confirmed", "--operator", "desk-3")
    assert said(decided)[0]["decided"] is True
    assert ward.log_in("an").get(f"/appointments/{booked['id']}")["status"] == "cancelled"


def test_what_is_no_number_is_told(ward: Ward) -> None:
    for args in (("check-in", "12345"), ("fulfil", "12345"), ("check-in", "no-such-pass")):
        assert desk(ward, *args).exit_code == 1, args
