"""A hospital's own system over the real wire, going wrong in every way: no number is lost, no money kept without one,
and the hospital's book has one claim for each booking."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from at_his_system import LOST, book_of, booked, freed, paid, stands
from cases import Case, spoil
from stage import Stage

from models.schedule import Schedule

_FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture
def stage(hospital_stage: Stage) -> Stage:
    return hospital_stage


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("verb", ["hold", "confirm"])
def test_what_is_lost_on_the_way_there_ends_booked_once(stage: Stage, verb: str, kind: str) -> None:
    spoil(stage, f"hospital.{verb}", kind, times=1)
    case = booked(stage)
    stage.work()
    paid(stage, case)
    stage.work_until(case.is_booked, "booked")
    shown = case.shown()
    assert (book_of(stage, case), shown["awaiting"]) == ([("confirmed", 5000)], [])
    assert shown["slot"]["sequence"] > 100, "what the hospital calls out"
    assert case.kept_fen() == 5000


@pytest.mark.parametrize("kind", LOST)
def test_what_is_lost_on_the_way_back_frees_the_number_once_the_hospital_has_it(stage: Stage, kind: str) -> None:
    case = booked(stage)
    stage.work()
    paid(stage, case)
    assert case.is_booked()
    spoil(stage, "hospital.release", kind, times=1)
    assert case.cancel().status == 200
    stage.work_until(lambda: freed(stage, case) and case.is_refunded(), "freed and refunded")
    assert (book_of(stage, case), case.kept_fen()) == ([("released", 5000)], 0)


@pytest.mark.parametrize("reason", ["taken", "other"])
@pytest.mark.parametrize("verb", ["hold", "confirm"])
def test_a_refusal_gives_the_money_back(stage: Stage, verb: str, reason: str) -> None:
    case = booked(stage)
    spoil(stage, f"hospital.{verb}", "refuse", times=1, reason=reason)
    if verb == "confirm":
        stage.work()
    assert case.open_payment().status == 201
    stage.deliver(case.pay())
    stage.work_until(case.is_refunded, "refunded")
    shown = case.shown()
    assert (shown["status"], shown["cancel_reason"]) == ("cancelled", "hospital_refused")
    assert (case.kept_fen(), [status for status, _ in book_of(stage, case)]) == (0, ["refused"])
    stage.work_until(lambda: "withheld" not in stage.town.slot_statuses(case.schedule_id), "the number rests no more")
    left: dict[str, Any] = {"free": 1, "suspended": 1} if reason == "taken" else {"free": 2}
    assert stage.town.slot_statuses(case.schedule_id) == left


# --- exchanging a number


def exchanged(stage: Stage, case: Case, fee_fen: int) -> Case:
    """One that is to take the place of the case's: of the same department, a day later."""
    with stage.town.database.read() as session:
        first = session.get_one(Schedule, case.schedule_id)
        department_id, day = first.department_id, first.visit_date + timedelta(days=1)
    there = stage.town.schedule(
        department_id=department_id, numbers=2, fee_fen=fee_fen, visit_date=day, now=stage.clock.now()
    )
    reply = case.stranger.phone.post(f"/appointments/{case.appointment_id}/rescheduling", {"schedule_id": str(there)})
    assert (reply.status, reply.json["status"]) == (200, "pending"), reply
    assert reply.json["awaiting"] == [*["payment"] * (fee_fen > 5000), "hospital"]
    assert (reply.json["replaces_id"], case.shown()["replaced_by_id"]) == (case.appointment_id, reply.json["id"])
    assert (case.status(), book_of(stage, case)) == ("booked", [("confirmed", 5000)]), "kept until the new one is sure"
    return Case(stage, case.stranger, there, reply.json["id"])


@pytest.mark.parametrize("kind", ["drop_after", "error", "garbled"])
@pytest.mark.parametrize(("verb", "fee_fen"), [("hold", 3000), ("confirm", 8000), ("release", 3000)])
def test_an_exchange_lets_the_old_number_go_once_the_hospital_has_confirmed_the_new_one(
    stage: Stage, fee_fen: int, verb: str, kind: str
) -> None:
    old = stands(stage)
    spoil(stage, f"hospital.{verb}", kind, times=1)
    new = exchanged(stage, old, fee_fen)
    if fee_fen > 5000:
        paid(stage, new)
    stage.work_until(lambda: new.is_booked() and freed(stage, old), "exchanged")
    assert (old.shown()["cancel_reason"], old.shown()["replaced_by_id"]) == ("rescheduled", new.appointment_id)
    assert [book_of(stage, one) for one in (old, new)] == [[("released", 5000)], [("confirmed", fee_fen)]]
    assert new.shown()["slot"]["sequence"] > 100, "what the hospital calls out"
    stage.work_until(lambda: new.kept_fen() == fee_fen, "the difference")


@pytest.mark.parametrize(("verb", "fee_fen"), [("hold", 3000), ("confirm", 5000), ("confirm", 8000)])
def test_an_exchange_that_the_hospital_refuses_leaves_the_old_number(stage: Stage, verb: str, fee_fen: int) -> None:
    old = stands(stage)
    spoil(stage, f"hospital.{verb}", "refuse", times=1, reason="limit")
    new = exchanged(stage, old, fee_fen)
    if fee_fen > 5000:
        assert new.open_payment().status == 201
        stage.deliver(new.pay())
    stage.work_until(lambda: new.status() == "cancelled", "refused")
    stage.work_until(lambda: old.kept_fen() == 5000 and freed(stage, new), "the difference")
    assert (old.status(), new.shown()["cancel_reason"]) == ("booked", "hospital_refused")
    assert [book_of(stage, one)[0][0] for one in (old, new)] == ["confirmed", "refused"]


def test_a_hospital_that_is_down_for_an_hour(stage: Stage) -> None:
    """Who waits is booked when it is back; who gave up has left nothing there, and the number can be had again."""
    waits, leaves = booked(stage, pay="on_site"), booked(stage, pay="on_site")
    for verb in ("find", "hold", "release", "ask"):
        spoil(stage, f"hospital.{verb}", "error")
    stage.work()
    assert leaves.cancel().status == 200
    for _ in range(12):
        stage.work(after=_FIVE_MINUTES)
    assert (waits.status(), waits.shown()["awaiting"]) == ("pending", ["hospital"])
    stage.control("DELETE", "/faults")
    stage.work_until(waits.is_booked, "booked")
    stage.work_until(lambda: freed(stage, leaves), "freed")
    assert [book_of(stage, one)[0][0] for one in (waits, leaves)] == ["confirmed", "released"]
